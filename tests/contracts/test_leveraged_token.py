"""The leveraged token: who may mint, redeem and rebalance, at what price, and who pays for it. Attacks on it are in
test_leveraged_token_attacks.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from expect import laws_hold, moves, refuses
from leverage import FREE, TOKEN, deploy, leverage, mint, nav, own, rebalance, redeem, shares, supply, sure
from misfortune import put_pool_into_the_red
from roles import BTC, ETH, START, House, acc, address, dollars, units

from perpkit.market_setup import ETH3L, ETH3S, UNIT
from perpkit.model.errors import (
    BelowInitialMargin,
    BelowMaintenanceMargin,
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    ERC20InvalidReceiver,
    InsufficientOutput,
    InvalidTerms,
    MarketActionPaused,
    MoneyOutOfRange,
    NothingToRebalance,
    PoolInsolvent,
    PoolReserveExceeded,
    PriceLimitCrossed,
    StalePrice,
    WorthlessShares,
    ZeroAmount,
)
from perpkit.model.events import Minted, Rebalanced, Redeemed, Settled
from perpkit.model.fixed_math import INT256_MAX, MONEY_MAX
from perpkit.model.types import MintResult, RebalanceResult, RedeemResult, Terms

DAY = 86_400
# The first 1,000 dollars buy 0.75 ETH at 4,000 * (1 + 0.375 / 1,000,000) = 4,000.0015: premium 0.001125, fee
# 0.75 * 4,000.0015 * 0.05 % = 1.5000005625, rounded up. 998.498874 are left, of which 0.1 %, rounded up, is the
# holders'.
FIRST = MintResult(
    assets=1_000_000_000,
    value=998_498_874,
    fee=998_499,
    shares=997_500_375 * 10**12,
    mark=units(4_000),
    delta=units("0.75"),
    fill=units("4000.0015"),
    # 3,000 / 998.498874, rounded down.
    leverage=3_004_510_148_300_878_304,
    net_asset_value=998_498_874,
    supply=997_500_375 * 10**12,
)


@pytest.fixture
def house(house: House) -> Iterator[House]:
    """With ETH3L on it; the token's own wallet is empty at the end of each test."""
    deploy(house, ETH3L)
    yield house
    assert house.wallet(house.at(TOKEN)) == 0


@contextmanager
def copied(house: House) -> Iterator[House]:
    """A copy of the house, whose laws hold at the end."""
    with house.rolled_back() as copy:
        yield copy
        laws_hold(copy)


