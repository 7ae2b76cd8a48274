"""Pure: how what a person wants of an order becomes the contract's request, and which side of a price it waits on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from math import floor

from perpkit.client.errors import (
    AmountsConflict,
    AmountsMissing,
    BadChoice,
    ExpiryPast,
    SharesTooLarge,
    WrongTrigger,
)
from perpkit.client.order_views import Kind
from perpkit.client.sizing import Side, price_limit
from perpkit.client.units import Amount, number, to_decimal, to_fraction, to_units
from perpkit.model.fixed_math import UNIT, to_price, to_size
from perpkit.model.types import OrderRequest

# A second, or how much later than now it is.
Expiry = int | timedelta

# A price, and the share of the position that goes there.
Rung = tuple[Amount, Amount]

_EXPIRY_LIMIT = 1 << 40
_WAITING = (Kind.LIMIT, Kind.STOP, Kind.TAKE_PROFIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms an order fills, as people say it."""

    kind: Kind
    price: Amount | None = None
    trail: Amount | None = None
    trail_ratio: Amount | None = None
    acceptable_price: Amount | None = None
    slippage: Amount | None = None
    expiry: int = 0


@dataclass(frozen=True, slots=True)
class Reference:
    """The price with which a trigger is compared, and its name."""

    price: int
    name: str = "the mark price"


def request(
    terms: Terms, *, account: int, market: int, delta: int, reduce_only: bool, at: Reference, slippage: Amount
) -> OrderRequest:
    """The contract's request; refuses terms that contradict the kind, and a trigger that is reached already."""
    trigger = trigger_of(terms)
    trail, is_ratio = _trail_of(terms, at)
    _check_trigger(terms.kind, trigger, delta=delta, reduce_only=reduce_only, at=at)
    return OrderRequest(
        account=account,
        market=market,
        kind=int(terms.kind.raw),
        reduce_only=reduce_only,
        size=to_size(delta),
        trigger=trigger,
        acceptable_price=_acceptable_price(terms, trigger, buys=delta > 0, at=at, slippage=slippage),
        trail=trail,
        trail_is_ratio=is_ratio,
        expiry=terms.expiry,
    )


def trigger_of(terms: Terms) -> int:
    """The price for which an order waits {usd/base, 1e18}; zero when it waits for none of its own."""
    if terms.kind in _WAITING:
        if terms.price is None:
            raise AmountsMissing(f"the price of the {terms.kind.text} order")
        return to_price(to_units("price", terms.price))
    if terms.price is not None:
        mend = "a limit order waits for one" if terms.kind is Kind.MARKET else "it follows the mark price; leave it out"
        raise AmountsConflict(f"a {terms.kind.text} order and a price", mend)
    return 0


def expiry_of(expiry: Expiry | None, *, now: int) -> int:
    """The last second {s} of an order; zero is never."""
    if expiry is None:
        return 0
    if isinstance(expiry, timedelta):
        expiry = now + floor(expiry.total_seconds())
    if isinstance(expiry, bool) or not isinstance(expiry, int):
        raise TypeError(f"expiry is the {type(expiry).__name__} {expiry!r:.60}; pass seconds as int, or a timedelta.")
    if expiry < now:
        raise ExpiryPast(expiry, now)
    if expiry >= _EXPIRY_LIMIT:
        raise BadChoice("expiry", expiry, [f"a second before {_EXPIRY_LIMIT}"])
    return expiry


def rung_sizes(ladder: Sequence[Rung], *, position: int) -> list[tuple[Amount, int]]:
    """The price and the size {base, 1e18, without sign} of each rung; of 100 % the last takes what rounding left."""
    if not ladder:
        raise AmountsMissing("one rung or more, each a price and a share")
    shares = [to_fraction("share", share) for _, share in ladder]
    total = sum(shares, Fraction(0))
    if total > 1:
        raise SharesTooLarge(to_decimal(floor(total * UNIT)))
    sizes = [floor(abs(position) * share) for share in shares]
    if total == 1:
        sizes[-1] += abs(position) - sum(sizes)
    for size, (_, share) in zip(sizes, ladder, strict=True):
        if size == 0:
            raise AmountsMissing(f"a larger share than {share}, which closes nothing")
    return [(price, size) for (price, _), size in zip(ladder, sizes, strict=True)]


def _check_trigger(kind: Kind, trigger: int, *, delta: int, reduce_only: bool, at: Reference) -> None:
    """A limit may be reached at once, which is a market order with a bound; who waits for a price wants to wait."""
    if kind not in (Kind.STOP, Kind.TAKE_PROFIT):
        return
    expects_above = (kind is Kind.STOP) == (delta > 0)
    if trigger > at.price if expects_above else trigger < at.price:
        return
    side = Side.of_size(-delta if reduce_only else delta).value
    other = Kind.TAKE_PROFIT if kind is Kind.STOP else Kind.STOP
    raise WrongTrigger(
        f"the {kind.text} of a {side}" if reduce_only else f"the {kind.text} that opens a {side}",
        to_decimal(trigger),
        "above" if expects_above else "below",
        at.name,
        to_decimal(at.price),
        f"a {other.text} waits on the other side",
    )


def _trail_of(terms: Terms, at: Reference) -> tuple[int, bool]:
    if terms.kind is not Kind.TRAILING_STOP:
        if terms.trail is not None or terms.trail_ratio is not None:
            raise AmountsConflict(f"a {terms.kind.text} order and a trail", "only a trailing-stop follows the price")
        return 0, False
    if terms.trail is not None and terms.trail_ratio is not None:
        raise AmountsConflict("trail and trail_ratio", "give one of them")
    if terms.trail_ratio is not None:
        ratio = to_units("trail_ratio", terms.trail_ratio)
        if ratio >= UNIT:
            raise BadChoice("trail_ratio", str(terms.trail_ratio), ["a number between 0 and 1, such as 0.02 for 2 %"])
        return ratio, True
    if terms.trail is None:
        raise AmountsMissing("trail in dollars, or trail_ratio")
    trail = to_units("trail", terms.trail)
    if trail >= at.price:
        raise WrongTrigger("trail", to_decimal(trail), "below", at.name, to_decimal(at.price))
    return trail, False


def _acceptable_price(terms: Terms, trigger: int, *, buys: bool, at: Reference, slippage: Amount) -> int:
    given = terms.acceptable_price is not None or terms.slippage is not None
    if terms.kind is Kind.LIMIT:
        if given:
            raise AmountsConflict("a limit order and acceptable_price or slippage", "its price bounds the fill already")
        return 0
    if terms.acceptable_price is not None:
        return to_price(to_units("acceptable_price", terms.acceptable_price))
    if terms.kind is Kind.MARKET:
        chosen = slippage if terms.slippage is None else terms.slippage
        return price_limit(mark=at.price, buys=buys, acceptable_price=None, slippage=chosen)
    if terms.slippage is None:
        # Whoever stops a loss wants out at any price.
        return 0
    if terms.kind is Kind.TRAILING_STOP:
        raise AmountsConflict("a trailing-stop and slippage", "its trigger moves; give acceptable_price, or neither")
    number("slippage", terms.slippage)
    return price_limit(mark=trigger, buys=buys, acceptable_price=None, slippage=terms.slippage)
