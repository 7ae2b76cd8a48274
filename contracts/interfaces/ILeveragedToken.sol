// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ILeveragedToken
/// @notice A share of one position at constant leverage, as an ERC-20 of 18 decimals.
///
/// The token holds account 0 of its own address in the clearinghouse and acts there as anyone may: it deposits, trades,
/// settles and withdraws. Net asset value is that account's equity at the mark price, funding included.
///
/// Who mints or redeems bears what his own trade costs (fee, premium) or earns; what the others own does not fall by
/// it. Rebalancing is paid by all holders. Prices are the mark price's, so that whoever knows a price before the oracle
/// does gains here what he would gain by trading; `fee` is the defence.
///
/// Whatever the clearinghouse refuses, it refuses here with its own error: no fresh price, too little margin, too much
/// open interest, a pause, a pool whose cash is negative (`PoolInsolvent`: nobody redeems until it is refilled), or a
/// market that demands a delay between order and fill (`minDelay`) and so lets nobody trade directly.
///
/// Near its initial margin the account can only be rebalanced, which makes room to mint and redeem again. Below its
/// maintenance margin it is liquidated like any other. Shares that are worth nothing after it are neither minted nor
/// redeemed until somebody deposits for the token's account.
interface ILeveragedToken {
    /// @notice What the token promises. Fixed at deployment.
    struct Terms {
        uint16 market;
        /// {1e18 = 1x} Negative when short.
        int96 targetLeverage;
        /// {1e18 = 1x} Without sign: outside of this band anyone may rebalance at any time.
        uint64 minLeverage;
        uint64 maxLeverage;
        /// {s} Inside of the band anyone may rebalance this long after the last time.
        uint32 rebalanceInterval;
        /// {1e18 = 100 %} Of what is minted or redeemed; stays with the holders.
        uint64 fee;
        /// {1e18 = 100 %} How much worse than the mark price a trade may fill.
        uint64 maxPremium;
        /// {1e18 = 100 %} Of the notional that a rebalance trades; paid in new shares, so that no payment can fail.
        uint64 rebalanceReward;
    }

    /// @notice What minting did. The last three are totals after it.
    struct MintResult {
        /// {quanta} Paid.
        uint256 assets;
        /// {quanta} What net asset value rose by: the assets less what the trade cost.
        int256 value;
        /// {quanta} The part of the value that is the holders'.
        int256 fee;
        uint256 shares;
        int256 mark;
        int256 delta;
        /// {usd/base} Zero when nothing was traded.
        int256 fill;
        int256 leverage;
        uint256 netAssetValue;
        uint256 supply;
    }

    /// @notice What redeeming did. The last three are totals after it.
    struct RedeemResult {
        uint256 shares;
        /// {quanta} The shares' part of net asset value.
        int256 value;
        /// {quanta} What the trade cost; negative when it earned.
        int256 cost;
        /// {quanta} The part of the rest that is the holders'.
        int256 fee;
        /// {quanta} Paid out.
        uint256 assets;
        /// {usd/base} Zero when there was no position.
        int256 mark;
        int256 delta;
        int256 fill;
        int256 leverage;
        uint256 netAssetValue;
        uint256 supply;
    }

    /// @notice What a rebalance did. The last three are totals after it.
    struct RebalanceResult {
        int256 mark;
        int256 delta;
        int256 fill;
        /// {quanta} The keeper's reward, and the shares that were minted for it.
        int256 reward;
        uint256 shares;
        int256 leverage;
        uint256 netAssetValue;
        uint256 supply;
    }

    event Minted(address indexed minter, address indexed receiver, MintResult result);
    event Redeemed(address indexed redeemer, address indexed receiver, RedeemResult result);
    event Rebalanced(address indexed keeper, RebalanceResult result);

    /// @notice Thrown when the token is deployed with terms that make no sense in its market.
    error InvalidTerms(string name);
    /// @notice Thrown when shares exist but are worth nothing, so that no price for them is fair.
    error WorthlessShares();
    /// @notice Thrown when fewer shares, or assets, would be received than was demanded.
    error InsufficientOutput(uint256 amount, uint256 minimum);
    /// @notice Thrown when leverage is within its band and `notBefore` has not come, or there is nothing to trade.
    error NothingToRebalance(int256 leverage, uint256 notBefore);

    /// @notice Takes `assets` of the caller's tokens and mints shares for `receiver`: what net asset value rose by,
    /// less the fee, at the price of a share before. The position grows in proportion, so that leverage stays what it
    /// was; without a position it opens at `targetLeverage` of the assets, and what that earns stays with the holders.
    /// What would leave a position worth less than the market's least is not traded.
    function mint(uint256 assets, uint256 minShares, address receiver) external returns (MintResult memory);

    /// @notice Burns `shares` of the caller and pays their part of net asset value, less what their trade costs and
    /// the fee, to `receiver`. As much of the position is closed as of net asset value leaves; all of it when the rest
    /// would be worth less than the market's least (what that earns stays with the holders), or when the last shares
    /// leave, which pay no fee.
    function redeem(uint256 shares, uint256 minAssets, address receiver) external returns (RedeemResult memory);

    /// @notice Trades to `targetLeverage`, or to nothing when that would be worth less than the market's least. Anyone
    /// may, from `nextRebalance` on or while leverage is outside of its band. The reward is never more than net asset
    /// value. A rebalance that would fill further than `maxPremium` from the mark price is refused.
    function rebalance() external returns (RebalanceResult memory);

    function terms() external view returns (Terms memory);

    /// @notice What all shares are worth together, at the mark price and never below zero. {quanta}
    function netAssetValue() external view returns (uint256);

    /// @notice Signed notional over equity, floored; zero without a position, the most there is without equity. {1e18}
    function leverage() external view returns (int256);

    /// @notice From when on the token may be rebalanced although leverage is within its band. {s}
    function nextRebalance() external view returns (uint256);
}
