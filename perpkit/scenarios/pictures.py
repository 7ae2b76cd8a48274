"""Pictures that are read off the ledger of a story: prices, equity, positions, the fund, over its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from perpkit.picture import LANES, LINES, MONEY, PRICE, SIZE, Level, Panel, Picture, Series, Stretch

if TYPE_CHECKING:
    from perpkit.scenarios.story import Step

# Whom of the cast a panel shows, and what it calls them; everybody by role when there are none.
Names = Mapping[str, str] | None


def over_steps(
    title: str, words: str, steps: Sequence[Step], *panels: Panel, stretches: tuple[Stretch, ...] = ()
) -> Picture:
    """A picture along the ledger, whose steps are counted from 1."""
    return Picture(title, words, tuple(range(1, len(steps) + 1)), panels, stretches=stretches)


def everybody(steps: Sequence[Step]) -> Picture:
    """What a story shows that chooses nothing else: the prices that move, and everybody's equity."""
    moved = [symbol for symbol in steps[0].prices if len({step.prices[symbol] for step in steps}) > 1]
    panels = (*(price_panel(steps, symbol) for symbol in moved), equity_panel(steps))
    return over_steps("How everybody stands", "Equity of each account, each on its own scale.", steps, *panels)


def price_panel(steps: Sequence[Step], symbol: str = "ETH-USD", *, levels: Iterable[Level] = ()) -> Panel:
    """One price; the steps at which somebody was liquidated are marked on the first market."""
    marked = symbol == next(iter(steps[0].prices))
    hits = tuple(number for number, step in enumerate(steps, 1) if step.liquidated and marked)
    values = tuple(step.prices[symbol] for step in steps)
    return Panel(f"Price of {symbol}", PRICE, (Series(symbol, values, hits),), levels=tuple(levels))


def liquidation_levels(steps: Sequence[Step], names: Mapping[str, str]) -> tuple[Level, ...]:
    """Liquidation prices as the first step says them; `names` are what to call whom of the cast."""
    first = steps[0].accounts
    return tuple(Level(words, first[name]["liquidation_price"]) for name, words in names.items())


def equity_panel(steps: Sequence[Step], names: Names = None, *, title: str = "Equity", shown: str = LANES) -> Panel:
    return Panel(title, MONEY, _columns(steps, names, "equity"), shown)


def size_panel(steps: Sequence[Step], names: Names = None, *, base: str = "ETH") -> Panel:
    """What is left of each position."""
    return Panel(f"Position, {base}", SIZE, _columns(steps, names, "size"), LANES)


def fund_panel(steps: Sequence[Step], *, shown: str = LINES) -> Panel:
    insurance, deficit = (step.insurance for step in steps), (step.deficit for step in steps)
    series = (Series("insurance fund", tuple(insurance)), Series("deficit", tuple(deficit)))
    return Panel("Who pays for bad debt", MONEY, series, shown)


def money_panel(title: str, shown: str = LINES, **columns: Sequence[int | None]) -> Panel:
    """Columns of money by name {quanta of six decimals}."""
    return Panel(title, MONEY, tuple(Series(_plain(name), tuple(values)) for name, values in columns.items()), shown)


def _columns(steps: Sequence[Step], names: Names, entry: str) -> tuple[Series, ...]:
    chosen = names if names is not None else {name: _plain(name) for name in steps[-1].accounts}
    return tuple(
        Series(
            words,
            tuple(step.accounts[name][entry] if name in step.accounts else None for step in steps),
            tuple(number for number, step in enumerate(steps, 1) if name in step.liquidated),
        )
        for name, words in chosen.items()
    )


def _plain(name: str) -> str:
    return name.replace("_", " ")
