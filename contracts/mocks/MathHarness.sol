// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedMath} from "../libraries/FixedMath.sol";
import {PerpMath} from "../libraries/PerpMath.sol";

/// @title MathHarness
/// @notice Opens every pure function of the libraries, so that the model's twins can be held against them.
contract MathHarness {
    /* FixedMath */

    function divFloor(int256 numerator, int256 denominator) external pure returns (int256 quotient) {
        return FixedMath.divFloor(numerator, denominator);
    }

    function divCeil(int256 numerator, int256 denominator) external pure returns (int256 quotient) {
        return FixedMath.divCeil(numerator, denominator);
    }

    function mulDivFloor(int256 value, int256 factor, int256 denominator) external pure returns (int256) {
        return FixedMath.mulDivFloor(value, factor, denominator);
    }

    function mulDivCeil(int256 value, int256 factor, int256 denominator) external pure returns (int256) {
        return FixedMath.mulDivCeil(value, factor, denominator);
    }

    function ratio(int256 numerator, int256 denominator) external pure returns (int256) {
        return FixedMath.ratio(numerator, denominator);
    }

    function productGreater(int256 a, int256 b, int256 c, int256 d) external pure returns (bool) {
        return FixedMath.productGreater(a, b, c, d);
    }

    function abs(int256 value) external pure returns (int256) {
        return FixedMath.abs(value);
    }

    function min(int256 a, int256 b) external pure returns (int256) {
        return FixedMath.min(a, b);
    }

    function max(int256 a, int256 b) external pure returns (int256) {
        return FixedMath.max(a, b);
    }

    function clamp(int256 value, int256 low, int256 high) external pure returns (int256) {
        return FixedMath.clamp(value, low, high);
    }

    function toSize(int256 value) external pure returns (int128) {
        return FixedMath.toSize(value);
    }

    function toOpenInterest(int256 value) external pure returns (uint96) {
        return FixedMath.toOpenInterest(value);
    }

    function toPrice(int256 value) external pure returns (int256) {
        return FixedMath.toPrice(value);
    }

    function toFundingIndex(int256 value) external pure returns (int96) {
        return FixedMath.toFundingIndex(value);
    }

    function toMoney(int256 value) external pure returns (int96) {
        return FixedMath.toMoney(value);
    }

    function toShares(int256 value) external pure returns (uint256) {
        return FixedMath.toShares(value);
    }

    function toAmount(uint256 amount) external pure returns (int256) {
        return FixedMath.toAmount(amount);
    }

    function toUnsigned(int256 value) external pure returns (uint256) {
        return FixedMath.toUnsigned(value);
    }

    /* PerpMath */

    function premium(int256 skew, int256 skewScale) external pure returns (int256) {
        return PerpMath.premium(skew, skewScale);
    }

    function fillPrice(int256 mark, int256 skew, int256 delta, int256 skewScale) external pure returns (int256) {
        return PerpMath.fillPrice(mark, skew, delta, skewScale);
    }

    function fundingRate(int256 skew, int256 skewScale, int256 maxFundingRate) external pure returns (int256) {
        return PerpMath.fundingRate(skew, skewScale, maxFundingRate);
    }

    function fundingIndexDelta(
        int256 mark,
        int256 rate,
        int256 elapsed,
        int256 fundingInterval
    ) external pure returns (int256) {
        return PerpMath.fundingIndexDelta(mark, rate, elapsed, fundingInterval);
    }

    function fundingPayment(int256 size, int256 indexDelta, int256 quantum) external pure returns (int256) {
        return PerpMath.fundingPayment(size, indexDelta, quantum);
    }

    function costAfterFunding(
        int256 size,
        int256 cost,
        int256 indexDelta,
        int256 payment,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.costAfterFunding(size, cost, indexDelta, payment, quantum);
    }

    function closedSize(int256 size, int256 delta) external pure returns (int256) {
        return PerpMath.closedSize(size, delta);
    }

    function costOfClosed(int256 size, int256 cost, int256 closed) external pure returns (int256) {
        return PerpMath.costOfClosed(size, cost, closed);
    }

    function closedPnl(int256 size, int256 closed, int256 price, int256 costClosed) external pure returns (int256) {
        return PerpMath.closedPnl(size, closed, price, costClosed);
    }

    function costAfterClose(
        int256 cost,
        int256 costClosed,
        int256 pnl,
        int256 realized,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.costAfterClose(cost, costClosed, pnl, realized, quantum);
    }

    function tradeFee(
        int256 skew,
        int256 delta,
        int256 price,
        int256 makerFee,
        int256 takerFee,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.tradeFee(skew, delta, price, makerFee, takerFee, quantum);
    }

    function shareOf(int256 amount, int256 share) external pure returns (int256) {
        return PerpMath.shareOf(amount, share);
    }

    function notional(int256 size, int256 mark) external pure returns (int256) {
        return PerpMath.notional(size, mark);
    }

    function unrealizedPnl(int256 size, int256 cost, int256 mark, int256 indexDelta) external pure returns (int256) {
        return PerpMath.unrealizedPnl(size, cost, mark, indexDelta);
    }

    function marginRequirement(int256 size, int256 mark, int256 ratio) external pure returns (int256) {
        return PerpMath.marginRequirement(size, mark, ratio);
    }

    function basisOf(int256 size, int256 cost, int256 fundingIndex) external pure returns (int256) {
        return PerpMath.basisOf(size, cost, fundingIndex);
    }

    function sidePnl(int256 sideSize, int256 basis, int256 mark, int256 fundingIndex) external pure returns (int256) {
        return PerpMath.sidePnl(sideSize, basis, mark, fundingIndex);
    }

    function isCovered(int256 equity, int256 requirement) external pure returns (bool) {
        return PerpMath.isCovered(equity, requirement);
    }

    function entryPrice(int256 size, int256 cost) external pure returns (int256) {
        return PerpMath.entryPrice(size, cost);
    }

    function health(int256 equity, int256 maintenanceMargin) external pure returns (int256) {
        return PerpMath.health(equity, maintenanceMargin);
    }

    function withdrawable(
        int256 collateral,
        int256 equity,
        int256 initialMargin,
        int256 pool,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.withdrawable(collateral, equity, initialMargin, pool, quantum);
    }

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
    ) external pure returns (int256 closed) {
        return
            PerpMath.liquidationSize(size, mark, equity, initialMargin, imr, penaltyRate, minNotional, least, quantum);
    }

    function liquidationPenalty(
        int256 closed,
        int256 mark,
        int256 penaltyRate,
        int256 equity,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.liquidationPenalty(closed, mark, penaltyRate, equity, quantum);
    }

    function keeperReward(int256 penalty, int256 keeperShare, int256 minKeeperReward) external pure returns (int256) {
        return PerpMath.keeperReward(penalty, keeperShare, minKeeperReward);
    }

    function bankruptcyReward(
        int256 closed,
        int256 mark,
        int256 penaltyRate,
        int256 keeperShare,
        int256 insurance,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.bankruptcyReward(closed, mark, penaltyRate, keeperShare, insurance, quantum);
    }

    function liquidationPrice(
        int256 size,
        int256 mark,
        int256 equity,
        int256 maintenanceMargin,
        int256 mmr
    ) external pure returns (int256) {
        return PerpMath.liquidationPrice(size, mark, equity, maintenanceMargin, mmr);
    }

    function bankruptcyPrice(int256 size, int256 mark, int256 equity) external pure returns (int256) {
        return PerpMath.bankruptcyPrice(size, mark, equity);
    }

    function proRata(int256 claim, int256 payout, int256 claims) external pure returns (int256) {
        return PerpMath.proRata(claim, payout, claims);
    }

    function deleverageScore(
        int256 profit,
        int256 cost,
        int256 value,
        int256 equity,
        int256 quantum
    ) external pure returns (int256 numerator, int256 denominator) {
        return PerpMath.deleverageScore(profit, cost, value, equity, quantum);
    }

    function deleverageTarget(
        int256 sideProfit,
        int256 pool,
        int256 deficit,
        int256 adlPnlFactor,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.deleverageTarget(sideProfit, pool, deficit, adlPnlFactor, quantum);
    }

    function deleverageSize(
        int256 size,
        int256 mark,
        int256 profit,
        int256 target,
        int256 minNotional,
        int256 quantum
    ) external pure returns (int256 closed) {
        return PerpMath.deleverageSize(size, mark, profit, target, minNotional, quantum);
    }

    function isTriggered(bool stop, int256 delta, int256 mark, int256 trigger) external pure returns (bool) {
        return PerpMath.isTriggered(stop, delta, mark, trigger);
    }

    function trailingTrigger(int256 delta, int256 mark, int256 trail, bool trailIsRatio)
        external
        pure
        returns (int256)
    {
        return PerpMath.trailingTrigger(delta, mark, trail, trailIsRatio);
    }

    function leverageOf(int256 size, int256 mark, int256 equity) external pure returns (int256) {
        return PerpMath.leverageOf(size, mark, equity);
    }

    function sizeAtLeverage(int256 leverage, int256 mark, int256 equity) external pure returns (int256) {
        return PerpMath.sizeAtLeverage(leverage, mark, equity);
    }

    function targetSize(
        int256 leverage,
        int256 mark,
        int256 equity,
        int256 minNotional,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.targetSize(leverage, mark, equity, minNotional, quantum);
    }

    function mintDelta(
        int256 size,
        int256 mark,
        int256 assets,
        int256 nav,
        int256 leverage,
        int256 minNotional,
        int256 quantum
    ) external pure returns (int256 delta) {
        return PerpMath.mintDelta(size, mark, assets, nav, leverage, minNotional, quantum);
    }

    function sizeAfterRedeem(
        int256 size,
        int256 mark,
        int256 assets,
        int256 nav,
        int256 minNotional,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.sizeAfterRedeem(size, mark, assets, nav, minNotional, quantum);
    }

    function sharesFor(int256 assets, int256 supply, int256 nav, int256 virtualShares) external pure returns (int256) {
        return PerpMath.sharesFor(assets, supply, nav, virtualShares);
    }

    function assetsFor(int256 shares, int256 supply, int256 nav, int256 virtualShares) external pure returns (int256) {
        return PerpMath.assetsFor(shares, supply, nav, virtualShares);
    }

    function chargeOf(int256 amount, int256 share) external pure returns (int256) {
        return PerpMath.chargeOf(amount, share);
    }

    function priceLimit(int256 mark, int256 delta, int256 maxPremium) external pure returns (int256) {
        return PerpMath.priceLimit(mark, delta, maxPremium);
    }

    function rebalanceReward(
        int256 delta,
        int256 mark,
        int256 rate,
        int256 nav,
        int256 quantum
    ) external pure returns (int256) {
        return PerpMath.rebalanceReward(delta, mark, rate, nav, quantum);
    }
}
