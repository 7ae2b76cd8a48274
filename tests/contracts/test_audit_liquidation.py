"""Audit cases 1 to 9: a liquidation must always be possible, and pay nobody who did not earn it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from expect import balances, books, event_of, is_liquidatable, laws_hold, moves, refuses, worth
from hostile import code_of, code_that_then_refuses, deploy_code, refuses_everything, replaced_code
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from misfortune import drain_insurance, make_deficit
from roles import BTC, ETH, SOL, House, acc, address, dollars, units

from perpkit.market_setup import DEFAULT_MARKETS
from perpkit.model.clearinghouse import NOT_LIQUIDATED
from perpkit.model.errors import (
    BelowInitialMargin,
    BelowMaintenanceMargin,
    GracePeriod,
    NoPosition,
    NotLiquidatable,
    PerpError,
)
from perpkit.model.events import Liquidated, Transfer
from perpkit.model.types import LiquidationResult

ADVERSITIES: dict[str, Callable[[House], None]] = {
    "nothing wrong": lambda house: None,
    "insurance fund empty": drain_insurance,
    "deposits and withdrawals paused": lambda house: _pause_vault(house),
}


def _pause_vault(house: House) -> None:
    house.do("set_vault_paused", 0xFFFF, by="governor")


def long_of_ten(house: House, name: str = "trader") -> None:
    """10 ETH at 4,000.02 with 979.9999 dollars of collateral after the fee."""
    house.deposit(name, dollars(1_000))
    house.trade(name, ETH, units(10))


# --- case 1


def test_case_1_a_loss_of_five_times_the_margin_in_the_last_position_is_cleared(house: House) -> None:
    """Flat Money 041-H, 046-H; GMX MKTU-1: the last position in the market, far under water, and the fund full."""
    house.deposit("trader", dollars(100))
    house.trade("trader", ETH, units(1))
    house.set_price(ETH, 3_500)
    # Fill 4,000.002, fee 2.000001: 97.999999 - 500.002 = -402.002001; reward 3,500 * 0.5 % * 50 % = 8.75.
    with moves(
        house, {"trader": -97_999_999, "pool": 500_002_000, "insurance": -402_002_001 - 8_750_000, "keeper": 8_750_000}
    ):
        result = event_of(house, house.liquidate("trader", ETH), Liquidated).result
    assert (result.bad_debt, result.covered, result.deficit) == (402_002_001, 402_002_001, 0)
    assert (house.state(ETH).long_oi, house.state(ETH).long_basis) == (0, 0)


def test_case_1_with_an_empty_fund_the_shortfall_is_a_deficit_to_the_quantum(house: House) -> None:
    """The same with nobody to pay: the pool bears it, the market remembers it."""
    drain_insurance(house)
    house.deposit("trader", dollars(100))
    house.trade("trader", ETH, units(1))
    house.set_price(ETH, 3_500)
    with moves(house, {"trader": -97_999_999, "pool": 500_002_000 - 402_002_001}):
        result = event_of(house, house.liquidate("trader", ETH), Liquidated).result
    assert (result.bad_debt, result.covered, result.deficit, result.reward) == (402_002_001, 0, 402_002_001, 0)
    assert house.state(ETH).long_deficit == 402_002_001


@pytest.mark.parametrize("price", ["0.00000001", "1", "399999", "200000000"])
@pytest.mark.parametrize("sign", [1, -1])
def test_case_1_no_price_is_so_absurd_that_a_loser_stays(house: House, price: str, sign: int) -> None:
    """From the least the feed can say to 50,000 times the entry: whoever is liquidatable is liquidated."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, sign * units(10))
    house.set_price(ETH, price)
    if is_liquidatable(house, "trader"):
        house.liquidate("trader", ETH)
        balances(house, {"trader": 0})
        assert house.position("trader", ETH).size == 0


# --- case 2


