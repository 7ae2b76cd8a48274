"""What somebody might try against the holders of a leveraged token, with what it costs him."""

from __future__ import annotations

from dataclasses import replace

import pytest
from expect import laws_hold, refuses, worth
from hostile import deploy_code, token_that_reenters
from leverage import FREE, TOKEN, deploy, leverage, mint, nav, own, rebalance, redeem, shares, supply, wealth
from roles import ETH, MARKETS, START, House, address, dollars, units

from perpkit.backend import Sandbox
from perpkit.local import LocalBackend
from perpkit.market_setup import ETH3L, ROLES, UNIT, MarketSetup, deploy_contracts, list_market, seed
from perpkit.model.errors import PriceLimitCrossed, ReentrancyGuardReentrantCall, SharesOutOfRange, ZeroAmount
from perpkit.model.fixed_math import MONEY_MAX
from perpkit.model.test_usd import UINT256_MAX

DAY = 86_400
RAW = 10**30  # of one quantum


# --- the first depositor


@pytest.mark.parametrize("gift", [1, 100, 10_000, 500_000])
@pytest.mark.parametrize("victim", [1, 100, 10_000, 500_000])
def test_the_first_minter_cannot_inflate_the_share(house: House, gift: int, victim: int) -> None:
    """Of one quantum he makes a dear share by a gift to the account. The virtual share takes half of the gift, and
    whoever mints after it loses three quanta at most beside what his trade costs. No fees of market or token."""
    house.make_free(ETH)
    deploy(house, FREE)
    before = house.wallet("outsider")
    assert mint(house, "outsider", 1).shares == 10**12
    house.deposit(own(house), dollars(gift), by="outsider")
    entered = mint(house, "trader", dollars(victim))
    left = redeem(house, "trader")
    redeem(house, "outsider")
    trading = dollars(victim) - entered.value + left.cost
    assert 0 <= dollars(victim) - left.assets - trading <= 3
    # What the attacker has lost: half of his gift, but for what others' trades left behind.
    lost = before - house.wallet("outsider")
    assert dollars(gift) // 2 - trading <= lost <= dollars(gift) // 2 + 1
    assert lost > dollars(gift) * 49 // 100
    laws_hold(house)


def test_a_dear_share_that_buys_nothing_is_refused(house: House) -> None:
    """2,100,000 dollars given to one quantum: 1 * 2 * 10**12 / 2,100,000,000,002 is no share of 1e-18; two quanta buy
    one, and nobody pays for none."""
    deploy(house, FREE)
    mint(house, "outsider", 1)
    house.mint("outsider", dollars(2_100_000))
    house.deposit(own(house), dollars(2_100_000), by="outsider")
    with refuses(house, ZeroAmount()):
        mint(house, "trader", 1)
    assert mint(house, "trader", 2).shares == 1


def house_of_18_decimals(backend: str) -> House:
    """A token whose virtual share is a single one: the hardest case of inflation."""
    sandbox: Sandbox
    if backend == "model":
        sandbox = LocalBackend(timestamp=START)
    else:
        from perpkit.revm import RevmBackend

        sandbox = RevmBackend(timestamp=START)
    dollar = 10**18
    spec = replace(MARKETS[ETH], params=replace(MARKETS[ETH].params, min_notional=100 * dollar))
    deploy_contracts(sandbox, decimals=18)
    list_market(sandbox, ETH, spec)
    seed(sandbox, MarketSetup((spec,), 20 * 10**24, 10**24, 10**24))
    fresh = House(sandbox, specs=[spec], dollar=dollar)
    deploy(fresh, FREE)
    return fresh


@pytest.mark.parametrize("victim", [10**18, 5 * 10**19, 51 * 10**18, 10**20, 10**21, 10**23])
def test_nor_where_a_quantum_is_a_share(house: House, victim: int) -> None:
    """At 18 decimals a victim can lose up to half a share to rounding, but the attacker does not gain: who gives 100
    dollars to a share of a quantum finds half of it, and of what is lost, with the virtual share."""
    fresh = house_of_18_decimals(house.sandbox.name)
    before = fresh.wallet("outsider")
    assert mint(fresh, "outsider", 1).shares == 1
    fresh.deposit(own(fresh), 10**20, by="outsider")
    if victim <= 5 * 10**19:
        with refuses(fresh, ZeroAmount()):
            mint(fresh, "trader", victim)
    else:
        mint(fresh, "trader", victim)
    redeem(fresh, "outsider", 1)
    assert fresh.wallet("outsider") <= before
    laws_hold(fresh)


