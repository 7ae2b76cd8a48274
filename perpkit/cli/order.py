"""`perpkit order`: orders that wait, of one's own and of others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from perpkit.cli.as_json import number, plain, print_json
from perpkit.cli.failure import Usage
from perpkit.cli.options import (
    AcceptablePriceOption,
    ExecutionFeeOption,
    ExpiresInOption,
    ExpiryOption,
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
from perpkit.cli.output import moment, money, price, print_facts, short_address, signed, size, stdout, table
from perpkit.cli.session import Acting, Session, connect, connect_as
from perpkit.cli.trade import fund_for_cross, say_trade, sent
from perpkit.client import BracketResult, CancelResult, ExecutePreview, Kind, OrderInfo, OrderState, PlaceResult
from perpkit.client.order_plans import Expiry, Rung

app = typer.Typer()

Facts = list[tuple[str, str | Text]]

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="market, limit, stop, take-profit or trailing-stop.")]
OptionalSideArgument = Annotated[
    str | None, typer.Argument(metavar="[SIDE]", help="long or short, to open; nothing, to close a position.")
]
PriceOption = Annotated[
    Decimal | None, typer.Option("--price", parser=decimal, metavar="USD", help="The price it waits for.")
]
TrailOption = Annotated[
    Decimal | None,
    typer.Option("--trail", parser=decimal, metavar="USD", help="How far a trailing stop keeps from the price."),
]
TrailRatioOption = Annotated[
    Decimal | None,
    typer.Option("--trail-ratio", parser=decimal, metavar="RATIO", help="The same as a part of the price."),
]
SizeOption = Annotated[
    Decimal | None, typer.Option("--size", parser=decimal, metavar="BASE", help="How much, in the base asset.")
]
FractionOption = Annotated[
    Decimal | None,
    typer.Option("--fraction", parser=decimal, metavar="RATIO", help="Which part of the position [all of it]."),
]
MarginOption = Annotated[
    Decimal | None, typer.Option("--margin", parser=decimal, metavar="USD", help="What a new position is backed with.")
]
LeverageOption = Annotated[
    Decimal | None, typer.Option("--leverage", parser=decimal, metavar="X", help="Notional over margin.")
]
FundOption = Annotated[
    str | None, typer.Option("--fund", help="wallet, cross or none: where the margin comes from, at once.")
]
IdArgument = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**64 - 1, help="The order's number.")]


@app.command("place")
def place(
    kind: KindArgument,
    market: MarketArgument,
    side: OptionalSideArgument = None,
    at: PriceOption = None,
    trail: TrailOption = None,
    trail_ratio: TrailRatioOption = None,
    base: SizeOption = None,
    fraction: FractionOption = None,
    margin: MarginOption = None,
    leverage: LeverageOption = None,
    isolated: IsolatedOption = None,
    fund: FundOption = None,
    acceptable_price: AcceptablePriceOption = None,
    slippage: SlippageOption = None,
    expiry: ExpiryOption = None,
    expires_in: ExpiresInOption = None,
    execution_fee: ExecutionFeeOption = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place an order: with a SIDE it opens, without one it closes a position."""
    until = _expiry(expiry, expires_in)
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    found = acting.trader.place(
        kind=kind,
        market=market,
        side=side,
        size=base,
        fraction=fraction,
        margin=margin,
        leverage=leverage,
        isolated=isolated,
        fund=_fund(acting, fund, margin, isolated=bool(isolated) or side is None),
        price=at,
        trail=trail,
        trail_ratio=trail_ratio,
        acceptable_price=acceptable_price,
        slippage=slippage,
        expiry=until,
        execution_fee=execution_fee,
    )
    _say_placed(acting, found, as_json)


