"""The report of a run: one self-contained HTML file with its pictures inside, the same bytes every time.

Figures arrive as exact integers and turn into floats only here, where they become pictures.
"""

from perpkit.report.data import LiquidationMark, MarketSeries, Report, VaultSeries
from perpkit.report.page import render_report, write_report
from perpkit.report.text import amount_text, dollars_text, moment_text, price_text, span_text

__all__ = [
    "LiquidationMark",
    "MarketSeries",
    "Report",
    "VaultSeries",
    "amount_text",
    "dollars_text",
    "moment_text",
    "price_text",
    "render_report",
    "span_text",
    "write_report",
]
