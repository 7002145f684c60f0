"""Pictures of a fit, on matplotlib: what ``fit.plot`` can draw."""

from __future__ import annotations

from mix2stan.pictures.methods import Pictures

__all__ = ["Pictures"]
