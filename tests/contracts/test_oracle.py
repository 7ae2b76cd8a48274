"""The oracle: which feeds count, and what their median is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from expect import refuses
from hostile import deploy_code, feed_that_burns_gas, feed_that_reverts
from roles import BTC, ETH, HOUR, START, House, address, units

from perpkit.model.errors import (
    InvalidFeeds,
    NoFeeds,
    OwnableUnauthorizedAccount,
    PriceHalted,
    QuorumNotMet,
    StalePrice,
)
from perpkit.model.events import FeedsSet, HaltSet
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.types import Address, OracleConfig

TWO_PER_CENT = units("0.02")
NEW = 7


def feeds(house: House, count: int, *, decimals: Sequence[int] = ()) -> list[str]:
    """The labels of `count` new feeds of 8 digits, or of the given ones."""
    labels = [f"feed:test:{i}" for i in range(count)]
    for i, label in enumerate(labels):
        digits = decimals[i] if decimals else 8
        house.sandbox.deploy(label, "PushFeed", address("publisher"), digits, label, sender=address("publisher"))
    return labels


def configure(
    house: House,
    labels: Sequence[str],
    *,
    quorum: int = 1,
    heartbeat: int = HOUR,
    deviation: int = TWO_PER_CENT,
    others: Sequence[Address] = (),
) -> OracleConfig:
    config = OracleConfig(heartbeat, deviation, quorum, (*(house.at(label) for label in labels), *others))
    house.do("set_feeds", NEW, config, by="governor", label="oracle")
    return config


def push(house: House, label: str, answer: int, *, age: int = 0) -> None:
    house.do("push_at", answer, house.sandbox.timestamp - age, by="publisher", label=label)


def publish(house: House, answers: Sequence[int], *, quorum: int = 1, deviation: int = TWO_PER_CENT) -> None:
    """One feed of 8 digits for each answer in whole dollars."""
    labels = feeds(house, len(answers))
    configure(house, labels, quorum=quorum, deviation=deviation)
    for label, answer in zip(labels, answers, strict=True):
        push(house, label, answer * 10**8)


def price(house: House) -> tuple[int, int]:
    value, updated_at = house.ask("price", NEW, label="oracle")
    return value, updated_at


# --- refusals of a configuration


@pytest.mark.parametrize("role", ["outsider", "keeper", "provider", "publisher", "trader"])
def test_feeds_are_the_governors(house: House, role: str) -> None:
    """Not even who publishes prices chooses the feeds."""
    config = house.ask("config_of", ETH, label="oracle")
    with refuses(house, OwnableUnauthorizedAccount(address(role))):
        house.do("set_feeds", ETH, config, by=role, label="oracle")


@pytest.mark.parametrize("label", ["board", "feed:ETH-USD:0"])
def test_prices_are_the_publishers(house: House, label: str) -> None:
    """Neither governor nor outsider pushes a price."""
    for role in ("governor", "outsider", "trader"):
        with refuses(house, OwnableUnauthorizedAccount(address(role))):
            args = ((house.at("feed:ETH-USD:0"),), (1,)) if label == "board" else (1,)
            house.do("push", *args, by=role, label=label)


@pytest.mark.parametrize(
    ("count", "quorum", "heartbeat", "deviation", "reason"),
    [
        (0, 1, HOUR, TWO_PER_CENT, "between 1 and 9 feeds"),
        (10, 1, HOUR, TWO_PER_CENT, "between 1 and 9 feeds"),
        (3, 0, HOUR, TWO_PER_CENT, "quorum between 1 and all feeds"),
        (3, 4, HOUR, TWO_PER_CENT, "quorum between 1 and all feeds"),
        (3, 2, 0, TWO_PER_CENT, "heartbeat above zero"),
        (3, 2, 2**24, TWO_PER_CENT, "heartbeat below 2**24 s"),
        (3, 2, 2**32 - 1, TWO_PER_CENT, "heartbeat below 2**24 s"),
        (3, 2, HOUR, units(1), "deviation below 100 %"),
        (3, 2, HOUR, TWO_PER_CENT + 1, "deviation in steps of 1e-12"),
    ],
)
def test_feeds_that_make_no_sense_are_refused(
    house: House, count: int, quorum: int, heartbeat: int, deviation: int, reason: str
) -> None:
    """Each with its reason."""
    labels = feeds(house, count)
    with refuses(house, InvalidFeeds(NEW, reason)):
        configure(house, labels, quorum=quorum, heartbeat=heartbeat, deviation=deviation)


def test_a_feed_of_more_than_36_digits_is_refused(house: House) -> None:
    """36 are the most."""
    labels = feeds(house, 1, decimals=[37])
    with refuses(house, InvalidFeeds(NEW, "at most 36 decimals")):
        configure(house, labels)


# --- refusals of a price


def test_a_market_without_feeds_has_no_price(house: House) -> None:
    """Nobody said anything."""
    with refuses(house, NoFeeds(NEW)):
        price(house)


@pytest.mark.parametrize("answer", [0, -1, -(2**127), PRICE_MAX // 10**10 + 1, 2**127 - 1])
def test_an_answer_that_is_no_price_does_not_count(house: House, answer: int) -> None:
    """Zero, negative, beyond the range."""
    labels = feeds(house, 1)
    configure(house, labels)
    push(house, labels[0], answer)
    with refuses(house, StalePrice(NEW, 0, 1)):
        price(house)


def test_a_feed_that_was_never_updated_does_not_count(house: House) -> None:
    """Neither without a push nor with one of time zero."""
    labels = feeds(house, 1)
    configure(house, labels, heartbeat=2**24 - 1)
    with refuses(house, StalePrice(NEW, 0, 1)):
        price(house)
    push(house, labels[0], 10**8, age=house.sandbox.timestamp)
    with refuses(house, StalePrice(NEW, 0, 1)):
        price(house)


def test_a_feed_from_the_future_does_not_count(house: House) -> None:
    """One second ahead is too far."""
    labels = feeds(house, 1)
    configure(house, labels)
    push(house, labels[0], 10**8, age=-1)
    with refuses(house, StalePrice(NEW, 0, 1)):
        price(house)
    house.wait(1)
    assert price(house) == (units(1), START + 1)


def test_a_feed_counts_to_the_last_second_of_its_heartbeat(house: House) -> None:
    """3,600 seconds old is fresh, 3,601 is not."""
    labels = feeds(house, 1)
    configure(house, labels)
    push(house, labels[0], 10**8, age=HOUR)
    assert price(house) == (units(1), START - HOUR)
    house.wait(1)
    with refuses(house, StalePrice(NEW, 0, 1)):
        price(house)


def test_too_few_fresh_feeds_are_no_price(house: House) -> None:
    """Of three, two are needed; one is fresh."""
    labels = feeds(house, 3)
    configure(house, labels, quorum=2)
    push(house, labels[0], 10**8)
    push(house, labels[1], 10**8, age=HOUR + 1)
    with refuses(house, StalePrice(NEW, 1, 2)):
        price(house)


def test_feeds_that_disagree_are_no_price(house: House) -> None:
    """Of 100 and 105 neither is within 2 % of the middle."""
    publish(house, [100, 105], quorum=2)
    with refuses(house, QuorumNotMet(NEW, 0, 2)):
        price(house)


def test_two_that_agree_are_not_three(house: House) -> None:
    """A quorum of three, of which one is far off."""
    publish(house, [100, 101, 150], quorum=3)
    with refuses(house, QuorumNotMet(NEW, 2, 3)):
        price(house)


# --- success


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([100], "100"),
        ([100, 101], "100.5"),
        ([101, 100, 102], "101"),
        ([103, 100, 102, 101], "101.5"),
        # 150 is dropped, and the middle of the other two counts.
        ([100, 101, 150], "100.5"),
        ([1, 100, 100, 100], "100"),
        # Two liars on one side cannot move the median of five beyond the honest.
        ([100, 101, 102, 190, 200], "101"),
        ([95, 96, 97, 98, 99, 100, 101, 102, 103], "99"),
    ],
)
def test_the_price_is_the_median_of_those_that_agree(house: House, answers: list[int], expected: str) -> None:
    """Odd: the middle one; even: the mean of the middle two."""
    publish(house, answers)
    assert price(house)[0] == units(expected)


def test_the_mean_of_two_is_floored(house: House) -> None:
    """Of 1 and 2 of the last digit: 1."""
    labels = feeds(house, 2, decimals=[18, 18])
    configure(house, labels, deviation=units("0.9"))
    push(house, labels[0], 1)
    push(house, labels[1], 2)
    assert price(house)[0] == 1


def test_a_feed_counts_to_the_edge_of_the_deviation(house: House) -> None:
    """98 and 102 are 2 % off 100 exactly; a tick more is too much."""
    labels = feeds(house, 3)
    configure(house, labels, quorum=3)
    for label, answer in zip(labels, (98 * 10**8, 100 * 10**8, 102 * 10**8), strict=True):
        push(house, label, answer)
    assert price(house)[0] == units(100)
    push(house, labels[2], 102 * 10**8 + 1)
    with refuses(house, QuorumNotMet(NEW, 2, 3)):
        price(house)
    push(house, labels[2], 102 * 10**8)
    push(house, labels[0], 98 * 10**8 - 1)
    with refuses(house, QuorumNotMet(NEW, 2, 3)):
        price(house)


def test_the_price_is_as_old_as_its_oldest_feed_that_counts(house: House) -> None:
    """A stale one does not make it old, nor does one that disagrees."""
    labels = feeds(house, 4)
    configure(house, labels)
    for label, answer, age in zip(labels, (100, 101, 150, 100), (10, 20, 30, HOUR + 1), strict=True):
        push(house, label, answer * 10**8, age=age)
    assert price(house) == (units("100.5"), START - 20)


@pytest.mark.parametrize("decimals", [0, 6, 8, 18, 24, 36])
def test_a_dollar_is_a_dollar_in_any_number_of_digits(house: House, decimals: int) -> None:
    """4,000 dollars; the answer of 36 digits no longer fits in 128 bits at 1e40, so there it is 12 dollars."""
    dollars_ = 12 if decimals == 36 else 4_000
    labels = feeds(house, 1, decimals=[decimals])
    configure(house, labels)
    push(house, labels[0], dollars_ * 10**decimals)
    assert price(house)[0] == units(dollars_)


def test_digits_beyond_the_eighteenth_are_floored(house: House) -> None:
    """Of 24 digits six are dropped, and nothing that is left means nothing said."""
    labels = feeds(house, 1, decimals=[24])
    configure(house, labels)
    push(house, labels[0], 1_999_999)
    assert price(house)[0] == 1
    push(house, labels[0], 999_999)
    with refuses(house, StalePrice(NEW, 0, 1)):
        price(house)


def test_the_highest_supported_price_is_a_price(house: House) -> None:
    """And one more is none."""
    labels = feeds(house, 1, decimals=[18])
    configure(house, labels)
    push(house, labels[0], PRICE_MAX)
    assert price(house)[0] == PRICE_MAX
    push(house, labels[0], PRICE_MAX + 1)
    with refuses(house, StalePrice(NEW, 0, 1)):
        price(house)


def test_feeds_of_different_digits_mix(house: House) -> None:
    """6, 8 and 18 digits, one price."""
    labels = feeds(house, 3, decimals=[6, 8, 18])
    configure(house, labels, quorum=3)
    for label, answer in zip(labels, (100 * 10**6, 101 * 10**8, 102 * 10**18), strict=True):
        push(house, label, answer)
    assert price(house)[0] == units(101)


def test_feeds_are_told_and_replaced(house: House) -> None:
    """The event, the configuration, and fewer feeds after more."""
    labels = feeds(house, 3)
    configure(house, labels, quorum=2)
    config = OracleConfig(60, units("0.5"), 1, (house.at(labels[2]),))
    receipt = house.do("set_feeds", NEW, config, by="governor", label="oracle")
    assert receipt.events == (FeedsSet(NEW, config),)
    assert house.ask("config_of", NEW, label="oracle") == config
    push(house, labels[2], 5 * 10**8)
    assert price(house)[0] == units(5)


# --- the halt


@pytest.mark.parametrize("role", ["outsider", "keeper", "publisher"])
def test_halting_is_the_governors(house: House, role: str) -> None:
    """And so is ending it."""
    for halted in (True, False):
        with refuses(house, OwnableUnauthorizedAccount(address(role))):
            house.do("set_halted", ETH, halted, by=role, label="oracle")


def test_a_halted_market_has_no_price_until_it_goes_on(house: House) -> None:
    """Its feeds say what they like; other markets go on."""
    before = house.ask("price", ETH, label="oracle")
    receipt = house.do("set_halted", ETH, True, by="governor", label="oracle")
    assert receipt.events == (HaltSet(ETH, True),)
    house.set_price(ETH, 4_000)
    with refuses(house, PriceHalted(ETH)):
        house.mark(ETH)
    assert house.ask("is_halted", ETH, label="oracle") is True
    assert house.ask("is_halted", BTC, label="oracle") is False
    assert house.mark(BTC) == units(100_000)
    receipt = house.do("set_halted", ETH, False, by="governor", label="oracle")
    assert receipt.events == (HaltSet(ETH, False),)
    assert house.ask("price", ETH, label="oracle") == before


def test_new_feeds_leave_a_halt_in_force(house: House) -> None:
    """Feeds are replaced while nothing depends on them, and only then does the price go on; the configuration is told
    as it was given."""
    house.do("set_halted", ETH, True, by="governor", label="oracle")
    labels = feeds(house, 1)
    push(house, labels[0], 4_100 * 10**8)
    config = OracleConfig(2**24 - 1, TWO_PER_CENT, 1, (house.at(labels[0]),))
    house.do("set_feeds", ETH, config, by="governor", label="oracle")
    assert house.ask("config_of", ETH, label="oracle") == config
    with refuses(house, PriceHalted(ETH)):
        house.mark(ETH)
    house.do("set_halted", ETH, False, by="governor", label="oracle")
    assert house.mark(ETH) == units(4_100)
    assert house.ask("config_of", ETH, label="oracle") == config


def test_a_market_may_be_halted_before_it_has_feeds(house: House) -> None:
    """The halt is said first, then what is missing."""
    house.do("set_halted", NEW, True, by="governor", label="oracle")
    with refuses(house, PriceHalted(NEW)):
        price(house)
    publish(house, [100])
    with refuses(house, PriceHalted(NEW)):
        price(house)
    house.do("set_halted", NEW, False, by="governor", label="oracle")
    assert price(house)[0] == units(100)


# --- feeds that misbehave: on bytecode only


def test_a_feed_that_reverts_does_not_count(house: House) -> None:
    """Two good feeds of three are enough."""
    broken = deploy_code(house, feed_that_reverts())
    labels = feeds(house, 2)
    configure(house, labels, quorum=2, others=[broken])
    for label in labels:
        push(house, label, 100 * 10**8)
    assert price(house)[0] == units(100)


def test_a_feed_that_burns_all_its_gas_does_not_count(house: House) -> None:
    """It gets 63 of 64 parts of the gas; what is left is enough to go on."""
    broken = deploy_code(house, feed_that_burns_gas())
    labels = feeds(house, 2)
    configure(house, labels, quorum=2, others=[broken])
    for label in labels:
        push(house, label, 100 * 10**8)
    assert price(house)[0] == units(100)
