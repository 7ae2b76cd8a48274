// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MarketLedger} from "./MarketLedger.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title MarketRegistry
/// @notice Which markets there are, and what governs them.
abstract contract MarketRegistry is MarketLedger {
    /// @dev {documentation: IClearinghouse}
    function listMarket(bytes32 symbol, MarketParams calldata params) external onlyOwner returns (uint16 market) {
        // AUTHORIZE
        market = marketCount;
        if (market == MAX_MARKETS) revert InvalidParameter("marketCount");
        if (symbol == 0) revert InvalidParameter("symbol");
        _requireValid(params);

        // APPLY
        marketCount = market + 1;
        Market storage m = _markets[market];
        m.symbol = symbol;
        m.params = params;
        m.state.accruedAt = uint40(block.timestamp);

        // EMIT
        emit MarketListed(market, ++m.state.sequence, symbol, params);
    }

    /// @dev {documentation: IClearinghouse}
    function setMarketParams(uint16 market, MarketParams calldata params) external onlyOwner {
        // AUTHORIZE
        Market storage m = _activeMarket(market, 0);
        _requireValid(params);

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        int256 mark = _mark(marks, market);
        int256 fundingIndex = _accrue(m, mark);

        // APPLY
        m.params = params;

        // EMIT
        emit MarketParamsSet(market, ++m.state.sequence, mark, fundingIndex, params);
    }

    /// @dev {documentation: IClearinghouse}
    function setMarketPaused(uint16 market, uint16 bits) external onlyOwner {
        Market storage m = _activeMarket(market, 0);
        m.state.paused = bits;
        emit MarketPaused(market, ++m.state.sequence, bits);
    }

    /// @dev {documentation: IClearinghouse}
    function collectFees(uint16 market) external nonReentrant returns (uint256 amount) {
        // AUTHORIZE
        Market storage m = _activeMarket(market, 0);
        amount = m.state.protocolFees;
        if (amount == 0) revert ZeroAmount();

        // APPLY
        m.state.protocolFees = 0;
        _vault.treasury += uint96(amount);

        // EMIT
        emit ProtocolFeesCollected(market, ++m.state.sequence, amount, _vault.treasury);
    }

    /// @dev {documentation: IClearinghouse} Feeds are other people's code, which must not act here meanwhile.
    function deliverReports(uint16 market, IPriceOracle.SignedReport[] calldata reports) external nonReentrant {
        ORACLE.deliver(market, reports);
    }

    function _requireValid(MarketParams calldata params) internal pure {
        uint256 unit = uint256(FixedMath.UNIT);
        if (params.imr > unit || params.imr <= params.mmr) revert InvalidParameter("imr");
        if (params.mmr < params.penaltyRate || params.mmr == 0) revert InvalidParameter("mmr");
        if (uint256(params.takerFee) * 10 > unit) revert InvalidParameter("takerFee");
        if (uint256(params.makerFee) * 10 > unit) revert InvalidParameter("makerFee");
        if (uint256(params.insuranceShare) + params.protocolShare > unit) revert InvalidParameter("insuranceShare");
        if (uint256(params.maxFundingRate) * 10 > unit) revert InvalidParameter("maxFundingRate");
        if (params.poolReserveFactor > unit) revert InvalidParameter("poolReserveFactor");
        if (params.skewScale == 0) revert InvalidParameter("skewScale");
        if (params.maxOpenInterest > params.skewScale) revert InvalidParameter("maxOpenInterest");
        if (params.fundingInterval < 1 hours || params.fundingInterval > 30 days) {
            revert InvalidParameter("fundingInterval");
        }
        FixedMath.toAmount(params.minNotional);
        if (uint256(params.minNotional) * params.mmr < uint256(params.minKeeperReward) * unit) {
            revert InvalidParameter("minKeeperReward");
        }
        if (params.keeperShare > unit) revert InvalidParameter("keeperShare");
        if (params.adlPnlFactor >= unit) revert InvalidParameter("adlPnlFactor");
    }
}
