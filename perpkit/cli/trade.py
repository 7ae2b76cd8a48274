"""`perpkit deposit`, `withdraw`, `open`, `reduce` and `close`: acting for one's own account."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.text import Text

from perpkit.cli.as_json import number, plain, print_json
from perpkit.cli.failure import Usage
from perpkit.cli.options import (
    AcceptablePriceOption,
    IsolatedOption,
    JsonOption,
    KeystoreOption,
    ManifestOption,
    MarketArgument,
    PasswordFileOption,
    PreviewOption,
    RoleOption,
    RpcOption,
    SideArgument,
    SlippageOption,
    decimal,
)
from perpkit.cli.output import money, price, print_facts, short_address, signed, size
from perpkit.cli.session import Acting, connect_as
from perpkit.client import AccountInfo, MoneyResult, OpenPreview, ReducePreview, Side, Trader
from perpkit.client.names import CROSS_SUB, NONE, WALLET, isolated_sub
from perpkit.client.results import TradePreview

app = typer.Typer()

AmountArgument = Annotated[Decimal, typer.Argument(parser=decimal, metavar="AMOUNT", help="In dollars.")]


# So that -5 reaches the check of amounts instead of being taken for an option.
_NEGATIVE_NUMBERS = {"ignore_unknown_options": True}


@app.command("deposit", context_settings=_NEGATIVE_NUMBERS)
def deposit(
    amount: AmountArgument,
    to: Annotated[str, typer.Option(help="cross, or the market of an isolated account.")] = "cross",
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put money from the wallet into an account."""
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    _say_moved(acting, "deposited", acting.trader.deposit(amount, to=to), as_json)


@app.command("withdraw", context_settings=_NEGATIVE_NUMBERS)
def withdraw(
    amount: Annotated[
        Decimal | None, typer.Argument(parser=decimal, metavar="[AMOUNT]", help="In dollars; or use --all.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that may leave.")] = False,
    source: Annotated[str, typer.Option("--from", help="cross, or the market of an isolated account.")] = "cross",
    to: Annotated[str | None, typer.Option(help="A role or address to pay, instead of one's own wallet.")] = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay free collateral out to the wallet."""
    if (amount is None) != everything:
        raise Usage("AMOUNT", "given together with --all" if everything else "missing", "an amount, or --all")
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    receiver = None if to is None else acting.session.address_of(to)
    _say_moved(acting, "withdrew", acting.trader.withdraw(amount, source=source, to=receiver), as_json)


@app.command("open")
def open_position(
    market: MarketArgument,
    side: SideArgument,
    margin: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="USD", help="What the position is backed with.")
    ] = None,
    base: Annotated[
        Decimal | None, typer.Option("--size", parser=decimal, metavar="BASE", help="How much, in the base asset.")
    ] = None,
    leverage: Annotated[Decimal | None, typer.Option(parser=decimal, metavar="X", help="Notional over margin.")] = None,
    isolated: Annotated[bool, typer.Option("--isolated/--cross", help="In an account of its own, or not.")] = False,
    fund: Annotated[
        str | None, typer.Option(help="wallet, cross or none [wallet, unless the cross account has enough].")
    ] = None,
    acceptable_price: AcceptablePriceOption = None,
    slippage: SlippageOption = None,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a position, or add to it. Two of --margin, --size and --leverage determine the third."""
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    wish = {
        "market": market,
        "margin": margin,
        "size": base,
        "leverage": leverage,
        "isolated": isolated,
        "acceptable_price": acceptable_price,
        "slippage": slippage,
    }
    found = _open(acting.trader, Side.of(side), fund, wish, preview=preview)
    say_trade(acting, "opened", found, as_json)


@app.command("reduce")
def reduce(
    market: MarketArgument,
    fraction: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="RATIO", help="Which part of it, such as 0.5.")
    ] = None,
    base: Annotated[
        Decimal | None, typer.Option("--size", parser=decimal, metavar="BASE", help="How much, in the base asset.")
    ] = None,
    isolated: IsolatedOption = None,
    acceptable_price: AcceptablePriceOption = None,
    slippage: SlippageOption = None,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a part of a position."""
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    act = acting.trader.preview_reduce if preview else acting.trader.reduce
    found: ReducePreview = act(
        market=market,
        size=base,
        fraction=fraction,
        isolated=isolated,
        acceptable_price=acceptable_price,
        slippage=slippage,
    )
    say_trade(acting, "reduced", found, as_json)


@app.command("close")
def close(
    market: MarketArgument,
    isolated: IsolatedOption = None,
    return_margin: Annotated[
        str | None, typer.Option(help="cross or wallet: where an isolated position's margin goes [stays].")
    ] = None,
    acceptable_price: AcceptablePriceOption = None,
    slippage: SlippageOption = None,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a position."""
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    act = acting.trader.preview_close if preview else acting.trader.close
    found: ReducePreview = act(
        market=market,
        isolated=isolated,
        return_margin=return_margin,
        acceptable_price=acceptable_price,
        slippage=slippage,
    )
    say_trade(acting, "closed", found, as_json)


