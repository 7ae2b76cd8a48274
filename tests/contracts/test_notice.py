"""Notice: what could hurt open positions is announced a day before, and valid for a day."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from expect import is_liquidatable, refuses
from roles import BASIS_POINT, DAY, ETH, SOL, House, acc, address, dollars, units

from perpkit.market_setup import MIN_EXECUTION_FEE, UNIT
from perpkit.model.errors import (
    InvalidParameter,
    NotAnnounced,
    OnlyOrders,
    OwnableUnauthorizedAccount,
    StalePrice,
    UnknownMarket,
)
from perpkit.model.events import MarketParamsAnnounced, MarketParamsSet, Traded
from perpkit.model.types import MarketParams, OrderKind, OrderRequest, RiskTier

PER_CENT = UNIT // 100
TIER = RiskTier(units(100), 4 * PER_CENT, 2 * PER_CENT)
Tiers = tuple[RiskTier, ...]

# What a market with TIER may not become at once: other parameters, and tiers.
HARMFUL: dict[str, tuple[dict[str, int], Tiers]] = {
    "its maintenance margin": ({"mmr": PER_CENT + 1}, (TIER,)),
    "a tier's maintenance margin": ({}, (replace(TIER, mmr=2 * PER_CENT + 1),)),
    "a tier that begins earlier": ({}, (replace(TIER, min_size=units(100) - 1),)),
    "a tier below": ({}, (RiskTier(units(50), 2 * PER_CENT, PER_CENT + 1), TIER)),
    "a tier above": ({}, (TIER, RiskTier(units(101), 4 * PER_CENT, 2 * PER_CENT + 1))),
    "its delay": ({"min_delay": 1}, (TIER,)),
}
HARMLESS: dict[str, tuple[dict[str, int], Tiers]] = {
    "nothing": ({}, (TIER,)),
    "a lower maintenance margin": ({"mmr": PER_CENT - 1}, (TIER,)),
    "a higher initial margin": ({"imr": 3 * PER_CENT}, (TIER,)),
    "a higher initial margin of a tier": ({}, (replace(TIER, imr=UNIT),)),
    "a lower maintenance margin of a tier": ({}, (replace(TIER, mmr=2 * PER_CENT - 1),)),
    "a tier that begins later": ({}, (replace(TIER, min_size=units(100) + 1),)),
    "no tier": ({}, ()),
    "a tier below that raises initial margin only": ({}, (RiskTier(1, 3 * PER_CENT, PER_CENT), TIER)),
    "a tier within": ({}, (TIER, RiskTier(units(200), 5 * PER_CENT, 2 * PER_CENT))),
    "a dearer trade": ({"taker_fee": UNIT // 10}, (TIER,)),
}


@pytest.fixture
def tiered(house: House) -> House:
    """ETH needs 4 % and 2 % from 100 on."""
    house.set_tiers(ETH, TIER)
    return house


def change(house: House, changes: dict[str, int], tiers: Tiers, *, function: str = "set_market_params") -> None:
    house.do(function, ETH, replace(house.params(ETH), **changes), tiers, by="governor")


# --- refusals


@pytest.mark.parametrize("what", HARMFUL)
def test_what_could_hurt_a_position_is_refused_without_notice(tiered: House, what: str) -> None:
    """And goes through a day after it was announced."""
    changes, tiers = HARMFUL[what]
    with refuses(tiered, NotAnnounced(ETH, 0)):
        change(tiered, changes, tiers)
    change(tiered, changes, tiers, function="announce_market_params")
    tiered.wait(DAY)
    change(tiered, changes, tiers)


def test_a_second_early_is_refused(tiered: House) -> None:
    """The notice is a day, to the second."""
    change(tiered, {"mmr": 2 * PER_CENT - 1}, (), function="announce_market_params")
    effective_at = tiered.sandbox.timestamp + DAY
    tiered.wait(DAY - 1)
    with refuses(tiered, NotAnnounced(ETH, effective_at)):
        change(tiered, {"mmr": 2 * PER_CENT - 1}, ())
    tiered.wait(1)
    change(tiered, {"mmr": 2 * PER_CENT - 1}, ())


def test_an_announcement_expires_a_day_after_its_day(tiered: House) -> None:
    """Its last second is the second day's last."""
    change(tiered, {"min_delay": 9}, (TIER,), function="announce_market_params")
    effective_at = tiered.sandbox.timestamp + DAY
    tiered.wait(2 * DAY)
    with tiered.rolled_back() as copy:
        change(copy, {"min_delay": 9}, (TIER,))
    tiered.wait(1)
    with refuses(tiered, NotAnnounced(ETH, effective_at)):
        change(tiered, {"min_delay": 9}, (TIER,))


