"""Delisting: a market ends at one price, and everybody gets out, in proportion when there is not enough for all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import permutations
from random import Random

import pytest
from expect import balances, event_of, laws_hold, moves, refuses
from misfortune import drain_insurance
from roles import DAY, ETH, HOUR, SOL, House, acc, address, dollars, units

from perpkit.model.errors import (
    Delisted,
    GracePeriod,
    MarketActionPaused,
    NotAnnounced,
    OwnableUnauthorizedAccount,
    PerpError,
    PoolReserveExceeded,
    StalePrice,
    UnknownMarket,
)
from perpkit.model.events import ClaimRegistered, ClosedOut, DelistingAnnounced, MarketDelisted, PayoutFixed
from perpkit.model.market_ledger import DELEVERAGE, DELISTED, GRACE_PERIOD, LIQUIDATE, SETTLE, TRADE
from perpkit.model.types import CloseOutResult, Delisting

ENDED = TRADE | SETTLE | LIQUIDATE | DELEVERAGE | DELISTED


@pytest.fixture
def even(house: House) -> House:
    """Trader long and counterparty short, 10 ETH each with 5,000, and the whale with money only.

    Both fill at 4,000.02, for 20.0001 and 8.00004; as the skew is zero, no funding runs.
    """
    for name, delta in (("trader", 10), ("counterparty", -10)):
        house.deposit(name, dollars(5_000))
        house.trade(name, ETH, units(delta))
    house.deposit("whale", dollars(5_000))
    return house


def make_rich(house: House, *, shorts: bool = False) -> None:
    """Two longs who at 10,000 are owed more than pool and insurance fund have; no funding.

    The whale's 3,900 fill at 4,000 * (1 + 3,900 / 2,000,000) = 4,007.8 for a fee of 0.05 % of 15,630,420 = 7,815.21,
    the trader's 100 at 4,000 * (1 + 3,950 / 1,000,000) = 4,015.8 for 200.79. Of 8,016 of fees the pool has 6,412.80,
    the insurance fund 801.60.
    """
    house.set_params(ETH, max_funding_rate=0)
    for name, margin, size in (("whale", 400_000, 3_900), ("trader", 20_000, 100)):
        house.deposit(name, dollars(margin))
        house.trade(name, ETH, units(size))
    if shorts:
        for name, margin, size in (("counterparty", 10_000, 50), ("market_maker", 900_000, 10)):
            house.deposit(name, dollars(margin))
            house.trade(name, ETH, -units(size))


# --- refusals


def test_a_market_that_was_not_announced_is_not_delisted(even: House) -> None:
    """Nor one second before the day is over."""
    with refuses(even, NotAnnounced(ETH, 0)):
        even.do("delist_market", ETH, by="governor")
    receipt = even.do("announce_delisting", ETH, by="governor")
    effective_at = even.sandbox.timestamp + DAY
    assert receipt.events == (DelistingAnnounced(ETH, even.state(ETH).sequence, effective_at),)
    even.wait(DAY - 1)
    with refuses(even, NotAnnounced(ETH, effective_at)):
        even.do("delist_market", ETH, by="governor")
    even.wait(1)
    even.do("delist_market", ETH, by="governor")


def test_announcing_again_begins_the_day_anew(even: House) -> None:
    """Whoever was told a later day has until then."""
    even.do("announce_delisting", ETH, by="governor")
    even.wait(DAY - 60)
    even.do("announce_delisting", ETH, by="governor")
    effective_at = even.sandbox.timestamp + DAY
    even.wait(60)
    with refuses(even, NotAnnounced(ETH, effective_at)):
        even.do("delist_market", ETH, by="governor")


def test_ending_a_market_is_the_governors(even: House) -> None:
    """Two functions, three wrong roles, and a market that there is not."""
    for role in ("outsider", "keeper", "provider"):
        for function in ("announce_delisting", "delist_market"):
            with refuses(even, OwnableUnauthorizedAccount(address(role))):
                even.do(function, ETH, by=role)
    for function, args in (("announce_delisting", (3,)), ("delist_market", (3,)), ("close_out", (3, ()))):
        with refuses(even, UnknownMarket(3)):
            even.do(function, *args, by="governor")


def test_a_market_ends_at_a_fresh_price_and_not_in_grace(even: House) -> None:
    """Nobody is let out at a price to which he could not react."""
    even.do("announce_delisting", ETH, by="governor")
    even.wait(DAY, refresh=False)
    with refuses(even, StalePrice(ETH, 0, 2)):
        even.do("delist_market", ETH, by="governor")
    even.record_outage(ETH)
    even.wait(GRACE_PERIOD)
    even.record_outage(ETH)
    with refuses(even, GracePeriod(ETH, even.sandbox.timestamp + GRACE_PERIOD)):
        even.do("delist_market", ETH, by="governor")
    even.wait(GRACE_PERIOD)
    even.do("delist_market", ETH, by="governor")


def test_a_market_that_goes_on_is_not_closed_out(even: House) -> None:
    """Not even one whose end was announced."""
    with refuses(even, Delisted(ETH, False)):
        even.close_out(ETH, ["trader"])
    even.do("announce_delisting", ETH, by="governor")
    even.wait(DAY)
    with refuses(even, Delisted(ETH, False)):
        even.close_out(ETH, ["trader"])


GOVERNING: dict[str, Callable[[House], object]] = {
    "set_market_params": lambda h: h.set_params(ETH, taker_fee=0),
    "announce_market_params": lambda h: h.do("announce_market_params", ETH, h.params(ETH), (), by="governor"),
    "set_market_paused": lambda h: h.pause(ETH, 0),
    "announce_delisting": lambda h: h.do("announce_delisting", ETH, by="governor"),
    "delist_market": lambda h: h.do("delist_market", ETH, by="governor"),
    "record_outage": lambda h: h.record_outage(ETH),
}


@pytest.mark.parametrize("what", GOVERNING)
def test_a_delisted_market_is_no_longer_governed(even: House, what: str) -> None:
    """Nothing takes back its end."""
    even.delist(ETH)
    with refuses(even, Delisted(ETH, True)):
        GOVERNING[what](even)


ACTIONS: dict[int, Callable[[House], object]] = {
    TRADE: lambda h: h.trade("trader", ETH, -units(10)),
    SETTLE: lambda h: h.settle("trader", ETH),
    LIQUIDATE: lambda h: h.liquidate("trader", ETH),
    DELEVERAGE: lambda h: h.deleverage(ETH, True, ["trader"]),
}


@pytest.mark.parametrize("bit", ACTIONS)
def test_nobody_acts_in_a_delisted_market(even: House, bit: int) -> None:
    """Even the long that is bankrupt at the final price is not liquidated."""
    even.delist(ETH, price=3_000)
    with refuses(even, MarketActionPaused(ETH, bit)):
        ACTIONS[bit](even)


# --- the end


def test_the_price_is_final_and_funding_stops(house: House) -> None:
    """A skew of 10 and eight hours: 0.04 per ETH are due at the end, and nothing more after it."""
    house.deposit("trader", dollars(5_000))
    house.trade("trader", ETH, units(10))
    house.wait(8 * HOUR)
    house.do("announce_delisting", ETH, by="governor")
    house.wait(DAY)
    receipt = house.do("delist_market", ETH, by="governor")
    # 32 hours at a premium of 10 / 1,000,000 of 4,000.
    index = units("0.16")
    sequence = house.state(ETH).sequence
    assert receipt.events == (MarketDelisted(ETH, sequence, units(4_000), index, ENDED),)
    assert house.ask("delisting_of", ETH).price == units(4_000)
    equity = house.margin("trader")[0]
    house.wait(8 * HOUR)
    house.set_price(ETH, 1_000)
    assert house.margin("trader")[0] == equity
    assert house.ask("funding_index_of", ETH, units(4_000)) == index
    assert house.ask("price_of", ETH) == (units(4_000), house.sandbox.timestamp)
    # Nobody publishes any more, and that matters to no one in it.
    house.wait(HOUR + 1, refresh=False)
    # 10 * (4,000 - 4,000.02) - 10 * 0.16
    with moves(house, {"trader": -dollars("1.8"), "pool": dollars("1.8")}):
        house.close_out(ETH, ["trader"])


def test_losers_pay_at_once_and_winners_when_nobody_owes_any_more(even: House) -> None:
    """At 4,100 the long is owed 10 * 99.98 = 999.80, and the short owes it."""
    even.delist(ETH, price=4_100)
    owed = dollars("999.8")
    with moves(even, {}):
        receipt = even.close_out(ETH, ["trader"])
    end = even.ask("delisting_of", ETH)
    assert end == Delisting(even.sandbox.timestamp, units(4_100), units(10), False, owed, 0)
    assert receipt.events == (ClaimRegistered(ETH, acc("trader"), even.state(ETH).sequence, owed, end),)

    with moves(even, {"counterparty": -owed, "pool": owed}):
        receipt = even.close_out(ETH, ["counterparty"])
    closed, fixed = receipt.events
    assert isinstance(closed, ClosedOut)
    assert closed.result == CloseOutResult(units(4_100), -owed, -owed, 0, 0, 0)
    end, vault = even.ask("delisting_of", ETH), even.vault()
    assert (end.paying, end.payout) == (True, owed)
    assert fixed == PayoutFixed(ETH, even.state(ETH).sequence, end, vault.pool, vault.insurance)

    with moves(even, {"trader": owed, "pool": -owed}):
        event = event_of(even, even.close_out(ETH, ["trader"]), ClosedOut)
    assert event.result == CloseOutResult(units(4_100), owed, owed, 0, 0, 0)
    assert even.ask("markets_of", acc("trader")) == ()
    # 5,000 - 20.0001 + 999.80 to the quantum, and all of it may be withdrawn.
    even.withdraw("trader", dollars("5979.7999"))


def test_everybody_at_once_is_as_good(even: House) -> None:
    """Winners before losers in one list: losers pay, the payout is fixed, winners are paid."""
    even.delist(ETH, price=3_900)
    # The short is owed 10 * (4,000.02 - 3,900).
    with moves(even, {"trader": -dollars("1000.2"), "counterparty": dollars("1000.2")}):
        receipt = even.close_out(ETH, ["counterparty", "trader"])
    assert [type(event) for event in receipt.events] == [ClaimRegistered, ClosedOut, PayoutFixed, ClosedOut]
    state = even.state(ETH)
    assert (state.long_oi, state.short_oi, state.long_basis, state.short_basis) == (0, 0, 0, 0)


def test_twice_foreign_and_unknown_accounts_change_nothing(even: House) -> None:
    """Registered twice is owed once, paid twice is paid once, and who has no position gets none."""
    even.delist(ETH, price=4_100)
    even.deposit("whale", dollars(1))
    names = ["trader", "trader", "whale", "outsider", "counterparty/7", "trader"]
    even.close_out(ETH, names)
    with moves(even, {}):
        assert even.close_out(ETH, names).events == ()
        assert even.close_out(ETH, []).events == ()
    assert even.ask("delisting_of", ETH).claims == dollars("999.8")
    owed = dollars("999.8")
    with moves(even, {"trader": owed, "counterparty": -owed}):
        even.close_out(ETH, [*names, "counterparty", "counterparty", *names])
    with moves(even, {}):
        assert even.close_out(ETH, [*names, "counterparty"]).events == ()


def test_a_position_worth_nothing_is_closed_at_once(even: House) -> None:
    """At the entry price nobody owes anything."""
    even.delist(ETH, price="4000.02")
    with moves(even, {}):
        receipt = even.close_out(ETH, ["trader"])
    assert isinstance(receipt.events[0], ClosedOut)


def test_the_rest_of_the_house_goes_on(even: House) -> None:
    """Deposits, withdrawals, other markets, and this one's fees."""
    even.delist(ETH, price=4_100)
    even.withdraw("whale", dollars(1_000))
    even.deposit("trader", dollars(1))
    even.trade("whale", SOL, units(10))
    even.set_price(SOL, 190)
    even.settle("whale", SOL)
    even.close("whale", SOL)
    even.do("collect_fees", ETH, by="outsider")
    # An account that is still in the market may withdraw what it does not need, at the final price.
    even.withdraw("trader", even.view("trader").withdrawable)
    laws_hold(even)


