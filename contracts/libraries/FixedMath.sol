// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title FixedMath
/// @notice The only file that divides or narrows a number. Solidity's `/` truncates toward zero, so each division
/// here says where it rounds: `Floor` toward minus infinity, `Ceil` toward plus infinity.
///
/// Supported ranges. Inside them nothing in the house can overflow; outside them contract and model refuse alike.
///
/// | quantity                 | bound        | why                                                            |
/// | ------------------------ | ------------ | -------------------------------------------------------------- |
/// | size, skew, skewScale    | 2**96 - 1    | 7.9e10 base                                                    |
/// | price, fill              | 2**88 - 1    | 3.0e8 per base; size * price < 2**184                          |
/// | funding index            | 2**92 - 1    | 16 times the highest price                                     |
/// | money                    | 2**87 - 1    | 1.5e20 at 6 decimals; money * quantum < 2**187 at 6 decimals   |
/// | shares of a token       | 2**160 - 1   | shares * money < 2**248                                        |
/// | token decimals           | 6 ... 18     | quantum = 10**(36 - decimals) <= 1e30 < 2**100                 |
/// | rates and ratios         | 0 ... 1e18   | 1e18 < 2**60; equity of 8 positions * 1e18 < 2**254            |
/// | elapsed time             | 2**40 seconds| price * rate * elapsed < 2**188                                |
library FixedMath {
    int256 internal constant UNIT = 1e18;
    int256 internal constant SIZE_MAX = 2 ** 96 - 1;
    int256 internal constant PRICE_MAX = 2 ** 88 - 1;
    int256 internal constant FUNDING_MAX = 2 ** 92 - 1;
    int256 internal constant MONEY_MAX = 2 ** 87 - 1;
    int256 internal constant SHARES_MAX = 2 ** 160 - 1;

    /// @notice Thrown when a size, or a side's open interest, leaves the supported range.
    error SizeOutOfRange(int256 size);
    /// @notice Thrown when a price is not positive or leaves the supported range.
    error PriceOutOfRange(int256 price);
    /// @notice Thrown when a funding index leaves the supported range.
    error FundingIndexOutOfRange(int256 fundingIndex);
    /// @notice Thrown when an amount of money leaves the supported range.
    error MoneyOutOfRange(int256 money);
    /// @notice Thrown when a token's shares leave the supported range.
    error SharesOutOfRange(int256 shares);

    /// @notice `numerator / denominator`, rounded toward minus infinity. {denominator > 0}
    function divFloor(int256 numerator, int256 denominator) internal pure returns (int256 quotient) {
        unchecked {
            quotient = numerator / denominator;
            if (numerator < 0 && quotient * denominator != numerator) quotient -= 1;
        }
    }

    /// @notice `numerator / denominator`, rounded toward plus infinity. {denominator > 0}
    function divCeil(int256 numerator, int256 denominator) internal pure returns (int256 quotient) {
        unchecked {
            quotient = numerator / denominator;
            if (numerator > 0 && quotient * denominator != numerator) quotient += 1;
        }
    }

    /// @notice `value * factor / denominator` with a 512-bit product, rounded toward minus infinity.
    /// {factor >= 0, denominator > 0}
    function mulDivFloor(int256 value, int256 factor, int256 denominator) internal pure returns (int256) {
        if (value >= 0) return int256(Math.mulDiv(uint256(value), uint256(factor), uint256(denominator)));
        return -int256(
            Math.mulDiv(uint256(-value), uint256(factor), uint256(denominator), Math.Rounding.Ceil)
        );
    }

    /// @notice `value * factor / denominator` with a 512-bit product, rounded toward plus infinity.
    /// {factor >= 0, denominator > 0}
    function mulDivCeil(int256 value, int256 factor, int256 denominator) internal pure returns (int256) {
        return -mulDivFloor(-value, factor, denominator);
    }

    /// @notice `numerator / denominator` in 1e18, rounded toward minus infinity and no further from zero than an int256
    /// goes. {denominator > 0}
    function ratio(int256 numerator, int256 denominator) internal pure returns (int256) {
        (uint256 high, uint256 low) = Math.mul512(uint256(abs(numerator)), uint256(UNIT));
        // A quotient of 2**255 or more: so large a ratio says nothing but "very much".
        if ((high << 1) | (low >> 255) >= uint256(denominator)) {
            return numerator < 0 ? -type(int256).max : type(int256).max;
        }
        return mulDivFloor(numerator, UNIT, denominator);
    }

    /// @notice Whether `a * b > c * d`, exactly, for non-negative numbers.
    function productGreater(int256 a, int256 b, int256 c, int256 d) internal pure returns (bool) {
        (uint256 leftHigh, uint256 leftLow) = Math.mul512(uint256(a), uint256(b));
        (uint256 rightHigh, uint256 rightLow) = Math.mul512(uint256(c), uint256(d));
        return leftHigh > rightHigh || (leftHigh == rightHigh && leftLow > rightLow);
    }

    function abs(int256 value) internal pure returns (int256) {
        unchecked {
            return value < 0 ? -value : value;
        }
    }

    function min(int256 a, int256 b) internal pure returns (int256) {
        return a < b ? a : b;
    }

    function max(int256 a, int256 b) internal pure returns (int256) {
        return a > b ? a : b;
    }

    function clamp(int256 value, int256 low, int256 high) internal pure returns (int256) {
        return max(low, min(high, value));
    }

    /// @notice `value`, refused when it is no size. {base}
    function toSize(int256 value) internal pure returns (int104) {
        if (value > SIZE_MAX || value < -SIZE_MAX) revert SizeOutOfRange(value);
        return int104(value);
    }

    /// @notice `value`, refused when a side cannot have so much open interest. {base}
    function toOpenInterest(int256 value) internal pure returns (uint96) {
        if (value > SIZE_MAX || value < 0) revert SizeOutOfRange(value);
        return uint96(uint256(value));
    }

    /// @notice `value`, refused when it is no price. {usd/base}
    function toPrice(int256 value) internal pure returns (int256) {
        if (value <= 0 || value > PRICE_MAX) revert PriceOutOfRange(value);
        return value;
    }

    /// @notice `value`, refused when it is no funding index. {usd/base}
    function toFundingIndex(int256 value) internal pure returns (int96) {
        if (value > FUNDING_MAX || value < -FUNDING_MAX) revert FundingIndexOutOfRange(value);
        return int96(value);
    }

    /// @notice `value`, refused when it is no amount of money. {quanta}
    function toMoney(int256 value) internal pure returns (int96) {
        if (value > MONEY_MAX || value < -MONEY_MAX) revert MoneyOutOfRange(value);
        return int96(value);
    }

    /// @notice `value`, refused when a token cannot have so many shares.
    function toShares(int256 value) internal pure returns (uint256) {
        if (value > SHARES_MAX || value < 0) revert SharesOutOfRange(value);
        return uint256(value);
    }

    /// @notice `amount` as signed money, refused when it is none. {quanta}
    function toAmount(uint256 amount) internal pure returns (int256) {
        if (amount > uint256(MONEY_MAX)) {
            revert MoneyOutOfRange(amount > uint256(type(int256).max) ? type(int256).max : int256(amount));
        }
        return int256(amount);
    }

    /// @notice `value` as unsigned, zero when it is negative.
    function toUnsigned(int256 value) internal pure returns (uint256) {
        return value < 0 ? 0 : uint256(value);
    }
}
