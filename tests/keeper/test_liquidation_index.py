"""The liquidation index against asking every account."""

from __future__ import annotations

from random import Random

import pytest

from perpkit.keeper.liquidation_index import LiquidationIndex, liquidation_key, threshold
from perpkit.model import perp_math
from perpkit.model.fixed_math import UNIT
from perpkit.model.types import Position, RiskTier

QUANTUM = 10**30
MMR = UNIT // 100
DOLLAR = 10**6


def is_liquidatable(position: Position, collateral: int, mark: int, funding_index: int) -> bool:
    """The contract's own question about an account of one position."""
    change = funding_index - position.funding_index
    equity = collateral * QUANTUM + perp_math.unrealized_pnl(position.size, position.cost, mark, change)
    return not perp_math.is_covered(equity, perp_math.margin_requirement(position.size, mark, MMR))


def random_account(rng: Random) -> tuple[Position, int]:
    """A position of 2x to 100x, opened anywhere near 4,000, with an odd cost and funding index."""
    price = rng.randrange(3_000 * UNIT, 5_000 * UNIT)
    margin = rng.randrange(10 * DOLLAR, 10_000 * DOLLAR)
    size = margin * QUANTUM * rng.randrange(2, 100) // price * rng.choice((1, -1))
    funding_index = rng.randrange(-50 * UNIT, 50 * UNIT)
    return Position(size, funding_index, 1, size * price + rng.randrange(QUANTUM)), margin


def test_an_account_without_positions_is_never_a_candidate() -> None:
    """Collateral alone owes nothing."""
    index = LiquidationIndex(quantum=QUANTUM)
    index.update(1, collateral=0, positions={}, mmr=MMR)

    assert len(index) == 0
    assert list(index.candidates(0, mark=UNIT, funding_index=0)) == []


def test_an_account_leaves_the_index_with_its_position() -> None:
    """What is closed is asked no more."""
    index = LiquidationIndex(quantum=QUANTUM)
    index.update(1, collateral=0, positions={0: Position(UNIT, 0, 1, 4_000 * UNIT * UNIT)}, mmr=MMR)
    index.update(1, collateral=0, positions={}, mmr=MMR)

    assert len(index) == 0
    assert list(index.candidates(0, mark=1, funding_index=0)) == []


def test_an_account_of_several_positions_has_no_key_and_is_always_a_candidate() -> None:
    """No single price decides about it, so it is kept apart."""
    index = LiquidationIndex(quantum=QUANTUM)
    one = Position(UNIT, 0, 1, 4_000 * UNIT * UNIT)
    index.update(1, collateral=10**12, positions={0: one, 1: one}, mmr=MMR)

    assert index.several == {1}