@pytest.mark.parametrize("adversity", ADVERSITIES)
def test_case_2_penalties_never_take_more_than_there_is(house: House, adversity: str) -> None:
    """Perennial 060-M, 051-H: from the first price of trouble to far beyond bankruptcy, the penalty ends at equity."""
    long_of_ten(house)
    ADVERSITIES[adversity](house)
    for cents in (394_143, 393_000, 391_000, 390_300, 390_203, 390_202, 390_201, 390_000, 350_000, 100_000):
        house.set_price(ETH, Fraction(cents, 100))
        equity = house.margin("trader")[0] // 10**30
        insurance = house.vault().insurance
        with house.rolled_back() as copy:
            result: LiquidationResult = copy.liquidate("trader", ETH).value
            assert 0 <= result.penalty <= max(equity, 0)
            assert result.reward <= (result.penalty if equity >= 0 else insurance)
            assert copy.collateral("trader") >= 0
            laws_hold(copy)


# --- case 3


def test_case_3_nobody_is_liquidated_twice_for_one_fault(house: House) -> None:
    """Perennial 026-H: restored or closed, the account pays once."""
    long_of_ten(house)
    house.set_price(ETH, 3_940)
    first = house.liquidate("trader", ETH).value
    equity, initial_margin, _ = house.margin("trader")
    assert equity * 10**18 >= initial_margin
    with pytest.raises(NotLiquidatable):
        house.liquidate("trader", ETH)
    assert house.collateral("keeper") == first.reward
    house.set_price(ETH, 3_000)
    house.liquidate("trader", ETH)
    with refuses(house, NoPosition(acc("trader"), ETH)):
        house.liquidate("trader", ETH)


# --- case 4


@pytest.mark.parametrize(
    ("price", "reward"),
    [
        # 0.025 ETH at 4,000.00005 with 2.10 dollars, less a fee of 0.050001 (rounded up): 2.049999.
        # At 3,957: equity 0.974999 of 98.925, below 0.98925; the penalty of 0.5 % is 0.494625, all of it the keeper's.
        ("3957", 494_625),
        # At 3,940: equity 0.549998; penalty 0.4925.
        ("3940", 492_500),
        # Under water the fund pays half of the penalty: 3,900 * 0.025 * 0.5 % * 50 % = 0.24375.
        ("3900", 243_750),
    ],
)
def test_case_4_the_smallest_position_is_worth_clearing(house: House, price: str, reward: int) -> None:
    """Perp v3 022-M, Flat Money 043-H, Symmetrical 017-M: 100 dollars, the least there is, pay about 50 or 25 cents."""
    house.deposit("trader", 2_100_000)
    house.trade("trader", ETH, units("0.025"))
    house.set_price(ETH, price)
    assert house.liquidate("trader", ETH).value.reward == reward


