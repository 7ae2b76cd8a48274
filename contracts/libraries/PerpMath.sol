// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedMath} from "./FixedMath.sol";

/// @title PerpMath
/// @notice Every formula of the protocol, pure, in the order in which data flows through it.
///
/// Units: size {base, 1e18}; price and funding index {usd/base, 1e18}; rates and ratios {1e18 = 100 %};
/// money {quanta of the token}; raw {usd, 1e36}, of which `quantum` make one unit of money.
/// Margin requirements are raw * 1e18, so that no division stands between a price and a liquidation.
///
/// The arithmetic is unchecked: within the supported ranges of FixedMath, which every number passes on its way in, nothing
/// here can overflow.
library PerpMath {
    using FixedMath for int256;

    /* PRICE */

    /// @notice The premium of the fill price over the mark price for an infinitely small trade.
    function premium(int256 skew, int256 skewScale) internal pure returns (int256) {
        unchecked {
            return (skew * FixedMath.UNIT).divFloor(skewScale);
        }
    }

    /// @notice The price at which `delta` fills: the mark plus the premium averaged over the trade,
    /// rounded against the trader.
    function fillPrice(int256 mark, int256 skew, int256 delta, int256 skewScale) internal pure returns (int256) {
        unchecked {
            int256 numerator = mark * (2 * skewScale + 2 * skew + delta);
            return delta > 0 ? numerator.divCeil(2 * skewScale) : numerator.divFloor(2 * skewScale);
        }
    }

    /* FUNDING */

    /// @notice The funding rate per funding interval; positive when longs pay shorts.
    function fundingRate(int256 skew, int256 skewScale, int256 maxFundingRate) internal pure returns (int256) {
        unchecked {
            return premium(skew, skewScale).clamp(-maxFundingRate, maxFundingRate);
        }
    }

    /// @notice How far the funding index moves in `elapsed` seconds.
    function fundingIndexDelta(int256 mark, int256 rate, int256 elapsed, int256 fundingInterval)
        internal
        pure
        returns (int256)
    {
        unchecked {
            return (mark * rate * elapsed).divFloor(FixedMath.UNIT * fundingInterval);
        }
    }

    /// @notice The money that a position receives (negative: pays) for a move of the funding index.
    function fundingPayment(int256 size, int256 indexDelta, int256 quantum) internal pure returns (int256) {
        unchecked {
            return (-size * indexDelta).divFloor(quantum);
        }
    }

    /// @notice The cost basis after funding: what the payment's rounding left over stays in the position.
    function costAfterFunding(int256 size, int256 cost, int256 indexDelta, int256 payment, int256 quantum)
        internal
        pure
        returns (int256)
    {
        unchecked {
            return cost + size * indexDelta + payment * quantum;
        }
    }

    /* TRADE */

    /// @notice How much of `delta` closes a position of `size`; never negative.
    function closedSize(int256 size, int256 delta) internal pure returns (int256) {
        unchecked {
            if ((size > 0) == (delta > 0)) return 0;
            return size.abs().min(delta.abs());
        }
    }

    /// @notice The part of the cost basis that leaves with `closed` of a position, rounded down.
    function costOfClosed(int256 size, int256 cost, int256 closed) internal pure returns (int256) {
        unchecked {
            return cost.mulDivFloor(closed, size.abs());
        }
    }

    /// @notice The raw profit of closing `closed` of a position at `price`.
    function closedPnl(int256 size, int256 closed, int256 price, int256 costClosed) internal pure returns (int256) {
        unchecked {
            return (size > 0 ? closed : -closed) * price - costClosed;
        }
    }

    /// @notice The cost basis of what is left after a close: what the rounding of the realised profit left over stays
    /// in it.
    function costAfterClose(int256 cost, int256 costClosed, int256 pnl, int256 realized, int256 quantum)
        internal
        pure
        returns (int256)
    {
        unchecked {
            return cost - costClosed - (pnl - realized * quantum);
        }
    }

    /// @notice The trading fee: `makerFee` on the part that reduces |skew|, `takerFee` on the rest, rounded up.
    function tradeFee(
        int256 skew,
        int256 delta,
        int256 price,
        int256 makerFee,
        int256 takerFee,
        int256 quantum
    ) internal pure returns (int256) {
        unchecked {
            int256 makerSize = closedSize(skew, delta);
            int256 takerSize = delta.abs() - makerSize;
            return (price * (makerSize * makerFee + takerSize * takerFee)).divCeil(quantum * FixedMath.UNIT);
        }
    }

    /// @notice A share of an amount of money, rounded down.
    function shareOf(int256 amount, int256 share) internal pure returns (int256) {
        unchecked {
            return (amount * share).divFloor(FixedMath.UNIT);
        }
    }

    /* VALUE */

    /// @notice The raw value of a position at the mark price, without sign.
    function notional(int256 size, int256 mark) internal pure returns (int256) {
        unchecked {
            return size.abs() * mark;
        }
    }

    /// @notice The raw unrealised profit of a position, accrued funding included.
    function unrealizedPnl(int256 size, int256 cost, int256 mark, int256 indexDelta) internal pure returns (int256) {
        unchecked {
            return size * (mark - indexDelta) - cost;
        }
    }

    /// @notice The margin that a position requires at `ratio` (initial or maintenance). {raw * 1e18}
    function marginRequirement(int256 size, int256 mark, int256 ratio) internal pure returns (int256) {
        unchecked {
            return notional(size, mark) * ratio;
        }
    }

    /// @notice A position's share of its side's basis: `cost - size * F0`.
    function basisOf(int256 size, int256 cost, int256 fundingIndex) internal pure returns (int256) {
        unchecked {
            return cost - size * fundingIndex;
        }
    }

    /// @notice The raw profit of a whole side of a market; `sideSize` is negative for shorts.
    function sidePnl(int256 sideSize, int256 basis, int256 mark, int256 fundingIndex) internal pure returns (int256) {
        unchecked {
            return sideSize * (mark - fundingIndex) - basis;
        }
    }

    /// @notice Whether equity meets a margin requirement; equality does.
    function isCovered(int256 equity, int256 requirement) internal pure returns (bool) {
        unchecked {
            return equity * FixedMath.UNIT >= requirement;
        }
    }

    /// @notice The average price at which a position was entered, rounded down. {usd/base}
    function entryPrice(int256 size, int256 cost) internal pure returns (int256) {
        unchecked {
            return (size > 0 ? cost : -cost).divFloor(size.abs());
        }
    }

    /// @notice Equity over maintenance margin, rounded down; the highest number when nothing is required.
    function health(int256 equity, int256 maintenanceMargin) internal pure returns (int256) {
        unchecked {
            if (maintenanceMargin == 0) return type(int256).max;
            return (equity * FixedMath.UNIT).ratio(maintenanceMargin);
        }
    }

    /// @notice The money that may leave an account: settled, and not needed as initial margin. {quanta}
    function withdrawable(int256 collateral, int256 equity, int256 initialMargin, int256 pool, int256 quantum)
        internal
        pure
        returns (int256)
    {
        unchecked {
            if (pool < 0) return 0;
            int256 free = (equity * FixedMath.UNIT - initialMargin).divFloor(quantum * FixedMath.UNIT);
            return collateral.min(free).max(0);
        }
    }

    /* LIQUIDATION */

    /// @notice How much of a position a liquidation closes: the least that restores initial margin, all of it
    /// when that is not enough or when what is left would be worth less than `minNotional`; never less than `least`.
    function liquidationSize(
        int256 size,
        int256 mark,
        int256 equity,
        int256 initialMargin,
        int256 imr,
        int256 penaltyRate,
        int256 minNotional,
        int256 least,
        int256 quantum
    ) internal pure returns (int256 closed) {
        unchecked {
            int256 shortfall = initialMargin - equity * FixedMath.UNIT + quantum * FixedMath.UNIT;
            closed = least.max(size.abs().min(shortfall.divCeil(mark * (imr - penaltyRate))));
            if ((size.abs() - closed) * mark < minNotional * quantum) closed = size.abs();
        }
    }

    /// @notice The penalty of a liquidation, never more than the account's equity.
    function liquidationPenalty(int256 closed, int256 mark, int256 penaltyRate, int256 equity, int256 quantum)
        internal
        pure
        returns (int256)
    {
        unchecked {
            int256 charge = (closed * mark * penaltyRate).divCeil(quantum * FixedMath.UNIT);
            return charge.min(equity.divFloor(quantum).max(0));
        }
    }

    /// @notice The part of the penalty that the keeper receives; the rest is the insurance fund's.
    function keeperReward(int256 penalty, int256 keeperShare, int256 minKeeperReward) internal pure returns (int256) {
        unchecked {
            return penalty.min(minKeeperReward.max(shareOf(penalty, keeperShare)));
        }
    }

    /// @notice What the insurance fund pays the keeper who clears a bankrupt account.
    function bankruptcyReward(
        int256 closed,
        int256 mark,
        int256 penaltyRate,
        int256 keeperShare,
        int256 insurance,
        int256 quantum
    ) internal pure returns (int256) {
        unchecked {
            int256 penalty = (closed * mark * penaltyRate).divFloor(quantum * FixedMath.UNIT);
            return insurance.min(shareOf(penalty, keeperShare));
        }
    }

    /// @notice The price nearest to the mark at which the account is liquidatable because of this position, all
    /// other prices standing still; zero when a long is so at no price. {usd/base}
    function liquidationPrice(
        int256 size,
        int256 mark,
        int256 equity,
        int256 maintenanceMargin,
        int256 mmr
    ) internal pure returns (int256) {
        unchecked {
            int256 elsewhere = maintenanceMargin - marginRequirement(size, mark, mmr);
            int256 numerator = size * mark * FixedMath.UNIT - equity * FixedMath.UNIT + elsewhere;
            if (size > 0) return (numerator.divCeil(size * (FixedMath.UNIT - mmr)) - 1).max(0);
            return ((-numerator).divFloor(-size * (FixedMath.UNIT + mmr)) + 1).max(1);
        }
    }

    /// @notice The last price at which the account still has no negative equity, all other prices standing still;
    /// zero when a long has none at any price. {usd/base}
    function bankruptcyPrice(int256 size, int256 mark, int256 equity) internal pure returns (int256) {
        unchecked {
            if (size > 0) return (size * mark - equity).divCeil(size).max(0);
            return (equity - size * mark).divFloor(-size).max(0);
        }
    }

    /* DELISTING */

    /// @notice A winner's part of what there is for all of them, rounded down.
    function proRata(int256 claim, int256 payout, int256 claims) internal pure returns (int256) {
        return payout == claims ? claim : claim.mulDivFloor(payout, claims);
    }

    /* AUTO-DELEVERAGING */

    /// @notice The score of a winner, `profit / entry notional * notional / equity`, as a fraction of money
    /// products: who gained most with most leverage is deleveraged first.
    function deleverageScore(int256 profit, int256 cost, int256 value, int256 equity, int256 quantum)
        internal
        pure
        returns (int256 numerator, int256 denominator)
    {
        unchecked {
            numerator = profit.divFloor(quantum).max(0) * value.divFloor(quantum);
            denominator = cost.abs().divFloor(quantum).max(1) * equity.divFloor(quantum).clamp(1, FixedMath.MONEY_MAX);
        }
    }

    /// @notice The profit that a side has to realise: the opposite side's deficit, or what brings its profit back to
    /// `adlPnlFactor` of the pool, whichever is more; never negative. {quanta}
    function deleverageTarget(int256 sideProfit, int256 pool, int256 deficit, int256 adlPnlFactor, int256 quantum)
        internal
        pure
        returns (int256)
    {
        unchecked {
            int256 excess = sideProfit * FixedMath.UNIT - adlPnlFactor * pool * quantum;
            return deficit.max(excess.divCeil((FixedMath.UNIT - adlPnlFactor) * quantum)).max(0);
        }
    }

    /// @notice How much of a winner's position realises `target` of its raw `profit`; all of it when that is not
    /// enough or when what is left would be worth less than `minNotional`.
    function deleverageSize(
        int256 size,
        int256 mark,
        int256 profit,
        int256 target,
        int256 minNotional,
        int256 quantum
    ) internal pure returns (int256 closed) {
        unchecked {
            if (target * quantum >= profit) return size.abs();
            closed = size.abs().mulDivCeil(target * quantum, profit);
            if ((size.abs() - closed) * mark < minNotional * quantum) closed = size.abs();
        }
    }

    /* ORDERS */

    /// @notice Whether the mark has reached a trigger: for a stop from the better side, for a limit or a take-profit
    /// from the worse.
    function isTriggered(bool stop, int256 delta, int256 mark, int256 trigger) internal pure returns (bool) {
        return stop == (delta > 0) ? mark >= trigger : mark <= trigger;
    }

    /// @notice Where a trailing stop stands at a mark: `trail` away from it, in dollars or as a part of it, rounded away
    /// from the mark.
    function trailingTrigger(int256 delta, int256 mark, int256 trail, bool trailIsRatio)
        internal
        pure
        returns (int256)
    {
        unchecked {
            if (!trailIsRatio) return delta > 0 ? mark + trail : mark - trail;
            if (delta > 0) return (mark * (FixedMath.UNIT + trail)).divCeil(FixedMath.UNIT);
            return (mark * (FixedMath.UNIT - trail)).divFloor(FixedMath.UNIT);
        }
    }

    /* LEVERAGED TOKEN */

    /// @notice Signed notional over equity, rounded down; the most there is when there is a position but no equity.
    function leverageOf(int256 size, int256 mark, int256 equity) internal pure returns (int256) {
        unchecked {
            if (size == 0) return 0;
            if (equity <= 0) return size > 0 ? type(int256).max : -type(int256).max;
            return (size * mark).ratio(equity);
        }
    }

    /// @notice The size that is worth `leverage` times a raw equity, rounded toward zero. {equity >= 0}
    function sizeAtLeverage(int256 leverage, int256 mark, int256 equity) internal pure returns (int256) {
        unchecked {
            int256 size = equity.mulDivFloor(leverage.abs(), mark * FixedMath.UNIT);
            return leverage > 0 ? size : -size;
        }
    }

    /// @notice The position to which a rebalance trades: none when it would be worth less than `minNotional` or there
    /// is no equity.
    function targetSize(int256 leverage, int256 mark, int256 equity, int256 minNotional, int256 quantum)
        internal
        pure
        returns (int256)
    {
        unchecked {
            int256 size = sizeAtLeverage(leverage, mark, equity.max(0));
            return notional(size, mark) < minNotional * quantum ? int256(0) : size;
        }
    }

    /// @notice What is traded for `assets` that are added to `nav`: the same part of the position, rounded toward
    /// zero; where there is no position, `leverage` of them. Nothing when the position would be worth less than
    /// `minNotional`.
    function mintDelta(
        int256 size,
        int256 mark,
        int256 assets,
        int256 nav,
        int256 leverage,
        int256 minNotional,
        int256 quantum
    ) internal pure returns (int256 delta) {
        unchecked {
            if (size == 0) {
                delta = sizeAtLeverage(leverage, mark, assets * quantum).toSize();
            } else {
                delta = (size.abs() * assets).divFloor(nav).toSize();
                if (size < 0) delta = -delta;
            }
            if (notional(size + delta, mark) < minNotional * quantum) delta = 0;
        }
    }

    /// @notice The position that is left when `assets` of `nav` leave: the part that stays of one quantum more, which
    /// is the most that `nav` was rounded by, so that leverage never rises; none when it would be worth less than
    /// `minNotional`.
    function sizeAfterRedeem(
        int256 size,
        int256 mark,
        int256 assets,
        int256 nav,
        int256 minNotional,
        int256 quantum
    ) internal pure returns (int256) {
        unchecked {
            int256 rest = (size.abs() * (nav - assets)).divFloor(nav + 1);
            if (notional(rest, mark) < minNotional * quantum) return 0;
            return size > 0 ? rest : -rest;
        }
    }

    /// @notice The shares that `assets` are worth, rounded down. `virtualShares` own one quantum of their own.
    function sharesFor(int256 assets, int256 supply, int256 nav, int256 virtualShares) internal pure returns (int256) {
        unchecked {
            return (assets * (supply + virtualShares)).divFloor(nav + 1);
        }
    }

    /// @notice What `shares` are worth, rounded down. {quanta}
    function assetsFor(int256 shares, int256 supply, int256 nav, int256 virtualShares) internal pure returns (int256) {
        unchecked {
            return (shares * (nav + 1)).divFloor(supply + virtualShares);
        }
    }

    /// @notice A share of an amount of money, rounded up.
    function chargeOf(int256 amount, int256 share) internal pure returns (int256) {
        unchecked {
            return (amount * share).divCeil(FixedMath.UNIT);
        }
    }

    /// @notice The worst price within `maxPremium` of the mark, rounded toward the mark.
    function priceLimit(int256 mark, int256 delta, int256 maxPremium) internal pure returns (int256) {
        unchecked {
            int256 distance = (mark * maxPremium).divFloor(FixedMath.UNIT);
            return delta > 0 ? mark + distance : mark - distance;
        }
    }

    /// @notice What a rebalance pays its keeper, rounded down and never more than `nav`. {quanta}
    function rebalanceReward(int256 delta, int256 mark, int256 rate, int256 nav, int256 quantum)
        internal
        pure
        returns (int256)
    {
        unchecked {
            return (notional(delta, mark) * rate).divFloor(quantum * FixedMath.UNIT).min(nav);
        }
    }
}