def test_a_market_may_end_empty(house: House) -> None:
    """With nobody to close out nothing is paid or owed."""
    house.delist(ETH)
    assert house.close_out(ETH, ["trader"]).events == ()
    assert not house.ask("delisting_of", ETH).paying


# --- not enough


def test_a_bankrupt_losers_debt_is_covered_by_the_fund(house: House) -> None:
    """A long of 10 with 1,000 at 3,800: 1,000 - 20.0001 - 2,000.20 = -1,020.2001."""
    for name, margin, delta in (("trader", 1_000, 10), ("counterparty", 5_000, -10)):
        house.deposit(name, dollars(margin))
        house.trade(name, ETH, units(delta))
    house.delist(ETH, price=3_800)
    debt = dollars("1020.2001")
    with moves(house, {"trader": -dollars("979.9999"), "insurance": -debt, "pool": dollars("2000.2")}):
        event = event_of(house, house.close_out(ETH, ["trader"]), ClosedOut)
    assert event.result == CloseOutResult(units(3_800), -dollars("2000.2"), -dollars("2000.2"), debt, debt, 0)
    with moves(house, {"counterparty": dollars("2000.2"), "pool": -dollars("2000.2")}):
        house.close_out(ETH, ["counterparty"])


def test_what_the_fund_cannot_cover_is_the_pools(house: House) -> None:
    """The same with an empty fund: the debt stands as a deficit, and the winner is paid in full out of the pool."""
    drain_insurance(house)
    for name, margin, delta in (("trader", 1_000, 10), ("counterparty", 5_000, -10)):
        house.deposit(name, dollars(margin))
        house.trade(name, ETH, units(delta))
    house.delist(ETH, price=3_800)
    debt, owed = dollars("1020.2001"), dollars("2000.2")
    with moves(house, {"trader": -dollars("979.9999"), "pool": dollars("979.9999")}):
        event = event_of(house, house.close_out(ETH, ["trader"]), ClosedOut)
    assert event.result == CloseOutResult(units(3_800), -owed, -owed, debt, 0, debt)
    assert house.state(ETH).long_deficit == debt
    with moves(house, {"counterparty": owed, "pool": -owed}):
        house.close_out(ETH, ["counterparty"])