@pytest.mark.parametrize(
    ("changes", "tiers"),
    [({"mmr": 120 * BASIS_POINT}, (TIER,)), ({"mmr": 150 * BASIS_POINT, "taker_fee": 0}, (TIER,)), ({}, ())],
    ids=["less", "more besides", "the tiers only"],
)
def test_other_terms_than_were_announced_are_refused(tiered: House, changes: dict[str, int], tiers: Tiers) -> None:
    """Even gentler ones, when they need notice at all."""
    change(tiered, {"mmr": 150 * BASIS_POINT}, (TIER,), function="announce_market_params")
    tiered.wait(DAY)
    if not changes:
        change(tiered, changes, tiers)  # without tiers is gentler, and needs no notice
        return
    with refuses(tiered, NotAnnounced(ETH, 0)):
        change(tiered, changes, tiers)


def test_another_markets_announcement_is_no_notice(tiered: House) -> None:
    """The same terms, announced for SOL."""
    params = replace(tiered.params(ETH), mmr=150 * BASIS_POINT)
    tiered.do("announce_market_params", SOL, params, (), by="governor")
    tiered.wait(DAY)
    with refuses(tiered, NotAnnounced(ETH, 0)):
        tiered.do("set_market_params", ETH, params, (), by="governor")


def test_an_announcement_is_used_once(tiered: House) -> None:
    """Raised, lowered, and raised again within the same day."""
    change(tiered, {"mmr": 150 * BASIS_POINT}, (TIER,), function="announce_market_params")
    tiered.wait(DAY)
    change(tiered, {"mmr": 150 * BASIS_POINT}, (TIER,))
    change(tiered, {"mmr": 100 * BASIS_POINT}, (TIER,))
    with refuses(tiered, NotAnnounced(ETH, 0)):
        change(tiered, {"mmr": 150 * BASIS_POINT}, (TIER,))


def test_a_later_announcement_takes_the_place_of_an_earlier_one(tiered: House) -> None:
    """And starts its own day."""
    change(tiered, {"mmr": 150 * BASIS_POINT}, (TIER,), function="announce_market_params")
    tiered.wait(DAY - 60)
    change(tiered, {"mmr": 160 * BASIS_POINT}, (TIER,), function="announce_market_params")
    effective_at = tiered.sandbox.timestamp + DAY
    tiered.wait(60)
    with refuses(tiered, NotAnnounced(ETH, 0)):
        change(tiered, {"mmr": 150 * BASIS_POINT}, (TIER,))
    with refuses(tiered, NotAnnounced(ETH, effective_at)):
        change(tiered, {"mmr": 160 * BASIS_POINT}, (TIER,))


def test_announcing_is_the_governors_and_needs_what_setting_needs(house: House) -> None:
    """A wrong role, a parameter out of bounds, a market that there is not."""
    params = house.params(ETH)
    for role in ("outsider", "keeper", "publisher"):
        with refuses(house, OwnableUnauthorizedAccount(address(role))):
            house.do("announce_market_params", ETH, params, (), by=role)
    with refuses(house, InvalidParameter("imr")):
        house.do("announce_market_params", ETH, replace(params, imr=params.mmr), (), by="governor")
    with refuses(house, UnknownMarket(3)):
        house.do("announce_market_params", 3, params, (), by="governor")


