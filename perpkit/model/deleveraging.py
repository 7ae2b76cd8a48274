"""The twin of `Deleveraging.sol`: closes winners when bad debt, or their own profit, is more than the house bears."""

from __future__ import annotations

from collections.abc import Sequence

from perpkit.model import perp_math
from perpkit.model.contract import external
from perpkit.model.errors import IncompleteHolders, NotAHolder, NotAscending, NothingToDeleverage
from perpkit.model.events import Deleveraged
from perpkit.model.fixed_math import product_greater, to_money
from perpkit.model.market_ledger import DELEVERAGE, Market, MarketLedger, Marks
from perpkit.model.types import Address, DeleverageResult, Position

NOT_DELEVERAGED = DeleverageResult(0, 0, 0, 0, 0, 0, 0, 0)

# Each holder's score as a fraction.
Ranking = list[tuple[int, int]]


class Deleveraging(MarketLedger):
    @external
    def deleverage(
        self, market: int, long: bool, accounts: Sequence[int], *, sender: Address
    ) -> tuple[DeleverageResult, ...]:
        # AUTHORIZE
        m = self._active_market(market, DELEVERAGE)

        # ACCRUE
        marks: Marks = {}
        mark = self._mark(marks, market)
        funding_index = self._accrue(m, mark)

        # COMPUTE
        target = self._deleverage_target(m, long, mark)
        if target == 0:
            raise NothingToDeleverage(market, long)
        results = [NOT_DELEVERAGED] * len(accounts)
        ranking = self._rank(m, market, long, accounts, marks)

        while target > 0:
            winner = self._highest(ranking)
            if winner is None:
                break
            ranking[winner] = (0, ranking[winner][1])
            results[winner] = self._deleverage(m, accounts[winner], market, mark, funding_index, target)
            target = self._deleverage_target(m, long, mark)
        return tuple(results)

    def _deleverage(
        self, m: Market, account: int, market: int, mark: int, funding_index: int, target: int
    ) -> DeleverageResult:
        # COMPUTE
        previous = self._positions[account, market]
        long = previous.size > 0
        next, funding = self._fund(previous, funding_index)
        closed = perp_math.deleverage_size(
            next.size,
            mark,
            perp_math.unrealized_pnl(next.size, next.cost, mark, 0),
            target,
            m.params.min_notional,
            self.quantum,
        )
        next, realized = self._fill(next, -closed if long else closed, mark)
        deficit = self._opposite_deficit(m, long)
        haircut = min(deficit, max(realized, 0))
        deficit -= haircut

        # APPLY
        self._replace_position(m, account, market, previous, next)
        self._credit(account, funding + realized - haircut, 0)
        if long:
            self._update_market(m, short_deficit=to_money(deficit))
        else:
            self._update_market(m, long_deficit=to_money(deficit))
        bad_debt = covered = 0
        if self._is_bankrupt(account):
            bad_debt, covered, _ = self._cover_bankruptcy(m, account, long)

        # EMIT
        result = DeleverageResult(closed, mark, realized, funding, haircut, deficit, bad_debt, covered)
        sequence = self._next_market_sequence(m)
        self.emit(Deleveraged(market, account, sequence, funding_index, result, next, self._balances(m, account)))
        return result

    def _rank(self, m: Market, market: int, long: bool, accounts: Sequence[int], marks: Marks) -> Ranking:
        """Scores every account of a list that must hold all of a side, in ascending order."""
        ranking: Ranking = []
        listed = 0
        for i, account in enumerate(accounts):
            if i > 0 and account <= accounts[i - 1]:
                raise NotAscending(accounts[i - 1], account)
            position = self._positions[account, market]
            if position.size <= 0 if long else position.size >= 0:
                raise NotAHolder(account)
            listed += abs(position.size)
            equity = self._margin(account, marks).equity
            ranking.append(self._score(position, m.state.funding_index, marks[market], equity))
        open_interest = m.state.long_oi if long else m.state.short_oi
        if listed != open_interest:
            raise IncompleteHolders(listed, open_interest)
        return ranking

    def _score(self, position: Position, funding_index: int, mark: int, equity: int) -> tuple[int, int]:
        """A winner's score once its funding is settled."""
        funded, _ = self._fund(position, funding_index)
        return perp_math.deleverage_score(
            perp_math.unrealized_pnl(funded.size, funded.cost, mark, 0),
            funded.cost,
            perp_math.notional(funded.size, mark),
            equity,
            self.quantum,
        )

    def _highest(self, ranking: Ranking) -> int | None:
        """The first account with the highest score; none when nobody wins."""
        winner: int | None = None
        for i, (numerator, denominator) in enumerate(ranking):
            if numerator == 0:
                continue
            if winner is None or product_greater(numerator, ranking[winner][1], ranking[winner][0], denominator):
                winner = i
        return winner

    def _deleverage_target(self, m: Market, long: bool, mark: int) -> int:
        return perp_math.deleverage_target(
            self._side_pnl(m.state, long, mark, m.state.funding_index),
            self._vault.pool,
            self._opposite_deficit(m, long),
            m.params.adl_pnl_factor,
            self.quantum,
        )

    def _opposite_deficit(self, m: Market, long: bool) -> int:
        return m.state.short_deficit if long else m.state.long_deficit
