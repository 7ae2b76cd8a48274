"""Risk tiers: larger positions need more margin, and a liquidation closes the least that restores it across tiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from expect import event_of, is_liquidatable, refuses
from roles import ETH, MARKETS, SOL, House, acc, address, dollars, units

from perpkit.market_setup import FEED_TICK, UNIT
from perpkit.model.errors import (
    BelowInitialMargin,
    InvalidParameter,
    NotLiquidatable,
    OwnableUnauthorizedAccount,
    UnknownMarket,
)
from perpkit.model.events import Liquidated, MarketListed, MarketParamsSet
from perpkit.model.fixed_math import div_ceil
from perpkit.model.types import MarketParams, RiskTier

PER_CENT = UNIT // 100
QUANTUM = 10**30
# Of ETH, where 2 % and 1 % hold below 100.
FROM_100 = RiskTier(units(100), 4 * PER_CENT, 2 * PER_CENT)
FROM_500 = RiskTier(units(500), 10 * PER_CENT, 5 * PER_CENT)
NEW = b"NEW-USD".ljust(32, b"\0")

# The parameter that the error names, tiers just out of bounds, and tiers just within.
BOUNDS: list[tuple[str, tuple[RiskTier, ...], tuple[RiskTier, ...]]] = [
    ("tiers", tuple(replace(FROM_100, min_size=i) for i in (1, 2, 3, 4)), (FROM_100, FROM_500)),
    ("tiers.minSize", (replace(FROM_100, min_size=0),), (replace(FROM_100, min_size=1),)),
    ("tiers.minSize", (FROM_100, FROM_100), (FROM_100, replace(FROM_100, min_size=units(100) + 1))),
    ("tiers.minSize", (FROM_500, replace(FROM_500, min_size=units(500) - 1)), (FROM_500,)),
    ("tiers.imr", (replace(FROM_100, imr=UNIT + 1),), (replace(FROM_100, imr=UNIT),)),
    (
        "tiers.imr",
        (RiskTier(1, 2 * PER_CENT - 1, PER_CENT),),
        (RiskTier(1, 2 * PER_CENT, PER_CENT),),
    ),
    ("tiers.imr", (FROM_100, replace(FROM_500, imr=4 * PER_CENT - 1, mmr=2 * PER_CENT)), (FROM_100,)),
    (
        "tiers.imr",
        (RiskTier(1, 3 * PER_CENT, 3 * PER_CENT),),
        (RiskTier(1, 3 * PER_CENT, 3 * PER_CENT - 1),),
    ),
    ("tiers.mmr", (replace(FROM_100, mmr=PER_CENT - 1),), (replace(FROM_100, mmr=PER_CENT),)),
    ("tiers.mmr", (FROM_100, replace(FROM_500, mmr=2 * PER_CENT - 1)), (FROM_100, replace(FROM_500, mmr=2 * PER_CENT))),
]
IDS = [f"{name}-{i}" for i, (name, _, _) in enumerate(BOUNDS)]


@pytest.fixture
def tiered(house: House) -> House:
    """ETH needs 4 % and 2 % from 100 on, 10 % and 5 % from 500 on."""
    house.set_tiers(ETH, FROM_100, FROM_500)
    return house


def open_600(house: House) -> None:
    """A long of 600 ETH whose equity is 250,000 at 4,000.

    Bought at 4,000 * (1 + 600 / 2,000,000) = 4,001.2 for a fee of 0.05 % of 2,400,720: 251,920.36 - 1,200.36 - 720.
    """
    house.deposit("trader", dollars("251920.36"))
    house.trade("trader", ETH, units(600))


# --- refusals


@pytest.mark.parametrize(("name", "bad", "good"), BOUNDS, ids=IDS)
def test_tiers_that_do_not_rise_are_refused_by_name(
    house: House, name: str, bad: tuple[RiskTier, ...], good: tuple[RiskTier, ...]
) -> None:
    """Just outside refuses, just inside lists; also for what is only announced."""
    params = house.params(ETH)
    for function, args in (
        ("list_market", (NEW, params, bad)),
        ("set_market_params", (ETH, params, bad)),
        ("announce_market_params", (ETH, params, bad)),
    ):
        with refuses(house, InvalidParameter(name)):
            house.do(function, *args, by="governor")
    assert house.do("list_market", NEW, params, good, by="governor").value == 3
    assert house.ask("risk_tiers_of", 3) == good


def test_the_markets_own_ratios_are_the_first_tiers_floor(tiered: House) -> None:
    """Raising the market's own initial margin above that of its tiers is refused."""
    params = replace(tiered.params(ETH), imr=4 * PER_CENT + 1)
    with refuses(tiered, InvalidParameter("tiers.imr")):
        tiered.do("set_market_params", ETH, params, (FROM_100, FROM_500), by="governor")


