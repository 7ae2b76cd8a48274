"""Leveraged tokens for people: what one is now, and minting, redeeming and rebalancing it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Any

from perpkit.backend import Backend, Receipt
from perpkit.client import seam
from perpkit.client.errors import BadChoice, LargerThanHolding, NoShares, NoSuchToken, PreviewUnavailable
from perpkit.client.results import Sent, only
from perpkit.client.seam import Call, Moment
from perpkit.client.units import UNIT, Amount, to_decimal, to_fraction, to_units
from perpkit.client.views import MarketInfo
from perpkit.model import perp_math
from perpkit.model.errors import ERC20InsufficientBalance, OracleError
from perpkit.model.events import Minted, Rebalanced, Redeemed
from perpkit.model.fixed_math import INT256_MAX
from perpkit.model.types import Address, MintResult, RebalanceResult, RedeemResult, Terms

# Only their types, since the reader shows what stands here.
if TYPE_CHECKING:
    from perpkit.client.reader import Reader

CONTRACT = "LeveragedToken"


@dataclass(frozen=True, slots=True)
class LeveragedState:
    """A leveraged token now, in the ledger's integers."""

    terms: Terms
    supply: int
    # {s}
    next_rebalance: int
    # {quanta} and {1e18 = 1x}; None without a fresh price.
    net_asset_value: int | None
    leverage: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeveragedHolding:
    """Somebody's shares, and what they are worth at the mark price before the cost of closing; None without one."""

    owner: Address
    shares: Decimal
    value: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeveragedTokenInfo:
    """A leveraged token now; what needs a fresh price is None when there is none."""

    symbol: str
    address: Address
    market: str
    market_id: int
    # Negative when short; no leverage either when nothing is left of the token's equity.
    target_leverage: Decimal
    leverage: Decimal | None
    # Without sign: outside of this band anyone may rebalance at any time, inside from `next_rebalance` {s} on.
    min_leverage: Decimal
    max_leverage: Decimal
    next_rebalance: int
    # Whether anyone may now; what is worth less than the market's least position has none and needs none.
    due: bool | None
    fee: Decimal
    # What all shares are worth together, and one of them.
    net_asset_value: Decimal | None
    share_price: Decimal | None
    supply: Decimal
    holding: LeveragedHolding | None
    raw: LeveragedState


@dataclass(frozen=True, slots=True, kw_only=True)
class LeveragedChange:
    """What an action does to a token: the last three are totals after it."""

    symbol: str
    # None where nothing needed a price, or nothing was traded. `traded` is negative when sold.
    mark_price: Decimal | None
    traded: Decimal
    fill_price: Decimal | None
    # None when nothing is left of the equity.
    leverage: Decimal | None
    net_asset_value: Decimal
    supply: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MintLeveragedPreview(LeveragedChange):
    """What minting would do. `cost` is the trade's, negative when it earns; `fee` the other holders'."""

    paid: Decimal
    shares: Decimal
    cost: Decimal
    fee: Decimal
    raw: MintResult


@dataclass(frozen=True, slots=True, kw_only=True)
class MintLeveragedResult(MintLeveragedPreview, Sent):
    """What minting did."""

    # With fewer it would have been refused.
    min_shares: Decimal
    receipt: Receipt
    # The transaction that let the token take the dollars, if one was needed.
    approval: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemLeveragedPreview(LeveragedChange):
    """What redeeming would do. `cost` is the trade's, negative when it earns; `fee` the other holders'."""

    shares: Decimal
    received: Decimal
    cost: Decimal
    fee: Decimal
    raw: RedeemResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemLeveragedResult(RedeemLeveragedPreview, Sent):
    """What redeeming did."""

    # With fewer dollars it would have been refused.
    min_assets: Decimal
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalancePreview(LeveragedChange):
    """What a rebalance would do. The keeper's reward, and the shares in which it is paid."""

    reward: Decimal
    reward_shares: Decimal
    raw: RebalanceResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceLeveragedResult(RebalancePreview, Sent):
    """What a rebalance did."""

    receipt: Receipt