def test_a_gift_to_an_empty_token_is_nobodys(house: House) -> None:
    """It is the virtual shares', so that whoever mints and leaves takes none of it, and pays for his own trade only."""
    deploy(house, FREE)
    house.deposit(own(house), dollars(50_000), by="outsider")
    entered = mint(house, "trader", dollars(1_000))
    assert entered.delta == units("0.75")
    left = redeem(house, "trader")
    assert left.assets <= dollars(1_000) - (dollars(1_000) - entered.value) - left.cost
    assert nav(house) >= dollars(50_000)
    assert house.position(own(house), ETH).size == 0


# --- around a rebalance


def with_a_rebalance_due(house: House, *, price: int = 4_400) -> None:
    """The whale holds 675 ETH through the token, the day is over, and the price has risen by a tenth."""
    deploy(house, ETH3L)
    mint(house, "whale", dollars(900_000))
    house.wait(DAY)
    house.set_price(ETH, price)


def traded_around(house: House, size: int, *, sandwich: bool) -> int:
    """What the outsider has after buying, the token's rebalance or nothing, and selling. {quanta}"""
    house.deposit("outsider", dollars(200_000))
    before = worth(house, "outsider")
    house.trade("outsider", ETH, size)
    if sandwich:
        rebalance(house)
    house.trade("outsider", ETH, -size)
    return (worth(house, "outsider") - before) // RAW


@pytest.mark.parametrize(
    ("size", "alone", "sandwich"),
    [(10, -30_820_944, -25_670_254), (100, -308_223_300, -256_716_391), (1_000, -3_083_619_000, -2_568_549_902)],
)
def test_a_sandwich_around_a_rebalance_loses(house: House, size: int, alone: int, sandwich: int) -> None:
    """The rebalance buys 117.08 ETH and lifts the fill by 117.08 / 1,000,000 * 4,400 = 0.515 dollars for each ETH of
    the outsider's; the round trip costs 0.07 % of 4,400, which is 3.08."""
    with_a_rebalance_due(house)
    for between, expected in ((False, alone), (True, sandwich)):
        with house.rolled_back() as copy:
            assert traded_around(copy, units(size), sandwich=between) == expected
            laws_hold(copy)