def test_case_4_no_partial_liquidation_leaves_dust(house: House) -> None:
    """What remains is zero or at least the least notional, at every size."""
    for size in ("0.05", "0.1", "0.5", "3"):
        with house.rolled_back() as copy:
            copy.deposit("trader", dollars(84) * int(Fraction(size) * 1000) // 1000)
            copy.trade("trader", ETH, units(size))
            copy.set_price(ETH, 3_950)
            if not is_liquidatable(copy, "trader"):
                continue
            copy.liquidate("trader", ETH)
            left = abs(copy.position("trader", ETH).size) * 3_950
            assert left == 0 or left >= 100 * 10**18


def test_case_4_the_reward_of_the_last_solvent_price_is_what_is_left(house: House) -> None:
    """At 3,902.02001 equity is zero and so is the reward; a thousandth of a cent lower the fund pays 97.55. The gap is
    as wide as one penalty, 0.5 % of the price; why it stays is said in docs/decisions.md."""
    long_of_ten(house)
    rewards = []
    for price in ("3902.02001", "3902.02"):
        house.set_price(ETH, price)
        with house.rolled_back() as copy:
            rewards.append(copy.liquidate("trader", ETH).value.reward)
    assert rewards[0] == 0
    # 10 * 3,902.02 * 0.5 % / 2
    assert rewards[1] == dollars("97.5505")


# --- case 5

ACTIONS = st.one_of(
    st.tuples(st.just("trade"), st.sampled_from(["trader", "trader/1"]), st.integers(-120, 120)),
    st.tuples(st.just("withdraw"), st.sampled_from(["trader", "trader/1"]), st.integers(1, 1_000)),
    st.tuples(st.just("transfer"), st.sampled_from(["trader", "trader/1"]), st.integers(1, 1_000)),
    st.tuples(st.just("settle"), st.sampled_from(["trader", "trader/1"]), st.just(0)),
    st.tuples(st.just("liquidate"), st.sampled_from(["trader", "trader/1"]), st.just(0)),
)


def attempt(house: House, action: tuple[str, str, int]) -> bool:
    """One action of the attacker, who is also the keeper; whether it was accepted."""
    kind, name, number = action
    try:
        if kind == "trade":
            house.trade(name, ETH, units(Fraction(number, 10)))
        elif kind == "withdraw":
            house.withdraw(name, dollars(number))
        elif kind == "transfer":
            house.transfer(name, "trader/1" if name == "trader" else "trader", dollars(number))
        elif kind == "settle":
            house.settle(name, ETH, by="trader")
        else:
            house.liquidate(name, ETH, by="trader")
    except PerpError:
        return False
    return True


@seed(20250405)
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, min_size=4, max_size=16), start=st.integers(-100, 100).filter(bool))
def test_case_5_no_sequence_at_one_price_makes_its_author_richer(
    house: House, actions: list[tuple[str, str, int]], start: int
) -> None:
    """Predy H-02, Perennial 104-M, Perp v3 034-M: two accounts and a keeper of one owner, in distress at the start
    (seed 20250405)."""
    with house.rolled_back() as copy:
        for name in ("trader", "trader/1"):
            copy.deposit(name, dollars(1_000))
        copy.trade("trader", ETH, units(Fraction(start, 10)))
        # Distress: maintenance margin rises so that the position is liquidatable at this very price.
        copy.set_params(ETH, imr=units("0.5"), mmr=units("0.4"))
        before = worth(copy, "trader", "trader/1")
        for action in actions:
            attempt(copy, action)
        # Whoever closes gets back at most the premium that he paid on the way in.
        size = Fraction(abs(start), 10)
        premium = int(size * size * 4_000 / 2_000_000 * 10**36)
        assert worth(copy, "trader", "trader/1") <= before + premium


@pytest.mark.parametrize("adversity", ADVERSITIES)
@pytest.mark.parametrize("price", ["3941.4", "3930", "3910", "3902.1"])
def test_case_5_liquidating_oneself_costs(house: House, adversity: str, price: str) -> None:
    """Owner and keeper in one person lose the insurance fund's part of the penalty, or nothing when there is none."""
    long_of_ten(house)
    ADVERSITIES[adversity](house)
    house.set_price(ETH, price)
    before = worth(house, "trader")
    house.liquidate("trader", ETH, by="trader")
    assert worth(house, "trader") <= before


@pytest.mark.parametrize("price", [3_921, 3_960, 4_048, 4_079])
def test_case_5_a_long_and_a_short_of_one_owner_do_not_farm_the_premium(house: House, price: int) -> None:
    """Liquidations fill at mark, so who is long and short and has the losing half liquidated keeps the premium that the
    other half is sold at. The default markets bound open interest so that the fees of the round trip are dearer: at
    most 1,600 / 1,000,000 / 2 = 0.08 % against 0.05 + 0.02 + 0.02 = 0.09 %."""
    size = next(spec for spec in DEFAULT_MARKETS if spec.symbol == "ETH-USD").params.max_open_interest
    assert size == units(1_600)
    for name in ("trader", "trader/1"):
        house.deposit(name, dollars(400_000))
    before = worth(house, "trader", "trader/1")
    house.trade("trader", ETH, size)
    house.trade("trader/1", ETH, -size)
    for name in ("trader", "trader/1"):
        house.settle(name, ETH)
        house.withdraw(name, house.view(name).withdrawable)
    house.set_price(ETH, price)
    for name in ("trader", "trader/1"):
        while house.position(name, ETH).size and is_liquidatable(house, name):
            house.liquidate(name, ETH, by="trader")
    for name in ("trader", "trader/1"):
        if house.position(name, ETH).size:
            house.close(name, ETH)
    assert worth(house, "trader", "trader/1") <= before


