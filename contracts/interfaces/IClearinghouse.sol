// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketLedger} from "./IMarketLedger.sol";
import {IPriceOracle} from "./IPriceOracle.sol";

/// @title IClearinghouse
/// @notice The ledger of the market and every action on it.
///
/// Units: size {base, 1e18}; price and funding index {usd/base, 1e18}; rates, ratios and fees {1e18 = 100 %}; money
/// {quanta of the token}; raw {usd, 1e36}, of which `QUANTUM = 10 ** (36 - decimals)` make one unit of money.
///
/// Rounding: what is credited to an account is floored toward minus infinity; what is required of it or charged to it
/// is rounded up; the remainder stays in the position's cost basis or, when the position is gone, with the pool.
///
/// Every action beats the same six times: AUTHORIZE, ACCRUE, COMPUTE, APPLY, VERIFY, EMIT.
interface IClearinghouse is IMarketLedger {
    /// @notice Buys (`delta` > 0) or sells `delta` base units at the fill price, which must not be worse than
    /// `priceLimit`. Funding is settled first. A pure reduction must leave maintenance margin, anything else initial
    /// margin.
    function trade(uint256 account, uint16 market, int256 delta, int256 priceLimit)
        external
        returns (TradeResult memory);

    /// @notice Turns a position's unrealised profit or loss at the mark price into cash, for anyone who asks.
    function settle(uint256 account, uint16 market) external returns (SettleResult memory);

    /// @notice Closes, at the mark price, the least of a position that restores the account's initial margin. Anyone
    /// may; the reward is credited to the caller's account 0, so that no token moves and nobody's wallet can block it.
    function liquidate(uint256 account, uint16 market) external returns (LiquidationResult memory);

    /// @notice Liquidates every account of the list that is liquidatable in `market`, and skips the others.
    function liquidateMany(uint16 market, uint256[] calldata accounts) external returns (LiquidationResult[] memory);

    /// @notice Closes winners on one side at the mark price, highest score first, while the opposite side has a
    /// deficit or this side's profit exceeds `adlPnlFactor` of the pool.
    /// @param accounts All holders of that side in ascending order; `sum |size| == open interest` proves it.
    function deleverage(uint16 market, bool long, uint256[] calldata accounts)
        external
        returns (DeleverageResult[] memory);

    /// @notice Adds a market and returns its id. Owner only.
    /// @param tiers Up to three, in ascending order of size and of both ratios: the ratios of `params` hold below the
    /// first.
    function listMarket(bytes32 symbol, MarketParams calldata params, RiskTier[] calldata tiers)
        external
        returns (uint16 market);

    /// @notice Replaces a market's parameters. What would raise the maintenance margin of any size, or the delay, must
    /// have been announced. Owner only.
    function setMarketParams(uint16 market, MarketParams calldata params, RiskTier[] calldata tiers) external;

    /// @notice Announces parameters, which may be set from `NOTICE` seconds later on, for as long again. Owner only.
    function announceMarketParams(uint16 market, MarketParams calldata params, RiskTier[] calldata tiers) external;

    /// @notice Pauses the actions on a market whose bits are set and resumes the others. When liquidations are resumed a
    /// grace period begins. Owner only.
    function setMarketPaused(uint16 market, uint16 bits) external;

    /// @notice Names the contract through which markets with a delay trade, once. Owner only.
    function setOrders(address orders) external;

    /// @notice Records that a market's price is missing or, after that, that it is back, for anyone who notices. From
    /// the one until a grace period after the other nobody who holds the market is liquidated, and only reductions trade
    /// there.
    function recordOutage(uint16 market) external returns (bool priced);

    /// @notice Announces that a market may be delisted from `NOTICE` seconds later on. Owner only.
    function announceDelisting(uint16 market) external;

    /// @notice Ends a market at its mark price now, which is final: no more trades, funding or liquidations; not while an
    /// outage or the grace period after it lasts. Owner only.
    function delistMarket(uint16 market) external;

    /// @notice Closes positions of a delisted market at its final price, for anyone who asks. Losers pay at once. A
    /// winner's claim is registered first; when all that is left of the market is registered, winners are paid, in
    /// proportion when pool and insurance fund together have less than they are owed.
    function closeOut(uint16 market, uint256[] calldata accounts) external;

    /// @notice Brings a market's protocol fees to the treasury, for anyone who asks.
    function collectFees(uint16 market) external returns (uint256 amount);

    /// @notice Hands signed price reports to the oracle, so that in one `multicall` they come before the action that
    /// needs them. For anyone; reports that are not newer than what the feeds have are skipped.
    function deliverReports(uint16 market, IPriceOracle.SignedReport[] calldata reports) external;

    /// @notice Does `action` as if its owner had sent it, then asks the caller `report` (unless it is empty), undoes
    /// both and reverts with `Simulated`; or reverts with the very error that `action` would raise. For `eth_call`.
    function simulate(bytes calldata action, bytes calldata report) external;

    function symbolOf(uint16 market) external view returns (bytes32);

    function paramsOf(uint16 market) external view returns (MarketParams memory);

    function stateOf(uint16 market) external view returns (MarketState memory);

    /// @notice The risk tiers above the first.
    function riskTiersOf(uint16 market) external view returns (RiskTier[] memory);

    /// @notice The initial and maintenance margin ratio of a position of `size`.
    function ratiosOf(uint16 market, int256 size) external view returns (int256 imr, int256 mmr);

    function delistingOf(uint16 market) external view returns (Delisting memory);

    /// @notice The mark price, and when the oldest feed behind it was updated; of a delisted market the final price, now.
    function priceOf(uint16 market) external view returns (int256 mark, uint256 updatedAt);

    function positionOf(uint256 account, uint16 market) external view returns (Position memory);

    /// @notice The markets in which an account has positions, in the order in which they are kept.
    function marketsOf(uint256 account) external view returns (uint16[] memory);

    /// @notice The funding index as of now, at a mark price. {usd/base}
    function fundingIndexOf(uint16 market, int256 mark) external view returns (int256);

    /// @notice An account's raw equity and its margin requirements (raw * 1e18) at the oracle's prices now.
    function marginOf(uint256 account)
        external
        view
        returns (int256 equity, int256 initialMargin, int256 maintenanceMargin);

    /// @notice The pool's raw equity: its cash less the unrealised profit of all traders.
    function poolEquity() external view returns (int256);
}
