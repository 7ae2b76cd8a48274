"""The twin of `LeveragedToken.sol`: a share of one position at constant leverage."""

from __future__ import annotations

from dataclasses import dataclass

from perpkit.model import perp_math
from perpkit.model.clearinghouse import Clearinghouse
from perpkit.model.contract import World, external
from perpkit.model.errors import (
    ERC20InsufficientBalance,
    InsufficientOutput,
    InvalidTerms,
    NothingToRebalance,
    WorthlessShares,
    ZeroAmount,
)
from perpkit.model.events import Minted, Rebalanced, Redeemed
from perpkit.model.fixed_math import SHARES_MAX, UNIT, div_floor, ten_to, to_amount, to_money, to_shares
from perpkit.model.test_usd import ERC20, UINT256_MAX, TestUSD
from perpkit.model.types import Address, MintResult, RebalanceResult, RedeemResult, Terms, account_id

DECIMALS = 18
PER_CENT = 10**16
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Holding:
    """What an action finds: the position's size, raw equity, net asset value, the shares that share it, and the
    market's least position."""

    size: int
    equity: int
    nav: int
    supply: int
    min_notional: int


class LeveragedToken(ERC20):
    def __init__(
        self,
        world: World,
        address: Address,
        name: str,
        symbol: str,
        clearinghouse: Clearinghouse,
        token: TestUSD,
        terms: Terms,
    ) -> None:
        super().__init__(world, address, DECIMALS)
        if token is not clearinghouse.token:
            raise InvalidTerms("token")
        imr = clearinghouse.params_of(terms.market).imr
        target = abs(terms.target_leverage)
        if imr == 0:
            raise InvalidTerms("market")
        if target < UNIT or target > 10 * UNIT:
            raise InvalidTerms("targetLeverage")
        if terms.min_leverage > target:
            raise InvalidTerms("minLeverage")
        if terms.max_leverage < target or terms.max_leverage * imr >= UNIT * UNIT:
            raise InvalidTerms("maxLeverage")
        if terms.rebalance_interval < HOUR or terms.rebalance_interval > 30 * DAY:
            raise InvalidTerms("rebalanceInterval")
        if terms.fee > 10 * PER_CENT:
            raise InvalidTerms("fee")
        if terms.max_premium > 10 * PER_CENT:
            raise InvalidTerms("maxPremium")
        if terms.rebalance_reward > PER_CENT:
            raise InvalidTerms("rebalanceReward")
        self.name = name
        self.symbol = symbol
        self.clearinghouse = clearinghouse
        self.token = token
        self.account = account_id(address)
        self._quantum = clearinghouse.quantum
        # Shares that nobody owns and that own one quantum: the first share costs a dollar, and who inflates the price
        # of a share by a gift gives most of it away.
        self._virtual_shares = ten_to(DECIMALS - token.decimals)
        self._terms = terms
        self._rebalanced_at = world.timestamp
        token.approve(clearinghouse.address, UINT256_MAX, sender=address)

    # SHARES

    @external
    def mint(self, assets: int, min_shares: int, receiver: Address, *, sender: Address) -> MintResult:
        # AUTHORIZE
        money = to_amount(assets)
        t = self._terms

        # ACCRUE
        before = self._holding()
        if before.nav == 0 and before.supply > 0:
            raise WorthlessShares()
        mark = self._mark()

        # COMPUTE
        delta = perp_math.mint_delta(
            before.size,
            mark,
            money,
            before.nav,
            t.target_leverage,
            before.min_notional,
            self._quantum,
        )

        # APPLY
        self.token.transfer_from(sender, self.address, assets, sender=self.address)
        self.clearinghouse.deposit(self.account, assets, sender=self.address)
        fill = self._trade(delta, mark)
        equity = self._equity()
        nav = self._nav(equity)
        value = nav - before.nav
        # What opening a position for all earns is everybody's, not the minter's.
        if before.size == 0:
            value = min(value, money)
        fee = perp_math.charge_of(max(value, 0), t.fee)
        shares = perp_math.shares_for(value - fee, before.supply, before.nav, self._virtual_shares)
        if shares <= 0:
            raise ZeroAmount()
        supply = to_shares(before.supply + shares)
        self._mint(receiver, shares)

        # VERIFY
        if shares < min_shares:
            raise InsufficientOutput(shares, min_shares)

        # EMIT
        leverage = perp_math.leverage_of(before.size + delta, mark, equity)
        result = MintResult(assets, value, fee, shares, mark, delta, fill, leverage, nav, supply)
        self.emit(Minted(sender, receiver, result))
        return result

    @external
    def redeem(self, shares: int, min_assets: int, receiver: Address, *, sender: Address) -> RedeemResult:
        # AUTHORIZE
        balance = self.balance_of(sender)
        if shares > balance:
            raise ERC20InsufficientBalance(sender, balance, shares)

        # ACCRUE
        before = self._holding()
        if before.nav == 0:
            raise WorthlessShares()
        mark = self._mark() if before.size != 0 else 0

        # COMPUTE
        last = shares == before.supply
        value = perp_math.assets_for(shares, before.supply, before.nav, self._virtual_shares)
        if value == 0:
            raise ZeroAmount()
        next = (
            0
            if last
            else perp_math.size_after_redeem(before.size, mark, value, before.nav, before.min_notional, self._quantum)
        )
        delta = next - before.size

        # APPLY
        self._burn(sender, shares)
        fill = self._trade(delta, mark)
        equity = self._equity()
        nav = self._nav(equity)
        cost = before.nav - nav
        # What closing the others' rest earns is theirs, not the redeemer's.
        if next == 0 and not last:
            cost = max(cost, 0)
        fee = 0 if last else perp_math.charge_of(max(value - cost, 0), self._terms.fee)
        assets = value - cost - fee
        if assets <= 0:
            raise ZeroAmount()
        if self.clearinghouse.collateral_of(self.account) < assets:
            self.clearinghouse.settle(self.account, self._terms.market, sender=self.address)
        self.clearinghouse.withdraw(self.account, assets, receiver, sender=self.address)

        # VERIFY
        if assets < min_assets:
            raise InsufficientOutput(assets, min_assets)

        # EMIT
        leverage = perp_math.leverage_of(next, mark, equity - assets * self._quantum)
        supply = self.total_supply
        result = RedeemResult(shares, value, cost, fee, assets, mark, delta, fill, leverage, nav - assets, supply)
        self.emit(Redeemed(sender, receiver, result))
        return result

    # REBALANCE

    @external
    def rebalance(self, *, sender: Address) -> RebalanceResult:
        # ACCRUE
        t = self._terms
        before = self._holding()
        mark = self._mark()

        # COMPUTE
        next = (
            0
            if before.supply == 0
            else perp_math.target_size(t.target_leverage, mark, before.equity, before.min_notional, self._quantum)
        )
        delta = next - before.size
        leverage = perp_math.leverage_of(before.size, mark, before.equity)
        balanced = t.min_leverage <= abs(leverage) <= t.max_leverage
        not_before = self.next_rebalance()
        if delta == 0 or (balanced and self.world.timestamp < not_before):
            raise NothingToRebalance(leverage, not_before)

        # APPLY
        self._rebalanced_at = self.world.timestamp
        fill = self._trade(delta, mark)
        equity = self._equity()
        nav = self._nav(equity)
        reward = perp_math.rebalance_reward(delta, mark, t.rebalance_reward, nav, self._quantum)
        shares = perp_math.shares_for(reward, before.supply, nav, self._virtual_shares)
        shares = max(min(shares, SHARES_MAX - before.supply), 0)
        if shares > 0:
            self._mint(sender, shares)

        # EMIT
        leverage = perp_math.leverage_of(next, mark, equity)
        result = RebalanceResult(mark, delta, fill, reward, shares, leverage, nav, self.total_supply)
        self.emit(Rebalanced(sender, result))
        return result

    # VIEWS

    def terms(self) -> Terms:
        return self._terms

    def net_asset_value(self) -> int:
        return self._nav(self._equity())

    def leverage(self) -> int:
        holding = self._holding()
        if holding.size == 0:
            return 0
        return perp_math.leverage_of(holding.size, self._mark(), holding.equity)

    def next_rebalance(self) -> int:
        return self._rebalanced_at + self._terms.rebalance_interval

    # INTERNAL

    def _holding(self) -> Holding:
        market = self._terms.market
        equity = self._equity()
        return Holding(
            size=self.clearinghouse.position_of(self.account, market).size,
            equity=equity,
            nav=self._nav(equity),
            supply=self.total_supply,
            min_notional=self.clearinghouse.params_of(market).min_notional,
        )

    def _mark(self) -> int:
        mark, _ = self.clearinghouse.price_of(self._terms.market)
        return mark

    def _equity(self) -> int:
        """{raw}"""
        equity, _, _ = self.clearinghouse.margin_of(self.account)
        return equity

    def _nav(self, equity: int) -> int:
        """Whole quanta that are there to be shared."""
        return to_money(max(div_floor(equity, self._quantum), 0))

    def _trade(self, delta: int, mark: int) -> int:
        """Trades near the mark price, if at all; the fill."""
        if delta == 0:
            return 0
        t = self._terms
        limit = perp_math.price_limit(mark, delta, t.max_premium)
        return self.clearinghouse.trade(self.account, t.market, delta, limit, sender=self.address).fill