@app.command("bracket")
def bracket(
    market: MarketArgument,
    side: SideArgument,
    margin: MarginOption = None,
    base: SizeOption = None,
    leverage: LeverageOption = None,
    isolated: Annotated[bool, typer.Option("--isolated/--cross", help="In an account of its own, or not.")] = False,
    fund: FundOption = None,
    limit: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="USD", help="Wait for this price, instead of opening now.")
    ] = None,
    stop: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="USD", help="Where a loss is stopped.")
    ] = None,
    take_profit: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="USD", help="Where the profit is taken.")
    ] = None,
    trail: TrailOption = None,
    trail_ratio: TrailRatioOption = None,
    acceptable_price: AcceptablePriceOption = None,
    slippage: SlippageOption = None,
    expiry: ExpiryOption = None,
    expires_in: ExpiresInOption = None,
    execution_fee: ExecutionFeeOption = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a position together with its exits; the first exit that is executed cancels the others."""
    until = _expiry(expiry, expires_in)
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    found = acting.trader.bracket(
        market=market,
        side=side,
        margin=margin,
        size=base,
        leverage=leverage,
        isolated=isolated,
        fund=_fund(acting, fund, margin, isolated=isolated),
        limit=limit,
        stop=stop,
        take_profit=take_profit,
        trail=trail,
        trail_ratio=trail_ratio,
        acceptable_price=acceptable_price,
        slippage=slippage,
        expiry=until,
        execution_fee=execution_fee,
    )
    _say_placed(acting, found, as_json)


@app.command("ladder")
def ladder(
    market: MarketArgument,
    rungs: Annotated[
        list[str], typer.Argument(metavar="PRICE:SHARE...", help="Such as 4200:0.5 4400:0.5; shares of the position.")
    ],
    isolated: IsolatedOption = None,
    acceptable_price: AcceptablePriceOption = None,
    expiry: ExpiryOption = None,
    expires_in: ExpiresInOption = None,
    execution_fee: ExecutionFeeOption = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scale out of a position: several take-profits, each for a share of it."""
    until = _expiry(expiry, expires_in)
    wanted = [_rung(text) for text in rungs]
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    found = acting.trader.ladder(
        market=market,
        rungs=wanted,
        isolated=isolated,
        acceptable_price=acceptable_price,
        expiry=until,
        execution_fee=execution_fee,
    )
    _say_placed(acting, found, as_json)


