"""Lives here: reading the market and trading on it, for people: `Decimal` in, frozen dataclasses out, on any `Backend`.
Not here: addresses, keys, gas (chain), rules of the market (model). May be imported by: keeper, devnet, testing, cli.

    from perpkit.chain.connection import ChainBackend          # or LocalBackend, RevmBackend, ChainSandbox
    from perpkit.client import Reader, Side, Trader, quote

    backend = ChainBackend.connect("manifest.json", key=...)   # no key: reading only
    trader = Trader(backend, backend.address)
    opened = trader.open(market="ETH-USD", side=Side.LONG, margin=Decimal(1000), leverage=Decimal(10), isolated=True)
    opened.fill_price, opened.liquidation_price, opened.transaction
    trader.close(market="ETH-USD", return_margin="cross")

Amounts are `Decimal`, `int` or `str`, never `float` (TypeError). A market is named by its symbol. `isolated=None` finds
the position where it is and refuses when there are two. Cross margin is the owner's account 0; the isolated position in
market m is its account m + 1. Whatever a contract refuses raises that contract's own error of `perpkit.model.errors`;
what makes no sense before anything is asked raises a `ClientError` (a ValueError) of `perpkit.client.errors`.

    Reader(backend)
        markets() -> tuple[MarketInfo, ...]                     market(symbol) -> MarketInfo
        price(symbol) -> Decimal                                funding_rate(symbol) -> Decimal, per funding interval
        account(owner, sub=0) -> AccountInfo                    accounts(owner, count=None) -> tuple[AccountInfo, ...]
        positions(owner) -> tuple[PositionInfo, ...]            vault() -> VaultInfo
        orders(owner, symbol=None, *, isolated=None) -> tuple[OrderInfo, ...]        order(id) -> OrderInfo
        balance(owner) -> Decimal, allowance(owner) -> Decimal  of the token, in the wallet
        snapshot(*owners) -> Snapshot                           everything at one block
        leveraged_tokens(*, owner=None) -> tuple[LeveragedTokenInfo, ...]
        leveraged_token(symbol, *, owner=None) -> LeveragedTokenInfo

    Trader(backend, address, *, slippage=Decimal("0.005"))      .reader is its Reader
        open(*, market, side, margin=None, size=None, leverage=None, isolated=False, fund=None,
             acceptable_price=None, slippage=None) -> OpenResult
        add(*, market, margin=None, size=None, leverage=None, isolated=None, fund=None,
            acceptable_price=None, slippage=None) -> OpenResult
        reduce(*, market, size=None, fraction=None, isolated=None, acceptable_price=None, slippage=None) -> ReduceResult
        close(*, market, isolated=None, return_margin=None, acceptable_price=None, slippage=None) -> ReduceResult
        deposit(amount, *, to="cross") -> MoneyResult
        withdraw(amount=None, *, source="cross", to=None) -> MoneyResult         None: all that may leave
        move_margin(amount=None, *, source, target) -> MoneyResult               None: all that may leave
        settle(*, market, isolated=None, owner=None) -> SettleResult
        liquidate(*, owner, market, isolated=None) -> LiquidateResult
        place_market(*, market, side=None, size=None, fraction=None, margin=None, leverage=None, isolated=None,
                     fund=None, acceptable_price=None, slippage=None, expiry=None, execution_fee=None) -> PlaceResult
        place_limit, place_stop, place_take_profit(*, price, ...the same) -> PlaceResult
        place_trailing_stop(*, trail=None, trail_ratio=None, ...the same) -> PlaceResult
        place(*, kind, ...) -> PlaceResult                      any of them by its kind
        bracket(*, market, side, margin=None, size=None, leverage=None, isolated=False, fund=None, limit=None,
                stop=None, take_profit=None, trail=None, trail_ratio=None, acceptable_price=None, slippage=None,
                expiry=None, execution_fee=None) -> BracketResult
        ladder(*, market, rungs, isolated=None, acceptable_price=None, expiry=None, execution_fee=None) -> PlaceResult
        cancel(*ids) -> CancelResult                            cancel_all(*, account=None) -> CancelResult
        execute(id) -> ExecuteResult                            preview_execute(id) -> ExecutePreview
        ratchet(id) -> RatchetResult                            claim() -> ClaimResult
        sign_order(*, kind, ...as place) -> SignedTicket        place_signed(ticket) -> PlaceResult
        cancel_signed(nonce, *, account="cross") -> Receipt     approve_orders(approved=True) -> Receipt | None
        preview_open(the same as open) -> OpenPreview           preview_add(the same as add) -> OpenPreview
        preview_reduce(the same as reduce) -> ReducePreview     preview_close(the same as close) -> ReducePreview
        preview_withdraw(amount, *, source="cross") -> AccountInfo
        preview_liquidate(*, owner, market, isolated=None) -> LiquidatePreview
        mint_leveraged(*, symbol, dollars, min_shares=None, slippage=None) -> MintLeveragedResult
        redeem_leveraged(*, symbol, shares=None, min_assets=None, slippage=None) -> RedeemLeveragedResult    None: all
        rebalance(*, symbol) -> RebalanceLeveragedResult        preview_rebalance(*, symbol) -> RebalancePreview
        preview_mint_leveraged(*, symbol, dollars) -> MintLeveragedPreview
        preview_redeem_leveraged(*, symbol, shares=None) -> RedeemLeveragedPreview

    Governor(backend, address)                                  of markets; its results are in perpkit.client.governor
        terms(market), with_params(market, **changes), with_tiers(market, *tiers) -> MarketTerms
        notice(terms) -> Notice                                 whether they must be announced, asked of the market
        set_terms(terms), announce_terms(terms) -> TermsResult
        pause(market, *actions), resume(market, *actions), pause_vault(*actions), resume_vault(*actions) -> PauseResult
        halt(market, *, halted=True) -> HaltResult              record_outage(market) -> OutageResult
        announce_delisting(market), delist(market) -> DelistResult
        close_out(market, *, batch=40, progress=...) -> CloseOutReport

    quote(market, *, side, margin, leverage, price=None, stop=None, take_profit=None) -> Quote
                                                                offline, on an otherwise empty market

`fund` says where the margin comes from: "wallet" (the default of an isolated position; approves when it must), "cross"
(an isolated position only), or "none" (the default of a cross position: what the account holds already).
With a side an order opens; without one it closes a position, all of it unless `size` or `fraction` is said. An order
puts an execution fee in ether aside for whoever executes it, and the orders contract trades for the owner: on a local
chain the first order allows that (`PlaceResult.operator_approval`), elsewhere `approve_orders()` must be called once.
`return_margin` brings what a closed isolated position leaves to "cross" or to the "wallet".
An account is named "cross", by a market's symbol (its isolated account), or by its number.
"""

