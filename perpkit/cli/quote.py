"""`perpkit quote`: a position worked out offline, without a node."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from perpkit.cli.as_json import number, print_json
from perpkit.cli.options import JsonOption, MarketArgument, SideArgument, decimal
from perpkit.cli.output import money, percent, price, print_facts, size
from perpkit.client import Quote
from perpkit.client import quote as work_out

app = typer.Typer()


@app.command("quote")
def quote(
    market: MarketArgument,
    side: SideArgument,
    margin: Annotated[Decimal, typer.Option(parser=decimal, metavar="USD", help="Collateral of the position.")],
    leverage: Annotated[Decimal, typer.Option(parser=decimal, metavar="X", help="Notional over margin.")],
    at: Annotated[
        Decimal | None, typer.Option("--price", parser=decimal, metavar="USD", help="Mark price [the devnet's first].")
    ] = None,
    stop: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="USD", help="What a loss stopped there comes to.")
    ] = None,
    take_profit: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="USD", help="What a profit taken there comes to.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Work a position out offline, by the market's own formulas: size, liquidation price, fee.

    The market is the devnet's, with no other position in it.
    """
    found = work_out(market, side=side, margin=margin, leverage=leverage, price=at, stop=stop, take_profit=take_profit)
    if as_json:
        print_json(found)
    else:
        _show(found, f"{market} {side}, {margin:f} at {leverage:f}x")


def _show(found: Quote, title: str) -> None:
    facts = [
        ("size", size(found.size)),
        ("entry price", price(found.entry_price)),
        ("liquidation price", price(found.liquidation_price)),
        ("bankruptcy price", price(found.bankruptcy_price)),
        ("distance to liquidation", percent(found.distance_to_liquidation)),
        ("fee", money(found.fee)),
        ("most leverage at this size", f"{number(found.max_leverage)}x"),
        ("initial margin", f"{money(found.initial_margin)} ({percent(found.initial_margin_ratio)})"),
        ("maintenance margin", f"{money(found.maintenance_margin)} ({percent(found.maintenance_margin_ratio)})"),
    ]
    for way_out in found.exits:
        share = percent(way_out.result / found.margin)
        facts.append(
            (f"{way_out.kind.text} at {price(way_out.trigger)}", f"{money(way_out.result)} ({share} of margin)")
        )
    if found.min_delay:
        facts.append(("orders only", f"fills at a price that is {found.min_delay} s newer"))
    print_facts(title, facts)
