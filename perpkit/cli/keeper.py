"""`perpkit keeper`: liquidates, deleverages, records outages and rebalances tokens on a market that others share."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from perpkit.cli.as_json import print_json
from perpkit.cli.options import JsonOption, KeystoreOption, ManifestOption, PasswordFileOption, RoleOption, RpcOption
from perpkit.cli.output import stdout
from perpkit.cli.session import Session, connect_as
from perpkit.client.leveraged import leverage_or_none
from perpkit.keeper.keeper import Keeper, KeeperReport
from perpkit.model.market_ledger import OUTAGE
from perpkit.model.types import owner_of
from perpkit.replay import dollars

app = typer.Typer()


@app.command("keeper")
def keeper(
    once: Annotated[bool, typer.Option("--once", help="Answer the present prices, then end.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch the market, liquidate, deleverage, rebalance; acts as the role keeper unless told. Ctrl-C ends it."""
    acting = connect_as(
        manifest=manifest,
        rpc=rpc,
        role=role,
        keystore=keystore,
        password_file=password_file,
        default_role="keeper",
    )
    bot = Keeper(acting.session.backend, acting.trader.address, rebalance=True)
    if not as_json:
        stdout().print(f"keeper {acting.name} watches the market" + ("" if once else "; Ctrl-C ends it"))
    while True:
        report = bot.step()
        if as_json and (once or report.transactions or report.refusals):
            print_json(summary(report, acting.session))
        elif not as_json:
            _say(report, acting.session)
        if once:
            return
        try:
            time.sleep(every)
        except KeyboardInterrupt:
            return


def summary(report: KeeperReport, session: Session) -> dict[str, Any]:
    """One step for machines."""
    symbols = _symbols(session)
    return {
        "transactions": report.transactions,
        "reward": dollars(report.reward),
        "liquidations": [
            {
                "market": symbols[event.market],
                "account": f"{event.account:#x}",
                "owner": owner_of(event.account),
                "partial": event.position.size != 0,
                "reward": dollars(event.result.reward),
                "bad_debt": dollars(event.result.bad_debt),
            }
            for event in report.liquidations
        ],
        "deleveragings": [
            {
                "market": symbols[event.market],
                "account": f"{event.account:#x}",
                "owner": owner_of(event.account),
                "haircut": dollars(event.result.haircut),
            }
            for event in report.deleveragings
        ],
        "outages": [
            {"market": symbols[event.market], "began": event.grace_until == OUTAGE} for event in report.outages
        ],
        "rebalances": [
            {
                "token": symbol,
                "leverage": leverage_or_none(event.result.leverage),
                "reward": dollars(event.result.reward),
            }
            for symbol, event in report.rebalances
        ],
        "refusals": [str(error) for error in report.refusals],
    }


def _say(report: KeeperReport, session: Session) -> None:
    """One line for everything that was done."""
    console, symbols = stdout(), _symbols(session)
    for event in report.liquidations:
        how = "partly" if event.position.size else "fully"
        who, reward = session.who(owner_of(event.account)), dollars(event.result.reward)
        console.print(f"liquidated {who} in {symbols[event.market]} {how}, reward {reward}")
    for adl in report.deleveragings:
        who, haircut = session.who(owner_of(adl.account)), dollars(adl.result.haircut)
        console.print(f"deleveraged {who} in {symbols[adl.market]}, haircut {haircut}")
    for outage in report.outages:
        what = "price is missing" if outage.grace_until == OUTAGE else "price is back"
        console.print(f"recorded that the {what} in {symbols[outage.market]}")
    for symbol, rebalanced in report.rebalances:
        console.print(f"rebalanced {symbol}, reward {dollars(rebalanced.result.reward)} in shares")
    for error in report.refusals:
        console.print(f"refused: {error}")


def _symbols(session: Session) -> dict[int, str]:
    return {market.id: market.symbol for market in session.backend.manifest.markets}