def test_winners_share_what_there_is_in_proportion(house: House) -> None:
    """Owed 3,900 * 5,992.20 = 23,369,580 and 100 * 5,984.20 = 598,420; there are 20,006,412.80 and 500,801.60."""
    make_rich(house)
    house.delist(ETH, price=10_000)
    whale, trader = dollars(23_369_580), dollars(598_420)
    claims, payout = dollars(23_968_000), dollars("20507214.4")
    balances(house, {"pool": dollars("20006412.8"), "insurance": dollars("500801.6")})
    house.close_out(ETH, ["whale"])
    parts = {"whale": whale * payout // claims, "trader": trader * payout // claims}
    # 23,369,580 * 20,507,214.4 / 23,968,000 and the rest but for one quantum, as both are floored.
    assert parts == {"whale": 19_995_201_414_300, "trader": 512_012_985_699}
    assert payout - sum(parts.values()) == 1
    left = {"pool": 1 - dollars("20006412.8"), "insurance": -dollars("500801.6")}
    with moves(house, {**parts, **left}):
        house.close_out(ETH, ["trader", "whale"])
    state = house.state(ETH)
    assert (state.long_oi, state.long_basis) == (0, 0)
    house.withdraw("whale", house.collateral("whale"))
    house.withdraw("trader", house.collateral("trader"))


def test_a_pool_in_the_red_is_filled_first(house: House) -> None:
    """SOL's winners have taken more than the pool had; what the insurance fund adds goes there first."""
    make_rich(house)
    house.set_price(ETH, 10_000)
    # The whale turns its profit into cash, and the pool's cash is gone; the trader's claim is all that is left.
    house.settle("whale", ETH)
    assert house.vault().pool < 0
    house.delist(ETH)
    hole, fund = -house.vault().pool, house.vault().insurance
    house.close_out(ETH, ["whale", "trader"])
    assert hole > fund
    assert house.ask("delisting_of", ETH).payout == 0
    balances(house, {"insurance": 0, "pool": fund - hole})
    assert house.position("trader", ETH).size == 0


NAMES = ("whale", "trader", "counterparty", "market_maker")


@pytest.mark.parametrize("price", [10_000, 4_100, 3_990])
def test_the_order_does_not_matter(house: House, price: int) -> None:
    """Two longs, two shorts, one of which is bankrupt at 10,000: each gets the same in all 24 orders."""
    make_rich(house, shorts=True)
    house.delist(ETH, price=price)
    results = set()
    for order in permutations(NAMES):
        with house.rolled_back() as copy:
            for name in (*order, *order):
                copy.close_out(ETH, [name])
            state, vault = copy.state(ETH), copy.vault()
            assert state.long_oi == state.short_oi == 0
            results.add((vault.pool, vault.insurance, *(copy.collateral(name) for name in NAMES)))
            laws_hold(copy)
    assert len(results) == 1


# --- cross margin


def test_a_cross_account_keeps_its_other_positions(even: House) -> None:
    """The trader is long 10 SOL too; only ETH is closed out, and margin counts the final price until then."""
    even.trade("trader", SOL, units(10))
    even.delist(ETH, price=4_100)
    before = even.margin("trader")[0]
    even.close_out(ETH, ["counterparty", "trader"])
    assert even.ask("markets_of", acc("trader")) == (SOL,)
    assert before - even.margin("trader")[0] < 10**30  # less than a quantum, which the claim was rounded by
    even.close("trader", SOL)


def test_a_loser_who_cannot_pay_is_liquidated_elsewhere(even: House) -> None:
    """At 3,500 ETH takes 5,000.20 of the trader's 4,979.9999; its SOL is left to the keeper."""
    even.trade("trader", SOL, units(10))
    even.delist(ETH, price=3_500)
    even.close_out(ETH, ["trader"])
    assert even.collateral("trader") < 0
    assert even.view("trader").liquidatable
    even.liquidate("trader", SOL)
    assert even.collateral("trader") == 0


def test_a_cross_account_is_liquidated_elsewhere_before_it_is_closed_out(even: House) -> None:
    """The end of one market stands in nobody's way in another."""
    even.trade("trader", SOL, units(10))
    even.delist(ETH, price=3_500)
    even.liquidate("trader", SOL)
    even.close_out(ETH, ["trader"])
    assert even.collateral("trader") == 0


# --- the pool


def test_who_leaves_the_pool_between_leaves_the_winners_what_they_are_owed(even: House) -> None:
    """The short has paid, the long waits: the reserve for its 10 * 4,100 stays, and the 999.80 are paid in full."""
    even.delist(ETH, price=4_100)
    even.close_out(ETH, ["counterparty"])
    shares = even.shares("provider")
    with pytest.raises(PoolReserveExceeded):
        even.do("redeem", shares, address("provider"), address("provider"), by="provider", label="pool")
    # 41,000 / 0.8 have to stay.
    leave = even.vault().pool - dollars(51_250)
    even.do("withdraw", leave, address("provider"), address("provider"), by="provider", label="pool")
    with moves(even, {"trader": dollars("999.8"), "pool": -dollars("999.8")}):
        even.close_out(ETH, ["trader"])


def test_a_pool_that_owes_more_than_it_has_lets_nobody_go(house: House) -> None:
    """Its shares are worth nothing until the winners have been paid what there is."""
    make_rich(house)
    house.delist(ETH, price=10_000)
    assert house.ask("total_assets", label="pool") == 0
    with pytest.raises(PerpError):
        house.do("withdraw", 1, address("provider"), address("provider"), by="provider", label="pool")
    house.close_out(ETH, ["whale", "trader"])
    assert house.ask("total_assets", label="pool") == house.vault().pool == 1


def test_the_shares_value_does_not_jump_when_winners_are_paid(even: House) -> None:
    """What they are owed was never the pool's."""
    even.delist(ETH, price=4_100)
    before = even.ask("pool_equity")
    even.close_out(ETH, ["trader", "counterparty"])
    assert abs(even.ask("pool_equity") - before) < 2 * 10**30


# --- everybody gets out


@pytest.mark.parametrize("seed", range(8))
def test_everybody_gets_out(house: House, seed: int) -> None:
    """A random population, a random fall or rise on the last day, and accounts closed out in any order, some twice."""
    print(f"seed {seed}")
    rng = Random(seed)
    names = [f"{owner}/{sub}" for owner in ("trader", "whale", "counterparty") for sub in range(5)]
    for name in names:
        house.deposit(name, dollars(rng.randrange(500, 50_000)))
        for market, price in rng.sample(((ETH, 4_000), (SOL, 200)), rng.choice((1, 1, 2))):
            # Up to a leverage of 20; some have too little left for a second position.
            size = units(Fraction(house.collateral(name) * rng.randrange(2, 20), price * 10**6))
            with suppress(PerpError):
                house.trade(name, market, rng.choice((1, -1)) * size)
    held = [name for name in names if house.position(name, ETH).size]
    assert len(held) > 5
    house.delist(ETH, price=rng.choice((500, 3_000, 3_900, 4_100, 5_000, 20_000)))
    for _ in range(100):
        house.close_out(ETH, [rng.choice(names) for _ in range(rng.randrange(1, 6))])
        laws_hold(house)
        state = house.state(ETH)
        if state.long_oi + state.short_oi == 0:
            break
    assert (state.long_oi, state.short_oi, state.long_basis, state.short_basis) == (0, 0, 0, 0)
    for name in held:
        assert house.position(name, ETH).size == 0
        assert house.collateral(name) >= 0 or house.ask("markets_of", acc(name)) == (SOL,)
