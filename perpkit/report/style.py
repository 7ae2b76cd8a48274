"""Colours, units and steps of time that all pictures share."""

from __future__ import annotations

WAD = 10**18  # prices and open interest
MONEY = 10**6  # insurance, pool, deficit, notional
LONG, SHORT = "long", "short"

# Drawn in these colours, then handed to the page as CSS variables with these as fallback, so that one picture
# serves light and dark. Blue and orange stay apart for every kind of colour blindness.
COLOURS = {
    "ink": "#3c4149",
    "muted": "#7c838c",
    "rule": "#c3c8ce",
    "long": "#2f78ba",
    "short": "#cd6a1a",
    "pool": "#6d7f92",
    "other": "#8a5aa8",
}
INK, MUTED, RULE, LONG_COLOUR, SHORT_COLOUR, POOL_COLOUR, OTHER_COLOUR = COLOURS.values()
SIDE_COLOURS = {LONG: LONG_COLOUR, SHORT: SHORT_COLOUR}

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUTE, HOUR, DAY = 60, 3600, 86_400
TICK_STEPS = (
    *(1, 5, 15, 30, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR),
    *(DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 91 * DAY, 182 * DAY, 365 * DAY, 1825 * DAY),
)