# --- refusals


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"market": 3}, "market"),
        ({"target_leverage": UNIT - 1, "min_leverage": 0}, "targetLeverage"),
        ({"target_leverage": -UNIT + 1, "min_leverage": 0}, "targetLeverage"),
        ({"target_leverage": 0, "min_leverage": 0}, "targetLeverage"),
        ({"target_leverage": 10 * UNIT + 1, "max_leverage": 11 * UNIT}, "targetLeverage"),
        ({"target_leverage": -10 * UNIT - 1, "max_leverage": 11 * UNIT}, "targetLeverage"),
        ({"min_leverage": 3 * UNIT + 1}, "minLeverage"),
        ({"max_leverage": 3 * UNIT - 1}, "maxLeverage"),
        ({"rebalance_interval": 3_599}, "rebalanceInterval"),
        ({"rebalance_interval": 30 * DAY + 1}, "rebalanceInterval"),
        ({"fee": UNIT // 10 + 1}, "fee"),
        ({"max_premium": UNIT // 10 + 1}, "maxPremium"),
        ({"rebalance_reward": UNIT // 100 + 1}, "rebalanceReward"),
    ],
)
def test_terms_that_make_no_sense_are_refused(house: House, changes: dict[str, int], name: str) -> None:
    """One step beyond each bound."""
    with refuses(house, InvalidTerms(name)):
        deploy(house, replace(ETH3L, **changes))


def test_a_band_that_reaches_initial_margin_is_refused(house: House) -> None:
    """At a ratio of 10 % ten times leave no room; a hair less does."""
    house.set_params(ETH, imr=UNIT // 10, mmr=UNIT // 20)
    with refuses(house, InvalidTerms("maxLeverage")):
        deploy(house, replace(ETH3L, max_leverage=10 * UNIT))
    deploy(house, replace(ETH3L, max_leverage=10 * UNIT - 1))


def test_terms_at_their_bounds_are_taken(house: House) -> None:
    """The widest that are allowed."""
    widest = Terms(BTC, -10 * UNIT, 10 * UNIT, 10 * UNIT, 30 * DAY, UNIT // 10, UNIT // 10, UNIT // 100)
    deploy(house, widest)
    assert house.ask("terms", label=TOKEN) == widest
    deploy(house, Terms(BTC, UNIT, 0, UNIT, 3_600, 0, 0, 0))


def test_another_token_than_the_clearinghouse_takes_is_refused(house: House) -> None:
    """It could not be deposited."""
    sandbox, governor = house.sandbox, address("governor")
    other = sandbox.deploy("other", "TestUSD", 6, sender=governor)
    with refuses(house, InvalidTerms("token")):
        sandbox.deploy("x", "LeveragedToken", "X", "X", house.at("clearinghouse"), other, ETH3L, sender=governor)


def test_minting_for_nothing_is_refused(house: House) -> None:
    """Zero is no amount, and what buys no share is none either."""
    with refuses(house, ZeroAmount()):
        mint(house, "trader", 0)
    mint(house, "trader", dollars(1_000))
    # The position grows by 7.5e-10 ETH, whose fee of one quantum takes the quantum that was paid.
    with refuses(house, ZeroAmount()):
        mint(house, "whale", 1)


def test_minting_beyond_the_range_is_refused(house: House) -> None:
    """The most is what the clearinghouse can count."""
    with refuses(house, MoneyOutOfRange(MONEY_MAX + 1)):
        mint(house, "trader", MONEY_MAX + 1)


def test_minting_without_an_allowance_is_refused(house: House) -> None:
    """The market maker has approved nothing."""
    with refuses(house, ERC20InsufficientAllowance(house.at(TOKEN), 0, dollars(100))):
        mint(house, "market_maker", dollars(100))


def test_fewer_shares_than_demanded_are_refused(house: House) -> None:
    """One less is enough to refuse; equality is not."""
    with refuses(house, InsufficientOutput(FIRST.shares, FIRST.shares + 1)):
        mint(house, "trader", dollars(1_000), least=FIRST.shares + 1)
    assert mint(house, "trader", dollars(1_000), least=FIRST.shares) == FIRST


def test_minting_for_nobody_is_refused(house: House) -> None:
    """The token knows no address zero."""
    with refuses(house, ERC20InvalidReceiver("0x" + "0" * 40)):
        house.do("mint", dollars(1_000), 0, "0x" + "0" * 40, by="trader", label=TOKEN)


def test_a_fill_too_far_from_the_mark_is_refused(house: House) -> None:
    """Behind 2,500 ETH of skew 0.75 more fill at 4,000 * 1.002500375; the token goes to 4,010 at most."""
    house.deposit("counterparty", dollars(800_000))
    house.trade("counterparty", ETH, units(2_500))
    with refuses(house, PriceLimitCrossed(units("4010.0015"), units(4_010))):
        mint(house, "trader", dollars(1_000))


def test_redeeming_more_than_one_owns_is_refused(house: House) -> None:
    """Others' shares are theirs."""
    mint(house, "trader", dollars(1_000))
    mint(house, "whale", dollars(1_000))
    owned = shares(house, "trader")
    with refuses(house, ERC20InsufficientBalance(address("trader"), owned, owned + 1)):
        redeem(house, "trader", owned + 1)
    with refuses(house, ERC20InsufficientBalance(address("outsider"), 0, 2**256 - 1)):
        redeem(house, "outsider", 2**256 - 1)


def test_redeeming_nothing_is_refused(house: House) -> None:
    """No share, or one that is worth less than its trade costs."""
    mint(house, "trader", dollars(1_000))
    for amount in (0, 1, 10**12):
        with refuses(house, ZeroAmount()):
            redeem(house, "trader", amount)


def test_redeeming_for_less_than_demanded_is_refused(house: House) -> None:
    """One quantum less is enough."""
    mint(house, "trader", dollars(1_000))
    with house.rolled_back() as copy:
        pays = redeem(copy, "trader").assets
    with refuses(house, InsufficientOutput(pays, pays + 1)):
        redeem(house, "trader", least=pays + 1)
    assert redeem(house, "trader", least=pays).assets == pays


def test_rebalancing_too_early_is_refused(house: House) -> None:
    """A second before the first day is over, within the band; and at once when it is."""
    with refuses(house, NothingToRebalance(0, START + DAY)):
        rebalance(house)
    mint(house, "trader", dollars(1_000))
    house.wait(DAY - 1)
    with refuses(house, NothingToRebalance(leverage(house), START + DAY)):
        rebalance(house)
    house.wait(1)
    rebalance(house)
    with refuses(house, NothingToRebalance(leverage(house), START + 2 * DAY)):
        rebalance(house)


def test_nothing_happens_without_a_fresh_price(house: House) -> None:
    """Neither in nor out."""
    mint(house, "trader", dollars(1_000))
    house.wait(3_601, refresh=False)
    for act in (lambda: mint(house, "trader", dollars(1_000)), lambda: redeem(house, "trader"), lambda: nav(house)):
        with refuses(house, StalePrice(ETH, 0, 2)):
            act()
    with refuses(house, StalePrice(ETH, 0, 2)):
        rebalance(house)


def test_a_pause_of_trading_pauses_the_token(house: House) -> None:
    """Bit 1 of its market."""
    mint(house, "trader", dollars(1_000))
    house.wait(DAY)
    house.do("set_market_paused", ETH, 1, by="governor")
    for act in (lambda: mint(house, "trader", dollars(1_000)), lambda: redeem(house, "trader")):
        with refuses(house, MarketActionPaused(ETH, 1)):
            act()
    with refuses(house, MarketActionPaused(ETH, 1)):
        rebalance(house)


def test_nobody_redeems_while_the_pool_is_insolvent(house: House) -> None:
    """The clearinghouse says so, of what the pool's cash would be after the token's own profit was paid. Nobody mints
    either, since such a pool backs no more skew; but too much leverage is still brought back."""
    mint(house, "trader", dollars(1_000))
    put_pool_into_the_red(house)
    with refuses(house, PoolInsolvent(-3_966_102_792_085)):
        redeem(house, "trader")
    house.set_params(ETH, skew_scale=4_000_000 * UNIT)
    with pytest.raises(PoolReserveExceeded):
        mint(house, "trader", dollars(50))
    house.set_price(ETH, 2_900)
    assert rebalance(house).delta < 0


# --- minting


def test_the_first_dollars_open_the_position(house: House) -> None:
    """What the trade costs is gone, the fee stays, and the token tells it all."""
    with moves(
        house,
        {
            "wallet:trader": -1_000_000_000,
            # 1,000 less the trading fee; the premium is not realised yet.
            own(house): 998_499_999,
            # 80, 10 and 10 % of 1.500001.
            "pool": 1_200_001,
            "insurance": 150_000,
            "fees:0": 150_000,
        },
    ):
        receipt = house.do("mint", dollars(1_000), 0, address("whale"), by="trader", label=TOKEN)
    assert sure(house, receipt, Minted) == Minted(address("trader"), address("whale"), FIRST)
    assert house.position(own(house), ETH).size == units("0.75")
    assert shares(house, "whale") == FIRST.shares
    assert shares(house, "trader") == 0


def test_a_share_costs_a_dollar_at_first(house: House) -> None:
    """Where trading is free and nothing is traded, a quantum is 10**12 shares; also of what is no whole dollar."""
    deploy(house, FREE)
    result = mint(house, "trader", 12_345_678)
    assert (result.delta, result.fill, result.leverage) == (0, 0, 0)
    assert result.shares == 12_345_678 * 10**12


def test_who_comes_second_pays_for_his_own_trade_only(house: House) -> None:
    """The position grows in proportion; the price of a share does not fall, and rises by the fee."""
    mint(house, "trader", dollars(1_000))
    before = nav(house), supply(house)
    result = mint(house, "whale", dollars(1_000))
    # 0.75 * 1,000 / 998.498874, at 4,000 * (1 + (0.75 + 0.375...) / 1,000,000).
    assert result.delta == 751_127_537_075_219_576
    assert result.fill == units("4000.004502255074150440")
    # 0.003382 of premium and 1.502257 of fee.
    assert result.value == dollars(1_000) - 1_505_639
    assert result.fee == 998_495
    assert result.shares == (result.value - result.fee) * (before[1] + 10**12) // (before[0] + 1)
    # Each share is worth its part of 0.998495 more.
    assert nav(house) * before[1] > before[0] * supply(house)
    assert nav(house) == before[0] + result.value


def test_minting_leaves_leverage_where_it_was(house: House) -> None:
    """After the price moved it is 2.3, and it is 2.3 after minting, but for what the trade cost."""
    mint(house, "trader", dollars(1_000))
    house.set_price(ETH, 5_000)
    before = leverage(house)
    after = mint(house, "whale", dollars(10_000)).leverage
    assert before < after < before * 1002 // 1000


def test_a_short_token_sells(house: House) -> None:
    """0.75 ETH sold at 4,000 * (1 - 0.375 / 1,000,000) = 3,999.9985."""
    deploy(house, ETH3S)
    result = mint(house, "trader", dollars(1_000))
    assert (result.delta, result.fill) == (-units("0.75"), units("3999.9985"))
    assert result.value == 998_498_875
    assert result.leverage == -3_004_510_145_291_851_231
    assert leverage(house) == result.leverage


def test_what_is_too_small_to_trade_is_not_traded(house: House) -> None:
    """33 dollars times three are less than the market's 100; 34 are more."""
    with copied(house) as copy:
        assert mint(copy, "trader", dollars(33)).delta == 0
        assert leverage(copy) == 0
    assert mint(house, "trader", dollars(34)).delta == units("0.0255")


def test_what_opening_for_all_earns_is_not_the_minters(house: House) -> None:
    """Shorts are crowded, so who buys earns 0.2 %; the token holds 30 dollars of the trader's in cash, and what the
    whale earns by opening its position is shared like any profit."""
    deploy(house, FREE)
    mint(house, "trader", dollars(30))
    house.deposit("counterparty", dollars(300_000))
    house.trade("counterparty", ETH, -units(2_000))
    result = mint(house, "whale", dollars(1_000))
    assert result.fill < units(3_993)
    assert result.value == dollars(1_000)
    # 0.75 * 4,000 * 0.1999625 % less 0.02 % of 0.75 * 3,992.0015 were earned.
    assert nav(house) == dollars(1_030) + 5_400_074
    assert redeem(house, "trader").value == 30_157_283


# --- redeeming


def test_the_last_holder_takes_everything_but_a_quantum(house: House) -> None:
    """No fee where nobody stays; the position is closed and the virtual shares keep what they own."""
    mint(house, "trader", dollars(1_000))
    receipt = house.do("redeem", shares(house, "trader"), 0, address("whale"), by="trader", label=TOKEN)
    assert sure(house, receipt, Redeemed).result == RedeemResult(
        shares=FIRST.shares,
        # 997.500375 * 998.498875 / 997.500376, rounded down.
        value=998_498_873,
        # The premium comes back, 0.001125, less a maker's fee of 0.02 %, 0.600001.
        cost=598_876,
        fee=0,
        assets=997_899_997,
        mark=units(4_000),
        delta=-units("0.75"),
        fill=units("4000.0015"),
        leverage=0,
        net_asset_value=1,
        supply=0,
    )
    assert house.collateral(own(house)) == 1
    # And the next begins anew, at two dollars the share, since the virtual ones own two quanta.
    assert mint(house, "trader", dollars(1_000)).shares == 997_500_375 * 10**12 // 2


def test_redeeming_a_part_closes_that_part(house: House) -> None:
    """Half of the shares: half of the position, half of the value less the trade, of which the fee stays."""
    mint(house, "trader", dollars(1_000))
    before, size = leverage(house), house.position(own(house), ETH).size
    result = redeem(house, "trader", FIRST.shares // 2)
    assert result.value == 499_249_436
    assert abs(result.delta + size // 2) < 10**12
    assert result.fee == -(-(result.value - result.cost) // 1000)
    assert result.assets == result.value - result.cost - result.fee
    assert result.net_asset_value == FIRST.net_asset_value - result.value + result.fee == nav(house)
    assert result.leverage == leverage(house) < before


def test_a_rest_too_small_to_hold_is_closed_too(house: House) -> None:
    """33 dollars of three times leverage are less than the market's 100."""
    mint(house, "trader", dollars(1_000))
    result = redeem(house, "trader", FIRST.shares * 968 // 1000)
    assert result.delta == -units("0.75")
    assert house.position(own(house), ETH).size == leverage(house) == 0
    # All of the trade is the redeemer's to pay.
    assert result.cost == 598_876
    assert nav(house) == result.net_asset_value == house.collateral(own(house))


def test_what_closing_the_rest_earns_is_not_the_redeemers(house: House) -> None:
    """Longs are crowded, so who sells earns a premium of 0.2 %: here it stays with who stays."""
    mint(house, "trader", dollars(100))
    house.deposit("counterparty", dollars(300_000))
    house.trade("counterparty", ETH, units(2_000))
    # Three fifths of the shares would earn the premium on all of 217 dollars' worth of ETH.
    house.set_price(ETH, 2_900)
    before = nav(house)
    result = redeem(house, "trader", shares(house, "trader") * 3 // 5)
    assert house.position(own(house), ETH).size == 0
    assert result.cost == 0
    assert nav(house) > before - result.value + result.fee


def test_profit_is_settled_when_cash_is_short(house: House) -> None:
    """Funding has eaten the cash while the profit stood on paper: redeeming settles, and pays."""
    deploy(house, FREE)
    mint(house, "trader", dollars(1_000))
    for price in (5_600, 7_800, 10_900):
        house.set_price(ETH, price)
        rebalance(house)
    house.deposit("counterparty", dollars(900_000))
    house.trade("counterparty", ETH, units(1_400))
    house.wait(14 * DAY)
    # At this skew longs pay 0.14 % in 8 hours, of 31,500 dollars: 1,855 in a fortnight, which is more than the cash.
    receipt = house.do("redeem", shares(house, "trader") // 2, 0, address("trader"), by="trader", label=TOKEN)
    result = sure(house, receipt, Redeemed).result
    assert [type(event) for event in receipt.events].count(Settled) == 1
    assert result.assets == result.value - result.cost > dollars(4_000)
    laws_hold(house)


def test_a_token_without_a_position_needs_no_price_to_redeem(house: House) -> None:
    """Cash is cash."""
    mint(house, "trader", dollars(30))
    house.wait(3_601, refresh=False)
    with moves(house, {own(house): -29_999_999, "wallet:trader": 29_999_999}):
        assert redeem(house, "trader").mark == 0


def test_who_redeems_nothing_earns_nothing(house: House) -> None:
    """Where selling earns a premium, not even a sale for no share, or for one that is worth no quantum, can be had."""
    deploy(house, FREE)
    mint(house, "trader", dollars(1_000))
    house.deposit("counterparty", dollars(900_000))
    house.trade("counterparty", ETH, units(4_000))
    for who, amount in (("outsider", 0), ("trader", 0), ("trader", 10**11)):
        with refuses(house, ZeroAmount()):
            redeem(house, who, amount)


# --- rebalancing


def test_a_rebalance_buys_after_a_rise(house: House) -> None:
    """From 0.75 ETH to three times the equity of 1,298.498874 at 4,400."""
    mint(house, "trader", dollars(1_000))
    house.wait(DAY)
    house.set_price(ETH, 4_400)
    # A day at a skew of 0.75 has cost 3 * 0.75 * 4,000 * 0.75e-6 quanta in the rates before; equity is what it is.
    equity = house.margin(own(house))[0]
    receipt = house.do("rebalance", by="keeper", label=TOKEN)
    event = sure(house, receipt, Rebalanced)
    result = event.result
    assert result.delta == 3 * equity // units(4_400) - units("0.75")
    assert result.mark == units(4_400)
    # 0.1353... * 4,400 * 0.01 %, and the shares at what one is worth after the trade.
    assert result.reward == result.delta * 4_400 // 10**16
    assert result.shares == result.reward * (FIRST.supply + 10**12) // (result.net_asset_value + 1)
    assert shares(house, "keeper") == result.shares
    assert units("3") < result.leverage < units("3.002")
    assert house.ask("next_rebalance", label=TOKEN) == START + 2 * DAY


def test_a_rebalance_sells_after_a_fall(house: House) -> None:
    """And the reward is of what was traded, without its sign."""
    mint(house, "trader", dollars(1_000))
    house.wait(DAY)
    house.set_price(ETH, 3_600)
    result = rebalance(house)
    assert result.delta < 0 < result.reward
    assert units("3") < result.leverage < units("3.002")


@pytest.mark.parametrize("price", [3_480, 5_400])
def test_beyond_its_band_a_token_is_rebalanced_at_once(house: House, price: int) -> None:
    """Above four times at 3,480 (2,610 / 608), below two at 5,400 (4,050 / 2,048); a bit nearer it is not."""
    mint(house, "trader", dollars(1_000))
    house.set_price(ETH, {3_480: 3_600, 5_400: 5_300}[price])
    if price == 5_400:
        with refuses(house, NothingToRebalance(leverage(house), START + DAY)):
            rebalance(house)
    house.set_price(ETH, price)
    assert not units(2) <= leverage(house) <= units(4)
    assert units(3) < rebalance(house).leverage < units("3.01")


def test_a_rebalance_can_end_without_a_position(house: House) -> None:
    """What three times equity is worth has fallen below the market's 100 dollars."""
    mint(house, "trader", dollars(40))
    house.set_price(ETH, 3_100)
    assert rebalance(house).leverage == 0
    assert nav(house) == house.collateral(own(house)) > 0
    with refuses(house, NothingToRebalance(0, START + DAY)):
        rebalance(house)


def test_a_token_without_holders_is_not_rebalanced(house: House) -> None:
    """Money that somebody gave it stays cash."""
    house.deposit(own(house), dollars(1_000), by="outsider")
    house.wait(DAY)
    with refuses(house, NothingToRebalance(0, START + DAY)):
        rebalance(house)


# --- what leverage costs over time


def drift(house: House, terms: Terms) -> tuple[int, int]:
    """What 1,000 dollars become in the token, and in a position left alone, when the price rises by 10 % and falls
    back, with a rebalance each day. Trading is free: what is lost is lost to the path."""
    house.make_free(ETH)
    deploy(house, terms)
    mint(house, "trader", dollars(1_000))
    house.deposit("counterparty", dollars(1_000))
    house.trade("counterparty", ETH, units("0.75") if terms.target_leverage > 0 else -units("0.75"))
    for price in (4_400, 4_000):
        house.wait(DAY)
        house.set_price(ETH, price)
        rebalance(house)
    return nav(house), house.margin("counterparty")[0] // 10**30


def test_a_long_token_loses_what_comes_back(house: House) -> None:
    """1,000 * (1 + 3 * 10 %) = 1,300, which buys 0.886363... ETH; 400 less for each: 1,300 * (1 - 3 / 11) = 945.4545.
    The position left alone is where it was, but for a quantum that a premium of 2e-11 was rounded to."""
    assert drift(house, FREE) == (945_454_545, 999_999_999)


def test_a_short_token_loses_more(house: House) -> None:
    """1,000 * (1 - 3 * 10 %) = 700, short of 0.477272... ETH; 400 more for each: 700 * (1 + 3 / 11) = 890.9090."""
    assert drift(house, replace(FREE, target_leverage=-3 * UNIT)) == (890_909_090, 999_999_999)


# --- near the end


def fall(house: House, price: int, assets: int = 100_000) -> None:
    """The trader has minted, and the price has fallen before anybody rebalanced."""
    mint(house, "trader", dollars(assets))
    house.set_price(ETH, price)


def test_after_many_falls_there_is_still_a_token(house: House) -> None:
    """Nine times 20 % down, rebalanced each time: 0.03 % is left, all in cash; it is shared, and the token goes on."""
    price = 4_000
    mint(house, "trader", dollars(100_000))
    for _ in range(9):
        price = price * 8 // 10
        house.set_price(ETH, price)
        rebalance(house)
    # 99,850 * 0.4 ** 9 = 26.18, less what rebalancing cost.
    assert nav(house) == 25_535_488
    assert leverage(house) == 0
    result = mint(house, "whale", dollars(1_000))
    assert result.delta == 5_597_014_925_373_134_328
    laws_hold(house)
    assert 0 < redeem(house, "trader").assets < 25_535_488
    assert dollars(995) < redeem(house, "whale").assets < dollars(1_000)


def test_a_partly_liquidated_token_is_rebalanced_first(house: House) -> None:
    """At 2,690 equity is 0.8 % of notional; liquidation brings it to 2 %, which is 50 times leverage: at that edge
    nobody can add, everybody can leave, and one rebalance brings the token home."""
    fall(house, 2_690)
    house.liquidate(own(house), ETH)
    assert (leverage(house), nav(house)) == (49_999_999_999_999_999_996, 773_325_832)
    error = BelowInitialMargin(acc(own(house)), 1_747_141_851, 1_773_325_832)
    with refuses(house, error):
        mint(house, "whale", dollars(1_000))
    with copied(house) as copy:
        assert redeem(copy, "trader", units(1_000)).leverage < 50 * UNIT
    result = rebalance(house)
    assert units(3) < result.leverage < units("3.03")
    # 0.01 % of what was traded, which is fifty times what is left, is 0.5 % of it.
    assert result.reward == 3_634_631
    assert mint(house, "whale", dollars(1_000)).leverage > units(3)
    assert redeem(house, "trader").assets > dollars(760)


def test_a_token_liquidated_in_full_shares_what_is_left(house: House) -> None:
    """40 dollars: a rest would be too small, so all is closed. 0.39 is left; who mints opens a new position."""
    fall(house, 2_695, 40)
    house.liquidate(own(house), ETH)
    assert (leverage(house), nav(house)) == (0, 385_747)
    with copied(house) as copy:
        assert redeem(copy, "trader").assets == 385_747
        assert supply(copy) == 0
    assert units(3) < mint(house, "whale", dollars(1_000)).leverage < units("3.01")
    assert redeem(house, "trader").assets > 380_000


def test_a_token_in_debt_is_worth_nothing(house: House) -> None:
    """Before its liquidation and after it: no shares, no money, and no rebalance that would leave the debt behind."""
    fall(house, 2_400)
    assert (leverage(house), nav(house)) == (INT256_MAX, 0)
    with refuses(house, BelowMaintenanceMargin(acc(own(house)), -20_190_506_975, 0)):
        rebalance(house)
    for _ in range(2):
        with refuses(house, WorthlessShares()):
            mint(house, "whale", dollars(1_000))
        with refuses(house, WorthlessShares()):
            redeem(house, "trader")
        if leverage(house):
            house.liquidate(own(house), ETH)
    with refuses(house, NothingToRebalance(0, START + DAY)):
        rebalance(house)


def test_a_gift_brings_a_worthless_token_back(house: House) -> None:
    """One quantum for all who held shares; who mints after it owns what he pays, and they still own their quantum."""
    fall(house, 2_400)
    house.liquidate(own(house), ETH)
    house.deposit(own(house), 1, by="outsider")
    result = mint(house, "whale", dollars(1_000))
    assert result.value == 998_498_124
    paid = redeem(house, "whale").assets
    # Bought for 1.501876 and sold for 0.598126. The fee for minting stayed with the holders, which is nearly himself;
    # that for redeeming, 0.997900, is the trader's.
    assert paid == 996_902_097
    assert nav(house) == 997_902
    assert redeem(house, "trader").assets == 997_902


def test_a_steep_rebalance_pays_no_more_than_there_is(house: House) -> None:
    """With the highest reward, at 98 times leverage, 1 % of what is traded is nearly all of what is left after it."""
    deploy(house, replace(FREE, rebalance_reward=UNIT // 100))
    fall(house, 2_690, 100_000)
    result = rebalance(house)
    assert 0 < result.reward <= result.net_asset_value
    assert result.shares <= result.supply - result.shares
    laws_hold(house)


# --- everything it says


def test_events_tell_what_is_stored(house: House) -> None:
    """Through one life of a token with three holders."""
    kinds: list[tuple[str, tuple[Any, ...], str, type]] = [
        ("mint", (dollars(1_000), 0, address("trader")), "trader", Minted),
        ("mint", (dollars(20_000), 0, address("whale")), "whale", Minted),
        ("rebalance", (), "keeper", Rebalanced),
        ("redeem", (units(500), 0, address("trader")), "trader", Redeemed),
        ("rebalance", (), "outsider", Rebalanced),
        ("redeem", (units(12_345), 0, address("outsider")), "whale", Redeemed),
    ]
    for price, (function, args, who, kind) in zip((4_000, 4_100, 4_321, 4_200, 3_333, 3_400), kinds, strict=True):
        house.wait(DAY)
        house.set_price(ETH, price)
        receipt = house.do(function, *args, by=who, label=TOKEN)
        event = sure(house, receipt, kind)
        assert receipt.value == event.result
        laws_hold(house)


def test_shares_are_an_erc20(house: House) -> None:
    """They have a name and 18 digits, and go from hand to hand."""
    mint(house, "trader", dollars(1_000))
    assert house.ask("name", label=TOKEN) == "ETH 3x"
    assert house.ask("symbol", label=TOKEN) == TOKEN
    assert house.ask("decimals", label=TOKEN) == 18
    house.do("transfer", address("outsider"), FIRST.shares, by="trader", label=TOKEN)
    assert redeem(house, "outsider").assets == 997_899_997


def test_results_have_every_total() -> None:
    """The three results end alike, so that whoever reads one reads all."""
    for result in (MintResult, RedeemResult, RebalanceResult):
        assert result.__slots__[-3:] == ("leverage", "net_asset_value", "supply")