def test_what_was_announced_is_set_at_a_fresh_price_only(house: House) -> None:
    """The announcement stands meanwhile."""
    change(house, {"mmr": 150 * BASIS_POINT}, (), function="announce_market_params")
    house.wait(DAY, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        change(house, {"mmr": 150 * BASIS_POINT}, ())
    house.refresh()
    change(house, {"mmr": 150 * BASIS_POINT}, ())


# --- success


@pytest.mark.parametrize("what", HARMLESS)
def test_what_hurts_nobody_needs_no_notice(tiered: House, what: str) -> None:
    """It is set at once."""
    changes, tiers = HARMLESS[what]
    change(tiered, changes, tiers)
    assert tiered.ask("risk_tiers_of", ETH) == tiers


def test_events_tell_the_announcement_and_the_change(house: House) -> None:
    """From when on, and what."""
    params = replace(house.params(ETH), mmr=150 * BASIS_POINT)
    receipt = house.do("announce_market_params", ETH, params, (TIER,), by="governor")
    effective_at = house.sandbox.timestamp + DAY
    assert receipt.events == (MarketParamsAnnounced(ETH, 2, effective_at, params, (TIER,)),)
    assert house.params(ETH) != params
    house.wait(DAY)
    receipt = house.do("set_market_params", ETH, params, (TIER,), by="governor")
    assert receipt.events == (MarketParamsSet(ETH, 3, units(4_000), 0, params, (TIER,)),)


def test_what_needs_no_notice_leaves_an_announcement_standing(house: House) -> None:
    """A cheaper fee in between."""
    params = replace(house.params(ETH), mmr=150 * BASIS_POINT)
    house.do("announce_market_params", ETH, params, (), by="governor")
    change(house, {"taker_fee": 0}, ())
    house.wait(DAY)
    house.do("set_market_params", ETH, params, (), by="governor")
    assert house.params(ETH) == params


# --- properties


def ratio(params: MarketParams, tiers: Tiers, size: int) -> int:
    """The maintenance margin ratio of a size, by the definition."""
    return next((tier.mmr for tier in reversed(tiers) if size >= tier.min_size), params.mmr)


def random_terms(rng: Random, params: MarketParams) -> tuple[MarketParams, Tiers]:
    """Parameters and tiers near those of the market."""
    mmr = PER_CENT + rng.choice((-1, 0, 0, 0, 1))
    tiers, low, last = [], mmr, 2 * PER_CENT
    for begin in sorted(rng.sample(range(50, 54), rng.randrange(4))):
        low = max(low, PER_CENT + rng.randrange(3))
        last = max(last, low + 1)
        tiers.append(RiskTier(units(begin) + rng.choice((-1, 0, 0, 1)), last, low))
    return replace(params, mmr=mmr, min_delay=rng.choice((0, 0, 0, 1))), tuple(tiers)


@pytest.mark.parametrize("seed", range(4))
def test_notice_is_needed_just_where_some_size_needs_more(house: House, seed: int) -> None:
    """Every size at which either begins a tier, and those beside it: refused if one rises, and else not."""
    print(f"seed {seed}")
    rng = Random(seed)
    refused = done = 0
    for _ in range(60):
        params, tiers = house.params(ETH), house.ask("risk_tiers_of", ETH)
        wanted, shape = random_terms(rng, params)
        begins = {tier.min_size for tier in (*tiers, *shape)}
        sizes = {1, *(begin + beside for begin in begins for beside in (-1, 0, 1))}
        harms = any(ratio(wanted, shape, size) > ratio(params, tiers, size) for size in sizes)
        if harms or wanted.min_delay > params.min_delay:
            refused += 1
            with refuses(house, NotAnnounced(ETH, 0)):
                house.do("set_market_params", ETH, wanted, shape, by="governor")
            house.govern(ETH, wanted, shape)
        else:
            done += 1
            house.do("set_market_params", ETH, wanted, shape, by="governor")
    assert refused > 10
    assert done > 5


@pytest.mark.parametrize("seed", range(4))
def test_no_healthy_account_becomes_liquidatable_by_a_change_without_notice(house: House, seed: int) -> None:
    """Forty accounts that are all but liquidatable, and a hundred changes in one block."""
    print(f"seed {seed}")
    rng = Random(seed)
    house.make_free(ETH)
    names = [f"trader/{sub}" for sub in range(40)]
    for name in names:
        size = units(rng.randrange(49, 55)) + rng.choice((-1, 0, 1))
        house.deposit(name, dollars(4_080) * size // UNIT)
        house.trade(name, ETH, rng.choice((1, -1)) * size)
        house.withdraw(name, max(house.view(name).withdrawable, 1))
    house.set_price(ETH, 3_960)
    changed = 0
    for _ in range(100):
        healthy = {name for name in names if not is_liquidatable(house, name)}
        wanted, shape = random_terms(rng, house.params(ETH))
        try:
            house.do("set_market_params", ETH, wanted, shape, by="governor")
        except NotAnnounced:
            continue
        changed += 1
        assert not [name for name in healthy if is_liquidatable(house, name)]
    assert changed


# --- a market that trades through orders


def test_orders_are_named_once_and_by_the_governor(house: House) -> None:
    """After that nobody can put another contract in their place."""
    with refuses(house, OwnableUnauthorizedAccount(address("outsider"))):
        house.do("set_orders", address("operator"), by="outsider")
    assert house.ask("orders") == house.at("orders")
    with refuses(house, InvalidParameter("orders")):
        house.do("set_orders", address("keeper"), by="governor")


def test_a_market_with_a_delay_trades_through_orders_only(house: House) -> None:
    """Neither the owner nor another operator; closing is no exception."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(1))
    house.set_params(ETH, min_delay=2)
    for delta in (units(1), -units(1)):
        with refuses(house, OnlyOrders(ETH, 2)):
            house.trade("trader", ETH, delta)
    house.do("set_operator", address("keeper"), True, by="trader")
    with refuses(house, OnlyOrders(ETH, 2)):
        house.trade("trader", ETH, units(1), by="keeper")
    house.do("set_operator", house.at("orders"), True, by="trader")
    request = OrderRequest(acc("trader"), ETH, OrderKind.MARKET, True, -units(1), 0, 0, 0, False, 0)
    house.sandbox.transact("orders", "place", request, sender=address("trader"), value=MIN_EXECUTION_FEE)
    house.wait(2)
    receipt = house.do("execute", 1, by="keeper", label="orders")
    assert any(isinstance(event, Traded) for event in receipt.events)
    # What a trade would do may be asked by anybody, and other markets have no delay.
    house.ask("preview_trade", acc("trader"), ETH, units(1), 2**255 - 1, label="lens")
    house.trade("trader", SOL, units(1))
    house.set_params(ETH, min_delay=0)
    house.trade("trader", ETH, units(1))
