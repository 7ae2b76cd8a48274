"""Which tests answer which of 25 classes of findings in other people's audits and incidents."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CLASSES = range(1, 26)
# The tests of a module that is not there are awaited; of one that is there they must exist.
AWAITED = "audit_orders"


@dataclass(frozen=True)
class Case:
    """A class of findings. Tests are named by their module, less "test_", and their name, less "test_"."""

    title: str
    # A finding that one of the attacks reproduces, as its docstring names it.
    finding: str | None
    attacks: tuple[str, ...]
    # The nearest thing that must still work, or the exact limit.
    boundaries: tuple[str, ...]


LIQUIDATION, MARGIN, PRICE, POOL, ORDERS, NEVER, ATTACKS = (
    "audit_liquidation::case_",
    "audit_margin::case_",
    "audit_price::case_",
    "audit_pool::case_",
    "audit_orders::case_",
    "liquidation_never_reverts::",
    "attacks::",
)

CASES: dict[int, Case] = {
    1: Case(
        "a liquidation underflows when equity is negative",
        "Flat Money 041-H",
        (
            LIQUIDATION + "1_a_loss_of_five_times_the_margin_in_the_last_position_is_cleared",
            LIQUIDATION + "1_no_price_is_so_absurd_that_a_loser_stays",
            NEVER + "whoever_is_unhealthy_is_liquidated",
        ),
        (
            LIQUIDATION + "1_with_an_empty_fund_the_shortfall_is_a_deficit_to_the_quantum",
            NEVER + "money_beyond_its_range_refuses",
        ),
    ),
    2: Case(
        "a fee larger than the collateral",
        "Perennial 060-M",
        (LIQUIDATION + "2_penalties_never_take_more_than_there_is",),
        (LIQUIDATION + "4_the_reward_of_the_last_solvent_price_is_what_is_left",),
    ),
    3: Case(
        "liquidated twice for the fee",
        "Perennial 026-H",
        (LIQUIDATION + "3_nobody_is_liquidated_twice_for_one_fault",),
        ("liquidate_many::an_account_listed_twice_is_liquidated_once",),
    ),
    4: Case(
        "nobody is paid to clear dust",
        "Perp v3 022-M",
        (
            LIQUIDATION + "4_the_smallest_position_is_worth_clearing",
            ATTACKS + "many_small_positions_farm_no_rewards",
        ),
        (
            LIQUIDATION + "4_no_partial_liquidation_leaves_dust",
            LIQUIDATION + "4_the_reward_of_the_last_solvent_price_is_what_is_left",
        ),
    ),
    5: Case(
        "liquidating oneself takes from the house",
        "Predy H-02",
        (
            LIQUIDATION + "5_no_sequence_at_one_price_makes_its_author_richer",
            LIQUIDATION + "5_liquidating_oneself_costs",
            ATTACKS + "liquidating_oneself_earns_nothing_while_solvent",
            ATTACKS + "who_is_long_and_short_earns_nothing_while_solvent",
        ),
        (
            LIQUIDATION + "5_a_long_and_a_short_of_one_owner_do_not_farm_the_premium",
            ATTACKS + "what_clearing_ones_own_bankrupt_leg_earns",
            ATTACKS + "what_a_sandwich_earns_at_most_in_ether",
        ),
    ),
    6: Case(
        "the victim blocks his own liquidation",
        "Symmetrical 023-H",
        (
            LIQUIDATION + "6_the_victims_move_in_the_same_block_blocks_nothing",
            NEVER + "whoever_is_unhealthy_is_liquidated",
        ),
        (
            ATTACKS + "who_could_act_gets_no_grace",
            ATTACKS + "in_a_silent_market_grace_is_not_had_again_and_again",
        ),
    ),
    7: Case(
        "a blocked receiver bricks liquidation or withdrawals",
        "Hubble M-16",
        (
            LIQUIDATION + "7_a_token_that_refuses_everybody_stops_no_liquidation",
            LIQUIDATION + "7_no_token_moves_in_a_liquidation",
        ),
        (LIQUIDATION + "7_who_is_blocked_blocks_nobody_else",),
    ),
    8: Case(
        "pausing and unpausing",
        "Perennial 064-M",
        (LIQUIDATION + "8_while_liquidations_are_paused_owners_may_top_up",),
        (LIQUIDATION + "8_after_a_pause_owners_have_15_minutes",),
    ),
    9: Case(
        "a liquidation needs a pool, a fund or an oracle that is not there",
        "Perp v3 037-M",
        (LIQUIDATION + "9_neither_fund_nor_pool_is_needed", NEVER + "whoever_is_unhealthy_is_liquidated"),
        (LIQUIDATION + "9_a_stale_second_market_does_block_and_this_is_why",),
    ),
    10: Case(
        "negative equity passes as unsigned",
        "Perp v3 036-M",
        (MARGIN + "10_negative_equity_opens_and_withdraws_nothing", MARGIN + "10_negative_collateral_is_no_money"),
        (MARGIN + "10_at_initial_margin_the_free_quantum_leaves_and_no_other",),
    ),
    11: Case(
        "fee or funding outside the health check",
        "Hubble 009-M",
        (MARGIN + "11_the_fee_counts_before_the_margin_is_checked", MARGIN + "11_funding_counts_before_it_is_paid"),
        (MARGIN + "11_one_equity_serves_every_path",),
    ),
    12: Case(
        "unrealised profit is withdrawn or opened on",
        "Mango",
        (
            MARGIN + "12_unrealised_profit_does_not_leave",
            MARGIN + "12_winners_are_never_paid_out_of_other_peoples_margin",
        ),
        (MARGIN + "12_profit_on_paper_backs_new_positions_only_with_margin_for_them",),
    ),
    13: Case(
        "an increase disguised as a reduction",
        "Zaros 512",
        (
            MARGIN + "13_a_flip_is_an_increase",
            MARGIN + "13_a_flip_is_stopped_by_a_pause",
        ),
        (MARGIN + "13_a_flip_is_bound_by_the_other_sides_open_interest",),
    ),
    14: Case(
        "rounding in the trader's favour",
        "Flat Money 024-M",
        (MARGIN + "14_a_round_trip_at_one_price_never_gains",),
        (MARGIN + "14_splitting_never_beats_the_whole",),
    ),
    15: Case(
        "the edges of the integers",
        "GMX M-003",
        (MARGIN + "15_the_edges_of_the_integers_refuse_by_name",),
        (MARGIN + "15_the_largest_sizes_that_are_sizes_do_not_overflow",),
    ),
    16: Case(
        "decimals mismatch",
        "Hubble M-05",
        (MARGIN + "16_a_dollar_is_a_dollar_whatever_the_decimals",),
        (MARGIN + "16_a_token_of_other_decimals_is_refused", "oracle::a_feed_of_more_than_36_digits_is_refused"),
    ),
    17: Case(
        "unbounded loops in cross margin",
        "Hubble M-04",
        (MARGIN + "17_liquidating_eight_positions_takes_less_than_a_third_of_a_block",),
        (MARGIN + "17_a_ninth_market_is_refused",),
    ),
    18: Case(
        "two prices in one block",
        "Flat Money 032-H",
        (
            PRICE + "18_two_prices_in_one_block_pay_who_knew_the_second",
            PRICE + "18_the_keeper_does_not_choose_the_price",
            ORDERS + "18_with_a_delay_the_known_price_is_what_one_pays",
        ),
        (PRICE + "18_a_price_step_within_the_fees_pays_nothing", ORDERS + "18_without_a_delay_the_next_price_pays"),
    ),
    19: Case(
        "stale, zero, bounded or future prices",
        "Hubble 002-M",
        (
            PRICE + "19_a_stale_price_stops_everything_but_rescue",
            PRICE + "19_one_liar_among_three_moves_nothing",
            "oracle::an_answer_that_is_no_price_does_not_count",
            "oracle::a_feed_from_the_future_does_not_count",
        ),
        (
            PRICE + "19_the_last_second_of_the_heartbeat_still_counts",
            PRICE + "19_a_feed_that_answers_nonsense_does_not_count",
        ),
    ),
    20: Case(
        "orders as risk-free trades and free options",
        None,
        (
            ORDERS + "20_no_kind_of_order_is_an_option",
            ORDERS + "20_a_straddle_whose_losing_leg_is_cancelled",
            ORDERS + "20_a_trailing_stop_does_not_choose_its_mark",
        ),
        (
            ORDERS + "20_a_stop_tighter_than_the_fees_earns_nothing",
            ORDERS + "20_executing_oneself_is_no_earlier",
        ),
    ),
    21: Case(
        "orders and rests that outlive their position",
        "Flat Money 031-M",
        (
            PRICE + "21_nothing_of_a_liquidated_position_remains",
            ORDERS + "21_nothing_of_a_liquidated_positions_orders_remains",
        ),
        (PRICE + "21_nothing_of_a_deleveraged_position_remains",),
    ),
    22: Case(
        "keepers are stopped or robbed",
        "GMX 004-H",
        (
            PRICE + "22_no_account_of_a_list_stops_the_others",
            PRICE + "22_who_has_no_price_elsewhere_stops_no_list",
            ORDERS + "22_spam_earns_nothing",
        ),
        (ORDERS + "22_withdrawing_margin_costs_the_owner", ORDERS + "22_what_payers_do_costs_keepers_little"),
    ),
    23: Case(
        "share inflation, bad-debt dodging, bank run",
        "Hubble 001-M",
        (
            POOL + "23_who_leaves_before_bad_debt_is_written_off_leaves_it_to_the_others",
            ATTACKS + "the_first_depositor_takes_nothing_from_the_second",
            ATTACKS + "who_leaves_before_bad_debt_is_ahead_by_a_share_of_what_the_fund_lacks",
            "pool::the_first_depositor_cannot_inflate_the_share",
        ),
        (
            POOL + "23_after_bad_debt_the_claims_do_not_exceed_the_safe",
            POOL + "23_losses_fall_on_all_shares_alike",
            ATTACKS + "who_leaves_before_bad_debt_gains_nothing_while_the_fund_covers",
        ),
    ),
    24: Case(
        "whom deleveraging chooses, and at what price",
        "dYdX v4",
        (
            POOL + "24_the_order_of_the_ranking_is_not_the_order_of_arrival",
            POOL + "24_a_winner_is_closed_at_mark_and_keeps_its_own_money",
            POOL + "24_profit_that_was_settled_in_time_is_not_taken_back",
        ),
        (
            POOL + "24_no_more_is_closed_than_is_needed",
            POOL + "24_among_equals_the_lowest_id_is_first",
            ATTACKS + "who_settles_before_the_deleveraging_is_ahead_by_the_haircut_at_most",
        ),
    ),
    25: Case(
        "reentrancy, repeated claims, forged authority",
        "KiloEx",
        (
            POOL + "25_five_wrong_roles_at_every_privileged_door",
            POOL + "25_a_token_that_calls_back_finds_the_door_locked",
            "insurance::collected_twice_is_collected_once",
            "operators::a_used_signature_is_refused",
        ),
        ("operators::a_signature_approves_in_its_last_second", "insurance::the_pool_is_named_only_once"),
    ),
}


@cache
def written_in(module: str) -> dict[str, str]:
    """The tests of a module of this directory and their docstrings; none when there is no such module."""
    path = HERE / f"test_{module}.py"
    if not path.exists():
        return {}
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    return {node.name: ast.get_docstring(node) or "" for node in functions if node.name.startswith("test_")}


def docstring_of(test: str) -> str | None:
    """What a test says of itself; None when it does not exist."""
    module, _, name = test.partition("::")
    return written_in(module).get(f"test_{name}")


def test_all_classes_are_there() -> None:
    """25, in order."""
    assert list(CASES) == list(CLASSES)


@pytest.mark.parametrize("number", CLASSES)
def test_a_class_has_an_attack_and_its_boundary(number: int) -> None:
    """And every test that it names exists."""
    case = CASES[number]
    assert case.attacks
    assert case.boundaries
    tests = (*case.attacks, *case.boundaries)
    missing = [test for test in tests if docstring_of(test) is None]
    if missing and not written_in(AWAITED):
        assert all(test.startswith(AWAITED) for test in missing)
        pytest.skip(f"awaited: {', '.join(missing)}")
    assert missing == []


@pytest.mark.parametrize("number", [number for number, case in CASES.items() if case.finding])
def test_a_class_names_a_finding_that_its_attacks_reproduce(number: int) -> None:
    """As the docstring of one of them says."""
    case = CASES[number]
    assert any(str(case.finding) in (docstring_of(test) or "") for test in case.attacks)


def test_no_test_of_a_class_is_forgotten() -> None:
    """What is called `test_case_N_...` stands under N."""
    for path in sorted(HERE.glob("test_audit_*.py")):
        module = path.stem.removeprefix("test_")
        for name in written_in(module) if module not in (AWAITED, "audit_index") else ():
            number = int(name.split("_")[2])
            case = CASES[number]
            assert f"{module}::{name.removeprefix('test_')}" in (*case.attacks, *case.boundaries)
