"""`perpkit markets`, `accounts`, `positions` and `watch`: reading, which needs no key."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from perpkit.cli.as_json import number, plain, print_json
from perpkit.cli.failure import sentence
from perpkit.cli.options import JsonOption, ManifestOption, RoleOption, RpcOption
from perpkit.cli.order import orders_table
from perpkit.cli.output import moment, money, percent, price, signed, size, stdout, table
from perpkit.cli.session import Session, connect
from perpkit.client import AccountInfo, MarketInfo, PositionInfo, Snapshot, VaultInfo
from perpkit.model.errors import PerpError
from perpkit.model.types import Address

app = typer.Typer()

# Below this many columns tables leave out what one can do without.
WIDE = 100

WhoArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[WHO]...", help="Roles or addresses [all roles of the devnet].")
]


@app.command("markets")
def markets(manifest: ManifestOption = None, rpc: RpcOption = None, as_json: JsonOption = False) -> None:
    """Show the markets: price, funding, open interest, leverage, risk tiers, and what is unusual about each."""
    session = connect(manifest=manifest, rpc=rpc)
    found = session.reader.markets()
    if as_json:
        print_json(found)
        return
    stdout().print(markets_table(found, now=session.backend.timestamp, wide=_is_wide(stdout())))
    if any(len(market.tiers) > 1 for market in found):
        stdout().print(tiers_table(found))


@app.command("accounts")
def accounts(
    who: WhoArgument = None,
    role: RoleOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the margin accounts of roles or addresses: collateral, equity, health."""
    session = connect(manifest=manifest, rpc=rpc)
    found = _used(session.reader.snapshot(*_owners(session, who, role)).accounts)
    if as_json:
        print_json([_with_role(session, account.owner, account) for account in found])
    elif found:
        stdout().print(accounts_table(session, found))
    else:
        print("No account holds anything yet; deposit or open first.")