def test_tiers_are_the_governors(house: House) -> None:
    """Nobody else announces them."""
    with refuses(house, OwnableUnauthorizedAccount(address("outsider"))):
        house.do("announce_market_params", ETH, house.params(ETH), (FROM_100,), by="outsider")
    with refuses(house, UnknownMarket(3)):
        house.do("announce_market_params", 3, house.params(ETH), (FROM_100,), by="governor")


def test_a_trade_that_reaches_a_tier_needs_its_margin(tiered: House) -> None:
    """10,000 are enough for one unit less than 100 ETH, and not for 100.

    100 fill at 4,000.2 for 200.01: 10,000 - 200.01 - 20 = 9,779.99, and 4 % of 400,000 are 16,000.
    """
    tiered.deposit("trader", dollars(10_000))
    with refuses(tiered, BelowInitialMargin(acc("trader"), dollars("9779.99"), dollars(16_000))):
        tiered.trade("trader", ETH, units(100))
    tiered.trade("trader", ETH, units(100) - 1)


def test_equality_with_a_tiers_maintenance_margin_is_healthy(tiered: House) -> None:
    """At 3,900 the long of 100 ETH has 18,020.01 - 200.01 - 20 - 100 * 100 = 7,800, just 2 % of 390,000."""
    tiered.exact_feed(ETH)
    tiered.set_exact_price(ETH, units(4_000))
    tiered.deposit("trader", dollars("18020.01"))
    tiered.trade("trader", ETH, units(100))
    tiered.set_exact_price(ETH, units(3_900))
    with refuses(tiered, NotLiquidatable(acc("trader"), dollars(7_800), dollars(7_800))):
        tiered.liquidate("trader", ETH)
    tiered.set_exact_price(ETH, units(3_900) - 1)
    assert is_liquidatable(tiered, "trader")
    tiered.liquidate("trader", ETH)


# --- success


