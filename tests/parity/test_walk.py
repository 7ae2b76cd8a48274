"""The parity walk: tens of thousands of random actions, after each of which contract and model are equal."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.seeds import WALK_STEPS, seeded
from parity.sides import Divergence, Outcome
from parity.situations import SITUATIONS, STRANGER
from parity.walk import Walk, diverges, replay, shrink, wander
from perpkit.model import perp_math

# How the steps are shared out: most where money is short.
SHARES = {
    "roomy": 2,
    "thin": 2,
    "tiered": 2,
    "uninsured": 2,
    "ends": 2,
    "nine markets": 2,
    "edges": 1,
    "18 decimals": 1,
}
# Steps from one setup on, before the next walk begins: a market ends only once.
LEG = {"ends": 300}
LONG_LEG = 1100

DONE = [
    "deposit",
    "deposit_with_permit",
    "withdraw",
    "transfer",
    "fund_insurance",
    "skim",
    "withdraw_treasury",
    "collect_fees",
    "set_operator",
    "set_operator_by_signature",
    "set_vault_paused",
    "trade",
    "settle",
    "liquidate",
    "liquidate_many",
    "deleverage",
    "list_market",
    "set_market_params",
    "set_market_paused",
    "announce_market_params",
    "record_outage",
    "announce_delisting",
    "delist_market",
    "close_out",
    "multicall",
    "token.permit",
    "token.transfer",
    "pool.deposit",
    "pool.mint",
    "pool.withdraw",
    "pool.redeem",
    "pool.approve",
    "pool.transfer",
    "oracle.set_feeds",
    "board.push",
    "board.push_at",
    "lens.preview_trade",
    "lens.preview_withdraw",
    "lens.preview_liquidation",
    "lens.markets",
    "lens.account",
    "lens.accounts_of",
    "margin_of",
    "pool_equity",
    "pool.total_assets",
]
REFUSED = {
    "deposit": "ZeroAmount Paused MoneyOutOfRange ERC20InsufficientAllowance",
    "deposit_with_permit": "ERC20InsufficientAllowance",
    "withdraw": (
        "ZeroAmount NotAuthorized OperatorMayOnlyPayOwner InsufficientCollateral BelowInitialMargin Paused "
        "ERC20InvalidReceiver"
    ),
    "transfer": "InvalidTransfer NotAuthorized InsufficientCollateral BelowInitialMargin",
    "trade": (
        "ZeroAmount UnknownMarket MarketActionPaused NotAuthorized PriceLimitCrossed PriceOutOfRange SizeOutOfRange "
        "BelowMinNotional OpenInterestExceeded PoolReserveExceeded BelowInitialMargin BelowMaintenanceMargin "
        "TooManyPositions StalePrice QuorumNotMet NoFeeds OnlyOrders"
    ),
    "settle": "NoPosition UnknownMarket StalePrice",
    "liquidate": "NoPosition NotLiquidatable MarketActionPaused GracePeriod",
    "deleverage": "NothingToDeleverage IncompleteHolders NotAscending NotAHolder",
    "set_market_params": "InvalidParameter OwnableUnauthorizedAccount UnknownMarket NotAnnounced Delisted",
    "set_market_paused": "InvalidParameter OwnableUnauthorizedAccount UnknownMarket Delisted",
    "announce_market_params": "InvalidParameter OwnableUnauthorizedAccount UnknownMarket Delisted",
    "set_orders": "InvalidParameter OwnableUnauthorizedAccount",
    "record_outage": "NothingToRecord UnknownMarket Delisted",
    "announce_delisting": "OwnableUnauthorizedAccount Delisted",
    "delist_market": "OwnableUnauthorizedAccount NotAnnounced GracePeriod Delisted",
    "close_out": "UnknownMarket Delisted",
    "list_market": "InvalidParameter OwnableUnauthorizedAccount",
    "collect_fees": "ZeroAmount",
    "withdraw_treasury": "InsufficientTreasury OwnableUnauthorizedAccount",
    "set_operator_by_signature": "InvalidSignature SignatureExpired",
    "set_pool": "NotPool OwnableUnauthorizedAccount",
    "deposit_pool": "NotPool",
    "withdraw_pool": "NotPool",
    "skim": "ZeroAmount",
    "oracle.set_feeds": "InvalidFeeds OwnableUnauthorizedAccount",
    "token.permit": "ERC2612ExpiredSignature",
    "pool.withdraw": "ERC4626ExceededMaxWithdraw ERC20InsufficientAllowance PoolReserveExceeded",
    "pool.redeem": "ERC4626ExceededMaxRedeem",
    "pool.mint": "ERC4626ExceededMaxMint",
    "lens.preview_trade": "BelowInitialMargin PriceLimitCrossed",
    "lens.preview_withdraw": "InsufficientCollateral",
    "lens.preview_liquidation": "NotLiquidatable NoPosition",
    "multicall": "ZeroAmount",
}
DEEP = {
    "trading": ("open", "add", "reduce", "close", "flip"),
    "liquidation": (
        "partial",
        "partial, into a lower tier",
        "full, solvent",
        "bankrupt, insurance covers",
        "bankrupt, deficit",
        "bankrupt, keeper rewarded",
    ),
    "deleveraging": ("haircut", "excess profit", "partial", "full"),
    "closing out": ("loser", "winner, in full"),  # and what is rarer in INSOLVENT_END
}


def important() -> list[Outcome]:
    """What a walk must have seen to be worth its name."""
    wanted = [(function, "done") for function in DONE]
    wanted += [(function, error) for function, names in REFUSED.items() for error in names.split()]
    wanted.append(("trade", "MarketActionPaused, INCREASE"))
    return wanted + [(what, kind) for what, kinds in DEEP.items() for kind in kinds]


def table(outcomes: Counter[Outcome]) -> str:
    rows = sorted(outcomes.items())
    return "\n".join(f"{count:7d}  {function:28s} {outcome}" for (function, outcome), count in rows)


def share(situation: str, steps: int) -> int:
    """How many of a run's steps a situation gets, rounded up."""
    return -(-steps * SHARES[situation] // sum(SHARES.values()))


def legs(situation: str, steps: int) -> Iterator[int]:
    """The lengths of the walks that make up a situation's share."""
    leg = LEG.get(situation, LONG_LEG)
    for left in range(share(situation, steps), 0, -leg):
        yield min(left, leg)


@pytest.fixture(scope="session")
def logbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run, which all its workers share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    logbook = folder / "walk"
    logbook.mkdir(exist_ok=True)
    return logbook


def write_down(logbook: Path, situation: str, outcomes: Counter[Outcome]) -> None:
    """All at once, so that nobody reads half of it."""
    draft = logbook / f"{situation}.draft"
    draft.write_text(json.dumps([[*outcome, count] for outcome, count in outcomes.items()]), encoding="utf-8")
    draft.rename(logbook / f"{situation}.json")


def all_seen(logbook: Path) -> Counter[Outcome] | None:
    """What all situations have seen together; None while one is still on its way."""
    written = {path.stem: path for path in logbook.glob("*.json")}
    if written.keys() != SHARES.keys():
        return None
    seen: Counter[Outcome] = Counter()
    for path in written.values():
        for function, outcome, count in json.loads(path.read_text(encoding="utf-8")):
            seen[function, outcome] += count
    return seen


@pytest.mark.parametrize("situation", SHARES)
def test_the_walk(situation: str, logbook: Path, request: pytest.FixtureRequest) -> None:
    """Thousands of steps leave both sides equal; whoever comes last asks whether all deep states have been seen."""
    steps = request.config.getoption("--walk-steps", default=WALK_STEPS)
    outcomes: Counter[Outcome] = Counter()
    for number, length in enumerate(legs(situation, steps)):
        outcomes += wander(situation, seeded("walk", situation, number), length).outcomes
    write_down(logbook, situation, outcomes)
    seen = all_seen(logbook)
    if seen is not None and steps >= 20_000:
        print(table(seen))
        missing = [outcome for outcome in important() if not seen[outcome]]
        assert not missing, f"the walks never saw {missing}"


def test_all_situations_are_walked() -> None:
    """No situation is left out."""
    assert set(SHARES) == set(SITUATIONS)


# Two longs of 18,000 and 2,000 dollars against one short, a pool that has nearly left, and a price that is 2.5 times.
INSOLVENT_END = [
    ("deposit", "owner", 0, 9_000_000_000),
    ("trade", "owner", 0, 1, "open", 200, "any"),
    ("deposit", "owner", 3, 1_000_000_000),
    ("trade", "owner", 3, 1, "open", 200, "any"),
    ("deposit", "owner", 5, 2_000_000_000),
    ("trade", "owner", 5, 1, "balance", 100, "any"),
    ("pool_redeem", "provider", "provider", "provider", 900),
    ("announce_delisting", "governor", 1),
    ("time", 86_400),
    ("push_all",),
    ("push", 1, 15_000, 511),
    ("delist_market", "governor", 1),
    ("close_out", "outsider", 1, (0, 5, 12, 0)),
    ("close_out", "keeper", 1, (3,)),
    ("close_out", "trader", 1, (0, 3)),
]


def test_an_end_with_too_little_for_all_is_the_same_on_both_sides() -> None:
    """What a random walk meets too seldom: winners who are paid in proportion."""
    outcomes = replay("ends", INSOLVENT_END).outcomes
    assert outcomes["closing out", "winner, in proportion"] == 2
    assert outcomes["closing out", "bankrupt"] == 1


# ------------------------------------------------------------------ the tool itself

OPENING = [("deposit", "owner", 4, 9_000_000_000), ("trade", "owner", 4, 0, "open", -1765, "any")]


def test_a_list_of_steps_can_be_replayed() -> None:
    """The steps that a failing walk prints are a test by themselves."""
    walk = replay("thin", OPENING)
    assert walk.house.position_of(walk.account(4), 0).size < 0
    assert walk.outcomes["trading", "open"] == 1


def test_a_step_means_something_in_any_state() -> None:
    """Without the steps before it, a step is refused on both sides rather than impossible."""
    assert replay("thin", OPENING[1:]).outcomes["trade", "ZeroAmount"] == 1


def test_a_failing_walk_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many steps only those are left that are needed to see the difference."""
    monkeypatch.setattr(perp_math, "share_of", lambda amount, share: -(-amount * share // 10**18))
    noise = [("time", 60), ("push_all", 3, -4), ("skim", "whale"), ("fund_insurance", "whale", 5)]
    steps = [*noise * 5, OPENING[0], *noise * 5, OPENING[1], *noise]
    assert diverges("thin", steps)
    assert shrink("thin", steps) == OPENING


def test_a_failing_walk_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message holds the call to `replay` that fails in the same way."""
    monkeypatch.setattr(perp_math, "share_of", lambda amount, share: -(-amount * share // 10**18))
    with pytest.raises(Divergence, match=r"replay\(\n +'thin',\n +\[") as refused:
        wander("thin", seeded("walk", "wrong share"), 1000)
    printed = str(refused.value).partition("replay(")[2].rstrip().removesuffix(")")
    situation, steps = eval(f"({printed})")
    assert diverges(situation, steps)


@pytest.mark.parametrize("law", ["booked", "basis"])
def test_a_broken_law_is_found(law: str) -> None:
    """The laws are asked after each step: money from nowhere, or a basis that drifts, does not pass."""
    walk = Walk("roomy")
    if law == "booked":
        walk.house._update_vault(pool=walk.house.vault().pool + 1)
    else:
        market = walk.house._markets[0]
        assert market is not None
        walk.house._update_market(market, long_basis=1)
    with pytest.raises(Divergence, match="law"):
        walk._check_laws()


def test_the_state_is_read_in_full() -> None:
    """A quantum that only one side has is a divergence."""
    walk = replay("thin", OPENING)
    walk.house._set_collateral(STRANGER, 1)
    with pytest.raises(Divergence, match="collateral_of"):
        walk._compare_state()
