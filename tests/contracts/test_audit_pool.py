"""Audit cases 23 to 25: the pool, deleveraging, and who may do what. See also test_pool.py, test_deleverage.py,
test_operators.py, test_listing.py, test_pause.py, test_insurance.py and test_oracle.py."""

from __future__ import annotations

from itertools import permutations

import pytest
from expect import laws_hold, moves, refuses
from hostile import deploy_code, token_that_reenters
from misfortune import drain_insurance, make_deficit
from roles import ETH, House, acc, address, allow_everything, dollars, units

from perpkit.model.deleveraging import NOT_DELEVERAGED
from perpkit.model.errors import (
    NotAuthorized,
    NotPool,
    OwnableUnauthorizedAccount,
    PerpError,
    ReentrancyGuardReentrantCall,
)

SHORTS = ("market_maker", "provider", "counterparty")

# --- case 23


def doomed(house: House) -> None:
    """With an empty fund, a long of 300 ETH that owes 36,000 dollars at 3,800 waits to be liquidated."""
    drain_insurance(house)
    house.deposit("trader", dollars(25_000))
    house.trade("trader", ETH, units(300))
    house.set_price(ETH, 3_800)
    assert house.margin("trader")[0] < 0


def redeemable(house: House) -> int:
    return int(house.ask("preview_redeem", house.shares("provider"), label="pool"))


def test_case_23_who_leaves_before_bad_debt_is_written_off_leaves_it_to_the_others(house: House) -> None:
    """Hubble 001-M, Perp v3 016-M: what nobody can collect counts as an asset until somebody liquidates. What the house
    does about it stands in docs/decisions.md: anyone may liquidate at once and is paid for it."""
    doomed(house)
    before = redeemable(house)
    house.liquidate("trader", ETH)
    assert 0 < redeemable(house) < before


def test_case_23_after_bad_debt_the_claims_do_not_exceed_the_safe(house: House) -> None:
    """Perennial 072-M: whoever runs first, all can be paid what is theirs."""
    doomed(house)
    house.liquidate("trader", ETH)
    house.deposit("counterparty", dollars(10))
    claims = redeemable(house) + sum(house.collateral(name) for name in ("keeper", "operator", "counterparty"))
    assert claims <= house.wallet(house.at("clearinghouse"))
    shares = house.shares("provider")
    house.do("redeem", shares, address("provider"), address("provider"), by="provider", label="pool")
    for name in ("counterparty", "operator"):
        if house.collateral(name):
            house.withdraw(name, house.collateral(name))
    laws_hold(house)


