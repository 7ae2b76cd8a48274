"""The leveraged token is the same in Solidity and in Python, and fair in both, wherever a walk leads it."""

from __future__ import annotations

from collections import Counter

import pytest

from parity.seeds import seeded
from parity.token_walk import SITUATIONS, to_the_edge, wander

WALKS, STEPS = 4, 400
# What must have happened somewhere, or the walk would show nothing.
SEEN = {
    "mint": (
        "MintResult",
        "ZeroAmount",
        "InsufficientOutput",
        "WorthlessShares",
        "BelowInitialMargin",
        "PriceLimitCrossed",
        "ERC20InsufficientBalance",
        "PoolReserveExceeded",
        "StalePrice",
    ),
    "redeem": (
        "RedeemResult",
        "ZeroAmount",
        "InsufficientOutput",
        "WorthlessShares",
        "ERC20InsufficientBalance",
        "StalePrice",
    ),
    "rebalance": ("RebalanceResult", "NothingToRebalance", "BelowMaintenanceMargin", "StalePrice"),
    "liquidate": ("LiquidationResult",),
}

_seen: Counter[str] = Counter()


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_walk_finds_no_difference_and_no_gain(name: str) -> None:
    """Results, errors, events and state are equal after every step; nobody takes from who stays, no round trip gains,
    and the account holds what was paid in, less what was paid out, plus what trading earned."""
    for number in range(WALKS):
        _seen.update(wander(name, seeded("token walk", name, number), STEPS).seen)
    assert _seen["round trip"] > WALKS


def test_the_edges_are_the_same() -> None:
    """Equality is enough on both sides, and a second is a second."""
    to_the_edge()


def test_the_walks_have_been_everywhere() -> None:
    """A must-fail twin of the walks: each outcome has occurred in one of them at least."""
    if not _seen:
        pytest.skip("the walks ran elsewhere")
    missing = [
        f"{function}: {outcome}"
        for function, outcomes in SEEN.items()
        for outcome in outcomes
        if not _seen[f"{function}: {outcome}"]
    ]
    assert not missing