@app.command("positions")
def positions(
    who: WhoArgument = None,
    role: RoleOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the positions of roles or addresses, with their liquidation prices and the orders that wait."""
    session = connect(manifest=manifest, rpc=rpc)
    snapshot = session.reader.snapshot(*_owners(session, who, role))
    found = snapshot.positions
    if as_json:
        print_json([_with_role(session, position.owner, position) for position in found])
        return
    if found:
        stdout().print(positions_table(session, found, wide=_is_wide(stdout())))
    else:
        print("There is no open position.")
    if snapshot.orders:
        stdout().print(orders_table(session, snapshot.orders))


@app.command("watch")
def watch(
    who: WhoArgument = None,
    role: RoleOption = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show markets, accounts and positions live, until Ctrl-C; with --json one line for each look."""
    session = connect(manifest=manifest, rpc=rpc)
    owners = _owners(session, who, role)
    if as_json:
        print_json(_seen(session, owners))
        while not once:
            time.sleep(every)
            print_json(_seen(session, owners))
    elif once:
        stdout().print(screen(session, owners, wide=_is_wide(stdout())))
    else:
        _live(session, owners, every)


def _live(session: Session, owners: Sequence[Address], every: float) -> None:
    console = stdout()
    with Live(screen(session, owners, wide=_is_wide(console)), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            # The terminal may have been resized.
            live.update(screen(session, owners, wide=_is_wide(console)), refresh=True)


def _seen(session: Session, owners: Sequence[Address]) -> object:
    snapshot = session.reader.snapshot(*owners)
    found = plain(snapshot)
    found["accounts"] = [_with_role(session, account.owner, account) for account in _used(snapshot.accounts)]
    return found


# WHAT ONE SEES


def screen(session: Session, owners: Sequence[Address], *, wide: bool) -> RenderableType:
    """Everything at one block; when a stale price hides the accounts, the markets and the reason."""
    try:
        snapshot = session.reader.snapshot(*owners)
    except PerpError as error:
        now = session.backend.timestamp
        markets = markets_table(session.reader.markets(), now=now, wide=wide)
        return Group(markets, Text(sentence(error), style="red"))
    markets = markets_table(snapshot.markets, now=snapshot.timestamp, wide=wide)
    parts: list[RenderableType] = [_headline(snapshot), markets]
    if used := _used(snapshot.accounts):
        parts.append(accounts_table(session, used))
    if snapshot.positions:
        parts.append(positions_table(session, snapshot.positions, wide=wide))
    if snapshot.orders:
        parts.append(orders_table(session, snapshot.orders))
    return Group(*parts)


def _headline(snapshot: Snapshot) -> Text:
    vault: VaultInfo = snapshot.vault
    block = "" if snapshot.block is None else f"block {snapshot.block}, "
    return Text(
        f"{block}{moment(snapshot.timestamp)} · pool {money(vault.pool)} · insurance {money(vault.insurance)}",
        style="dim",
    )


def markets_table(markets: Sequence[MarketInfo], *, now: int, wide: bool) -> Table:
    columns = ["Market", "Price", "Funding/8 h", "Long OI", "Short OI", "Max lev."]
    states = [", ".join(market_state(market, now=now)) for market in markets]
    state = ["State"] if any(states) else []
    made = table("Markets", *columns, *(["Skew", "Maint.", "Taker", "Maker"] if wide else []), *state)
    for market, words in zip(markets, states, strict=True):
        row = [
            market.symbol,
            price(market.price) if market.price is not None else Text("stale", style="red"),
            percent(market.funding_rate * 8 * 3600 / market.funding_interval, 4),
            size(market.long_open_interest),
            size(market.short_open_interest),
            f"{number(market.max_leverage)}x",
        ]
        if wide:
            row += [
                size(market.skew),
                percent(market.maintenance_margin_ratio),
                percent(market.taker_fee),
                percent(market.maker_fee),
            ]
        made.add_row(*row, *([words or "–"] if state else []))
    return made


def market_state(market: MarketInfo, *, now: int) -> list[str]:
    """What is unusual about a market at a time {s}, in words."""
    words = [f"orders only, {market.min_delay} s"] if market.min_delay else []
    if (end := market.delisting) is not None:
        words.append(
            f"delisting from {moment(end.effective_at)}" if end.price is None else f"delisted at {price(end.price)}"
        )
    if market.outage:
        words.append("price outage: no liquidations")
    elif market.grace_until is not None and market.grace_until > now:
        words.append(f"no liquidations before {moment(market.grace_until)}")
    return [*words, *(f"no {action}" for action in market.paused)]


def tiers_table(markets: Sequence[MarketInfo]) -> Table:
    """What larger positions need."""
    made = table("Risk tiers", "Market", "From size", "Max lev.", "Initial", "Maint.")
    for market in markets:
        for tier in market.tiers if len(market.tiers) > 1 else ():
            made.add_row(
                market.symbol,
                size(tier.min_size),
                f"{number(tier.max_leverage)}x",
                percent(tier.initial_margin_ratio),
                percent(tier.maintenance_margin_ratio),
            )
    return made


def accounts_table(session: Session, accounts: Sequence[AccountInfo]) -> Table:
    made = table("Accounts", "Who", "Account", "Collateral", "Equity", "Maint.", "Free", "Health", left=2)
    for account in accounts:
        made.add_row(
            session.who(account.owner),
            session.account_name(account.sub),
            money(account.collateral),
            signed(money(account.equity)),
            money(account.maintenance_margin),
            money(account.withdrawable),
            _health(account),
        )
    return made


def positions_table(session: Session, positions: Sequence[PositionInfo], *, wide: bool) -> Table:
    columns = ["Size", "Entry", "PnL", "Liq. price", "Lev."]
    columns += ["Max", "Mark", "Notional", "Funding"] if wide else []
    made = table("Positions", "Who", "Position", *columns, left=2)
    for position in positions:
        leverage = "–" if position.leverage is None else f"{position.leverage:.1f}x"
        row: list[str | Text] = [
            session.who(position.owner),
            f"{position.market} {position.side.value}{' iso' if position.isolated else ''}",
            size(position.size),
            price(position.entry_price),
            signed(money(position.unrealized_pnl)),
            price(position.liquidation_price),
            leverage,
        ]
        if wide:
            row += [
                f"{position.max_leverage:.0f}x",
                price(position.mark_price),
                money(position.notional),
                signed(money(position.funding)),
            ]
        made.add_row(*row)
    return made


def _health(account: AccountInfo) -> Text:
    if account.health is None:
        return Text("–")
    style = "bold red" if account.liquidatable else "yellow" if account.health < 2 else "green"
    return Text(f"{account.health:,.2f}", style=style)


# WHO


def _owners(session: Session, who: Sequence[str] | None, role: str | None) -> list[Address]:
    """The addresses asked about; all roles when nobody is named."""
    names = [*(who or []), *([role] if role else [])]
    return [session.address_of(name) for name in names] if names else list(session.roles.values())


def _with_role(session: Session, owner: Address, value: object) -> dict[str, object]:
    return {"role": session.role_of(owner), **plain(value)}


def _used(accounts: Sequence[AccountInfo]) -> list[AccountInfo]:
    return [account for account in accounts if account.collateral or account.positions]


def _is_wide(console: Console) -> bool:
    return console.width >= WIDE