# READING


def token_symbols(backend: Backend) -> tuple[str, ...]:
    """The leveraged tokens that a backend knows."""
    return tuple(label for label, one in backend.deployed.items() if one.contract == CONTRACT)


def check_token(backend: Backend, symbol: str) -> Address:
    """A token's address."""
    if symbol not in token_symbols(backend):
        raise NoSuchToken(symbol, token_symbols(backend))
    return backend.deployed[symbol].address


def read_tokens(reader: Reader, symbols: Sequence[str], owner: Address | None) -> tuple[LeveragedTokenInfo, ...]:
    """Tokens at one block, with what `owner` holds of each."""
    if not symbols:
        return ()
    markets, moment = reader.markets(), seam.now(reader.backend)
    return tuple(_read(reader, markets, moment, symbol, owner) for symbol in symbols)


def _read(
    reader: Reader, markets: Sequence[MarketInfo], moment: Moment, symbol: str, owner: Address | None
) -> LeveragedTokenInfo:
    calls: list[Call] = [(symbol, name) for name in ("terms", "total_supply", "next_rebalance")]
    calls += [(symbol, "balance_of", owner)] if owner else []
    terms, supply, next_rebalance, *held = seam.call_many(reader.backend, calls, block=moment.block)
    nav = leverage = None
    with suppress(OracleError):
        asked: list[Call] = [(symbol, "net_asset_value"), (symbol, "leverage")]
        nav, leverage = seam.call_many(reader.backend, asked, block=moment.block)
    state = LeveragedState(terms, supply, next_rebalance, nav, leverage)
    address, decimals = reader.backend.deployed[symbol].address, reader.decimals
    holding = None
    if owner:
        holding = LeveragedHolding(owner=owner, shares=to_decimal(held[0]), value=_worth(state, held[0], decimals))
    return _info(state, symbol, address, markets[terms.market], holding, moment.timestamp, decimals)


def _info(
    state: LeveragedState,
    symbol: str,
    address: Address,
    market: MarketInfo,
    holding: LeveragedHolding | None,
    timestamp: int,
    decimals: int,
) -> LeveragedTokenInfo:
    terms = state.terms
    return LeveragedTokenInfo(
        symbol=symbol,
        address=address,
        market=market.symbol,
        market_id=terms.market,
        target_leverage=to_decimal(terms.target_leverage),
        leverage=None if state.leverage is None else leverage_or_none(state.leverage),
        min_leverage=to_decimal(terms.min_leverage),
        max_leverage=to_decimal(terms.max_leverage),
        next_rebalance=state.next_rebalance,
        due=_due(state, market.raw.params.min_notional, timestamp),
        fee=to_decimal(terms.fee),
        net_asset_value=None if state.net_asset_value is None else to_decimal(state.net_asset_value, decimals),
        share_price=_worth(state, UNIT, decimals),
        supply=to_decimal(state.supply),
        holding=holding,
        raw=state,
    )


def _worth(state: LeveragedState, shares: int, decimals: int) -> Decimal | None:
    """What shares are worth, as the contract counts it."""
    if state.net_asset_value is None:
        return None
    virtual = 10 ** (18 - decimals)
    return to_decimal(perp_math.assets_for(shares, state.supply, state.net_asset_value, virtual), decimals)


def _due(state: LeveragedState, min_notional: int, timestamp: int) -> bool | None:
    """Whether a rebalance would trade now; its last unit aside, which only the contract knows."""
    if state.net_asset_value is None or state.leverage is None:
        return None
    terms, multiple = state.terms, abs(state.leverage)
    if multiple == 0 and state.net_asset_value * abs(terms.target_leverage) < min_notional * UNIT:
        return False
    return timestamp >= state.next_rebalance or not terms.min_leverage <= multiple <= terms.max_leverage


