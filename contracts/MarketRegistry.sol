// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MarketLedger} from "./MarketLedger.sol";
import {IMarginVault} from "./interfaces/IMarginVault.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title MarketRegistry
/// @notice Which markets there are, and what governs them.
abstract contract MarketRegistry is MarketLedger {
    /// @dev More than all feeds of a market may burn: with less, a caller could make them fail.
    uint256 private constant OUTAGE_GAS = 3_000_000;

    /// @dev {documentation: IClearinghouse}
    function listMarket(bytes32 symbol, MarketParams calldata params, RiskTier[] calldata tiers)
        external
        onlyOwner
        returns (uint16 market)
    {
        // AUTHORIZE
        market = marketCount;
        if (market == MAX_MARKETS) revert InvalidParameter("marketCount");
        if (symbol == 0) revert InvalidParameter("symbol");
        _requireValid(params);
        _requireValidTiers(params, tiers);

        // APPLY
        marketCount = market + 1;
        Market storage m = _markets[market];
        m.symbol = symbol;
        m.params = params;
        _setTiers(m, tiers);
        m.state.accruedAt = uint40(block.timestamp);

        // EMIT
        emit MarketListed(market, ++m.state.sequence, symbol, params, tiers);
    }

    /// @dev {documentation: IClearinghouse}
    function setMarketParams(uint16 market, MarketParams calldata params, RiskTier[] calldata tiers)
        external
        onlyOwner
    {
        // AUTHORIZE
        Market storage m = _listedMarket(market);
        _requireValid(params);
        _requireValidTiers(params, tiers);
        if (_needsNotice(m, params, tiers)) _useAnnouncement(market, keccak256(abi.encode(params, tiers)));

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        int256 mark = _mark(marks, market);
        int256 fundingIndex = _accrue(m, mark);

        // APPLY
        m.params = params;
        _setTiers(m, tiers);

        // EMIT
        emit MarketParamsSet(market, ++m.state.sequence, mark, fundingIndex, params, tiers);
    }

    /// @dev {documentation: IClearinghouse}
    function announceMarketParams(uint16 market, MarketParams calldata params, RiskTier[] calldata tiers)
        external
        onlyOwner
    {
        // AUTHORIZE
        Market storage m = _listedMarket(market);
        _requireValid(params);
        _requireValidTiers(params, tiers);

        // APPLY
        uint256 effectiveAt = block.timestamp + NOTICE;
        _announcements[market] = Announcement(keccak256(abi.encode(params, tiers)), uint40(effectiveAt));

        // EMIT
        emit MarketParamsAnnounced(market, ++m.state.sequence, effectiveAt, params, tiers);
    }

    /// @dev {documentation: IClearinghouse}
    function setMarketPaused(uint16 market, uint16 bits) external onlyOwner {
        // AUTHORIZE
        Market storage m = _listedMarket(market);
        if (bits & ~(TRADE | SETTLE | LIQUIDATE | DELEVERAGE | INCREASE) != 0) revert InvalidParameter("bits");

        // APPLY
        if (m.state.paused & ~bits & LIQUIDATE != 0) {
            uint40 graceUntil = uint40(block.timestamp + GRACE_PERIOD);
            if (m.state.graceUntil == OUTAGE) _outages[market].graceUntil = graceUntil;
            else m.state.graceUntil = graceUntil;
        }
        m.state.paused = bits;

        // EMIT
        emit MarketPaused(market, ++m.state.sequence, bits, m.state.graceUntil);
    }

    /// @dev {documentation: IClearinghouse}
    function setOrders(address orders_) external onlyOwner {
        if (orders != address(0)) revert InvalidParameter("orders");
        orders = orders_;
        emit OrdersSet(orders_);
    }

    /// @dev {documentation: IClearinghouse}
    function recordOutage(uint16 market) external nonReentrant returns (bool priced) {
        // AUTHORIZE
        Market storage m = _listedMarket(market);
        if (gasleft() < OUTAGE_GAS) revert InsufficientGas(gasleft(), OUTAGE_GAS);

        // COMPUTE
        try ORACLE.price(market) {
            priced = true;
        } catch {}
        if (priced != (m.state.graceUntil == OUTAGE)) revert NothingToRecord(market, priced);

        // APPLY
        if (!priced) {
            _outages[market] = Outage(uint40(block.timestamp), m.state.graceUntil);
            m.state.graceUntil = OUTAGE;
        } else {
            // A short one takes nobody by surprise, and must not put off liquidations again and again; the grace that
            // a pause gave is no less for it.
            Outage memory outage = _outages[market];
            bool long = block.timestamp - outage.began >= GRACE_PERIOD;
            m.state.graceUntil = long ? uint40(block.timestamp + GRACE_PERIOD) : outage.graceUntil;
        }

        // EMIT
        emit OutageRecorded(market, ++m.state.sequence, m.state.graceUntil);
    }

    /// @dev {documentation: IClearinghouse}
    function collectFees(uint16 market) external nonReentrant returns (uint256 amount) {
        // AUTHORIZE
        Market storage m = _activeMarket(market, 0);
        amount = m.state.protocolFees;
        if (amount == 0) revert IMarginVault.ZeroAmount();

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

    /// @dev A market that was listed, and not delisted since.
    function _listedMarket(uint16 market) internal view returns (Market storage m) {
        m = _activeMarket(market, 0);
        if (m.state.paused & DELISTED != 0) revert Delisted(market, true);
    }

    function _setTiers(Market storage m, RiskTier[] calldata tiers) internal {
        m.state.tiers = uint8(tiers.length);
        for (uint256 i = 0; i < tiers.length; i++) {
            m.tiers[i] = tiers[i];
        }
    }

    /// @dev Whether new parameters could make a healthy account liquidatable, or lock a trader in. Ratios rise with
    /// size, so a raised one shows where a new tier begins.
    function _needsNotice(Market storage m, MarketParams calldata params, RiskTier[] calldata tiers)
        internal
        view
        returns (bool)
    {
        if (params.mmr > m.params.mmr || params.minDelay > m.params.minDelay) return true;
        for (uint256 i = 0; i < tiers.length; i++) {
            (, int256 mmr) = _ratios(m, int256(uint256(tiers[i].minSize)));
            if (int256(uint256(tiers[i].mmr)) > mmr) return true;
        }
        return false;
    }

    function _useAnnouncement(uint16 market, bytes32 terms) internal {
        Announcement memory announced = _announcements[market];
        if (announced.terms != terms) revert NotAnnounced(market, 0);
        if (block.timestamp < announced.effectiveAt || block.timestamp > announced.effectiveAt + NOTICE) {
            revert NotAnnounced(market, announced.effectiveAt);
        }
        delete _announcements[market];
    }

    function _requireValid(MarketParams calldata params) internal view {
        uint256 unit = uint256(FixedMath.UNIT);
        if (params.minDelay != 0 && orders == address(0)) revert InvalidParameter("minDelay");
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

    /// @dev Larger positions need more: each tier begins above the one before it and asks for at least its ratios.
    function _requireValidTiers(MarketParams calldata params, RiskTier[] calldata tiers) internal pure {
        if (tiers.length > MAX_TIERS) revert InvalidParameter("tiers");
        RiskTier memory previous = RiskTier(0, params.imr, params.mmr);
        for (uint256 i = 0; i < tiers.length; i++) {
            if (tiers[i].minSize <= previous.minSize) revert InvalidParameter("tiers.minSize");
            if (tiers[i].imr > uint256(FixedMath.UNIT) || tiers[i].imr < previous.imr || tiers[i].imr <= tiers[i].mmr) {
                revert InvalidParameter("tiers.imr");
            }
            if (tiers[i].mmr < previous.mmr) revert InvalidParameter("tiers.mmr");
            previous = tiers[i];
        }
    }
}