def test_the_key_is_the_bankruptcy_price_of_a_position_without_funding() -> None:
    """10x long at 4,000 with 200 on half an ether: (0.5 * 4,000 - 200) / 0.5 = 3,600."""
    position = Position(UNIT // 2, 0, 1, 2_000 * UNIT * UNIT)

    assert liquidation_key(position, collateral=200 * DOLLAR, quantum=QUANTUM) == 3_600 * UNIT
    assert threshold(long=True, mark=4_000 * UNIT, funding_index=0, mmr=MMR) == 3_960 * UNIT


@pytest.mark.parametrize("seed", range(5))
def test_candidates_hold_everybody_who_is_liquidatable_and_hardly_anybody_else(seed: int) -> None:
    """Against brute force over 400 accounts, 200 prices and moving funding; only rounding may add a candidate."""
    print(f"seed {seed}")
    rng = Random(seed)
    index = LiquidationIndex(quantum=QUANTUM)
    accounts = {}
    mark = 4_000 * UNIT
    funding_index = 0
    found = 0
    for tick in range(200):
        for _ in range(2 if tick else 400):
            id = rng.randrange(400)
            accounts[id] = random_account(rng)
            position, collateral = accounts[id]
            index.update(id, collateral=collateral, positions={0: position}, mmr=MMR)
        mark = mark * rng.randrange(90, 111) // 100 + rng.randrange(UNIT)
        funding_index += rng.randrange(-UNIT, UNIT)
        truth = {id for id, (p, c) in accounts.items() if is_liquidatable(p, c, mark, funding_index)}
        candidates = set(index.candidates(0, mark=mark, funding_index=funding_index))
        found += len(truth)

        assert truth <= candidates
        assert candidates == truth  # a candidate too many needs a key within one unit of 1e-18 of the threshold
    assert found > 1_000


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("seed", range(20))
def test_at_the_liquidation_price_an_account_is_a_candidate_and_one_unit_off_at_most_by_rounding(
    seed: int, side: int
) -> None:
    """The exact boundary: whoever is liquidatable at a price is never missed there."""
    rng = Random(seed)
    position, collateral = random_account(rng)
    position = Position(abs(position.size) * side, position.funding_index, 1, abs(position.cost) * side)
    mark = 4_000 * UNIT
    equity = collateral * QUANTUM + perp_math.unrealized_pnl(position.size, position.cost, mark, 0)
    maintenance = perp_math.margin_requirement(position.size, mark, MMR)
    price = perp_math.liquidation_price(position.size, mark, equity, maintenance, MMR)
    index = LiquidationIndex(quantum=QUANTUM)
    index.update(1, collateral=collateral, positions={0: position}, mmr=MMR)

    for offset in range(-3, 4):
        at = price + offset
        liquidatable = is_liquidatable(position, collateral, at, position.funding_index)
        candidate = list(index.candidates(0, mark=at, funding_index=position.funding_index)) == [1]
        assert candidate or not liquidatable
        assert liquidatable == (offset <= 0 if side > 0 else offset >= 0)


def test_the_worst_of_a_side_comes_first() -> None:
    """Whoever is furthest beyond its price is offered before the others."""
    index = LiquidationIndex(quantum=QUANTUM)
    for id, margin in ((1, 100), (2, 300), (3, 200)):
        index.update(id, collateral=margin * DOLLAR, positions={0: Position(UNIT, 0, 1, 4_000 * UNIT * UNIT)}, mmr=MMR)

    assert list(index.candidates(0, mark=3_000 * UNIT, funding_index=0)) == [1, 3, 2]


TIERS = (RiskTier(UNIT, UNIT // 10, UNIT // 50), RiskTier(3 * UNIT, UNIT // 5, UNIT // 20))


def tier_mmr(size: int) -> int:
    """The maintenance margin ratio of a size: 1 %, from one ether on 2 %, from three on 5 %."""
    return next((tier.mmr for tier in reversed(TIERS) if abs(size) >= tier.min_size), MMR)


@pytest.mark.parametrize("seed", range(4))
def test_candidates_of_every_tier_are_found_and_hardly_anybody_else(seed: int) -> None:
    """Against brute force over 300 accounts of all sizes, some just at a boundary, which move between the tiers."""
    print(f"seed {seed}")
    rng = Random(seed)
    index = LiquidationIndex(quantum=QUANTUM)
    accounts: dict[int, tuple[Position, int]] = {}
    mark, funding_index = 4_000 * UNIT, 0
    found = {mmr: 0 for mmr in (MMR, *(tier.mmr for tier in TIERS))}
    for tick in range(100):
        for _ in range(3 if tick else 300):
            id = rng.randrange(300)
            position, collateral = random_account(rng)
            if rng.random() < 0.2:
                size = rng.choice(TIERS).min_size - rng.choice((0, 1))
                position = Position(size, position.funding_index, 1, size * 4_000 * UNIT)
                collateral = size * 4_000 // UNIT * DOLLAR * rng.randrange(1, 10) // 100
            accounts[id] = position, collateral
            index.update(id, collateral=collateral, positions={0: position}, mmr=tier_mmr(position.size))
        mark = mark * rng.randrange(95, 106) // 100 + rng.randrange(UNIT)
        funding_index += rng.randrange(-UNIT, UNIT)
        truth = set()
        for id, (position, collateral) in accounts.items():
            mmr = tier_mmr(position.size)
            change = funding_index - position.funding_index
            equity = collateral * QUANTUM + perp_math.unrealized_pnl(position.size, position.cost, mark, change)
            if not perp_math.is_covered(equity, perp_math.margin_requirement(position.size, mark, mmr)):
                truth.add(id)
                found[mmr] += 1
        assert set(index.candidates(0, mark=mark, funding_index=funding_index)) == truth
    assert min(found.values()) > 50


def test_an_account_whose_tier_changes_moves_with_it() -> None:
    """Long one ether at 4,000 with 60, at 3,960: 20 of 39.60 at 1 %, but 20 is enough when 0.5 % are."""
    index = LiquidationIndex(quantum=QUANTUM)
    position = Position(UNIT, 0, 1, 4_000 * UNIT * UNIT)
    index.update(1, collateral=60 * DOLLAR, positions={0: position}, mmr=MMR)
    assert list(index.candidates(0, mark=3_960 * UNIT, funding_index=0)) == [1]
    index.update(1, collateral=60 * DOLLAR, positions={0: position}, mmr=MMR // 2)
    assert list(index.candidates(0, mark=3_960 * UNIT, funding_index=0)) == []
    assert len(index) == 1