from perpkit.client.errors import ClientError
from perpkit.client.governor import Governor
from perpkit.client.leveraged import (
    LeveragedHolding,
    LeveragedTokenInfo,
    MintLeveragedPreview,
    MintLeveragedResult,
    RebalanceLeveragedResult,
    RebalancePreview,
    RedeemLeveragedPreview,
    RedeemLeveragedResult,
)
from perpkit.client.order_results import (
    BracketResult,
    CancelResult,
    ClaimResult,
    ExecutePreview,
    ExecuteResult,
    PlaceResult,
    RatchetResult,
    SignedTicket,
)
from perpkit.client.order_views import Kind, OrderInfo, OrderState
from perpkit.client.quote import Quote, QuotedExit, quote
from perpkit.client.reader import Reader
from perpkit.client.results import (
    LiquidatePreview,
    LiquidateResult,
    MoneyResult,
    OpenPreview,
    OpenResult,
    ReducePreview,
    ReduceResult,
    SettleResult,
)
from perpkit.client.sizing import Side
from perpkit.client.trader import Trader
from perpkit.client.views import (
    AccountInfo,
    DelistingInfo,
    MarketInfo,
    PositionInfo,
    Snapshot,
    TierInfo,
    VaultInfo,
)

__all__ = [
    "AccountInfo",
    "BracketResult",
    "CancelResult",
    "ClaimResult",
    "ClientError",
    "DelistingInfo",
    "ExecutePreview",
    "ExecuteResult",
    "Governor",
    "Kind",
    "LeveragedHolding",
    "LeveragedTokenInfo",
    "LiquidatePreview",
    "LiquidateResult",
    "MarketInfo",
    "MintLeveragedPreview",
    "MintLeveragedResult",
    "MoneyResult",
    "OpenPreview",
    "OpenResult",
    "OrderInfo",
    "OrderState",
    "PlaceResult",
    "PositionInfo",
    "Quote",
    "QuotedExit",
    "RatchetResult",
    "Reader",
    "RebalanceLeveragedResult",
    "RebalancePreview",
    "RedeemLeveragedPreview",
    "RedeemLeveragedResult",
    "ReducePreview",
    "ReduceResult",
    "SettleResult",
    "Side",
    "SignedTicket",
    "Snapshot",
    "TierInfo",
    "Trader",
    "VaultInfo",
    "quote",
]
