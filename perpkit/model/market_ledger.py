"""The twin of `MarketLedger.sol`: the books of positions, sides and bad debt, and the checks on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from perpkit.model import perp_math
from perpkit.model.contract import Mapping, World
from perpkit.model.errors import (
    BelowInitialMargin,
    BelowMaintenanceMargin,
    BelowMinNotional,
    GracePeriod,
    MarketActionPaused,
    OpenInterestExceeded,
    PoolReserveExceeded,
    TooManyPositions,
    UnknownMarket,
)
from perpkit.model.fixed_math import UNIT, div_ceil, div_floor, to_funding_index, to_money, to_open_interest, to_size
from perpkit.model.price_oracle import PriceOracle
from perpkit.model.test_usd import TestUSD
from perpkit.model.types import (
    NO_DELISTING,
    NO_POSITION,
    ZERO_ADDRESS,
    Address,
    Balances,
    Delisting,
    MarketParams,
    MarketState,
    Position,
    RiskTier,
)
from perpkit.model.vault_ledger import VaultLedger

TRADE = 1
SETTLE = 2
LIQUIDATE = 4
DELEVERAGE = 8
# Trades that do more than make a position smaller.
INCREASE = 16
# Not a pause but an end.
DELISTED = 32

MAX_MARKETS = 32
MAX_POSITIONS = 8
# Above the first.
MAX_TIERS = 3
# {s}
NOTICE = 86_400
GRACE_PERIOD = 900
OUTAGE = 2**40 - 1

# Mark prices that were already asked of the oracle in this action.
Marks = dict[int, int]


@dataclass(slots=True)
class Market:
    """One market in storage. Its fields are set only by `MarketLedger`, which remembers what they were."""

    params: MarketParams
    state: MarketState
    symbol: bytes
    tiers: tuple[RiskTier, ...]
    delisting: Delisting = NO_DELISTING


@dataclass(frozen=True, slots=True)
class Margin:
    """An account's worth at this moment: raw equity, and requirements in raw * 1e18."""

    equity: int
    initial_margin: int
    maintenance_margin: int


@dataclass(frozen=True, slots=True)
class Outage:
    """When the outage that is recorded began, and until when there would be grace without it. {s}"""

    began: int
    grace_until: int


@dataclass(frozen=True, slots=True)
class Announcement:
    """Parameters and tiers that may be set from a time on; the contract keeps their hash."""

    terms: tuple[MarketParams, tuple[RiskTier, ...]]
    effective_at: int


