"""Drawing less than everything, so that a page stays small."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

from perpkit.report.data import LiquidationMark


def thinned(times: Sequence[int], series: Sequence[Sequence[int]], points: int) -> list[int]:
    """Indexes to draw: all, or for each stretch of time the extremes of every series, so no spike is lost."""
    if len(times) <= points:
        return list(range(len(times)))
    stretches = max(1, points // (2 * len(series)))
    first, width = times[0], times[-1] - times[0] + 1
    keep = {0, len(times) - 1}
    start = 0
    for stretch in range(1, stretches + 1):
        end = bisect.bisect_left(times, first + -(-width * stretch // stretches), start)
        for values in series if end > start else ():
            keep.add(min(range(start, end), key=values.__getitem__))
            keep.add(max(range(start, end), key=values.__getitem__))
        start = end
    return sorted(keep)


def thinned_marks(marks: Sequence[LiquidationMark], most: int) -> list[LiquidationMark]:
    """All marks, or where they would cover each other only the largest of each cell of a grid."""
    if len(marks) <= most:
        return list(marks)
    column = _cells([mark.time for mark in marks], most // 4)
    row = _cells([mark.price for mark in marks], 40)
    cells: dict[tuple[int, int], LiquidationMark] = {}
    for mark in marks:
        cell = column(mark.time), row(mark.price)
        if cell not in cells or mark.notional > cells[cell].notional:
            cells[cell] = mark
    largest = sorted(cells.values(), key=lambda mark: -mark.notional)[:most]
    return sorted(largest, key=lambda mark: mark.time)


def _cells(values: Sequence[int], count: int) -> Callable[[int], int]:
    """Which of `count` equal cells between the least and the largest value holds a value."""
    least, width = min(values), max(values) - min(values) + 1
    return lambda value: (value - least) * count // width
