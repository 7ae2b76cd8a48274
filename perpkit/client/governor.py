"""Governor: pauses, halts, changes and ends markets, for the address that owns them; on any backend.

Amounts are `Decimal`, `int` or `str`: ratios as parts of one (`mmr="0.015"`), money in dollars, sizes in the base
asset, time in whole seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

from perpkit.backend import Backend, Receipt
from perpkit.client.errors import BadChoice, TooPrecise
from perpkit.client.reader import Reader, to_address
from perpkit.client.results import Sent, only
from perpkit.client.units import Amount, number, to_decimal
from perpkit.model.book import Book
from perpkit.model.errors import NotAnnounced
from perpkit.model.events import (
    ClosedOut,
    DelistingAnnounced,
    HaltSet,
    MarketDelisted,
    MarketParamsAnnounced,
    MarketPaused,
    OutageRecorded,
    VaultPaused,
)
from perpkit.model.margin_vault import DEPOSIT, POOL_DEPOSIT, POOL_WITHDRAW, WITHDRAW
from perpkit.model.market_ledger import DELEVERAGE, INCREASE, LIQUIDATE, NOTICE, OUTAGE, SETTLE, TRADE
from perpkit.model.types import Address, MarketParams, RiskTier, owner_of, sub_of

# What may be paused, in the interface's own words.
MARKET_ACTIONS = {
    "trade": TRADE,
    "increase": INCREASE,
    "settle": SETTLE,
    "liquidate": LIQUIDATE,
    "deleverage": DELEVERAGE,
}
VAULT_ACTIONS = {
    "deposit": DEPOSIT,
    "withdraw": WITHDRAW,
    "pool-deposit": POOL_DEPOSIT,
    "pool-withdraw": POOL_WITHDRAW,
}


class Unit(Enum):
    """What a parameter is counted in."""

    RATIO = "ratio"
    BASE = "base"
    DOLLARS = "dollars"
    SECONDS = "seconds"


# The unit of each parameter, and the bits that its contract has for it.
PARAMETERS: Mapping[str, tuple[Unit, int]] = {
    "imr": (Unit.RATIO, 64),
    "mmr": (Unit.RATIO, 64),
    "taker_fee": (Unit.RATIO, 64),
    "maker_fee": (Unit.RATIO, 64),
    "max_funding_rate": (Unit.RATIO, 64),
    "funding_interval": (Unit.SECONDS, 24),
    "skew_scale": (Unit.BASE, 96),
    "max_open_interest": (Unit.BASE, 96),
    "min_notional": (Unit.DOLLARS, 96),
    "min_delay": (Unit.SECONDS, 8),
    "penalty_rate": (Unit.RATIO, 64),
    "keeper_share": (Unit.RATIO, 64),
    "min_keeper_reward": (Unit.DOLLARS, 96),
    "insurance_share": (Unit.RATIO, 64),
    "protocol_share": (Unit.RATIO, 64),
    "pool_reserve_factor": (Unit.RATIO, 64),
    "adl_pnl_factor": (Unit.RATIO, 64),
}

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierTerms:
    """What positions of at least `min_size` need."""

    min_size: Decimal
    imr: Decimal
    mmr: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketTerms:
    """A market's parameters by name, and its risk tiers above the first."""

    market: str
    params: Mapping[str, Decimal]
    tiers: tuple[TierTerms, ...]
    raw: tuple[MarketParams, tuple[RiskTier, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Whether a change must be announced: not at all, not yet done (0), or from when on {s} it may be made."""

    needed: bool
    effective_at: int

    def ends(self) -> int:
        """When an announcement ends that was not used. {s}"""
        return self.effective_at + NOTICE


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsResult(Sent):
    """The terms that were set, or announced to be set from `effective_at` {s} on."""

    terms: MarketTerms
    effective_at: int | None
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseResult(Sent):
    """What is paused now, of a market or, when there is none, of the vault."""

    market: str | None
    paused: tuple[str, ...]
    # {s} Before this time nobody is liquidated, if it is not past; None while an outage lasts, or without any.
    grace_until: int | None
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltResult(Sent):
    """Whether a market's price is halted now."""

    market: str
    halted: bool
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageResult(Sent):
    """Whether a market has its price again, and until when {s} nobody is liquidated; None while it lasts."""

    market: str
    priced: bool
    grace_until: int | None
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class DelistResult(Sent):
    """From when on {s} a market may be delisted or, with its final price, that it is."""

    market: str
    effective_at: int | None
    price: Decimal | None
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPosition:
    """One position of a delisted market: what it was worth, and what was paid; negative when owed."""

    owner: Address
    sub: int
    claim: Decimal
    paid: Decimal
    bad_debt: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOutReport:
    """What closing a market out did. `left` counts positions that could not be closed."""

    market: str
    closed: tuple[ClosedPosition, ...]
    left: int
    transactions: int


class Governor:
    """Governs markets as one address, whose key the backend has."""

    def __init__(self, backend: Backend, address: str) -> None:
        self.backend = backend
        self.address: Address = to_address("address", address)
        self.reader = Reader(backend)

    # TERMS

    def terms(self, market: str) -> MarketTerms:
        """A market's parameters and tiers now."""
        view = self.reader.market(market).raw
        return self._told(market, view.params, view.tiers)

    def with_params(self, market: str, **changes: Amount) -> MarketTerms:
        """The terms with some parameters replaced; nothing is sent."""
        params, tiers = self.terms(market).raw
        values = {name: self._parameter(name, value) for name, value in changes.items()}
        return self._told(market, replace(params, **values), tiers)

    def with_tiers(self, market: str, *tiers: tuple[Amount, Amount, Amount]) -> MarketTerms:
        """The terms with all tiers (least size, imr, mmr) replaced; nothing is sent."""
        params, _ = self.terms(market).raw
        return self._told(market, params, tuple(self._tier(tier) for tier in tiers))

    def notice(self, terms: MarketTerms) -> Notice:
        """Whether terms may be set now, as the market itself answers; raises what else would refuse them."""
        market, *arguments = self._arguments(terms)
        try:
            self.backend.call("clearinghouse", "set_market_params", market, *arguments, sender=self.address)
        except NotAnnounced as error:
            return Notice(needed=True, effective_at=error.effective_at)
        return Notice(needed=False, effective_at=0)

    def set_terms(self, terms: MarketTerms) -> TermsResult:
        """Sets parameters and tiers. What makes liquidation or delay more likely must have been announced."""
        receipt = self._transact("set_market_params", *self._arguments(terms))
        return TermsResult(terms=terms, effective_at=None, receipt=receipt)

    def announce_terms(self, terms: MarketTerms) -> TermsResult:
        """Announces parameters and tiers, which may be set a day later, for a day."""
        receipt = self._transact("announce_market_params", *self._arguments(terms))
        effective_at = only(receipt.events, MarketParamsAnnounced).effective_at
        return TermsResult(terms=terms, effective_at=effective_at, receipt=receipt)

    # PAUSES

    def paused(self, market: str) -> tuple[str, ...]:
        """The actions of a market that are paused."""
        return _words(MARKET_ACTIONS, self._bits(market))

    def pause(self, market: str, *actions: str) -> PauseResult:
        """Pauses some actions of a market besides those that are paused already."""
        return self._set_paused(market, self._bits(market) | _bits(MARKET_ACTIONS, actions))

    def resume(self, market: str, *actions: str) -> PauseResult:
        """Resumes some actions of a market, all when none is named."""
        return self._set_paused(market, self._bits(market) & ~_bits(MARKET_ACTIONS, actions or MARKET_ACTIONS))

    def pause_vault(self, *actions: str) -> PauseResult:
        """Pauses some movements of money besides those that are paused already."""
        return self._set_vault_paused(self.reader.vault().raw.paused | _bits(VAULT_ACTIONS, actions))

    def resume_vault(self, *actions: str) -> PauseResult:
        """Resumes some movements of money, all when none is named."""
        return self._set_vault_paused(self.reader.vault().raw.paused & ~_bits(VAULT_ACTIONS, actions or VAULT_ACTIONS))

    # PRICES

    def halt(self, market: str, *, halted: bool = True) -> HaltResult:
        """Halts a market's price, or lets it go on."""
        id = self.reader.market_id(market)
        receipt = self.backend.transact("oracle", "set_halted", id, halted, sender=self.address)
        return HaltResult(market=market, halted=only(receipt.events, HaltSet).halted, receipt=receipt)

    def record_outage(self, market: str) -> OutageResult:
        """Records that a market's price is missing or, after that, that it is back; anybody may."""
        receipt = self._transact("record_outage", self.reader.market_id(market))
        grace_until = only(receipt.events, OutageRecorded).grace_until
        priced = grace_until != OUTAGE
        return OutageResult(market=market, priced=priced, grace_until=grace_until if priced else None, receipt=receipt)

    # THE END OF A MARKET

    def announce_delisting(self, market: str) -> DelistResult:
        """Announces that a market may be delisted from a day later on."""
        receipt = self._transact("announce_delisting", self.reader.market_id(market))
        effective_at = only(receipt.events, DelistingAnnounced).effective_at
        return DelistResult(market=market, effective_at=effective_at, price=None, receipt=receipt)

    def delist(self, market: str) -> DelistResult:
        """Ends a market at its mark price now."""
        receipt = self._transact("delist_market", self.reader.market_id(market))
        price = to_decimal(only(receipt.events, MarketDelisted).price)
        return DelistResult(market=market, effective_at=None, price=price, receipt=receipt)

    def close_out(
        self, market: str, *, batch: int = 40, progress: Progress = lambda done, total: None
    ) -> CloseOutReport:
        """Closes every position of a delisted market, `batch` in a transaction; anybody may. Whoever owes pays at once,
        winners when nobody else is left: so there are up to two rounds. `progress` gets what is done, and of how many.
        """
        id = self.reader.market_id(market)
        # Refuses a market that is not delisted, whether or not anybody is in it.
        self.backend.call("clearinghouse", "close_out", id, (), sender=self.address)
        book, cursor = Book(quantum=self.backend.call("clearinghouse", "QUANTUM")), 0
        closed: list[ClosedPosition] = []
        transactions, before = 0, -1
        while True:
            events, cursor = self.backend.events_since(cursor)
            for timestamp, event in events:
                book.apply(event, timestamp)
            holders = sorted(book.holders(id, long=True) + book.holders(id, long=False))
            # A round that neither closed nor registered anybody would be followed by the same.
            sequence = book.markets[id].state.sequence
            if not holders or sequence == before:
                return CloseOutReport(market=market, closed=tuple(closed), left=len(holders), transactions=transactions)
            before, total = sequence, len(closed) + len(holders)
            for first in range(0, len(holders), batch):
                receipt = self._transact("close_out", id, tuple(holders[first : first + batch]))
                closed += [self._closed(event) for event in receipt.events if isinstance(event, ClosedOut)]
                transactions += 1
                progress(len(closed), total)

    # INSIDE

    def _bits(self, market: str) -> int:
        return self.reader.market(market).raw.state.paused

    def _set_paused(self, market: str, bits: int) -> PauseResult:
        receipt = self._transact("set_market_paused", self.reader.market_id(market), bits)
        event = only(receipt.events, MarketPaused)
        grace_until = event.grace_until if 0 < event.grace_until < OUTAGE else None
        words = _words(MARKET_ACTIONS, event.bits)
        return PauseResult(market=market, paused=words, grace_until=grace_until, receipt=receipt)

    def _set_vault_paused(self, bits: int) -> PauseResult:
        receipt = self._transact("set_vault_paused", bits)
        words = _words(VAULT_ACTIONS, only(receipt.events, VaultPaused).bits)
        return PauseResult(market=None, paused=words, grace_until=None, receipt=receipt)

    def _transact(self, function: str, *arguments: Any) -> Receipt:
        return self.backend.transact("clearinghouse", function, *arguments, sender=self.address)

    def _arguments(self, terms: MarketTerms) -> tuple[Any, ...]:
        return (self.reader.market_id(terms.market), *terms.raw)

    def _told(self, market: str, params: MarketParams, tiers: tuple[RiskTier, ...]) -> MarketTerms:
        return MarketTerms(
            market=market,
            params={
                name: to_decimal(getattr(params, name), self._digits(unit)) for name, (unit, _) in PARAMETERS.items()
            },
            tiers=tuple(
                TierTerms(min_size=to_decimal(tier.min_size), imr=to_decimal(tier.imr), mmr=to_decimal(tier.mmr))
                for tier in tiers
            ),
            raw=(params, tiers),
        )

    def _digits(self, unit: Unit) -> int:
        return {Unit.SECONDS: 0, Unit.DOLLARS: self.reader.decimals}.get(unit, 18)

    def _parameter(self, name: str, value: Amount) -> int:
        if name not in PARAMETERS:
            raise BadChoice("parameter", name, list(PARAMETERS))
        unit, bits = PARAMETERS[name]
        return _whole(name, value, self._digits(unit), bits)

    def _tier(self, tier: tuple[Amount, Amount, Amount]) -> RiskTier:
        min_size, imr, mmr = tier
        return RiskTier(_whole("min_size", min_size, 18, 96), _whole("imr", imr, 18, 64), _whole("mmr", mmr, 18, 64))

    def _closed(self, event: ClosedOut) -> ClosedPosition:
        decimals = self.reader.decimals
        return ClosedPosition(
            owner=owner_of(event.account),
            sub=sub_of(event.account),
            claim=to_decimal(event.result.claim, decimals),
            paid=to_decimal(event.result.paid, decimals),
            bad_debt=to_decimal(event.result.bad_debt, decimals),
        )


def _whole(name: str, value: Amount, digits: int, bits: int) -> int:
    """A number of zero or more as an integer with `digits`, which must fit into `bits`."""
    found = number(name, value)
    most = to_decimal(2**bits - 1, digits)
    if not 0 <= found <= most:
        raise BadChoice(name, str(value), [f"a number from 0 to {most:f}"])
    scaled = Fraction(found) * 10**digits
    if scaled.denominator != 1:
        raise TooPrecise(name, found, digits)
    return int(scaled)


def _bits(actions: Mapping[str, int], words: Iterable[str]) -> int:
    bits = 0
    for word in words:
        if word not in actions:
            raise BadChoice("action", word, list(actions))
        bits |= actions[word]
    return bits


def _words(actions: Mapping[str, int], bits: int) -> tuple[str, ...]:
    return tuple(word for word, bit in actions.items() if bits & bit)
