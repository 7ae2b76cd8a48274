"""Audit cases 10 to 17: margin, profit and the numbers themselves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from expect import laws_hold, moves, refuses
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from misfortune import put_pool_into_the_red
from roles import BTC, ETH, INT256_MAX, INT256_MIN, MARKETS, SOL, START, House, acc, address, dollars, units

from perpkit.backend import Sandbox
from perpkit.local import LocalBackend
from perpkit.market_setup import UNIT, deploy_contracts
from perpkit.model.errors import (
    BelowInitialMargin,
    InsufficientCollateral,
    MarketActionPaused,
    NotLiquidatable,
    OpenInterestExceeded,
    PoolInsolvent,
    SizeOutOfRange,
    TooManyPositions,
    UnsupportedDecimals,
)
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import MarketParams, OracleConfig

GAS_PER_BLOCK = 30_000_000
# In process every slot is warm by the time it is measured. A position is read from about 30 cold slots and addresses
# (position, market, three feeds behind the oracle), at 2,100 to 2,600 each.
COLD = 8 * 30 * 2_600


def long_of_ten(house: House, name: str = "trader") -> None:
    """10 ETH at 4,000.02 with 979.9999 dollars of collateral after the fee."""
    house.deposit(name, dollars(1_000))
    house.trade(name, ETH, units(10))


# --- case 10


def test_case_10_negative_equity_opens_and_withdraws_nothing(house: House) -> None:
    """Perp v3 036-M: equity of -1,020.2001 is below margin, not a huge unsigned number."""
    long_of_ten(house)
    house.set_price(ETH, 3_800)
    # Equity 979.9999 - 2,000.20; margin 2 % of 38,000.
    with refuses(house, BelowInitialMargin(acc("trader"), -1_020_200_101, 760_000_000)):
        house.withdraw("trader", 1)
    with refuses(house, BelowInitialMargin(acc("trader"), -1_020_200_101, 760_000_000)):
        house.transfer("trader", "trader/1", 1)
    with pytest.raises(BelowInitialMargin):
        house.trade("trader", SOL, units(1))


def test_case_10_negative_collateral_is_no_money(house: House) -> None:
    """With -125.200095 dollars settled, a withdrawal of one quantum lacks 125.200096."""
    long_of_ten(house)
    house.trade("trader", BTC, -units("0.1"))
    house.set_price(ETH, 3_890)
    house.set_price(BTC, 90_000)
    house.settle("trader", ETH)
    with refuses(house, InsufficientCollateral(acc("trader"), -125_200_095, 1)):
        house.withdraw("trader", 1)


def test_case_10_at_initial_margin_the_free_quantum_leaves_and_no_other(house: House) -> None:
    """The boundary: 979.7999 of equity above 800 of margin."""
    long_of_ten(house)
    house.withdraw("trader", 179_799_900)
    with refuses(house, BelowInitialMargin(acc("trader"), 799_999_999, 800_000_000)):
        house.withdraw("trader", 1)


# --- case 11


def test_case_11_the_fee_counts_before_the_margin_is_checked(house: House) -> None:
    """Hubble 009-M, GMX M-037: with exactly margin, fee and premium one may open, with a quantum less not."""
    # 10 ETH: margin 800, fee 20.0001, premium 0.20.
    house.deposit("trader", 820_200_099)
    with refuses(house, BelowInitialMargin(acc("trader"), 799_999_999, 800_000_000)):
        house.trade("trader", ETH, units(10))
    house.deposit("trader", 1)
    house.trade("trader", ETH, units(10))


def test_case_11_funding_counts_before_it_is_paid(house: House) -> None:
    """Flat Money 050-H: what is due but not settled cannot be withdrawn."""
    house.set_params(ETH, skew_scale=units(20_000))
    long_of_ten(house)
    before = house.view("trader").withdrawable
    house.wait(8 * 3_600)
    # 10 / 20,000 of 40,000 = 20 dollars.
    assert before - house.view("trader").withdrawable == dollars(20)


def test_case_11_one_equity_serves_every_path(house: House) -> None:
    """The lens, the refusal to liquidate and the refusal to withdraw name the same equity."""
    long_of_ten(house)
    house.wait(1_000)
    equity = house.view("trader").equity
    with pytest.raises(BelowInitialMargin) as too_much:
        house.withdraw("trader", dollars(900))
    with pytest.raises(NotLiquidatable) as healthy:
        house.liquidate("trader", ETH)
    assert too_much.value.equity == equity - dollars(900)
    assert healthy.value.equity == equity


# --- case 12


def test_case_12_unrealised_profit_does_not_leave(house: House) -> None:
    """Mango, dYdX YFI: pumped for one update, a long and a short of one owner take out no more than they brought,
    but for what the pool settled to the winner out of its own cash."""
    for name, size in (("trader", 10), ("trader/1", -10)):
        house.deposit(name, dollars(1_000))
        house.trade(name, ETH, units(size))
    house.deposit("counterparty", dollars(5_000))
    pool = house.vault().pool
    house.set_price(ETH, 6_000)
    # Paper: nothing but the collateral less fees may go.
    with pytest.raises(InsufficientCollateral):
        house.withdraw("trader", dollars(1_000))
    house.settle("trader", ETH)
    taken = house.view("trader").withdrawable
    house.withdraw("trader", taken)
    assert taken <= dollars(1_000) + (pool - house.vault().pool)
    # Other people's money is untouched: the safe holds it, and they get it.
    with moves(house, {"counterparty": -dollars(5_000), "wallet:counterparty": dollars(5_000)}):
        house.withdraw("counterparty", dollars(5_000))


def test_case_12_winners_are_never_paid_out_of_other_peoples_margin(house: House) -> None:
    """The pool in the red pays nobody, not even who has nothing to do with it, until it is out of it."""
    house.deposit("trader", dollars(100))
    put_pool_into_the_red(house)
    pool = house.vault().pool
    for name in ("whale", "trader"):
        with refuses(house, PoolInsolvent(pool)):
            house.withdraw(name, 1)
    house.set_price(ETH, 8_000)
    house.settle("whale", ETH)
    assert house.vault().pool >= 0
    house.withdraw("trader", dollars(100))


def test_case_12_profit_on_paper_backs_new_positions_only_with_margin_for_them(house: House) -> None:
    """Opening on unrealised profit is allowed, at initial margin, and all of it is lost together."""
    long_of_ten(house)
    house.set_price(ETH, 4_100)
    # Equity 979.9999 + 999.80 = 1,979.7999: enough for 2 % of 20 * 4,100 = 1,640, not for 30.
    house.trade("trader", ETH, units(10))
    with pytest.raises(BelowInitialMargin):
        house.trade("trader", ETH, units(10))


# --- case 13


def test_case_13_a_flip_is_an_increase(house: House) -> None:
    """Zaros 512, Perp v3 035-M: between the margins one may reduce by 1 but not turn 10 long into 9 short."""
    long_of_ten(house)
    house.set_price(ETH, 3_960)
    # Equity 579.7999. Sells 19 at 3,960 * (1 + (20 - 19) / 2,000,000) = 3,960.00198: fee on 10 maker, 9 taker
    # 3,960.00198 * (0.002 + 0.0045) = 25.74001287, charged 25.740013; over mark 19 * 0.00198 = 0.03762.
    # 579.7999 + 0.03762 - 25.740013 = 554.097507 against 2 % of 35,640 = 712.80.
    with refuses(house, BelowInitialMargin(acc("trader"), 554_097_507, 712_800_000)):
        house.trade("trader", ETH, -units(19))
    house.trade("trader", ETH, -units(1))


def test_case_13_a_flip_is_bound_by_the_other_sides_open_interest(house: House) -> None:
    """The cap of the side it lands on."""
    long_of_ten(house)
    house.deposit("trader", dollars(10_000))
    house.set_params(ETH, max_open_interest=units(10))
    with refuses(house, OpenInterestExceeded(ETH, False, units(11), units(10))):
        house.trade("trader", ETH, -units(21))
    house.trade("trader", ETH, -units(20))


def test_case_13_a_flip_is_stopped_by_a_pause(house: House) -> None:
    """There is no way round the bit."""
    long_of_ten(house)
    house.do("set_market_paused", ETH, 1, by="governor")
    with refuses(house, MarketActionPaused(ETH, 1)):
        house.trade("trader", ETH, -units(11))


# --- case 14

SIZES = st.integers(units("0.05"), units(200)).filter(lambda size: size % 10)
SEEDED = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@seed(20250405)
@SEEDED
@given(size=SIZES, sign=st.sampled_from([1, -1]), skew=st.integers(-50, 50), cents=st.integers(300_000, 500_000))
def test_case_14_a_round_trip_at_one_price_never_gains(
    house: House, size: int, sign: int, skew: int, cents: int
) -> None:
    """Flat Money 024-M and 016-H, GMX M-028 to M-035: in and out at one price costs two fees and gives no quantum
    (seed 20250405)."""
    with house.rolled_back() as copy:
        copy.set_params(ETH, taker_fee=0, maker_fee=0)
        copy.deposit("whale", dollars(100_000))
        if skew:
            copy.trade("whale", ETH, units(skew))
        copy.deposit("trader", dollars(100_000))
        copy.exact_feed(ETH)
        copy.set_exact_price(ETH, cents * 10**16 + 123_456_789)
        copy.trade("trader", ETH, sign * size)
        copy.close("trader", ETH)
        assert copy.collateral("trader") <= dollars(100_000)
        laws_hold(copy)


@seed(20250405)
@SEEDED
@given(
    size=SIZES, sign=st.sampled_from([1, -1]), cuts=st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True)
)
def test_case_14_splitting_never_beats_the_whole(house: House, size: int, sign: int, cuts: list[int]) -> None:
    """Symmetrical 023-M, 028-M, Perennial 058-M: opened or closed in parts, never a quantum more than at once
    (seed 20250405)."""
    points = [0, *(size * cut // 100 for cut in sorted(cuts)), size]
    parts = [end - start for start, end in pairwise(points)]
    money = []
    for opening in ([size], parts):
        for closing in ([size], parts):
            with house.rolled_back() as copy:
                copy.set_params(ETH, min_notional=0, min_keeper_reward=0)
                copy.deposit("trader", dollars(100_000))
                for part in opening:
                    copy.trade("trader", ETH, sign * part)
                copy.set_price(ETH, "4123.45678901")
                for part in closing:
                    copy.trade("trader", ETH, -sign * part)
                money.append(copy.collateral("trader"))
                assert copy.position("trader", ETH).size == 0
    assert max(money) == money[0], money


# --- case 15


@pytest.mark.parametrize("edge", [INT256_MIN, INT256_MIN + 1, INT256_MAX, -(2**127), 2**127 - 1, -(2**96), 2**96])
def test_case_15_the_edges_of_the_integers_refuse_by_name(house: House, edge: int) -> None:
    """GMX M-003, M-018, Perp ToB-3: with or without a position, no edge overflows or panics."""
    house.deposit("trader", dollars(1_000))
    for _ in range(2):
        with refuses(house, SizeOutOfRange(edge)):
            house.do("trade", acc("trader"), ETH, edge, INT256_MAX if edge > 0 else INT256_MIN, by="trader")
        house.trade("trader", ETH, units(1))


def test_case_15_the_largest_sizes_that_are_sizes_do_not_overflow(house: House) -> None:
    """2**96 - 1 either way: a refusal of the market, not of the machine."""
    house.deposit("trader", dollars(1_000))
    with refuses(house, OpenInterestExceeded(ETH, True, 2**96 - 1, units(20_000))):
        house.trade("trader", ETH, 2**96 - 1)


# --- case 16


@dataclass(frozen=True)
class Outcome:
    """What a run came to, in dollars * 1e18."""

    fee: int
    fill: int
    realized: int
    penalty: int
    reward: int
    collateral: int


def run(backend: str, token_decimals: int, feed_decimals: int) -> Outcome:
    """10 ETH bought at 4,000, liquidated at 3,910, on a fresh deployment."""
    sandbox: Sandbox
    if backend == "model":
        sandbox = LocalBackend(timestamp=START)
    else:
        from perpkit.revm import RevmBackend

        sandbox = RevmBackend(timestamp=START)
    deploy_contracts(sandbox, decimals=token_decimals)
    dollar = 10**token_decimals
    house = House(sandbox, specs=MARKETS[:1], dollar=dollar)
    governor = address("governor")
    sandbox.deploy("feed", "PushFeed", governor, feed_decimals, "feed", sender=governor)
    house.do("set_feeds", 0, OracleConfig(3_600, UNIT // 50, 1, (house.at("feed"),)), by="governor", label="oracle")
    house.do("push", 4_000 * 10**feed_decimals, by="governor", label="feed")
    spec = MARKETS[ETH].params
    fields = {name: getattr(spec, name) for name in spec.__slots__}
    fields |= {"min_notional": 100 * dollar, "min_keeper_reward": dollar // 2}
    house.do("list_market", b"ETH-USD".ljust(32, b"\0"), MarketParams(**fields), (), by="governor")
    for who in ("provider", "trader"):
        house.do("mint", address(who), 1_000_000 * dollar, by=who, label="token")
        for label in ("pool", "clearinghouse"):
            house.do("approve", house.at(label), UINT256_MAX, by=who, label="token")
    house.do("deposit", 1_000_000 * dollar, address("provider"), by="provider", label="pool")
    house.deposit("trader", 1_000 * dollar)
    trade = house.trade("trader", ETH, units(10)).value
    house.do("push", 3_910 * 10**feed_decimals, by="governor", label="feed")
    liquidation = house.liquidate("trader", ETH).value
    laws_hold(house)
    scale = 10 ** (18 - token_decimals)
    money = (trade.fee, liquidation.realized, liquidation.penalty, liquidation.reward, house.collateral("trader"))
    fee, realized, penalty, reward, collateral = (value * scale for value in money)
    return Outcome(fee, trade.fill, realized, penalty, reward, collateral)


@pytest.mark.parametrize("feed_decimals", [0, 6, 8, 18, 24])
@pytest.mark.parametrize("token_decimals", [6, 8, 18])
def test_case_16_a_dollar_is_a_dollar_whatever_the_decimals(
    house: House, token_decimals: int, feed_decimals: int
) -> None:
    """Hubble M-05 and M-07, Perennial 105-M and 056-H: the same run in any decimals gives the same dollars."""
    # Fee 40,000.20 * 5 bp; realised 10 * (3,910 - 4,000.02); equity 79.7999, half of it the keeper's.
    expected = Outcome(units("20.0001"), units("4000.02"), units("-900.2"), units("79.7999"), units("39.89995"), 0)
    assert run(house.sandbox.name, token_decimals, feed_decimals) == expected


@pytest.mark.parametrize("decimals", [0, 5, 19, 255])
def test_case_16_a_token_of_other_decimals_is_refused(house: House, decimals: int) -> None:
    """6 to 18 are supported, 5 and 19 are not."""
    governor = address("governor")
    token = house.sandbox.deploy("odd token", "TestUSD", decimals, sender=governor)
    with pytest.raises(UnsupportedDecimals) as caught:
        house.sandbox.deploy(
            "odd house", "Clearinghouse", token, house.at("oracle"), house.at("extension"), governor, sender=governor
        )
    assert caught.value == UnsupportedDecimals(decimals)


# --- case 17


def fill_up(house: House, name: str) -> None:
    """Eight positions for an account of 1,500 dollars."""
    while len(house.specs) < 9:
        house.list_like(ETH, f"X{len(house.specs)}-USD")
    house.deposit(name, dollars(1_500))
    for market in (ETH, BTC, SOL, 3, 4, 5, 6, 7):
        house.trade(name, market, units("0.1") if market == BTC else units(1))


def test_case_17_a_ninth_market_is_refused(house: House) -> None:
    """Synthetix v3's maxPositionsPerAccount: the loop has an end."""
    fill_up(house, "trader")
    with refuses(house, TooManyPositions(acc("trader"))):
        house.trade("trader", 8, units(1))


def test_case_17_liquidating_eight_positions_takes_less_than_a_third_of_a_block(house: House) -> None:
    """Hubble M-04: each of eight liquidations of a full account, and of eight in one list, on real bytecode."""
    if house.sandbox.name != "revm":
        pytest.skip("gas is a thing of bytecode")
    names = [f"trader/{i}" for i in range(8)]
    for name in names:
        fill_up(house, name)
    for market in range(3, 8):
        house.set_price(market, 3_000)
    with house.rolled_back() as copy:
        for market in (ETH, BTC, SOL, 3, 4, 5, 6, 7):
            gas = copy.liquidate("trader/0", market).gas_used
            assert gas is not None
            assert gas + COLD <= GAS_PER_BLOCK // 3
    gas = house.liquidate_many(ETH, names).gas_used
    assert gas is not None
    assert gas + 8 * COLD <= GAS_PER_BLOCK // 3
