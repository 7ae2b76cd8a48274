"""What a walk starts with: who acts, in which accounts, and on which markets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perpkit.backend import Sandbox
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DOLLAR,
    ROLES,
    UNIT,
    MarketSetup,
    MarketSpec,
    deploy_contracts,
    list_market,
    market_params,
    seed,
)
from perpkit.model.types import RiskTier, account_id, owner_of

START = 1_800_000_000
HOUR, DAY = 3600, 86_400
LOT = 10**16  # sizes that leave no remainders, so that equalities really occur
INT256_MAX = 2**255 - 1
NOWHERE = 2**16 - 1  # no market has this id

ACTORS = tuple(ROLES)
# Several accounts of few owners, and at the end one of somebody who has none of the keys here.
ACCOUNTS = tuple(
    account_id(ROLES[role], sub)
    for role, sub in (
        ("trader", 0),
        ("trader", 1),
        ("trader", 2),
        ("counterparty", 0),
        ("counterparty", 1),
        ("whale", 0),
        ("whale", 2**96 - 1),
        ("market_maker", 0),
        ("market_maker", 1),
        ("keeper", 0),
        ("operator", 0),
        ("outsider", 0),
    )
)
STRANGER = account_id("0x" + "de" * 20, 7)
# Where tokens and shares may lie.
HOLDERS = (*ROLES.values(), "clearinghouse", "pool", owner_of(STRANGER))

VAULT_BITS = (1, 2, 4, 8)
MARKET_BITS = (1, 2, 4, 8, 16)


# ------------------------------------------------------------------ situations


@dataclass(frozen=True)
class Situation:
    """What a walk starts with."""

    setup: MarketSetup
    decimals: int = 6
    # Whether its own markets are delisted too, and not only those that were listed on the way.
    ends: bool = False

    @property
    def scale(self) -> int:
        """Quanta of this token for one millionth of a dollar."""
        return int(10 ** (self.decimals - 6))


def _steep(spec: MarketSpec, shallower: int, **changes: int) -> MarketSpec:
    """A market of the same name where trades move the price, and bounds are near."""
    params = spec.params
    scale = params.skew_scale // shallower
    return replace(
        spec, params=replace(params, skew_scale=scale, max_open_interest=scale // 4, **changes), heartbeat=2 * HOUR
    )


def _scaled(spec: MarketSpec, scale: int) -> MarketSpec:
    params = spec.params
    changes = {"min_notional": params.min_notional * scale, "min_keeper_reward": params.min_keeper_reward * scale}
    return replace(spec, params=replace(params, **changes))


def tiers_of(spec: MarketSpec, shape: Sequence[tuple[int, int]]) -> tuple[RiskTier, ...]:
    """Risk tiers of a market: where each begins, in millionths of the skew scale, and its ratios in per cent of the
    first."""
    params = spec.params
    return tuple(
        RiskTier(
            params.skew_scale * begin // 10**6,
            min(params.imr * per_cent // 100, 2**64 - 1),
            min(params.mmr * per_cent // 100, 2**64 - 1),
        )
        for begin, per_cent in shape
    )


# What positions of a few hundred to a few thousand dollars reach in a thin market.
SHAPE = ((50, 150), (200, 250), (1_000, 400))

THIN_MARKETS = tuple(_steep(spec, 500) for spec in DEFAULT_MARKETS)
TIERED_MARKETS = tuple(replace(spec, tiers=tiers_of(spec, SHAPE)) for spec in THIN_MARKETS)
GREEDY_MARKETS = tuple(_steep(spec, 500, adl_pnl_factor=UNIT // 20) for spec in DEFAULT_MARKETS)
ENDING_MARKETS = tuple(
    replace(_steep(spec, 500, adl_pnl_factor=UNIT - 1, pool_reserve_factor=UNIT), symbol=f"{i}-{spec.symbol}")
    for i in range(2)
    for spec in DEFAULT_MARKETS
)
NINE_MARKETS = tuple(
    MarketSpec(
        f"M{i}-USD",
        market_params(imr=300 + 100 * i, mmr=150 + 50 * i, skew_scale=20_000, max_open_interest=5_000),
        price=(i + 1) * 100 * UNIT,
        quorum=1,
        feeds=1 + i % 2,
    )
    for i in range(9)
)
# One price near the highest there is, and one so low that sizes come near the largest.
EDGE_MARKETS = (
    MarketSpec(
        "DEAR-USD",
        market_params(imr=200, mmr=100, skew_scale=10, max_open_interest=5),
        price=200_000_000 * UNIT,
    ),
    MarketSpec(
        "CHEAP-USD",
        market_params(imr=1000, mmr=500, skew_scale=70 * 10**9, max_open_interest=9 * 10**9),
        price=UNIT // 10_000,
    ),
)
E18 = 10**12
SITUATIONS = {
    "roomy": Situation(MarketSetup(DEFAULT_MARKETS)),
    "tiered": Situation(MarketSetup(TIERED_MARKETS, pool=400_000 * DOLLAR, insurance=2_000 * DOLLAR)),
    "thin": Situation(MarketSetup(THIN_MARKETS, pool=400_000 * DOLLAR, insurance=300 * DOLLAR)),
    "uninsured": Situation(MarketSetup(GREEDY_MARKETS, pool=150_000 * DOLLAR, insurance=1)),
    # Markets that come to an end, where neither pool nor fund has enough for all winners.
    "ends": Situation(MarketSetup(ENDING_MARKETS, pool=30_000 * DOLLAR, insurance=300 * DOLLAR), ends=True),
    "nine markets": Situation(MarketSetup(NINE_MARKETS, pool=2_000_000 * DOLLAR, insurance=20_000 * DOLLAR)),
    "edges": Situation(MarketSetup(EDGE_MARKETS, pool=5_000_000 * DOLLAR, insurance=20_000 * DOLLAR)),
    "18 decimals": Situation(
        MarketSetup(
            tuple(_scaled(spec, E18) for spec in THIN_MARKETS),
            pool=500_000 * DOLLAR * E18,
            insurance=2_000 * DOLLAR * E18,
            role_balance=1_000_000 * DOLLAR * E18,
        ),
        decimals=18,
    ),
}


def set_up_situation(sandbox: Sandbox, situation: Situation) -> None:
    deploy_contracts(sandbox, decimals=situation.decimals)
    for market, spec in enumerate(situation.setup.markets):
        list_market(sandbox, market, spec)
    seed(sandbox, situation.setup)
