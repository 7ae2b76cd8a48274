"""The report of a run or a story: one self-contained HTML file with its pictures inside, the same bytes every time.

Figures arrive as exact integers and turn into floats only here, where they become pictures.
"""

from perpkit.report.data import (
    LedgerStep,
    LiquidationMark,
    MarketSeries,
    Report,
    StoryContents,
    StoryEntry,
    StoryPage,
    VaultSeries,
)
from perpkit.report.page import render_report, render_story, write_contents, write_report, write_story
from perpkit.report.text import amount_text, dollars_text, moment_text, price_text, span_text

__all__ = [
    "LedgerStep",
    "LiquidationMark",
    "MarketSeries",
    "Report",
    "StoryContents",
    "StoryEntry",
    "StoryPage",
    "VaultSeries",
    "amount_text",
    "dollars_text",
    "moment_text",
    "price_text",
    "render_report",
    "render_story",
    "span_text",
    "write_contents",
    "write_report",
    "write_story",
]