@pytest.mark.parametrize("sign", [1, -1])
def test_a_tier_begins_at_its_size_on_both_sides(tiered: House, sign: int) -> None:
    """One unit below 100 and 500 the lower ratios hold."""
    low, middle, high = (2 * PER_CENT, PER_CENT), (4 * PER_CENT, 2 * PER_CENT), (10 * PER_CENT, 5 * PER_CENT)
    for size, ratios in (
        (0, low),
        (1, low),
        (units(100) - 1, low),
        (units(100), middle),
        (units(500) - 1, middle),
        (units(500), high),
        (2**96 - 1, high),
    ):
        assert tiered.ask("ratios_of", ETH, sign * size) == ratios
    assert tiered.ask("ratios_of", SOL, sign * units(500)) == (5 * PER_CENT, 2 * PER_CENT + PER_CENT // 2)
    assert tiered.ask("ratios_of", 77, sign) == (0, 0)


def test_events_and_views_tell_the_tiers(tiered: House) -> None:
    """The listing, the change, the market's view."""
    params, tiers = tiered.params(ETH), (FROM_100,)
    assert tiered.ask("risk_tiers_of", ETH) == (FROM_100, FROM_500)
    assert tiered.state(ETH).tiers == 2
    assert tiered.ask("markets", label="lens")[ETH].tiers == (FROM_100, FROM_500)
    receipt = tiered.do("list_market", NEW, params, tiers, by="governor")
    assert receipt.events == (MarketListed(3, 1, NEW, params, tiers),)
    receipt = tiered.do("set_market_params", ETH, params, tiers, by="governor")
    sequence = tiered.state(ETH).sequence
    assert receipt.events == (MarketParamsSet(ETH, sequence, units(4_000), 0, params, tiers),)
    assert tiered.ask("risk_tiers_of", ETH) == tiers


def test_the_lens_shows_a_positions_tier_and_its_liquidation_price(tiered: House) -> None:
    """19,779.99 + 100 * (P - 4,000) < 2 % of 100 * P below P = 380,220.01 / 98."""
    tiered.exact_feed(ETH)
    tiered.set_exact_price(ETH, units(4_000))
    tiered.deposit("trader", dollars(20_000))
    tiered.trade("trader", ETH, units(100))
    view = tiered.view("trader")
    (position,) = view.positions
    assert (position.imr, position.mmr) == (4 * PER_CENT, 2 * PER_CENT)
    assert (position.initial_margin, position.maintenance_margin) == (dollars(16_000), dollars(8_000))
    assert (view.equity, view.withdrawable) == (dollars("19779.99"), dollars("3779.99"))
    limit = div_ceil(38_022_001 * 10**16, 98) - 1
    assert position.liquidation_price == limit
    tiered.set_exact_price(ETH, limit + 1)
    assert not is_liquidatable(tiered, "trader")
    tiered.set_exact_price(ETH, limit)
    assert is_liquidatable(tiered, "trader")


def test_one_unit_less_can_save_a_position(tiered: House) -> None:
    """At 100 ETH 2 % of maintenance margin are missed; a unit less, and 1 % are enough."""
    tiered.deposit("trader", dollars("18020.01"))
    tiered.trade("trader", ETH, units(100))
    tiered.set_price(ETH, 3_899)
    assert is_liquidatable(tiered, "trader")
    tiered.trade("trader", ETH, -1)
    assert not is_liquidatable(tiered, "trader")


# Equity is 250,000 - 600 * (4,000 - price); a tier asks for (IM - equity + a quantum) / (price * (imr - 0.5 %)).
FALLS: list[tuple[int, int]] = [
    # 112,000 of 113,100. At 10 % 114,200 / 358.15 = 319 would leave 281, below 500; at 4 % there is more than enough,
    # so that leaving the tier is all it takes.
    (3_770, units(100) + 1),
    # 28,000. At 4 % 59,120.000001 / (3,630 * 3.5 %) leave 134.67.
    (3_630, div_ceil(59_120_000_001 * 10**30 * UNIT, units(3_630) * 35 * UNIT // 1000)),
    # 22,000. At 4 % 64,880 / 126.7 = 512 would leave 88, below 100; at 2 % 395 would do, but only after 500 is it 2 %.
    (3_620, units(500) + 1),
    # 10,000. At 2 % 33,200.000001 / (3,600 * 1.5 %) = 615 are more than there are.
    (3_600, units(600)),
]


@pytest.mark.parametrize(("price", "closed"), FALLS)
def test_a_liquidation_closes_the_least_across_tiers(tiered: House, price: int, closed: int) -> None:
    """600 ETH, which begin in the highest tier, end in each."""
    open_600(tiered)
    tiered.set_price(ETH, price)
    event = event_of(tiered, tiered.liquidate("trader", ETH), Liquidated)
    assert event.result.closed == closed
    # 0.5 % of what was closed, rounded up, as far as there is equity.
    equity = dollars(250_000 - 600 * (4_000 - price))
    assert event.result.penalty == min(div_ceil(closed * price * 5, 1000 * 10**12), equity)
    if event.position.size:
        equity, initial_margin, _ = tiered.margin("trader")
        assert equity * UNIT >= initial_margin


def test_the_rest_of_a_liquidation_is_worth_a_position(tiered: House) -> None:
    """Where the lowest tier would leave less than the least notional, all of it goes."""
    tiered.set_params(ETH, min_notional=dollars(361_000))
    open_600(tiered)
    tiered.set_price(ETH, 3_620)  # 500 and a unit would leave 362,000
    with tiered.rolled_back() as copy:
        assert event_of(copy, copy.liquidate("trader", ETH), Liquidated).result.closed == units(500) + 1
    tiered.set_params(ETH, min_notional=dollars(362_000))
    assert event_of(tiered, tiered.liquidate("trader", ETH), Liquidated).result.closed == units(600)


# --- properties


def least_that_restores(size: int, restores: Callable[[int], bool], begins: list[int]) -> int:
    """The least to close, found by asking: within a tier more is never worse, so each is halved until one is left."""
    segments = sorted({0, *(size - begin + 1 for begin in begins if begin <= size)})
    for first, after in zip(segments, [*segments[1:], size + 1], strict=True):
        low, high = first, after - 1
        if not restores(high):
            continue
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if restores(middle) else (middle + 1, high)
        return low
    return size


def random_tiers(rng: Random, params: MarketParams, size: int) -> tuple[RiskTier, ...]:
    """Up to three tiers around a size, sometimes just at it."""
    begins = sorted({max(size * rng.randrange(5, 130) // 100 + rng.choice((0, 1)), 1) for _ in range(rng.randrange(4))})
    tiers, imr, mmr = [], params.imr, params.mmr
    for begin in begins:
        mmr += rng.choice((0, rng.randrange(3 * PER_CENT)))
        imr = max(imr, mmr + 1) + rng.choice((0, rng.randrange(4 * PER_CENT)))
        tiers.append(RiskTier(size if rng.random() < 0.1 and begin == begins[-1] else begin, imr, mmr))
    return tuple(tiers)


@pytest.mark.parametrize("seed", range(6))
def test_a_partial_liquidation_closes_no_more_than_it_must(house: House, seed: int) -> None:
    """Against a search that only asks whether initial margin would hold; a quantum of rounding lies between."""
    print(f"seed {seed}")
    rng = Random(seed)
    partial = crossed = 0
    for number in range(12):
        with house.rolled_back() as copy:
            outcome = one_liquidation(copy, rng, f"trader/{number}")
            partial += outcome > 0
            crossed += outcome > 1
    assert partial >= 4
    assert crossed >= 1


def one_liquidation(house: House, rng: Random, name: str) -> int:
    """Opens, lets the price fall, liquidates, checks: 0 when all was closed, 2 when the rest lies in a lower tier."""
    size, sign = rng.randrange(units(5), units(900)), rng.choice((1, -1))
    params = house.params(ETH)
    tiers = random_tiers(rng, params, size)
    house.set_tiers(ETH, *sorted(set(tiers), key=lambda tier: tier.min_size))
    tiers = house.ask("risk_tiers_of", ETH)
    house.set_price(ETH, Fraction(rng.randrange(399_000_000, 401_000_000), 10**5))
    imr, _ = house.ask("ratios_of", ETH, size)
    house.deposit(name, dollars(4_100) * size * (imr + 3 * PER_CENT) // UNIT // UNIT)
    house.trade(name, ETH, sign * size)
    if rng.random() < 0.5:
        house.trade(name, SOL, rng.choice((1, -1)) * units(rng.randrange(1, 20)))

    # From the edge of health to near bankruptcy, most often in between.
    view = house.view(name)
    position = next(p for p in view.positions if p.market == ETH)
    reach = position.bankruptcy_price - position.liquidation_price
    price = position.liquidation_price + reach * rng.choice((0, 5, 30, 60, 90)) // 100
    # As a feed can say it, rounded toward liquidation.
    house.set_price(ETH, Fraction(price // FEED_TICK if sign > 0 else div_ceil(price, FEED_TICK), 10**8))
    mark = house.mark(ETH)
    equity, initial_margin, _ = house.margin(name)
    elsewhere = initial_margin - size * mark * imr
    event = event_of(house, house.liquidate(name, ETH), Liquidated)

    def restores(closed: int) -> bool:
        left = size - closed
        ratio = next((tier.imr for tier in reversed(tiers) if left >= tier.min_size), params.imr)
        penalty = div_ceil(closed * mark * params.penalty_rate, QUANTUM * UNIT)
        return bool((equity - penalty * QUANTUM) * UNIT >= elsewhere + left * mark * ratio)

    least, closed = least_that_restores(size, restores, [tier.min_size for tier in tiers]), event.result.closed
    assert least == 0 or not restores(least - 1)
    assert closed >= least
    if closed == size:
        # Nothing less restores it but for a quantum, or what less would leave is worth less than the least position.
        slack = div_ceil(QUANTUM * UNIT, mark * (params.imr - params.penalty_rate))
        assert (size - least - slack) * mark < params.min_notional * QUANTUM or least + slack >= size
        return 0
    after, required, _ = house.margin(name)
    assert after * UNIT >= required
    ratio = next((tier.imr for tier in reversed(tiers) if size - closed >= tier.min_size), params.imr)
    assert closed - least <= div_ceil(QUANTUM * UNIT, mark * (ratio - params.penalty_rate)) + 1
    return 2 if ratio != imr else 1


def test_the_search_would_notice_one_that_closes_too_much() -> None:
    """A must-fail twin of the search itself: 10 restore, and 9 do not."""
    assert least_that_restores(100, lambda closed: closed >= 10, [50]) == 10
    # In the tier from 50 on nothing less than 70 would do; just out of it everything does.
    assert least_that_restores(100, lambda closed: closed >= (70 if 100 - closed >= 50 else 0), [50]) == 51


def test_the_default_markets_have_no_tiers(house: House) -> None:
    """What is not asked for is not there."""
    assert all(house.ask("risk_tiers_of", market) == () for market in range(len(MARKETS)))