# --- case 6

VICTIMS_MOVES: dict[str, Callable[[House], object]] = {
    "deposits a quantum": lambda h: h.deposit("trader", 1),
    "transfers a quantum in": lambda h: h.transfer("trader/1", "trader", 1),
    "transfers a quantum out": lambda h: h.transfer("trader", "trader/1", 1),
    "settles": lambda h: h.settle("trader", ETH, by="trader"),
    "trades more": lambda h: h.trade("trader", ETH, units(1)),
    "reduces by a little": lambda h: h.trade("trader", ETH, -units("0.025")),
    "opens elsewhere": lambda h: h.trade("trader", SOL, units(1)),
    "names an operator": lambda h: h.do("set_operator", address("operator"), True, by="trader"),
    "withdraws": lambda h: h.withdraw("trader", 1),
    "donates": lambda h: h.donate(1, by="trader"),
    "settles and deposits": lambda h: (h.settle("trader", ETH, by="trader"), h.deposit("trader", 1)),
}


@pytest.mark.parametrize("price", [3_935, 3_900, 3_500])
@pytest.mark.parametrize("move", VICTIMS_MOVES)
def test_case_6_the_victims_move_in_the_same_block_blocks_nothing(house: House, move: str, price: int) -> None:
    """Symmetrical 023-H, Flat Money 022-H and 020-H, Perp v3 008-H: whatever the victim does, if it is still
    liquidatable it is liquidated."""
    long_of_ten(house)
    house.deposit("trader/1", dollars(10))
    house.set_price(ETH, price)
    try:
        VICTIMS_MOVES[move](house)
    except PerpError as refusal:
        assert isinstance(refusal, (BelowInitialMargin, BelowMaintenanceMargin)), refusal
    assert is_liquidatable(house, "trader")
    assert house.liquidate("trader", ETH).value.closed > 0


# --- case 7


def test_case_7_no_token_moves_in_a_liquidation(house: House) -> None:
    """Predy M-06, Hubble M-16: nobody's wallet, blocked or not, is asked; the keeper is paid on the books."""
    long_of_ten(house)
    house.set_price(ETH, 3_800)
    receipt = house.liquidate("trader", ETH)
    assert not any(isinstance(event, Transfer) for event in receipt.events)
    # With all tokens of the house frozen elsewhere, a liquidation would not notice: it reads no balance.
    assert house.wallet("keeper") == dollars(1_000_000)


def test_case_7_a_token_that_refuses_everybody_stops_no_liquidation(house: House) -> None:
    """Hubble M-16, Sentiment 284: victim, keeper, pool and safe are all on the token's list; liquidating, settling and
    deleveraging go on, only money does not leave."""
    if house.sandbox.name != "revm":
        pytest.skip("hostile contracts need bytecode")
    make_deficit(house)
    house.deposit("whale", dollars(1_000))
    house.trade("whale", ETH, units(10))
    house.set_price(ETH, 3_610)
    with replaced_code(house, "token", refuses_everything()):
        assert house.liquidate("whale", ETH).value.bad_debt > 0
        house.settle("counterparty", ETH)
        shorts = ["market_maker", "provider", "counterparty"]
        assert any(result.haircut for result in house.deleverage(ETH, False, shorts).value)
        with pytest.raises(PerpError):
            house.withdraw("market_maker", 1)


