// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketLedger} from "./IMarketLedger.sol";
import {IOrders} from "./IOrders.sol";

/// @title IPerpLens
/// @notice Everything a page, a bot or a test wants to know, in one call each. It stands outside the ledger.
/// @dev The previews are not `view`: they do the action and undo it. Ask them with `eth_call`.
interface IPerpLens {
    /// @notice A market now. Without a fresh price `priced` is false and what depends on it is zero.
    struct MarketView {
        uint16 market;
        bytes32 symbol;
        bool priced;
        int256 mark;
        /// {s} When the oldest feed behind the mark price was updated.
        uint256 updatedAt;
        int256 skew;
        int256 premium;
        /// Per funding interval; positive when longs pay shorts.
        int256 fundingRate;
        /// {usd/base} As of now.
        int256 fundingIndex;
        /// {quanta} Unrealised profit of each side, rounded down.
        int256 longPnl;
        int256 shortPnl;
        IMarketLedger.MarketState state;
        IMarketLedger.MarketParams params;
        IMarketLedger.RiskTier[] tiers;
        IMarketLedger.Delisting delisting;
    }

    /// @notice A position now.
    struct PositionView {
        uint16 market;
        int256 size;
        /// The sequence number with which the position was opened.
        uint256 opened;
        /// The margin ratios of its risk tier.
        int256 imr;
        int256 mmr;
        int256 cost;
        int256 entryPrice;
        int256 mark;
        /// {quanta} Rounded up.
        int256 notional;
        /// {quanta} Accrued funding included, rounded down.
        int256 unrealizedPnl;
        /// {quanta} Accrued and not yet settled; negative when it is to be paid.
        int256 funding;
        /// {quanta} Rounded up.
        int256 initialMargin;
        int256 maintenanceMargin;
        /// {usd/base} Zero when there is none.
        int256 liquidationPrice;
        int256 bankruptcyPrice;
        /// Profit / entry notional * notional / equity; who has most is deleveraged first.
        int256 adlScore;
    }

    /// @notice An account now. Money in quanta: equity is rounded down, requirements up.
    struct AccountView {
        uint256 account;
        int256 collateral;
        int256 equity;
        int256 initialMargin;
        int256 maintenanceMargin;
        /// Equity / maintenance margin; below 1e18 means liquidatable.
        int256 health;
        int256 withdrawable;
        bool liquidatable;
        PositionView[] positions;
    }

    /// @notice An open order now.
    struct OrderView {
        uint256 id;
        /// Who escrowed its fee.
        address payer;
        /// It can never fill: anyone may cancel it.
        bool dead;
        /// The mark has reached its trigger.
        bool triggered;
        /// All that it waits for is there: it fills, if margin, limits and acceptable price allow.
        bool executable;
        /// {s} The price must have been published then or later.
        uint256 notBefore;
        IOrders.Order order;
    }

    function markets() external view returns (MarketView[] memory);

    function account(uint256 id) external view returns (AccountView memory);

    function accounts(uint256[] calldata ids) external view returns (AccountView[] memory);

    /// @notice A page of `count` accounts of one owner, from number `sub` on.
    function accountsOf(address owner, uint96 sub, uint96 count) external view returns (AccountView[] memory);

    /// @notice An account's open orders. Without a fresh price none is triggered.
    function ordersOf(uint256 id) external view returns (OrderView[] memory);

    /// @notice What a trade would do and how it would leave the account, or the very error that it would raise.
    function previewTrade(uint256 id, uint16 market, int256 delta, int256 priceLimit)
        external
        returns (IMarketLedger.TradeResult memory, AccountView memory);

    /// @notice How a withdrawal would leave the account, or the very error that it would raise.
    function previewWithdraw(uint256 id, uint256 amount) external returns (AccountView memory);

    /// @notice What a liquidation would do and how it would leave the account, or the very error that it would raise.
    function previewLiquidation(uint256 id, uint16 market)
        external
        returns (IMarketLedger.LiquidationResult memory, AccountView memory);
}
