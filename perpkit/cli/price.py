"""`perpkit price`: moves a devnet's market."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from perpkit.cli.as_json import print_json
from perpkit.cli.failure import Usage
from perpkit.cli.options import JsonOption, ManifestOption, MarketArgument, RpcOption, decimal
from perpkit.cli.output import price as price_text
from perpkit.cli.output import stdout
from perpkit.cli.session import connect_as
from perpkit.market_setup import FEED_TICK, feed_answer
from perpkit.model.fixed_math import PRICE_MAX

app = typer.Typer()


@app.command("price")
def price(
    market: MarketArgument,
    dollars: Annotated[Decimal, typer.Argument(metavar="PRICE", parser=decimal, help="In dollars.")],
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a price on every feed of a market, as the devnet's role publisher."""
    scaled = int(dollars.scaleb(18))
    if scaled < FEED_TICK or scaled > PRICE_MAX:
        raise Usage("PRICE", dollars, f"dollars between 0.00000001 and {PRICE_MAX // 10**18}")
    acting = connect_as(manifest=manifest, rpc=rpc, role="publisher", keystore=None)
    backend = acting.session.backend
    acting.trader.reader.market(market)
    feeds = [one.address for label, one in backend.deployed.items() if label.startswith(f"feed:{market}:")]
    answers = (feed_answer(scaled),) * len(feeds)
    backend.transact("board", "push", tuple(feeds), answers, sender=acting.trader.address)
    if as_json:
        print_json({"market": market, "price": dollars, "feeds": len(feeds)})
    else:
        stdout().print(f"{market} is at {price_text(dollars)} on {len(feeds)} feeds")
