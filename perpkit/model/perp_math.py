"""The twin of `PerpMath.sol`: every formula of the protocol, pure, in the order in which data flows through it.

Units: size {base, 1e18}; price and funding index {usd/base, 1e18}; rates and ratios {1e18 = 100 %}; money {quanta of
the token}; raw {usd, 1e36}, of which `quantum` make one unit of money. Margin requirements are raw * 1e18, so that no
division stands between a price and a liquidation.
"""

from __future__ import annotations

from perpkit.model.fixed_math import (
    INT256_MAX,
    MONEY_MAX,
    UNIT,
    clamp,
    div_ceil,
    div_floor,
    mul_div_ceil,
    mul_div_floor,
    ratio,
    to_size,
)

# PRICE


def premium(skew: int, skew_scale: int) -> int:
    """The premium of the fill price over the mark price for an infinitely small trade."""
    return div_floor(skew * UNIT, skew_scale)


def fill_price(mark: int, skew: int, delta: int, skew_scale: int) -> int:
    """The price at which `delta` fills: the mark plus the premium averaged over the trade, rounded against the
    trader."""
    numerator = mark * (2 * skew_scale + 2 * skew + delta)
    return div_ceil(numerator, 2 * skew_scale) if delta > 0 else div_floor(numerator, 2 * skew_scale)


# FUNDING


def funding_rate(skew: int, skew_scale: int, max_funding_rate: int) -> int:
    """The funding rate per funding interval; positive when longs pay shorts."""
    return clamp(premium(skew, skew_scale), -max_funding_rate, max_funding_rate)


def funding_index_delta(mark: int, rate: int, elapsed: int, funding_interval: int) -> int:
    """How far the funding index moves in `elapsed` seconds."""
    return div_floor(mark * rate * elapsed, UNIT * funding_interval)


def funding_payment(size: int, index_delta: int, quantum: int) -> int:
    """The money that a position receives (negative: pays) for a move of the funding index."""
    return div_floor(-size * index_delta, quantum)


def cost_after_funding(size: int, cost: int, index_delta: int, payment: int, quantum: int) -> int:
    """The cost basis after funding: what the payment's rounding left over stays in the position."""
    return cost + size * index_delta + payment * quantum


# TRADE


def closed_size(size: int, delta: int) -> int:
    """How much of `delta` closes a position of `size`; never negative."""
    if (size > 0) == (delta > 0):
        return 0
    return min(abs(size), abs(delta))


def cost_of_closed(size: int, cost: int, closed: int) -> int:
    """The part of the cost basis that leaves with `closed` of a position, rounded down."""
    return mul_div_floor(cost, closed, abs(size))


def closed_pnl(size: int, closed: int, price: int, cost_closed: int) -> int:
    """The raw profit of closing `closed` of a position at `price`."""
    return (closed if size > 0 else -closed) * price - cost_closed


def cost_after_close(cost: int, cost_closed: int, pnl: int, realized: int, quantum: int) -> int:
    """The cost basis of what is left after a close: what the rounding of the realised profit left over stays in it."""
    return cost - cost_closed - (pnl - realized * quantum)


def trade_fee(skew: int, delta: int, price: int, maker_fee: int, taker_fee: int, quantum: int) -> int:
    """The trading fee: `maker_fee` on the part that reduces |skew|, `taker_fee` on the rest, rounded up."""
    maker_size = closed_size(skew, delta)
    taker_size = abs(delta) - maker_size
    return div_ceil(price * (maker_size * maker_fee + taker_size * taker_fee), quantum * UNIT)


def share_of(amount: int, share: int) -> int:
    """A share of an amount of money, rounded down."""
    return div_floor(amount * share, UNIT)


# VALUE


def notional(size: int, mark: int) -> int:
    """The raw value of a position at the mark price, without sign."""
    return abs(size) * mark


def unrealized_pnl(size: int, cost: int, mark: int, index_delta: int) -> int:
    """The raw unrealised profit of a position, accrued funding included."""
    return size * (mark - index_delta) - cost


def margin_requirement(size: int, mark: int, ratio: int) -> int:
    """The margin that a position requires at `ratio` (initial or maintenance). {raw * 1e18}"""
    return notional(size, mark) * ratio


def basis_of(size: int, cost: int, funding_index: int) -> int:
    """A position's share of its side's basis: `cost - size * F0`."""
    return cost - size * funding_index


def side_pnl(side_size: int, basis: int, mark: int, funding_index: int) -> int:
    """The raw profit of a whole side of a market; `side_size` is negative for shorts."""
    return side_size * (mark - funding_index) - basis


