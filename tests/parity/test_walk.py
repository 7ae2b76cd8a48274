"""The parity walk: tens of thousands of random actions, after each of which contract and model are equal."""

from __future__ import annotations

from collections import Counter

import pytest

from parity import walk as walking
from parity.seeds import WALK_STEPS, seeded
from parity.walk import SITUATIONS, Divergence, Outcome, Walk, diverges, replay, shrink, wander
from perpkit.model import perp_math

# How the steps are shared out: most where money is short.
SHARES = {"roomy": 2, "thin": 3, "uninsured": 2, "nine markets": 2, "edges": 1, "18 decimals": 1}
LEG = 1100  # steps from one setup on, before the next walk begins

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
        "TooManyPositions StalePrice QuorumNotMet NoFeeds"
    ),
    "settle": "NoPosition UnknownMarket StalePrice",
    "liquidate": "NoPosition NotLiquidatable MarketActionPaused",
    "deleverage": "NothingToDeleverage IncompleteHolders NotAscending NotAHolder",
    "set_market_params": "InvalidParameter OwnableUnauthorizedAccount",
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
        "full, solvent",
        "bankrupt, insurance covers",
        "bankrupt, deficit",
        "bankrupt, keeper rewarded",
    ),
    "deleveraging": ("haircut", "excess profit", "partial", "full"),
}


def important() -> list[Outcome]:
    """What a walk must have seen to be worth its name."""
    wanted = [(function, "done") for function in DONE]
    wanted += [(function, error) for function, names in REFUSED.items() for error in names.split()]
    return wanted + [(what, kind) for what, kinds in DEEP.items() for kind in kinds]


def table(outcomes: Counter[Outcome]) -> str:
    rows = sorted(outcomes.items())
    return "\n".join(f"{count:7d}  {function:28s} {outcome}" for (function, outcome), count in rows)


def legs(steps: int) -> list[tuple[str, int, int]]:
    """The walks of a run: a situation, a number, and how many steps."""
    whole = sum(SHARES.values())
    found = []
    for situation, share in SHARES.items():
        left, number = -(-steps * share // whole), 0
        while left > 0:
            found.append((situation, number, min(left, LEG)))
            left, number = left - LEG, number + 1
    return found


def test_the_walk(request: pytest.FixtureRequest) -> None:
    """From every situation, thousands of steps leave both sides equal, and the deep states have been there."""
    steps = request.config.getoption("--walk-steps", default=WALK_STEPS)
    outcomes: Counter[Outcome] = Counter()
    for situation, number, length in legs(steps):
        outcomes += wander(situation, seeded("walk", situation, number), length).outcomes
    print(table(outcomes))
    if steps >= 20_000:
        missing = [outcome for outcome in important() if not outcomes[outcome]]
        assert not missing, f"the walk never saw {missing}"


def test_all_situations_are_walked() -> None:
    """No situation is left out."""
    assert set(SHARES) == set(SITUATIONS)


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
    walk.house._set_collateral(walking.STRANGER, 1)
    with pytest.raises(Divergence, match="collateral_of"):
        walk._compare_state()
