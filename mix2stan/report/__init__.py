"""Reports: a fit and its model as one web page that needs nothing from outside."""

from __future__ import annotations

from mix2stan.report.runs import RECORD, record_run, report_run
from mix2stan.report.write import report_fit

__all__ = ["RECORD", "record_run", "report_fit", "report_run"]