def is_covered(equity: int, requirement: int) -> bool:
    """Whether equity meets a margin requirement; equality does."""
    return equity * UNIT >= requirement


def entry_price(size: int, cost: int) -> int:
    """The average price at which a position was entered, rounded down. {usd/base}"""
    return div_floor(cost if size > 0 else -cost, abs(size))


def health(equity: int, maintenance_margin: int) -> int:
    """Equity over maintenance margin, rounded down; the highest number when nothing is required."""
    if maintenance_margin == 0:
        return INT256_MAX
    return ratio(equity * UNIT, maintenance_margin)


def withdrawable(collateral: int, equity: int, initial_margin: int, pool: int, quantum: int) -> int:
    """The money that may leave an account: settled, and not needed as initial margin. {quanta}"""
    if pool < 0:
        return 0
    free = div_floor(equity * UNIT - initial_margin, quantum * UNIT)
    return max(min(collateral, free), 0)


# LIQUIDATION


def liquidation_size(
    size: int,
    mark: int,
    equity: int,
    initial_margin: int,
    imr: int,
    penalty_rate: int,
    min_notional: int,
    least: int,
    quantum: int,
) -> int:
    """How much of a position a liquidation closes: the least that restores initial margin, all of it when that is not
    enough or when what is left would be worth less than `min_notional`; never less than `least`."""
    shortfall = initial_margin - equity * UNIT + quantum * UNIT
    closed = max(least, min(abs(size), div_ceil(shortfall, mark * (imr - penalty_rate))))
    if (abs(size) - closed) * mark < min_notional * quantum:
        closed = abs(size)
    return closed


def liquidation_penalty(closed: int, mark: int, penalty_rate: int, equity: int, quantum: int) -> int:
    """The penalty of a liquidation, never more than the account's equity."""
    charge = div_ceil(closed * mark * penalty_rate, quantum * UNIT)
    return min(charge, max(div_floor(equity, quantum), 0))


def keeper_reward(penalty: int, keeper_share: int, min_keeper_reward: int) -> int:
    """The part of the penalty that the keeper receives; the rest is the insurance fund's."""
    return min(penalty, max(min_keeper_reward, share_of(penalty, keeper_share)))


def bankruptcy_reward(
    closed: int, mark: int, penalty_rate: int, keeper_share: int, insurance: int, quantum: int
) -> int:
    """What the insurance fund pays the keeper who clears a bankrupt account."""
    penalty = div_floor(closed * mark * penalty_rate, quantum * UNIT)
    return min(insurance, share_of(penalty, keeper_share))


def liquidation_price(size: int, mark: int, equity: int, maintenance_margin: int, mmr: int) -> int:
    """The price nearest to the mark at which the account is liquidatable because of this position, all other prices
    standing still; zero when a long is so at no price. {usd/base}"""
    elsewhere = maintenance_margin - margin_requirement(size, mark, mmr)
    numerator = size * mark * UNIT - equity * UNIT + elsewhere
    if size > 0:
        return max(div_ceil(numerator, size * (UNIT - mmr)) - 1, 0)
    return max(div_floor(-numerator, -size * (UNIT + mmr)) + 1, 1)


def bankruptcy_price(size: int, mark: int, equity: int) -> int:
    """The last price at which the account still has no negative equity, all other prices standing still; zero when a
    long has none at any price. {usd/base}"""
    if size > 0:
        return max(div_ceil(size * mark - equity, size), 0)
    return max(div_floor(equity - size * mark, -size), 0)


# DELISTING


def pro_rata(claim: int, payout: int, claims: int) -> int:
    """A winner's part of what there is for all of them, rounded down."""
    return claim if payout == claims else mul_div_floor(claim, payout, claims)


# AUTO-DELEVERAGING


def deleverage_score(profit: int, cost: int, value: int, equity: int, quantum: int) -> tuple[int, int]:
    """The score of a winner, `profit / entry notional * notional / equity`, as a fraction of money products: who gained
    most with most leverage is deleveraged first."""
    numerator = max(div_floor(profit, quantum), 0) * div_floor(value, quantum)
    denominator = max(div_floor(abs(cost), quantum), 1) * clamp(div_floor(equity, quantum), 1, MONEY_MAX)
    return numerator, denominator


def deleverage_target(side_profit: int, pool: int, deficit: int, adl_pnl_factor: int, quantum: int) -> int:
    """The profit that a side has to realise: the opposite side's deficit, or what brings its profit back to
    `adl_pnl_factor` of the pool, whichever is more; never negative. {quanta}"""
    excess = side_profit * UNIT - adl_pnl_factor * pool * quantum
    return max(deficit, div_ceil(excess, (UNIT - adl_pnl_factor) * quantum), 0)