def test_case_7_who_is_blocked_blocks_nobody_else(house: House) -> None:
    """Predy M-06: the token refuses to pay the trader. The trader's withdrawal fails and changes nothing; the
    counterparty's goes through, and the trader may pay somebody else."""
    if house.sandbox.name != "revm":
        pytest.skip("hostile contracts need bytecode")
    for name in ("trader", "counterparty"):
        house.deposit(name, dollars(1_000))
    # transfer(to, amount) is refused when `to` is the trader.
    is_trader = "60043573" + address("trader").removeprefix("0x") + "14"
    honest = deploy_code(house, code_of(house, "token"))
    with replaced_code(house, "token", code_that_then_refuses(honest, bytes.fromhex("a9059cbb"), is_trader)):
        before = books(house)
        with pytest.raises(PerpError):
            house.withdraw("trader", dollars(1))
        assert books(house) == before
        house.withdraw("counterparty", dollars(1_000))
        house.withdraw("trader", dollars(1_000), to="outsider")


# --- case 8


def test_case_8_while_liquidations_are_paused_owners_may_top_up(house: House) -> None:
    """Perennial 064-M, Symmetrical 021-M: paused is paused for keepers only."""
    long_of_ten(house)
    house.do("set_market_paused", ETH, 4, by="governor")
    house.set_price(ETH, 3_940)
    house.deposit("trader", dollars(100))
    house.do("set_market_paused", ETH, 0, by="governor")
    with pytest.raises(NotLiquidatable):
        house.liquidate("trader", ETH)


@pytest.mark.parametrize(("seconds", "liquidated"), [(0, False), (899, False), (900, True)])
def test_case_8_after_a_pause_owners_have_15_minutes(house: House, seconds: int, liquidated: bool) -> None:
    """GMX M-020: to the last second nobody is liquidated, alone or in a list, however bankrupt; then at once."""
    long_of_ten(house)
    house.do("set_market_paused", ETH, 4, by="governor")
    house.set_price(ETH, 3_800)
    house.do("set_market_paused", ETH, 0, by="governor")
    resumed = house.sandbox.timestamp
    house.wait(seconds)
    if liquidated:
        assert house.liquidate_many(ETH, ["trader"]).value[0].bad_debt > 0
        return
    assert house.liquidate_many(ETH, ["trader"]).value == (NOT_LIQUIDATED,)
    with refuses(house, GracePeriod(ETH, resumed + 900)):
        house.liquidate("trader", ETH)


# --- case 9


def test_case_9_neither_fund_nor_pool_is_needed(house: House) -> None:
    """Perp v3 037-M, Flat Money 003-M: insurance zero, the pool emptied by its provider, and the loser still goes."""
    drain_insurance(house)
    house.set_params(ETH, protocol_share=0)
    for name, size in (("trader", 1), ("counterparty", -1)):
        house.deposit(name, dollars(100))
        house.trade(name, ETH, units(size))
    shares = house.shares("provider")
    house.do("redeem", shares, address("provider"), address("provider"), by="provider", label="pool")
    # The virtual share keeps a quantum.
    assert (house.vault().insurance, house.vault().pool) == (0, 1)
    house.set_price(ETH, 3_500)
    house.settle("counterparty", ETH)
    assert house.vault().pool < 0
    result = house.liquidate("trader", ETH).value
    assert result.bad_debt == result.deficit > 0
    laws_hold(house)


def test_case_9_a_stale_second_market_does_block_and_this_is_why(house: House) -> None:
    """Perp v3 021-H: an account in two markets needs both prices; without one nobody can tell whether it is healthy."""
    long_of_ten(house)
    house.trade("trader", BTC, units("0.01"))
    house.wait(3_601, refresh=False)
    house.set_price(ETH, 3_800)
    with pytest.raises(PerpError, match="fresh"):
        house.liquidate("trader", ETH)
    house.set_price(BTC, 100_000)
    house.liquidate("trader", ETH)
