// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Clearinghouse} from "../Clearinghouse.sol";
import {IClearinghouse} from "../interfaces/IClearinghouse.sol";
import {IMarketLedger} from "../interfaces/IMarketLedger.sol";
import {IMarginVault} from "../interfaces/IMarginVault.sol";
import {IOrders} from "../interfaces/IOrders.sol";
import {IPerpLens} from "../interfaces/IPerpLens.sol";
import {FixedMath} from "../libraries/FixedMath.sol";
import {PerpMath} from "../libraries/PerpMath.sol";

/// @title PerpLens
/// @notice {documentation: IPerpLens}
contract PerpLens is IPerpLens {
    using FixedMath for int256;

    Clearinghouse public immutable CLEARINGHOUSE;
    int256 private immutable _quantum;

    constructor(Clearinghouse clearinghouse) {
        CLEARINGHOUSE = clearinghouse;
        _quantum = clearinghouse.QUANTUM();
    }

    /* MARKETS */

    /// @inheritdoc IPerpLens
    function markets() external view returns (MarketView[] memory views) {
        views = new MarketView[](CLEARINGHOUSE.marketCount());
        for (uint16 market = 0; market < views.length; market++) {
            views[market] = _market(market);
        }
    }

    function _market(uint16 market) internal view returns (MarketView memory m) {
        m.market = market;
        m.symbol = CLEARINGHOUSE.symbolOf(market);
        m.state = CLEARINGHOUSE.stateOf(market);
        m.params = CLEARINGHOUSE.paramsOf(market);
        m.tiers = CLEARINGHOUSE.riskTiersOf(market);
        m.delisting = CLEARINGHOUSE.delistingOf(market);
        int256 longSize = int256(uint256(m.state.longOi));
        int256 shortSize = -int256(uint256(m.state.shortOi));
        int256 skewScale = int256(uint256(m.params.skewScale));
        m.skew = longSize + shortSize;
        m.premium = PerpMath.premium(m.skew, skewScale);
        m.fundingRate = PerpMath.fundingRate(m.skew, skewScale, int256(uint256(m.params.maxFundingRate)));
        try CLEARINGHOUSE.priceOf(market) returns (int256 mark, uint256 updatedAt) {
            m.priced = true;
            m.mark = mark;
            m.updatedAt = updatedAt;
            m.fundingIndex = CLEARINGHOUSE.fundingIndexOf(market, mark);
            m.longPnl = PerpMath.sidePnl(longSize, m.state.longBasis, mark, m.fundingIndex).divFloor(_quantum);
            m.shortPnl = PerpMath.sidePnl(shortSize, m.state.shortBasis, mark, m.fundingIndex).divFloor(_quantum);
        } catch {}
    }

    /* ACCOUNTS */

    /// @inheritdoc IPerpLens
    function account(uint256 id) public view returns (AccountView memory a) {
        (int256 equity, int256 initialMargin, int256 maintenanceMargin) = CLEARINGHOUSE.marginOf(id);
        a.account = id;
        a.collateral = CLEARINGHOUSE.collateralOf(id);
        a.equity = equity.divFloor(_quantum);
        a.initialMargin = initialMargin.divCeil(_quantum * FixedMath.UNIT);
        a.maintenanceMargin = maintenanceMargin.divCeil(_quantum * FixedMath.UNIT);
        a.health = PerpMath.health(equity, maintenanceMargin);
        a.withdrawable =
            PerpMath.withdrawable(a.collateral, equity, initialMargin, CLEARINGHOUSE.vault().pool, _quantum);
        a.liquidatable = !PerpMath.isCovered(equity, maintenanceMargin);
        uint16[] memory held = CLEARINGHOUSE.marketsOf(id);
        a.positions = new PositionView[](held.length);
        for (uint256 i = 0; i < held.length; i++) {
            a.positions[i] = _position(id, held[i], equity, maintenanceMargin);
        }
    }

    function _position(uint256 id, uint16 market, int256 equity, int256 maintenanceMargin)
        internal
        view
        returns (PositionView memory p)
    {
        IMarketLedger.Position memory position = CLEARINGHOUSE.positionOf(id, market);
        (p.mark,) = CLEARINGHOUSE.priceOf(market);
        int256 indexDelta = CLEARINGHOUSE.fundingIndexOf(market, p.mark) - position.fundingIndex;
        p.market = market;
        p.size = position.size;
        p.opened = position.opened;
        (p.imr, p.mmr) = CLEARINGHOUSE.ratiosOf(market, p.size);
        p.cost = position.cost;
        p.entryPrice = PerpMath.entryPrice(p.size, p.cost);
        p.notional = PerpMath.notional(p.size, p.mark).divCeil(_quantum);
        p.unrealizedPnl = PerpMath.unrealizedPnl(p.size, p.cost, p.mark, indexDelta).divFloor(_quantum);
        p.funding = PerpMath.fundingPayment(p.size, indexDelta, _quantum);
        p.initialMargin = PerpMath.marginRequirement(p.size, p.mark, p.imr).divCeil(_quantum * FixedMath.UNIT);
        p.maintenanceMargin = PerpMath.marginRequirement(p.size, p.mark, p.mmr).divCeil(_quantum * FixedMath.UNIT);
        p.liquidationPrice = PerpMath.liquidationPrice(p.size, p.mark, equity, maintenanceMargin, p.mmr);
        p.bankruptcyPrice = PerpMath.bankruptcyPrice(p.size, p.mark, equity);
        int256 cost = PerpMath.costAfterFunding(p.size, p.cost, indexDelta, p.funding, _quantum);
        (int256 numerator, int256 denominator) = PerpMath.deleverageScore(
            PerpMath.unrealizedPnl(p.size, cost, p.mark, 0),
            cost,
            PerpMath.notional(p.size, p.mark),
            equity,
            _quantum
        );
        p.adlScore = numerator.ratio(denominator);
    }

    /// @inheritdoc IPerpLens
    function accounts(uint256[] calldata ids) external view returns (AccountView[] memory views) {
        views = new AccountView[](ids.length);
        for (uint256 i = 0; i < ids.length; i++) {
            views[i] = account(ids[i]);
        }
    }

    /// @inheritdoc IPerpLens
    function accountsOf(address owner, uint96 sub, uint96 count) external view returns (AccountView[] memory views) {
        views = new AccountView[](count);
        for (uint256 i = 0; i < count; i++) {
            views[i] = account((uint256(uint160(owner)) << 96) | (sub + i));
        }
    }

    /* ORDERS */

    /// @inheritdoc IPerpLens
    function ordersOf(uint256 id) external view returns (OrderView[] memory views) {
        IOrders orders = IOrders(CLEARINGHOUSE.orders());
        if (address(orders) == address(0)) return views;
        uint64[] memory ids = orders.ordersOf(id);
        views = new OrderView[](ids.length);
        for (uint256 i = 0; i < ids.length; i++) {
            views[i] = _order(orders, ids[i]);
        }
    }

    function _order(IOrders orders, uint64 id) internal view returns (OrderView memory o) {
        o.id = id;
        o.payer = orders.payerOf(id);
        o.order = orders.orderOf(id);
        o.dead = orders.isDead(id);
        o.notBefore = o.order.placedAt + CLEARINGHOUSE.paramsOf(o.order.market).minDelay;
        try CLEARINGHOUSE.priceOf(o.order.market) returns (int256 mark, uint256 updatedAt) {
            o.triggered = orders.isTriggered(id, mark);
            uint64 parent = o.order.parent;
            bool entered = parent == 0 || orders.orderOf(parent).status == IOrders.Status.Executed;
            o.executable = !o.dead && o.triggered && entered && updatedAt >= o.notBefore;
        } catch {}
    }

    /* PREVIEWS */

    /// @inheritdoc IPerpLens
    function previewTrade(uint256 id, uint16 market, int256 delta, int256 priceLimit)
        external
        returns (IMarketLedger.TradeResult memory, AccountView memory)
    {
        (bytes memory result, bytes memory report) =
            _simulate(id, abi.encodeCall(IClearinghouse.trade, (id, market, delta, priceLimit)));
        return (abi.decode(result, (IMarketLedger.TradeResult)), abi.decode(report, (AccountView)));
    }

    /// @inheritdoc IPerpLens
    function previewWithdraw(uint256 id, uint256 amount) external returns (AccountView memory) {
        address owner = address(uint160(id >> 96));
        (, bytes memory report) = _simulate(id, abi.encodeCall(IMarginVault.withdraw, (id, amount, owner)));
        return abi.decode(report, (AccountView));
    }

    /// @inheritdoc IPerpLens
    function previewLiquidation(uint256 id, uint16 market)
        external
        returns (IMarketLedger.LiquidationResult memory, AccountView memory)
    {
        (bytes memory result, bytes memory report) =
            _simulate(id, abi.encodeCall(IClearinghouse.liquidate, (id, market)));
        return (abi.decode(result, (IMarketLedger.LiquidationResult)), abi.decode(report, (AccountView)));
    }

    /// @dev The result of `action` and the account after it, both undone; any other error passes through.
    function _simulate(uint256 id, bytes memory action) internal returns (bytes memory, bytes memory) {
        try CLEARINGHOUSE.simulate(action, abi.encodeCall(this.account, (id))) {
            revert(); // never: `simulate` always reverts
        } catch (bytes memory reason) {
            if (bytes4(reason) != IMarketLedger.Simulated.selector) _bubble(reason);
            return abi.decode(_arguments(reason), (bytes, bytes));
        }
    }

    /// @dev `reason` without its selector, in place.
    function _arguments(bytes memory reason) private pure returns (bytes memory arguments) {
        assembly ("memory-safe") {
            let length := sub(mload(reason), 4)
            mcopy(add(reason, 32), add(reason, 36), length)
            mstore(reason, length)
            arguments := reason
        }
    }

    function _bubble(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