def deleverage_size(size: int, mark: int, profit: int, target: int, min_notional: int, quantum: int) -> int:
    """How much of a winner's position realises `target` of its raw `profit`; all of it when that is not enough or when
    what is left would be worth less than `min_notional`."""
    if target * quantum >= profit:
        return abs(size)
    closed = mul_div_ceil(abs(size), target * quantum, profit)
    if (abs(size) - closed) * mark < min_notional * quantum:
        closed = abs(size)
    return closed


# ORDERS


def is_triggered(stop: bool, delta: int, mark: int, trigger: int) -> bool:
    """Whether the mark has reached a trigger: for a stop from the better side, for a limit or a take-profit from the
    worse."""
    return mark >= trigger if stop == (delta > 0) else mark <= trigger


def trailing_trigger(delta: int, mark: int, trail: int, trail_is_ratio: bool) -> int:
    """Where a trailing stop stands at a mark: `trail` away from it, in dollars or as a part of it, rounded away from
    the mark."""
    if not trail_is_ratio:
        return mark + trail if delta > 0 else mark - trail
    if delta > 0:
        return div_ceil(mark * (UNIT + trail), UNIT)
    return div_floor(mark * (UNIT - trail), UNIT)


# LEVERAGED TOKEN


def leverage_of(size: int, mark: int, equity: int) -> int:
    """Signed notional over equity, rounded down; the most there is when there is a position but no equity."""
    if size == 0:
        return 0
    if equity <= 0:
        return INT256_MAX if size > 0 else -INT256_MAX
    return ratio(size * mark, equity)


def size_at_leverage(leverage: int, mark: int, equity: int) -> int:
    """The size that is worth `leverage` times a raw equity, rounded toward zero. {equity >= 0}"""
    size = mul_div_floor(equity, abs(leverage), mark * UNIT)
    return size if leverage > 0 else -size


def target_size(leverage: int, mark: int, equity: int, min_notional: int, quantum: int) -> int:
    """The position to which a rebalance trades: none when it would be worth less than `min_notional` or there is no
    equity."""
    size = size_at_leverage(leverage, mark, max(equity, 0))
    return 0 if notional(size, mark) < min_notional * quantum else size


def mint_delta(size: int, mark: int, assets: int, nav: int, leverage: int, min_notional: int, quantum: int) -> int:
    """What is traded for `assets` that are added to `nav`: the same part of the position, rounded toward zero; where
    there is no position, `leverage` of them. Nothing when the position would be worth less than `min_notional`."""
    if size == 0:
        delta = to_size(size_at_leverage(leverage, mark, assets * quantum))
    else:
        delta = to_size(div_floor(abs(size) * assets, nav))
        if size < 0:
            delta = -delta
    return 0 if notional(size + delta, mark) < min_notional * quantum else delta


def size_after_redeem(size: int, mark: int, assets: int, nav: int, min_notional: int, quantum: int) -> int:
    """The position that is left when `assets` of `nav` leave: the part that stays of one quantum more, which is the
    most that `nav` was rounded by, so that leverage never rises; none when it would be worth less than
    `min_notional`."""
    rest = div_floor(abs(size) * (nav - assets), nav + 1)
    if notional(rest, mark) < min_notional * quantum:
        return 0
    return rest if size > 0 else -rest


def shares_for(assets: int, supply: int, nav: int, virtual_shares: int) -> int:
    """The shares that `assets` are worth, rounded down. `virtual_shares` own one quantum of their own."""
    return div_floor(assets * (supply + virtual_shares), nav + 1)


def assets_for(shares: int, supply: int, nav: int, virtual_shares: int) -> int:
    """What `shares` are worth, rounded down. {quanta}"""
    return div_floor(shares * (nav + 1), supply + virtual_shares)


def charge_of(amount: int, share: int) -> int:
    """A share of an amount of money, rounded up."""
    return div_ceil(amount * share, UNIT)


def price_limit(mark: int, delta: int, max_premium: int) -> int:
    """The worst price within `max_premium` of the mark, rounded toward the mark."""
    distance = div_floor(mark * max_premium, UNIT)
    return mark + distance if delta > 0 else mark - distance


def rebalance_reward(delta: int, mark: int, rate: int, nav: int, quantum: int) -> int:
    """What a rebalance pays its keeper, rounded down and never more than `nav`. {quanta}"""
    return min(div_floor(notional(delta, mark) * rate, quantum * UNIT), nav)