@app.command("list")
def list_orders(
    who: Annotated[
        list[str] | None, typer.Argument(metavar="[WHO]...", help="Roles or addresses [all roles of the devnet].")
    ] = None,
    market: Annotated[str | None, typer.Option(metavar="MARKET", help="Only of this market.")] = None,
    role: RoleOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the open orders of roles or addresses: what each waits for, and what it cancels."""
    session = connect(manifest=manifest, rpc=rpc)
    names = [*(who or []), *([role] if role else [])]
    owners = [session.address_of(name) for name in names] if names else list(session.roles.values())
    found = [order for owner in owners for order in session.reader.orders(owner, market)]
    if as_json:
        print_json([{"role": session.role_of(order.owner), **plain_order(order)} for order in found])
    elif found:
        stdout().print(orders_table(session, found))
    else:
        print("There is no open order.")


@app.command("cancel")
def cancel(
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]...", min=1, max=2**64 - 1, help="Orders; or use --all.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open order.")] = False,
    account: Annotated[
        str | None,
        typer.Option(help="With --all: only of cross, or of a market's isolated account, with all signed for it."),
    ] = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel orders; their execution fees come back."""
    if bool(ids) == everything:
        raise Usage("ID", "given together with --all" if everything else "missing", "orders, or --all")
    if account is not None and not everything:
        raise Usage("--account", account, "nothing without --all")
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    found = acting.trader.cancel_all(account=account) if everything else acting.trader.cancel(*(ids or []))
    _say_cancelled(found, as_json)


@app.command("execute")
def execute(
    id: IdArgument,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill an order whose price is there, for its execution fee; acts as the role keeper unless told."""
    acting = _keeper(role, keystore, password_file, manifest, rpc)
    found = acting.trader.preview_execute(id) if preview else acting.trader.execute(id)
    say_trade(acting, f"executed order {id}:", found, as_json, more=_execution_facts(acting, found))


@app.command("ratchet")
def ratchet(
    id: IdArgument,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a trailing stop's trigger after the price; acts as the role keeper unless told."""
    found = _keeper(role, keystore, password_file, manifest, rpc).trader.ratchet(id)
    if as_json:
        print_json({**plain(found), **sent(found)})
    else:
        facts: Facts = [("mark price", price(found.mark_price)), ("trigger now", price(found.trigger))]
        print_facts(f"moved the trigger of order {id}", [*facts, *_transaction(found)])


@app.command("sign")
def sign(
    kind: KindArgument,
    market: MarketArgument,
    side: OptionalSideArgument = None,
    at: PriceOption = None,
    trail: TrailOption = None,
    trail_ratio: TrailRatioOption = None,
    base: SizeOption = None,
    fraction: FractionOption = None,
    margin: MarginOption = None,
    leverage: LeverageOption = None,
    isolated: IsolatedOption = None,
    acceptable_price: AcceptablePriceOption = None,
    slippage: SlippageOption = None,
    expiry: ExpiryOption = None,
    expires_in: ExpiresInOption = None,
    nonce: Annotated[
        int | None, typer.Option(min=0, max=2**64 - 1, help="Of several with one nonce one counts [a new one].")
    ] = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign an order without sending it, and print it as JSON for whoever brings it."""
    from perpkit.chain.ticket import TicketFile

    until = _expiry(expiry, expires_in)
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    ticket = acting.trader.sign_order(
        kind=kind,
        market=market,
        side=side,
        size=base,
        fraction=fraction,
        margin=margin,
        leverage=leverage,
        isolated=isolated,
        price=at,
        trail=trail,
        trail_ratio=trail_ratio,
        acceptable_price=acceptable_price,
        slippage=slippage,
        expiry=until,
        nonce=nonce,
    )
    made = TicketFile.of(contract=ticket.contract, order=ticket.order, signature=ticket.signature)
    print_json(made.model_dump())


@app.command("bring")
def bring(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `perpkit order sign` printed; - reads stdin.")],
    execution_fee: ExecutionFeeOption = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place an order that its owner signed, and pay its execution fee; acts as the role keeper unless told."""
    from perpkit.chain.ticket import TicketFile
    from perpkit.client import SignedTicket

    ticket = TicketFile.parse(_read(file), str(file))
    acting = _keeper(role, keystore, password_file, manifest, rpc)
    brought = SignedTicket(contract=ticket.contract, order=ticket.order, signature=ticket.signature_bytes)
    _say_placed(acting, acting.trader.place_signed(brought, execution_fee=execution_fee), as_json)


@app.command("approve")
def approve(
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it back: then no order of the account fills.")] = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the orders contract trade for an account's owner; on a local chain the first order does that itself."""
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    receipt = acting.trader.approve_orders(not revoke)
    if as_json:
        transaction = receipt.transaction if receipt else None
        print_json({"approved": not revoke, "changed": receipt is not None, "transaction": transaction})
    else:
        already = "" if receipt else ", as it was"
        print(f"The orders contract may {'no longer trade' if revoke else 'trade'} for {acting.name}{already}.")


@app.command("claim")
def claim(
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the ether of cancelled orders that one did not take when it was returned."""
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    found = acting.trader.claim()
    if as_json:
        print_json({**plain(found), **sent(found)})
    else:
        print_facts(f"claimed {number(found.amount)} ETH", _transaction(found))


# WHAT IS READ


def _keeper(
    role: str | None, keystore: Path | None, password_file: Path | None, manifest: Path | None, rpc: str | None
) -> Acting:
    return connect_as(
        manifest=manifest,
        rpc=rpc,
        role=role,
        keystore=keystore,
        password_file=password_file,
        default_role="keeper",
    )


def _fund(acting: Acting, fund: str | None, margin: Decimal | None, *, isolated: bool) -> str | None:
    """As in `perpkit open`, a cross position takes its margin from the wallet when the account has too little."""
    if isolated or fund is not None or margin is None:
        return fund
    return fund_for_cross(acting.trader.reader.account(acting.trader.address), fund, margin)


def _expiry(expiry: int | None, expires_in: int | None) -> Expiry | None:
    if expiry is not None and expires_in is not None:
        raise Usage("--expires-in", expires_in, "nothing beside --expiry")
    return expiry if expires_in is None else timedelta(seconds=expires_in)


def _rung(text: str) -> Rung:
    at, colon, share = text.partition(":")
    if not colon:
        raise Usage("PRICE:SHARE", repr(text), "a price and a share, such as 4200:0.5")
    return decimal(at), decimal(share)


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Usage("FILE", file, "a file of text") from None
    except OSError as error:
        raise Usage("FILE", file, f"a file that can be read ({error.strerror})") from None


# WHAT IS SAID


def orders_table(session: Session, orders: Sequence[OrderInfo]) -> Table:
    """Open orders, with what they wait for."""
    made = table("Orders", "Id", "Who", "Market", "Order", "State", "Size", "Price", left=5)
    for order in orders:
        made.add_row(
            str(order.id),
            session.who(order.owner),
            f"{order.market}{' iso' if order.isolated else ''}",
            describe(order),
            Text(", ".join(_state(order)), style=_STYLES.get(order.state, "")),
            size(order.size),
            _price_of(order),
        )
    return made


def _state(order: OrderInfo) -> list[str]:
    """What it waits for, until when, and what it has to do with others."""
    words = [order.state.value if order.reason is None else f"dead: {order.reason}"]
    if order.state is OrderState.TRIGGERED:
        words.append(f"fills at a price from {moment(order.not_before)} on")
    if order.expiry is not None and order.state is not OrderState.DEAD:
        words.append(f"until {moment(order.expiry)}")
    return [*words, order.relation] if order.relation else words


_STYLES = {OrderState.EXECUTABLE: "green", OrderState.DEAD: "red"}


def describe(order: OrderInfo) -> str:
    """Such as "stop, closes long"."""
    return f"{order.kind.text}, {'closes' if order.reduce_only else 'opens'} {order.side.value}"


def plain_order(order: OrderInfo) -> dict[str, Any]:
    """An order for JSON, with its relation in words too."""
    return {**plain(order), "relation": order.relation}


def _price_of(order: OrderInfo) -> str:
    if order.trigger is not None or order.kind is not Kind.TRAILING_STOP:
        return price(order.trigger)
    # One that waits for its entry has no trigger yet.
    if order.trail_ratio is not None:
        return f"±{number(order.trail_ratio * 100)} %"
    return f"±{price(order.trail)}"


def _say_placed(acting: Acting, found: PlaceResult, as_json: bool) -> None:
    opened = found.opened if isinstance(found, BracketResult) else None
    if as_json:
        said = {**plain(found), "orders": [plain_order(order) for order in found.orders]}
        print_json({**said, "approved_orders": found.operator_approval is not None, **sent(found)})
        return
    if opened is not None:
        say_trade(acting, "opened", opened, as_json)
    stdout().print(orders_table(acting.session, found.orders))
    facts: Facts = [("execution fee", f"{number(found.execution_fee)} ETH")]
    if found.operator_approval is not None:
        facts.append(("allowed", f"the orders contract to trade for {acting.name}"))
    if found.margin_receipt is not None and opened is None:
        facts.append(("margin", "moved to the account; it stays there when the order is cancelled"))
    print_facts(f"placed {_orders(found.orders)}", [*facts, *_transaction(found)])


def _say_cancelled(found: CancelResult, as_json: bool) -> None:
    if as_json:
        print_json({**plain(found), **sent(found)})
        return
    facts: Facts = [("execution fees returned", f"{number(found.returned)} ETH")]
    if found.credited:
        facts.append(("to be claimed", f"{number(found.credited)} ETH"))
    if found.ending:
        facts.append(("live on for the market's delay", ", ".join(map(str, found.ending))))
    what = ", ".join(map(str, found.cancelled)) or "none at once"
    print_facts(f"cancelled {what}", [*facts, *_transaction(found)])


def _execution_facts(acting: Acting, found: ExecutePreview) -> Facts:
    facts: Facts = [
        (f"execution fee of {acting.name}", f"{number(found.execution_fee)} ETH"),
        ("realised PnL", signed(money(found.realized_pnl))),
    ]
    if found.cancelled:
        facts.append(("cancelled", ", ".join(map(str, found.cancelled))))
    return facts


def _orders(orders: Sequence[OrderInfo]) -> str:
    ids = [str(order.id) for order in orders]
    return f"order {ids[0]}" if len(ids) == 1 else f"orders {', '.join(ids)}"


def _transaction(found: object) -> Facts:
    transaction = sent(found).get("transaction")
    return [("transaction", short_address(str(transaction)))] if transaction else []