def _open(trader: Trader, side: Side, fund: str | None, wish: dict[str, Any], *, preview: bool) -> OpenPreview:
    """Opens or, where there is a position of that side already, adds to it."""
    sub = isolated_sub(trader.reader.market_id(wish["market"])) if wish["isolated"] else CROSS_SUB
    account = trader.reader.account(trader.address, sub)
    if not wish["isolated"]:
        fund = fund_for_cross(account, fund, wish["margin"])
    held = account.position(wish["market"])
    if held is not None and held.side is side:
        add = trader.preview_add if preview else trader.add
        return add(fund=fund, **wish)
    act = trader.preview_open if preview else trader.open
    return act(side=side, fund=fund, **wish)


def fund_for_cross(account: AccountInfo, fund: str | None, margin: Decimal | None) -> str | None:
    """Where the margin of a cross position comes from: from the wallet only when the account does not have it."""
    if fund is not None or margin is None:
        return fund
    return NONE if account.withdrawable >= margin else WALLET


# WHAT IS SAID


def say_trade(
    acting: Acting,
    verb: str,
    found: TradePreview,
    as_json: bool,
    *,
    more: Sequence[tuple[str, str | Text]] = (),
) -> None:
    """What a trade did or, when it has no receipt, would do; `more` facts stand first."""
    done = hasattr(found, "receipt")
    if as_json:
        also = {"liquidation_price": found.liquidation_price, "leverage": found.leverage, "equity": found.equity}
        print_json({"preview": not done, **plain(found), **plain(also), **sent(found)})
        return
    where = "isolated" if found.isolated else "cross"
    title = f"{verb if done else 'would have ' + verb} {found.market} {found.side.value} {number(found.size)} ({where})"
    print_facts(title, [*more, *_trade_facts(acting, found)])


def _trade_facts(acting: Acting, found: TradePreview) -> list[tuple[str, str | Text]]:
    facts: list[tuple[str, str | Text]] = [("fill price", price(found.fill_price)), ("fee", money(found.fee))]
    if isinstance(found, OpenPreview):
        facts.append(("margin", money(found.margin)))
    elif isinstance(found, ReducePreview):
        facts.append(("realised PnL", signed(money(found.realized_pnl))))
    if isinstance(found, ReducePreview) and found.returned:
        facts.append(("margin returned", money(found.returned)))
    if found.funding:
        facts.append(("funding", signed(money(found.funding))))
    if found.position is not None:
        facts += [
            ("position now", size(found.position.size)),
            ("liquidation price", price(found.liquidation_price)),
        ]
    if found.leverage is not None:
        facts.append(("leverage", f"{found.leverage:.2f}x"))
    return [
        *facts,
        ("equity", money(found.equity)),
        ("account", acting.session.who(found.account.owner)),
        *_transaction(found),
    ]


def _say_moved(acting: Acting, verb: str, found: MoneyResult, as_json: bool) -> None:
    if as_json:
        print_json({**plain(found), **sent(found)})
        return
    facts: list[tuple[str, str | Text]] = [
        ("collateral", money(found.account.collateral)),
        ("equity", money(found.account.equity)),
        ("free", money(found.account.withdrawable)),
        ("account", f"{acting.name}, {acting.session.account_name(found.account.sub)}"),
    ]
    print_facts(f"{verb} {money(found.amount)}", [*facts, *_transaction(found)])


def sent(found: object) -> dict[str, object]:
    """The transactions behind a result; none behind a preview."""
    if not hasattr(found, "receipt"):
        return {}
    names = ("transaction", "block", "gas_used", "timestamp")
    return {name: getattr(found, name) for name in names}


def _transaction(found: object) -> list[tuple[str, str | Text]]:
    transaction = sent(found).get("transaction")
    return [("transaction", short_address(str(transaction)))] if transaction else []