def test_case_23_losses_fall_on_all_shares_alike(house: House) -> None:
    """Two providers of the same amount lose the same, whoever came first."""
    allow_everything(house, "outsider")
    house.do("deposit", dollars(1_000_000), address("outsider"), by="outsider", label="pool")
    doomed(house)
    house.liquidate("trader", ETH)
    outsider = house.ask("preview_redeem", house.shares("outsider"), label="pool")
    provider = house.ask("preview_redeem", house.shares("provider") // 20, label="pool")
    assert abs(outsider - provider) <= 1


# --- case 24


def test_case_24_the_order_of_the_ranking_is_not_the_order_of_arrival(house: House) -> None:
    """dYdX v4 Informal, GMX 028-M: whoever enters first, the same scores give the same victims."""
    victims = set()
    shorts = (("counterparty", 300, 3), ("provider", 400, 3), ("market_maker", 500, 3))
    for order in permutations(shorts):
        with house.rolled_back() as copy:
            drain_insurance(copy)
            copy.set_params(ETH, skew_scale=2**96 - 1, taker_fee=0, maker_fee=0)
            copy.deposit("trader", dollars(800))
            copy.trade("trader", ETH, units(9))
            for name, margin, size in order:
                copy.deposit(name, dollars(margin))
                copy.trade(name, ETH, -units(size))
            copy.set_price(ETH, 3_800)
            copy.liquidate("trader", ETH)
            results = copy.deleverage(ETH, False, SHORTS).value
            by_account = zip(sorted(acc(name) for name in SHORTS), results, strict=True)
            victims.add(tuple((account, result.closed > 0) for account, result in by_account))
    # Deficit 9 * 200 - 800 = 1,000: the two with the least margin pay 600 and 400.
    assert len(victims) == 1
    (chosen,) = victims
    assert {account for account, closed in chosen if closed} == {acc("counterparty"), acc("provider")}


def test_case_24_among_equals_the_lowest_id_is_first(house: House) -> None:
    """Three accounts of one owner, equal to the unit: account 1 pays before account 2 and 3."""
    drain_insurance(house)
    house.make_free(ETH)
    house.deposit("trader", dollars(500))
    house.trade("trader", ETH, units(3))
    names = ["counterparty/3", "counterparty/1", "counterparty/2"]
    for name in names:
        house.deposit(name, dollars(1_000))
        house.trade(name, ETH, -units(1))
    house.set_price(ETH, 3_800)
    house.liquidate("trader", ETH)
    # 3 * 200 - 500 = 100 dollars are missing (and a quantum of premium): half of one position.
    first, second, third = house.deleverage(ETH, False, names).value
    assert first.closed > 0
    assert (second, third) == (NOT_DELEVERAGED, NOT_DELEVERAGED)


def test_case_24_no_more_is_closed_than_is_needed(house: House) -> None:
    """GMX H-006: once the deficit is recovered the rest keep what they have, and a second call is refused."""
    make_deficit(house)
    house.deleverage(ETH, False, SHORTS)
    # 3 + 2.1005... of 10 ETH were enough.
    assert units("4.8") < house.state(ETH).short_oi < units(5)
    with pytest.raises(PerpError, match="needs no deleveraging"):
        house.deleverage(ETH, False, SHORTS)


def test_case_24_a_winner_is_closed_at_mark_and_keeps_its_own_money(house: House) -> None:
    """GMX 015-H: not worse than its entry; the collateral of every winner is what it was."""
    make_deficit(house)
    with moves(house, {}):
        results = house.deleverage(ETH, False, SHORTS).value
    assert all(result.haircut <= max(result.realized, 0) for result in results)
    assert all(result.mark in (0, units(3_800)) for result in results)


def test_case_24_profit_that_was_settled_in_time_is_not_taken_back(house: House) -> None:
    """A winner who settles before the deleveraging gives up nothing, and the deficit stands until somebody else wins:
    why is said in docs/decisions.md. What is settled still cannot leave while the pool's cash is negative."""
    make_deficit(house)
    deficit = house.state(ETH).long_deficit
    for name in SHORTS:
        house.settle(name, ETH, by=name)
    assert sum(result.haircut for result in house.deleverage(ETH, False, SHORTS).value) == 0
    assert house.state(ETH).long_deficit == deficit


# --- case 25


@pytest.mark.parametrize("role", ["outsider", "keeper", "provider", "publisher", "operator"])
def test_case_25_five_wrong_roles_at_every_privileged_door(house: House, role: str) -> None:
    """KiloEx, Perennial 2024-08 001: each function that governs or pays, called by who may not."""
    house.deposit("trader", dollars(10))
    params, config = house.params(ETH), house.ask("config_of", ETH, label="oracle")
    wrong = OwnableUnauthorizedAccount(address(role))
    doors: list[tuple[str, str, tuple[object, ...], PerpError]] = [
        ("clearinghouse", "list_market", (b"X".ljust(32, b"\0"), params, ()), wrong),
        ("clearinghouse", "set_market_params", (ETH, params, ()), wrong),
        ("clearinghouse", "set_market_paused", (ETH, 1), wrong),
        ("clearinghouse", "set_vault_paused", (1,), wrong),
        ("clearinghouse", "withdraw_treasury", (address(role), 1), wrong),
        ("clearinghouse", "set_pool", (address(role),), wrong),
        ("oracle", "set_feeds", (ETH, config), wrong),
        ("clearinghouse", "deposit_pool", (1,), NotPool(address(role))),
        ("clearinghouse", "withdraw_pool", (1, address(role)), NotPool(address(role))),
        ("clearinghouse", "withdraw", (acc("trader"), 1, address(role)), NotAuthorized(acc("trader"), address(role))),
        ("clearinghouse", "transfer", (acc("trader"), acc(role), 1), NotAuthorized(acc("trader"), address(role))),
        ("clearinghouse", "trade", (acc("trader"), ETH, 1, 1), NotAuthorized(acc("trader"), address(role))),
    ]
    if role != "publisher":
        doors.append(("board", "push", ((), ()), wrong))
    for label, function, args, error in doors:
        with refuses(house, error):
            house.do(function, *args, by=role, label=label)


REENTRIES: dict[str, tuple[object, ...]] = {
    "deposit": (acc("trader"), 1),
    "withdraw": (acc("trader"), 1, address("trader")),
    "transfer": (acc("trader"), acc("trader/1"), 1),
    "trade": (acc("trader"), 0, 10**18, 2**127),
    "settle": (acc("trader"), 0),
    "liquidate": (acc("trader"), 0),
    "liquidate_many": (0, (acc("trader"),)),
    "deleverage": (0, True, ()),
    "fund_insurance": (1,),
    "skim": (),
    "withdraw_pool": (1, address("trader")),
}


@pytest.mark.parametrize("function", REENTRIES)
def test_case_25_a_token_that_calls_back_finds_the_door_locked(house: House, function: str) -> None:
    """GMX v1 2025, Tigris H-07: a hostile token re-enters each action from within a deposit; the deposit fails."""
    if house.sandbox.name != "revm":
        pytest.skip("hostile contracts need bytecode")
    from perpkit.abi.codec import encode_call

    governor = address("governor")
    token = deploy_code(house, token_that_reenters(encode_call("Clearinghouse", function, REENTRIES[function])))
    house.sandbox.deploy(
        "hostile", "Clearinghouse", token, house.at("oracle"), house.at("extension"), governor, sender=governor
    )
    with pytest.raises(ReentrancyGuardReentrantCall):
        house.sandbox.transact("hostile", "deposit", acc("trader"), 5, sender=address("trader"))