def test_where_premiums_are_steep_the_limit_is_the_defence(house: House) -> None:
    """What a sandwich gains is the rebalance over the skew scale, less the fees of the round trip: 22.02 ETH over
    20,000 are 0.110 %, more than 0.07 %. A token that fills at any price pays for it; one that keeps to 0.25 % does
    not trade."""
    house.set_params(ETH, skew_scale=20_000 * UNIT)
    for premium in (UNIT // 50, UNIT // 400):
        with house.rolled_back() as copy:
            deploy(copy, replace(ETH3L, max_premium=premium))
            mint(copy, "whale", dollars(100_000))
            copy.wait(DAY)
            copy.set_price(ETH, 4_800)
            if premium == UNIT // 50:
                # 50 * 4,800 * 0.110 % = 264, less 169 of fees.
                assert traded_around(copy, units(50), sandwich=True) == 95_386_284
                continue
            copy.deposit("outsider", dollars(200_000))
            copy.trade("outsider", ETH, units(50))
            with refuses(copy, PriceLimitCrossed(units("4832.64279140625"), units(4_812))):
                rebalance(copy)


def test_minting_before_a_rebalance_and_leaving_after_it_loses(house: House) -> None:
    """500,000 dollars, which pay for their own trade and their part of the rebalance; neither the keeper's reward of 73
    dollars, which the outsider takes, nor the longs' premium of 1,138 on the way out makes up for it."""
    with_a_rebalance_due(house)
    before, held = wealth(house, "outsider"), house.wallet("whale") + nav(house)
    mint(house, "outsider", dollars(500_000))
    assert rebalance(house, by="outsider").reward == 73_183_502
    redeem(house, "outsider")
    assert wealth(house, "outsider") - before == -1_686_416_475
    assert wealth(house, "whale") > held - dollars(1_000)
    laws_hold(house)


def test_stepping_aside_during_a_rebalance_costs_more_than_staying(house: House) -> None:
    """Of 100,000 dollars, 99,538.65 are left to who stays, 99,140.76 to who leaves and comes back."""
    with_a_rebalance_due(house)
    mint(house, "trader", dollars(100_000))
    wallet = house.wallet("trader")
    with house.rolled_back() as copy:
        out = redeem(copy, "trader").assets
        rebalance(copy)
        mint(copy, "trader", out)
        assert wealth(copy, "trader") - wallet == 99_140_759_958
    rebalance(house)
    assert wealth(house, "trader") - wallet == 99_538_653_253


def test_a_rebalance_twice_in_a_block_is_one(house: House) -> None:
    """The second finds the token within its band, so no reward can be taken twice."""
    with_a_rebalance_due(house)
    rebalance(house)
    for _ in range(3):
        with house.rolled_back() as copy:
            before = leverage(copy)
            with pytest.raises(Exception, match="may be rebalanced from"):
                rebalance(copy)
            assert leverage(copy) == before


# --- gifts that move leverage


def test_a_gift_that_forces_a_rebalance_costs_more_than_its_reward(house: House) -> None:
    """At the highest reward there is: 20,300 dollars push leverage below 2.5, and 1 % of the 60,416 dollars that are
    traded then is 604. A gift of g trades three times g, so it can never pay, whatever part of the token is one's own:
    who owns nine tenths loses a tenth of his gift and gains the others' part of the reward, a tenth of 3 %."""
    terms = replace(ETH3L, min_leverage=UNIT * 5 // 2, rebalance_reward=UNIT // 100)
    for owned, gift in ((0, 20_300), (900_000, 206_000)):
        with house.rolled_back() as copy:
            deploy(copy, terms)
            mint(copy, "whale", dollars(100_000))
            if owned:
                mint(copy, "outsider", dollars(owned))
                copy.mint("outsider", dollars(gift))
            before, others = wealth(copy, "outsider"), wealth(copy, "whale")
            copy.deposit(own(copy), dollars(gift), by="outsider")
            assert leverage(copy) < UNIT * 5 // 2
            result = rebalance(copy, by="outsider")
            assert result.reward < dollars(gift) * 3 // 100 + 1
            assert wealth(copy, "outsider") < before - dollars(gift) * 9 // 100
            assert wealth(copy, "whale") > others
            laws_hold(copy)


def test_a_gift_changes_nobodys_shares(house: House) -> None:
    """It is shared by those who hold them."""
    deploy(house, ETH3L)
    mint(house, "trader", dollars(1_000))
    mint(house, "whale", dollars(3_000))
    held = {who: shares(house, who) for who in ("trader", "whale")}
    worths = {who: wealth(house, who) for who in held}
    house.deposit(own(house), dollars(400), by="outsider")
    for who, owned in held.items():
        assert shares(house, who) == owned
        part = dollars(400) * owned // supply(house)
        assert abs(wealth(house, who) - worths[who] - part) <= 1


# --- the way in


def test_nobody_else_acts_for_the_token(house: House) -> None:
    """It has no operator and no owner: its account is moved by its own three functions only."""
    deploy(house, ETH3L)
    mint(house, "trader", dollars(1_000))
    for who in ROLES:
        for act in (
            lambda who=who: house.withdraw(own(house), 1, to=who, by=who),
            lambda who=who: house.trade(own(house), ETH, units(1), by=who),
            lambda who=who: house.transfer(own(house), f"{who}/0", 1, by=who),
        ):
            with pytest.raises(Exception, match="neither the owner"):
                act()


@pytest.mark.parametrize(("function", "args"), [("mint", (5, 0, ROLES["trader"])), ("rebalance", ())])
def test_the_token_cannot_be_entered_twice(house: House, function: str, args: tuple[object, ...]) -> None:
    """A dollar that calls its caller back while it is paid finds the door closed."""
    if house.sandbox.name == "model":
        pytest.skip("hostile contracts need bytecode")
    from perpkit.abi.codec import encode_call

    governor, sandbox = address("governor"), house.sandbox
    hostile = deploy_code(house, token_that_reenters(encode_call("LeveragedToken", function, args)))
    clearinghouse = sandbox.deploy(
        "hostile", "Clearinghouse", hostile, house.at("oracle"), house.at("extension"), governor, sender=governor
    )
    params = house.params(ETH)
    sandbox.transact("hostile", "list_market", b"ETH-USD".ljust(32, b"\0"), params, (), sender=governor)
    sandbox.deploy(TOKEN, "LeveragedToken", "X", "X", clearinghouse, hostile, ETH3L, sender=governor)
    with pytest.raises(ReentrancyGuardReentrantCall):
        sandbox.transact(TOKEN, "mint", 5, 0, ROLES["trader"], sender=ROLES["trader"])


def test_shares_never_leave_their_range(house: House) -> None:
    """A token that falls to a quantum again and again issues more shares each time; beyond 2**160 it issues none."""
    house.make_free(ETH)
    deploy(house, FREE)
    house.mint("trader", MONEY_MAX // 4)
    house.do("approve", house.at(TOKEN), UINT256_MAX, by="trader", label="token")
    # 10**24, 5 * 10**35 and 2.5 * 10**47 shares; the next would be 10**59.
    for magnitude in (24, 35, 47):
        mint(house, "trader", dollars(1_000_000))
        assert 10 ** (magnitude - 1) < supply(house) < 10 ** (magnitude + 1)
        house.set_price(ETH, 2_400)
        house.liquidate(own(house), ETH)
        house.set_price(ETH, 4_000)
        house.deposit(own(house), 1, by="outsider")
    with pytest.raises(SharesOutOfRange):
        mint(house, "trader", dollars(1_000_000))
    assert 10**47 < supply(house) < 2**160