class MarketLedger(VaultLedger):
    def __init__(self, world: World, address: Address, token: TestUSD, oracle: PriceOracle, owner: Address) -> None:
        super().__init__(world, address, token, owner)
        self.oracle = oracle
        self.market_count = 0
        self.orders = ZERO_ADDRESS
        self._markets: Mapping[int, Market | None] = Mapping(world, None)
        self._positions: Mapping[tuple[int, int], Position] = Mapping(world, NO_POSITION)
        self._announcements: Mapping[int, Announcement | None] = Mapping(world, None)
        self._outages: Mapping[int, Outage] = Mapping(world, Outage(0, 0))
        # Winners of a delisted market whose claims stand.
        self._registered: Mapping[tuple[int, int], bool] = Mapping(world, False)

    # MARKET

    def _active_market(self, market: int, bit: int) -> Market:
        m = self._markets[market]
        if m is None:
            raise UnknownMarket(market)
        if m.state.paused & bit != 0:
            raise MarketActionPaused(market, bit)
        return m

    def _mark(self, marks: Marks, market: int) -> int:
        """The mark price, asked of the oracle once per action."""
        mark = marks.get(market, 0)
        if mark == 0:
            mark, _ = self._price(market)
            marks[market] = mark
        return mark

    def _price(self, market: int) -> tuple[int, int]:
        """The mark price, which of a delisted market stands still."""
        m = self._markets[market]
        if m is not None and m.state.paused & DELISTED != 0:
            return m.delisting.price, self.world.timestamp
        return self.oracle.price(market)

    def _ratios(self, m: Market, size: int) -> tuple[int, int]:
        """The margin ratios of a position's size."""
        return self._ratios_of(m, self._tier_of(m, size))

    def _tier_of(self, m: Market, size: int) -> int:
        """The highest tier that a position's size reaches; zero is the market's own ratios."""
        tier = m.state.tiers
        while tier > 0 and abs(size) < m.tiers[tier - 1].min_size:
            tier -= 1
        return tier

    def _ratios_of(self, m: Market, tier: int) -> tuple[int, int]:
        if tier == 0:
            return m.params.imr, m.params.mmr
        t = m.tiers[tier - 1]
        return t.imr, t.mmr

    def _funding_index(self, m: Market, mark: int) -> int:
        if m.state.accrued_at == self.world.timestamp:
            return m.state.funding_index
        rate = perp_math.funding_rate(self._skew(m), m.params.skew_scale, m.params.max_funding_rate)
        return m.state.funding_index + perp_math.funding_index_delta(
            mark, rate, self.world.timestamp - m.state.accrued_at, m.params.funding_interval
        )

    def _accrue(self, m: Market, mark: int) -> int:
        funding_index = self._funding_index(m, mark)
        self._update_market(m, funding_index=to_funding_index(funding_index), accrued_at=self.world.timestamp)
        return funding_index

    def _skew(self, m: Market) -> int:
        return m.state.long_oi - m.state.short_oi

    def _side_pnl(self, state: MarketState, long: bool, mark: int, funding_index: int) -> int:
        if long:
            return perp_math.side_pnl(state.long_oi, state.long_basis, mark, funding_index)
        return perp_math.side_pnl(-state.short_oi, state.short_basis, mark, funding_index)

    def _fund(self, position: Position, funding_index: int) -> tuple[Position, int]:
        """A position with its funding settled, and the money that it receives for it."""
        index_delta = funding_index - position.funding_index
        payment = perp_math.funding_payment(position.size, index_delta, self.quantum)
        cost = perp_math.cost_after_funding(position.size, position.cost, index_delta, payment, self.quantum)
        return Position(position.size, to_funding_index(funding_index), position.opened, cost), payment

    def _fill(self, position: Position, delta: int, price: int) -> tuple[Position, int]:
        """A funded position after `delta` filled at `price`, and the profit that it realised."""
        size = position.size
        next_size = to_size(size + delta)
        cost = position.cost
        realized = 0
        closed = perp_math.closed_size(size, delta)
        if closed > 0:
            cost_closed = perp_math.cost_of_closed(size, position.cost, closed)
            pnl = perp_math.closed_pnl(size, closed, price, cost_closed)
            realized = div_floor(pnl, self.quantum)
            cost = perp_math.cost_after_close(position.cost, cost_closed, pnl, realized, self.quantum)
        if next_size == 0:
            return NO_POSITION, realized
        if closed == abs(size):
            cost = next_size * price
        elif closed == 0:
            cost += delta * price
        return Position(next_size, position.funding_index, position.opened, cost), realized

    def _replace_position(self, m: Market, account: int, market: int, previous: Position, next: Position) -> Position:
        # Opened or flipped: the next event is the position's birth.
        if next.size != 0 and (previous.size == 0 or (previous.size > 0) != (next.size > 0)):
            next = replace(next, opened=m.state.sequence + 1)
        self._replace_on_sides(m, previous, next)
        if next.size == 0:
            del self._positions[account, market]
        else:
            self._positions[account, market] = next
        if previous.size == 0 and next.size != 0:
            self._add_market(account, market)
        if previous.size != 0 and next.size == 0:
            self._remove_market(account, market)
        return next

    def _replace_on_sides(self, m: Market, previous: Position, next: Position) -> None:
        """One change of a side and not two, where a position stays on it."""
        state = m.state
        if previous.size > 0 or next.size > 0:
            size = max(next.size, 0) - max(previous.size, 0)
            basis = self._basis_on(True, next) - self._basis_on(True, previous)
            self._update_market(m, long_oi=to_open_interest(state.long_oi + size), long_basis=state.long_basis + basis)
        if previous.size < 0 or next.size < 0:
            size = min(previous.size, 0) - min(next.size, 0)
            basis = self._basis_on(False, next) - self._basis_on(False, previous)
            self._update_market(
                m, short_oi=to_open_interest(state.short_oi + size), short_basis=state.short_basis + basis
            )

    def _basis_on(self, long: bool, position: Position) -> int:
        """A position's share of a side's basis: none when it is on the other."""
        if position.size == 0 or long != (position.size > 0):
            return 0
        return perp_math.basis_of(position.size, position.cost, position.funding_index)

    def _add_market(self, account: int, market: int) -> None:
        state = self._accounts[account]
        if len(state.markets) == MAX_POSITIONS:
            raise TooManyPositions(account)
        self._accounts[account] = replace(state, markets=(*state.markets, market))

    def _remove_market(self, account: int, market: int) -> None:
        """The last market of the list takes the place of the one that leaves."""
        state = self._accounts[account]
        markets = list(state.markets)
        place = markets.index(market)
        markets[place] = markets[-1]
        self._accounts[account] = replace(state, markets=tuple(markets[:-1]))

    def _credit(self, account: int, money: int, penalty: int) -> None:
        """Moves `money` from the pool to an account, from the account to the pool when negative, and a penalty from the
        account to the insurance fund."""
        self._set_collateral(account, self._accounts[account].collateral + money - penalty)
        self._update_vault(pool=to_money(self._vault.pool - money), insurance=to_money(self._vault.insurance + penalty))

    def _charge_fee(self, m: Market, account: int, fee: int) -> None:
        insurance_part = perp_math.share_of(fee, m.params.insurance_share)
        protocol_part = perp_math.share_of(fee, m.params.protocol_share)
        self._set_collateral(account, self._accounts[account].collateral - fee)
        self._update_market(m, protocol_fees=to_money(m.state.protocol_fees + protocol_part))
        self._update_vault(
            insurance=to_money(self._vault.insurance + insurance_part),
            pool=to_money(self._vault.pool + fee - insurance_part - protocol_part),
        )

    def _is_bankrupt(self, account: int) -> bool:
        return not self._accounts[account].markets and self._accounts[account].collateral < 0

    def _is_reduction(self, previous_size: int, size: int) -> bool:
        """Whether a trade does nothing but make a position smaller."""
        if previous_size > 0:
            return 0 <= size < previous_size
        return previous_size < size <= 0

    def _margin(self, account: int, marks: Marks) -> Margin:
        state = self._accounts[account]
        equity = state.collateral * self.quantum
        initial_margin = 0
        maintenance_margin = 0
        for market in state.markets:
            m = self._active_market(market, 0)
            position = self._positions[account, market]
            mark = self._mark(marks, market)
            index_delta = self._funding_index(m, mark) - position.funding_index
            equity += perp_math.unrealized_pnl(position.size, position.cost, mark, index_delta)
            imr, mmr = self._ratios(m, position.size)
            initial_margin += perp_math.margin_requirement(position.size, mark, imr)
            maintenance_margin += perp_math.margin_requirement(position.size, mark, mmr)
        return Margin(equity, initial_margin, maintenance_margin)

    def _verify_no_grace(self, account: int) -> None:
        """Refuses who is out of reach of liquidation because of one of its markets: for a liquidation, and for taking
        on more risk."""
        for market in self._accounts[account].markets:
            grace_until = self._active_market(market, 0).state.grace_until
            if self.world.timestamp < grace_until:
                raise GracePeriod(market, grace_until)

    def _verify_size(self, m: Market, size: int, mark: int) -> None:
        if size == 0:
            return
        min_notional = m.params.min_notional
        value = perp_math.notional(size, mark)
        if value < min_notional * self.quantum:
            raise BelowMinNotional(div_floor(value, self.quantum), min_notional)

    def _verify_growth(
        self, m: Market, market: int, previous_size: int, size: int, previous_skew: int, mark: int
    ) -> None:
        """What grew must be within its bounds; what shrank or stayed is not asked."""
        long = size > 0
        if size != 0 and (size > previous_size if long else size < previous_size):
            open_interest = m.state.long_oi if long else m.state.short_oi
            max_open_interest = m.params.max_open_interest
            if open_interest > max_open_interest:
                raise OpenInterestExceeded(market, long, open_interest, max_open_interest)
        skew = self._skew(m)
        if abs(skew) > abs(previous_skew):
            self._verify_reserve(m, market, skew, mark)

    def _verify_reserve(self, m: Market, market: int, skew: int, mark: int) -> None:
        required = perp_math.notional(skew, mark)
        factor = m.params.pool_reserve_factor
        if required * UNIT > factor * self._vault.pool * self.quantum:
            raise PoolReserveExceeded(
                market, div_ceil(required, self.quantum), perp_math.share_of(self._vault.pool, factor)
            )

    def _verify_margin(self, account: int, marks: Marks, reduction: bool) -> None:
        margin = self._margin(account, marks)
        requirement = margin.maintenance_margin if reduction else margin.initial_margin
        if perp_math.is_covered(margin.equity, requirement):
            return
        equity = div_floor(margin.equity, self.quantum)
        required = div_ceil(requirement, self.quantum * UNIT)
        if reduction:
            raise BelowMaintenanceMargin(account, equity, required)
        raise BelowInitialMargin(account, equity, required)

    def _verify_initial_margin(self, account: int) -> None:
        if not self._accounts[account].markets:
            return
        self._verify_margin(account, {}, False)

    def _verify_pool_reserve(self) -> None:
        for market in range(self.market_count):
            m = self._active_market(market, 0)
            skew = self._skew(m)
            if skew == 0:
                continue
            mark, _ = self._price(market)
            self._verify_reserve(m, market, skew, mark)

    def _balances(self, m: Market, account: int) -> Balances:
        vault = self._vault
        return Balances(self._accounts[account].collateral, vault.pool, vault.insurance, m.state.protocol_fees)

    def _cover_bankruptcy(self, m: Market, account: int, long: bool) -> tuple[int, int, int]:
        """Writes off a bankrupt account's debt: the insurance fund covers what it can, the pool bears the rest, which
        stands as a deficit of the account's side until deleveraging recovers it."""
        bad_debt = -self._accounts[account].collateral
        covered = min(bad_debt, self._vault.insurance)
        deficit = bad_debt - covered
        self._set_collateral(account, 0)
        self._update_vault(
            insurance=to_money(self._vault.insurance - covered), pool=to_money(self._vault.pool - deficit)
        )
        if long:
            self._update_market(m, long_deficit=to_money(m.state.long_deficit + deficit))
        else:
            self._update_market(m, short_deficit=to_money(m.state.short_deficit + deficit))
        return bad_debt, covered, deficit

    # STORAGE

    def _update_market(self, m: Market, **changes: int) -> None:
        previous = m.state
        self.world.journal(lambda: setattr(m, "state", previous))
        m.state = replace(previous, **changes)

    def _update_delisting(self, m: Market, **changes: Any) -> None:
        previous = m.delisting
        self.world.journal(lambda: setattr(m, "delisting", previous))
        m.delisting = replace(previous, **changes)

    def _set_params(self, m: Market, params: MarketParams) -> None:
        previous = m.params
        self.world.journal(lambda: setattr(m, "params", previous))
        m.params = params

    def _next_market_sequence(self, m: Market) -> int:
        self._update_market(m, sequence=m.state.sequence + 1)
        return m.state.sequence
