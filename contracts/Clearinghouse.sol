// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {MarginVault} from "./MarginVault.sol";
import {MarketLedger} from "./MarketLedger.sol";
import {VaultLedger} from "./VaultLedger.sol";
import {IClearinghouse} from "./interfaces/IClearinghouse.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {FixedMath} from "./libraries/FixedMath.sol";
import {PerpMath} from "./libraries/PerpMath.sol";

/// @title Clearinghouse
/// @notice {documentation: IClearinghouse}
contract Clearinghouse is IClearinghouse, MarketLedger, MarginVault {
    using FixedMath for int256;

    address private immutable _extension;

    constructor(IERC20Metadata token, IPriceOracle oracle, address extension, address owner)
        VaultLedger(token, owner)
        MarketLedger(oracle)
    {
        _extension = extension;
    }

    /* TRADE */

    /// @inheritdoc IClearinghouse
    function trade(uint256 account, uint16 market, int256 delta, int256 priceLimit)
        external
        nonReentrant
        returns (TradeResult memory result)
    {
        // AUTHORIZE
        Market storage m = _activeMarket(market, TRADE);
        _authorize(account);
        if (m.params.minDelay != 0 && msg.sender != orders && !_simulating) revert OnlyOrders(market, m.params.minDelay);
        if (delta == 0) revert ZeroAmount();
        result.delta = delta.toSize();

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        result.mark = _mark(marks, market);
        int256 fundingIndex = _accrue(m, result.mark);

        // COMPUTE
        Position memory previous = _positions[account][market];
        int256 skew = _skew(m);
        result.fill = PerpMath.fillPrice(result.mark, skew, delta, int256(uint256(m.params.skewScale))).toPrice();
        if (delta > 0 ? result.fill > priceLimit : result.fill < priceLimit) {
            revert PriceLimitCrossed(result.fill, priceLimit);
        }
        result.fee = PerpMath.tradeFee(
            skew,
            delta,
            result.fill,
            int256(uint256(m.params.makerFee)),
            int256(uint256(m.params.takerFee)),
            QUANTUM
        );
        Position memory next;
        (next, result.funding) = _fund(previous, fundingIndex);
        (next, result.realized) = _fill(next, delta, result.fill);

        // APPLY
        _replacePosition(m, account, market, previous, next);
        _credit(account, result.funding + result.realized, 0);
        _chargeFee(m, account, result.fee);

        // VERIFY
        bool reduction = _isReduction(previous.size, next.size);
        if (!reduction) _verifyIncrease(m, market);
        _verifySize(m, next.size, result.mark);
        _verifyGrowth(m, market, previous.size, next.size, skew, result.mark);
        _verifyMargin(account, marks, reduction);

        // EMIT
        emit Traded(market, account, ++m.state.sequence, fundingIndex, result, next, _balances(m, account));
    }

    /// @inheritdoc IClearinghouse
    function settle(uint256 account, uint16 market) external nonReentrant returns (SettleResult memory result) {
        // AUTHORIZE
        Market storage m = _activeMarket(market, SETTLE);
        Position memory previous = _positions[account][market];
        if (previous.size == 0) revert NoPosition(account, market);

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        result.mark = _mark(marks, market);
        int256 fundingIndex = _accrue(m, result.mark);

        // COMPUTE
        Position memory next;
        (next, result.funding) = _fund(previous, fundingIndex);
        result.realized = PerpMath.unrealizedPnl(next.size, next.cost, result.mark, 0).divFloor(QUANTUM);
        next.cost += result.realized * QUANTUM;

        // APPLY
        _replacePosition(m, account, market, previous, next);
        _credit(account, result.funding + result.realized, 0);

        // EMIT
        emit Settled(market, account, ++m.state.sequence, fundingIndex, result, next, _balances(m, account));
    }

    /* LIQUIDATION */

    /// @inheritdoc IClearinghouse
    function liquidate(uint256 account, uint16 market)
        external
        nonReentrant
        returns (LiquidationResult memory result)
    {
        // AUTHORIZE
        Market storage m = _activeMarket(market, LIQUIDATE);
        Position memory previous = _positions[account][market];
        if (previous.size == 0) revert NoPosition(account, market);

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        int256 fundingIndex = _accrue(m, _mark(marks, market));

        // COMPUTE
        Margin memory margin = _margin(account, marks);
        if (PerpMath.isCovered(margin.equity, margin.maintenanceMargin)) {
            revert NotLiquidatable(
                account, margin.equity.divFloor(QUANTUM), margin.maintenanceMargin.divCeil(QUANTUM * FixedMath.UNIT)
            );
        }
        (uint16 held, uint256 graceUntil) = _graceOf(account);
        if (graceUntil != 0) revert GracePeriod(held, graceUntil);
        result = _liquidate(m, account, market, previous, marks[market], fundingIndex, margin);
    }

    /// @inheritdoc IClearinghouse
    function liquidateMany(uint16 market, uint256[] calldata accounts)
        external
        nonReentrant
        returns (LiquidationResult[] memory results)
    {
        // AUTHORIZE
        Market storage m = _activeMarket(market, LIQUIDATE);
        results = new LiquidationResult[](accounts.length);

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        int256 fundingIndex = _accrue(m, _mark(marks, market));

        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 account = accounts[i];
            Position memory previous = _positions[account][market];
            if (previous.size == 0) continue;
            // COMPUTE
            Margin memory margin = _margin(account, marks);
            if (PerpMath.isCovered(margin.equity, margin.maintenanceMargin)) continue;
            (, uint256 graceUntil) = _graceOf(account);
            if (graceUntil != 0) continue;
            results[i] = _liquidate(m, account, market, previous, marks[market], fundingIndex, margin);
        }
    }

    function _liquidate(
        Market storage m,
        uint256 account,
        uint16 market,
        Position memory previous,
        int256 mark,
        int256 fundingIndex,
        Margin memory margin
    ) internal returns (LiquidationResult memory result) {
        // COMPUTE
        uint256 keeper = uint256(uint160(msg.sender)) << 96;
        result.mark = mark;
        result.closed = _liquidationSize(m, previous.size, mark, margin);
        result.penalty = PerpMath.liquidationPenalty(
            result.closed, mark, int256(uint256(m.params.penaltyRate)), margin.equity, QUANTUM
        );
        result.reward = PerpMath.keeperReward(
            result.penalty, int256(uint256(m.params.keeperShare)), int256(uint256(m.params.minKeeperReward))
        );
        Position memory next;
        (next, result.funding) = _fund(previous, fundingIndex);
        (next, result.realized) = _fill(next, previous.size > 0 ? -result.closed : result.closed, mark);

        // APPLY
        _replacePosition(m, account, market, previous, next);
        _credit(account, result.funding + result.realized, result.penalty);
        bool bankrupt = _isBankrupt(account);
        if (bankrupt) {
            result.reward = PerpMath.bankruptcyReward(
                result.closed,
                mark,
                int256(uint256(m.params.penaltyRate)),
                int256(uint256(m.params.keeperShare)),
                _insurance(),
                QUANTUM
            );
        }
        _vault.insurance = uint96((_insurance() - result.reward).toMoney());
        if (bankrupt) {
            (result.badDebt, result.covered, result.deficit) = _coverBankruptcy(m, account, previous.size > 0);
        }
        int256 keeperCollateral = _accounts[keeper].collateral + result.reward;
        _accounts[keeper].collateral = keeperCollateral.toMoney();

        // EMIT
        emit Liquidated(
            market,
            account,
            keeper,
            ++m.state.sequence,
            fundingIndex,
            result,
            next,
            _balances(m, account),
            keeperCollateral
        );
    }

    /// @dev The least that restores initial margin. What is left may need less of it, when it falls into a lower tier:
    /// tried from the position's own tier downward, the first that fits is the least.
    function _liquidationSize(Market storage m, int256 size, int256 mark, Margin memory margin)
        internal
        view
        returns (int256 closed)
    {
        uint256 tier = _tierOf(m, size);
        (int256 imr,) = _ratiosOf(m, tier);
        int256 initialMargin = margin.initialMargin;
        int256 least = 0;
        while (true) {
            closed = PerpMath.liquidationSize(
                size,
                mark,
                margin.equity,
                initialMargin,
                imr,
                int256(uint256(m.params.penaltyRate)),
                int256(uint256(m.params.minNotional)),
                least,
                QUANTUM
            );
            if (tier == 0) return closed;
            int256 minSize = int256(uint256(m.tiers[tier - 1].minSize));
            if (size.abs() - closed >= minSize) return closed;
            least = size.abs() - minSize + 1;
            (int256 lower,) = _ratiosOf(m, --tier);
            initialMargin -= PerpMath.marginRequirement(size, mark, imr - lower);
            imr = lower;
        }
    }

    /* EXTENSION */

    /// @inheritdoc IClearinghouse
    function deleverage(uint16, bool, uint256[] calldata) external returns (DeleverageResult[] memory) {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function listMarket(bytes32, MarketParams calldata, RiskTier[] calldata) external returns (uint16) {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function setMarketParams(uint16, MarketParams calldata, RiskTier[] calldata) external {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function announceMarketParams(uint16, MarketParams calldata, RiskTier[] calldata) external {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function setMarketPaused(uint16, uint16) external {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function setOrders(address) external {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function recordOutage(uint16) external returns (bool) {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function announceDelisting(uint16) external {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function delistMarket(uint16) external {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function closeOut(uint16, uint256[] calldata) external {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function collectFees(uint16) external returns (uint256) {
        _extend();
    }

    /// @inheritdoc IClearinghouse
    function deliverReports(uint16, IPriceOracle.SignedReport[] calldata) external {
        _extend();
    }

    /// @dev Runs this very call in the extension, on this contract's storage, and ends with its answer.
    function _extend() private {
        address extension = _extension;
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, 0, calldatasize())
            let success := delegatecall(gas(), extension, free, calldatasize(), 0, 0)
            returndatacopy(free, 0, returndatasize())
            if success { return(free, returndatasize()) }
            revert(free, returndatasize())
        }
    }

    /* SIMULATION */

    /// @inheritdoc IClearinghouse
    function simulate(bytes calldata action, bytes calldata report) external {
        _simulating = true;
        bytes memory result = Address.functionDelegateCall(address(this), action);
        revert Simulated(result, report.length == 0 ? new bytes(0) : Address.functionCall(msg.sender, report));
    }

    /* VIEWS */

    /// @inheritdoc IClearinghouse
    function symbolOf(uint16 market) external view returns (bytes32) {
        return _markets[market].symbol;
    }

    /// @inheritdoc IClearinghouse
    function paramsOf(uint16 market) external view returns (MarketParams memory) {
        return _markets[market].params;
    }

    /// @inheritdoc IClearinghouse
    function stateOf(uint16 market) external view returns (MarketState memory) {
        return _markets[market].state;
    }

    /// @inheritdoc IClearinghouse
    function riskTiersOf(uint16 market) external view returns (RiskTier[] memory tiers) {
        Market storage m = _markets[market];
        tiers = new RiskTier[](m.state.tiers);
        for (uint256 i = 0; i < tiers.length; i++) {
            tiers[i] = m.tiers[i];
        }
    }

    /// @inheritdoc IClearinghouse
    function ratiosOf(uint16 market, int256 size) external view returns (int256, int256) {
        return _ratios(_markets[market], size);
    }

    /// @inheritdoc IClearinghouse
    function delistingOf(uint16 market) external view returns (Delisting memory) {
        return _markets[market].delisting;
    }

    /// @inheritdoc IClearinghouse
    function priceOf(uint16 market) external view returns (int256, uint256) {
        return _price(market);
    }

    /// @inheritdoc IClearinghouse
    function positionOf(uint256 account, uint16 market) external view returns (Position memory) {
        return _positions[account][market];
    }

    /// @inheritdoc IClearinghouse
    function marketsOf(uint256 account) public view returns (uint16[] memory markets) {
        uint128 packed = _accounts[account].markets;
        uint256 count = 0;
        while (count < MAX_POSITIONS && uint16(packed >> (16 * count)) != 0) count++;
        markets = new uint16[](count);
        for (uint256 i = 0; i < count; i++) {
            markets[i] = uint16(packed >> (16 * i)) - 1;
        }
    }

    /// @inheritdoc IClearinghouse
    function fundingIndexOf(uint16 market, int256 mark) external view returns (int256) {
        return _fundingIndex(_activeMarket(market, 0), mark);
    }

    /// @inheritdoc IClearinghouse
    function marginOf(uint256 account) external view returns (int256, int256, int256) {
        int256[MAX_MARKETS] memory marks;
        Margin memory margin = _margin(account, marks);
        return (margin.equity, margin.initialMargin, margin.maintenanceMargin);
    }

    /// @inheritdoc IClearinghouse
    function poolEquity() external view returns (int256 equity) {
        equity = _vault.pool * QUANTUM;
        for (uint16 market = 0; market < marketCount; market++) {
            Market storage m = _markets[market];
            if (m.state.longOi == 0 && m.state.shortOi == 0) continue;
            (int256 mark,) = _price(market);
            int256 fundingIndex = _fundingIndex(m, mark);
            equity -= _sidePnl(m.state, true, mark, fundingIndex) + _sidePnl(m.state, false, mark, fundingIndex);
        }
    }
}
