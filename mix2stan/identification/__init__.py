"""What data can tell of a model's covariances, whatever the method that asks them."""

from mix2stan.identification.findings import Finding, findings
from mix2stan.identification.maxima import no_maximum

__all__ = ["Finding", "findings", "no_maximum"]
