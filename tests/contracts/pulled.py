"""A market whose prices come with signed reports, beside those whose prices are pushed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from roles import ETH, House, units
from signing import price_report

from perpkit.backend import Receipt
from perpkit.market_setup import feed_answer, feed_labels, list_market
from perpkit.model.types import SignedReport

PULLED = 3


def list_pulled(house: House) -> None:
    """Lists the fourth market: the ETH market's parameters and first price, three feeds, two of which must agree."""
    spec = replace(house.specs[ETH], symbol="PULL-USD", pull=True)
    list_market(house.sandbox, PULLED, spec, sign=lambda feed, *rest: price_report(house, feed, *rest))
    house.specs.append(spec)


def reports(
    house: House,
    price: int | str | Fraction,
    *,
    age: int = 0,
    signer: str = "publisher",
    feeds: Sequence[int] = (0, 1, 2),
) -> tuple[SignedReport, ...]:
    """Reports of a price in dollars, `age` seconds old, for some feeds of the pulled market."""
    answer, timestamp = feed_answer(units(price)), house.sandbox.timestamp - age
    known = [house.at(label) for label in feed_labels(house.specs[PULLED])]
    return tuple(
        SignedReport(i, answer, timestamp, price_report(house, known[i], answer, timestamp, signer=signer))
        for i in feeds
    )


def deliver(house: House, price: int | str | Fraction, *, by: str = "outsider", age: int = 0) -> Receipt:
    return house.do("deliver", PULLED, reports(house, price, age=age), by=by, label="oracle")


def bundle(house: House, delivered: Sequence[SignedReport], *calls: tuple[object, ...], by: str = "trader") -> Receipt:
    """Reports and the actions that need them, in one transaction."""
    actions = [house.sandbox.action("clearinghouse", "deliver_reports", PULLED, tuple(delivered))]
    actions += [house.sandbox.action("clearinghouse", str(function), *args) for function, *args in calls]
    return house.do("multicall", tuple(actions), by=by)