def leverage_or_none(leverage: int) -> Decimal | None:
    """Signed leverage; None for a position without equity."""
    return None if abs(leverage) == INT256_MAX else to_decimal(leverage)


# ACTING


class LeveragedDesk:
    """The part of a Trader that deals in leveraged tokens."""

    backend: Backend
    address: Address
    reader: Reader
    slippage: Amount

    def mint_leveraged(
        self, *, symbol: str, dollars: Amount, min_shares: Amount | None = None, slippage: Amount | None = None
    ) -> MintLeveragedResult:
        """Buys shares for dollars of the wallet, approving them first when it must. Fewer than `min_shares` are
        refused, or than a preview says less `slippage`."""
        assets, approval_needed = self._plan_mint(symbol, dollars)
        demanded = None if min_shares is None else to_units("min_shares", min_shares)
        lost = self._part_lost(slippage)
        expected = None
        if approval_needed:
            with suppress(PreviewUnavailable):
                expected = self._try_mint(symbol, assets, approve=True)
        approval = self._approve_token(symbol, assets) if approval_needed else None
        if demanded is None:
            demanded = _least((expected or self._try_mint(symbol, assets, approve=False)).shares, lost)
        receipt = self.backend.transact(symbol, "mint", assets, demanded, self.address, sender=self.address)
        raw = only(receipt.events, Minted).result
        told = self._minted(symbol, raw)
        return MintLeveragedResult(**told, min_shares=to_decimal(demanded), receipt=receipt, approval=approval)

    def preview_mint_leveraged(self, *, symbol: str, dollars: Amount) -> MintLeveragedPreview:
        """What `mint_leveraged` would do, or the very error that it would raise."""
        assets, approval_needed = self._plan_mint(symbol, dollars)
        return MintLeveragedPreview(**self._minted(symbol, self._try_mint(symbol, assets, approve=approval_needed)))

    def redeem_leveraged(
        self,
        *,
        symbol: str,
        shares: Amount | None = None,
        min_assets: Amount | None = None,
        slippage: Amount | None = None,
    ) -> RedeemLeveragedResult:
        """Sells shares, all of them when it is not said how many, for dollars to the wallet. Less than `min_assets` is
        refused, or than a preview says less `slippage`."""
        count = self._plan_redeem(symbol, shares)
        demanded = None if min_assets is None else to_units("min_assets", min_assets, self.reader.decimals)
        lost = self._part_lost(slippage)
        if demanded is None:
            demanded = _least(self._try_redeem(symbol, count).assets, lost)
        receipt = self.backend.transact(symbol, "redeem", count, demanded, self.address, sender=self.address)
        told = self._redeemed(symbol, only(receipt.events, Redeemed).result)
        return RedeemLeveragedResult(**told, min_assets=self._dollars(demanded), receipt=receipt)

    def preview_redeem_leveraged(self, *, symbol: str, shares: Amount | None = None) -> RedeemLeveragedPreview:
        """What `redeem_leveraged` would do, or the very error that it would raise."""
        return RedeemLeveragedPreview(
            **self._redeemed(symbol, self._try_redeem(symbol, self._plan_redeem(symbol, shares)))
        )

    def rebalance(self, *, symbol: str) -> RebalanceLeveragedResult:
        """Brings a token back to its target leverage, for anyone; the reward is paid in shares."""
        check_token(self.backend, symbol)
        receipt = self.backend.transact(symbol, "rebalance", sender=self.address)
        told = self._rebalanced(symbol, only(receipt.events, Rebalanced).result)
        return RebalanceLeveragedResult(**told, receipt=receipt)

    def preview_rebalance(self, *, symbol: str) -> RebalancePreview:
        """What `rebalance` would do, or the very error that it would raise."""
        check_token(self.backend, symbol)
        raw: RebalanceResult = self.backend.call(symbol, "rebalance", sender=self.address)
        return RebalancePreview(**self._rebalanced(symbol, raw))

    # PLANNING

    def _plan_mint(self, symbol: str, dollars: Amount) -> tuple[int, bool]:
        """What is paid {quanta}, and whether the wallet must allow it first. A wallet without it is refused."""
        spender = check_token(self.backend, symbol)
        assets = to_units("dollars", dollars, self.reader.decimals)
        calls: list[Call] = [("token", "balance_of", self.address), ("token", "allowance", self.address, spender)]
        balance, allowance = seam.call_many(self.backend, calls)
        if balance < assets:
            raise ERC20InsufficientBalance(self.address, balance, assets)
        return assets, allowance < assets

    def _plan_redeem(self, symbol: str, shares: Amount | None) -> int:
        check_token(self.backend, symbol)
        count = None if shares is None else to_units("shares", shares)
        held: int = self.backend.call(symbol, "balance_of", self.address)
        if held == 0:
            raise NoShares(symbol, self.address)
        if count is not None and count > held:
            raise LargerThanHolding(symbol, to_decimal(count), to_decimal(held))
        return held if count is None else count

    def _part_lost(self, slippage: Amount | None) -> Fraction:
        chosen = self.slippage if slippage is None else slippage
        part = to_fraction("slippage", chosen)
        if part >= 1:
            raise BadChoice("slippage", str(chosen), ["a number between 0 and 1, such as 0.005 for half a per cent"])
        return part

    def _try_mint(self, symbol: str, assets: int, *, approve: bool) -> MintResult:
        mint: Call = (symbol, "mint", assets, 0, self.address)
        if approve:
            steps = [("token", "approve", self.backend.deployed[symbol].address, assets), mint]
            events, _ = seam.simulate(self.backend, steps, then=[], sender=self.address)
            return only(events, Minted).result
        result: MintResult = self.backend.call(*mint, sender=self.address)
        return result

    def _try_redeem(self, symbol: str, shares: int) -> RedeemResult:
        result: RedeemResult = self.backend.call(symbol, "redeem", shares, 0, self.address, sender=self.address)
        return result

    def _approve_token(self, symbol: str, assets: int) -> Receipt:
        """Lets the token take exactly `assets` from the wallet."""
        spender = self.backend.deployed[symbol].address
        return self.backend.transact("token", "approve", spender, assets, sender=self.address)

    # TELLING

    def _minted(self, symbol: str, raw: MintResult) -> dict[str, Any]:
        return {
            **self._changed(symbol, raw),
            "paid": self._dollars(raw.assets),
            "shares": to_decimal(raw.shares),
            "cost": self._dollars(raw.assets - raw.value),
            "fee": self._dollars(raw.fee),
        }

    def _redeemed(self, symbol: str, raw: RedeemResult) -> dict[str, Any]:
        return {
            **self._changed(symbol, raw),
            "shares": to_decimal(raw.shares),
            "received": self._dollars(raw.assets),
            "cost": self._dollars(raw.cost),
            "fee": self._dollars(raw.fee),
        }

    def _rebalanced(self, symbol: str, raw: RebalanceResult) -> dict[str, Any]:
        return {
            **self._changed(symbol, raw),
            "reward": self._dollars(raw.reward),
            "reward_shares": to_decimal(raw.shares),
        }

    def _changed(self, symbol: str, raw: MintResult | RedeemResult | RebalanceResult) -> dict[str, Any]:
        return {
            "symbol": symbol,
            "mark_price": to_decimal(raw.mark) if raw.mark else None,
            "traded": to_decimal(raw.delta),
            "fill_price": to_decimal(raw.fill) if raw.fill else None,
            "leverage": leverage_or_none(raw.leverage),
            "net_asset_value": self._dollars(raw.net_asset_value),
            "supply": to_decimal(raw.supply),
            "raw": raw,
        }

    def _dollars(self, quanta: int) -> Decimal:
        return to_decimal(quanta, self.reader.decimals)


def _least(amount: int, slippage: Fraction) -> int:
    """What is left of an amount after slippage, rounded down."""
    return floor(amount * (1 - slippage))
