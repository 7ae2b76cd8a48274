"""`perpkit token list`, `mint`, `redeem` and `rebalance`: leveraged tokens."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from perpkit.cli.as_json import number, plain, print_json
from perpkit.cli.failure import Usage
from perpkit.cli.markets import WIDE
from perpkit.cli.options import (
    JsonOption,
    KeystoreOption,
    ManifestOption,
    PasswordFileOption,
    PreviewOption,
    RoleOption,
    RpcOption,
    decimal,
)
from perpkit.cli.output import moment, money, price, print_facts, short_address, signed, size, stdout, table
from perpkit.cli.session import DEFAULT_ROLE, Acting, connect, connect_as
from perpkit.cli.trade import sent
from perpkit.client import (
    LeveragedTokenInfo,
    MintLeveragedPreview,
    RebalancePreview,
    RedeemLeveragedPreview,
)
from perpkit.client.leveraged import LeveragedChange

app = typer.Typer()

SymbolArgument = Annotated[str, typer.Argument(metavar="TOKEN", help="Such as ETH3L.")]
SlippageOption = Annotated[
    Decimal | None,
    typer.Option("--slippage", parser=decimal, metavar="RATIO", help="How much less than previewed will do [0.005]."),
]

# So that -5 reaches the check of amounts instead of being taken for an option.
_NEGATIVE_NUMBERS = {"ignore_unknown_options": True}

Facts = list[tuple[str, str | Text]]


@app.command("list")
def list_tokens(
    role: Annotated[str | None, typer.Option("--as", help="Whose shares, a role or an address [trader].")] = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the leveraged tokens: leverage, price of a share, next rebalance, and what one holds."""
    session = connect(manifest=manifest, rpc=rpc)
    owner = session.address_of(role) if role else session.roles.get(DEFAULT_ROLE)
    found = session.reader.leveraged_tokens(owner=owner)
    if as_json:
        print_json(found)
    elif found:
        title = f"Leveraged tokens, shares of {session.who(owner)}" if owner else "Leveraged tokens"
        stdout().print(_table(found, title, wide=stdout().width >= WIDE))
    else:
        print("There is no leveraged token in this market.")


@app.command("mint", context_settings=_NEGATIVE_NUMBERS)
def mint(
    symbol: SymbolArgument,
    dollars: Annotated[Decimal, typer.Argument(parser=decimal, metavar="DOLLARS", help="To pay from the wallet.")],
    min_shares: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="SHARES", help="The least that will do.")
    ] = None,
    slippage: SlippageOption = None,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Buy shares of a leveraged token for dollars."""
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    trader = acting.trader
    found: MintLeveragedPreview = (
        trader.preview_mint_leveraged(symbol=symbol, dollars=dollars)
        if preview
        else trader.mint_leveraged(symbol=symbol, dollars=dollars, min_shares=min_shares, slippage=slippage)
    )
    facts: Facts = [("paid", money(found.paid)), ("cost of trading", money(found.cost)), ("fee", money(found.fee))]
    _say(acting, f"{'would mint' if preview else 'minted'} {size(found.shares)} {symbol}", facts, found, as_json)


@app.command("redeem", context_settings=_NEGATIVE_NUMBERS)
def redeem(
    symbol: SymbolArgument,
    shares: Annotated[
        Decimal | None, typer.Argument(parser=decimal, metavar="[SHARES]", help="How many; or use --all.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that one has.")] = False,
    min_dollars: Annotated[
        Decimal | None, typer.Option(parser=decimal, metavar="USD", help="The least that will do.")
    ] = None,
    slippage: SlippageOption = None,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sell shares of a leveraged token for dollars."""
    if (shares is None) != everything:
        raise Usage("SHARES", "given together with --all" if everything else "missing", "a number of shares, or --all")
    acting = connect_as(manifest=manifest, rpc=rpc, role=role, keystore=keystore, password_file=password_file)
    trader = acting.trader
    found: RedeemLeveragedPreview = (
        trader.preview_redeem_leveraged(symbol=symbol, shares=shares)
        if preview
        else trader.redeem_leveraged(symbol=symbol, shares=shares, min_assets=min_dollars, slippage=slippage)
    )
    facts: Facts = [
        ("received", money(found.received)),
        ("cost of trading", money(found.cost)),
        ("fee", money(found.fee)),
    ]
    _say(acting, f"{'would redeem' if preview else 'redeemed'} {size(found.shares)} {symbol}", facts, found, as_json)


@app.command("rebalance")
def rebalance(
    symbol: SymbolArgument,
    preview: PreviewOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a token back to its target leverage, for a reward; acts as the role keeper unless told."""
    acting = connect_as(
        manifest=manifest,
        rpc=rpc,
        role=role,
        keystore=keystore,
        password_file=password_file,
        default_role="keeper",
    )
    act = acting.trader.preview_rebalance if preview else acting.trader.rebalance
    found: RebalancePreview = act(symbol=symbol)
    facts: Facts = [(f"reward of {acting.name}", f"{size(found.reward_shares)} {symbol}, {money(found.reward)}")]
    _say(acting, f"{'would rebalance' if preview else 'rebalanced'} {symbol}", facts, found, as_json)


# WHAT IS SAID


def _say(acting: Acting, title: str, facts: Facts, found: LeveragedChange, as_json: bool) -> None:
    done = sent(found)
    if as_json:
        print_json({"preview": not done, **plain(found), **done})
        return
    if found.traded:
        facts += [("traded", signed(size(found.traded))), ("fill price", price(found.fill_price))]
    facts += [
        ("leverage", _leverage(found.leverage)),
        ("net asset value", money(found.net_asset_value)),
        ("supply", size(found.supply)),
        ("account", acting.name),
    ]
    if done.get("transaction"):
        facts.append(("transaction", short_address(str(done["transaction"]))))
    print_facts(title, facts)


def _table(tokens: Sequence[LeveragedTokenInfo], title: str, *, wide: bool) -> Table:
    columns = ["Target", "Lev.", "Share", "Rebalance", "Shares", "Worth"]
    made = table(title, "Token", "Market", *columns, *(["All shares"] if wide else []), left=2)
    for token in tokens:
        held = token.holding
        made.add_row(
            token.symbol,
            token.market,
            f"{number(token.target_leverage)}x",
            _leverage(token.leverage),
            price(token.share_price),
            _rebalance(token),
            size(held.shares if held else None),
            money(held.value if held else None),
            *([money(token.net_asset_value)] if wide else []),
        )
    return made


def _leverage(leverage: Decimal | None) -> str:
    return "–" if leverage is None else f"{leverage:.2f}x"


def _rebalance(token: LeveragedTokenInfo) -> str:
    """When it may be rebalanced, if it has a position."""
    if token.due:
        return "now"
    return moment(token.next_rebalance)[5:16] if token.leverage else "–"
