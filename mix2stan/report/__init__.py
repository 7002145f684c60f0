"""Reports: a fit and its model as one web page that needs nothing from outside."""

from __future__ import annotations

from mix2stan.report.runs import RECORD, record_run, report_run
from mix2stan.report.write import check_free, report_fit

__all__ = ["RECORD", "check_free", "record_run", "report_fit", "report_run"]
