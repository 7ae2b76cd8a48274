"""`perpkit liquidate`: closing what somebody can no longer back, for a reward."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from perpkit.cli.as_json import plain, print_json
from perpkit.cli.options import (
    IsolatedOption,
    JsonOption,
    KeystoreOption,
    ManifestOption,
    MarketArgument,
    PasswordFileOption,
    PreviewOption,
    RoleOption,
    RpcOption,
)
from perpkit.cli.output import money, number, price, print_facts, short_address, signed
from perpkit.cli.session import Acting, connect_as
from perpkit.cli.trade import sent
from perpkit.client import LiquidatePreview

app = typer.Typer()


@app.command("liquidate")
def liquidate(
    who: Annotated[str, typer.Argument(metavar="WHO", help="The role or address that holds the position.")],
    market: MarketArgument,
    isolated: IsolatedOption = None,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Liquidate a position whose account is below maintenance margin; acts as the role keeper unless told."""
    acting = connect_as(
        manifest=manifest,
        rpc=rpc,
        role=role,
        keystore=keystore,
        password_file=password_file,
        default_role="keeper",
    )
    act = acting.trader.preview_liquidate if preview else acting.trader.liquidate
    found: LiquidatePreview = act(owner=acting.session.address_of(who), market=market, isolated=isolated)
    if as_json:
        print_json({"preview": preview, **plain(found), **sent(found)})
    else:
        _show(acting, found, preview=preview)


def _show(acting: Acting, found: LiquidatePreview, *, preview: bool) -> None:
    facts: list[tuple[str, str | Text]] = [
        ("mark price", price(found.mark_price)),
        ("realised PnL", signed(money(found.realized_pnl))),
        ("penalty", money(found.penalty)),
        (f"reward of {acting.name}", money(found.reward)),
        ("bad debt", money(found.bad_debt)),
        ("equity left", money(found.account.equity)),
    ]
    if transaction := sent(found).get("transaction"):
        facts.append(("transaction", short_address(str(transaction))))
    verb = "would liquidate" if preview else "liquidated"
    print_facts(f"{verb} {number(found.size)} {found.market} of {acting.session.who(found.account.owner)}", facts)
