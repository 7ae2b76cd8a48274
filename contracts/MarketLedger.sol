// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {VaultLedger} from "./VaultLedger.sol";
import {IMarketLedger} from "./interfaces/IMarketLedger.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {FixedMath} from "./libraries/FixedMath.sol";
import {PerpMath} from "./libraries/PerpMath.sol";

/// @title MarketLedger
/// @notice What all actions on the markets share: the books of positions, sides and bad debt, and the checks on them.
abstract contract MarketLedger is IMarketLedger, VaultLedger {
    using FixedMath for int256;

    struct Market {
        MarketParams params;
        MarketState state;
        bytes32 symbol;
        RiskTier[3] tiers;
        Delisting delisting;
    }

    /// @dev {s} When the outage that is recorded began, and until when there would be grace without it.
    struct Outage {
        uint40 began;
        uint40 graceUntil;
    }

    /// @dev Parameters and tiers that may be set from a time on, as their hash.
    struct Announcement {
        bytes32 terms;
        uint40 effectiveAt;
    }

    /// @dev An account's worth at this moment: raw equity, and requirements in raw * 1e18.
    struct Margin {
        int256 equity;
        int256 initialMargin;
        int256 maintenanceMargin;
    }

    uint16 public constant TRADE = 1;
    uint16 public constant SETTLE = 2;
    uint16 public constant LIQUIDATE = 4;
    uint16 public constant DELEVERAGE = 8;
    /// @dev Trades that do more than make a position smaller.
    uint16 public constant INCREASE = 16;
    /// @dev Not a pause but an end.
    uint16 internal constant DELISTED = 32;

    uint16 public constant MAX_MARKETS = 32;
    uint256 public constant MAX_POSITIONS = 8;
    /// @dev Above the first.
    uint256 public constant MAX_TIERS = 3;
    uint256 public constant NOTICE = 1 days;
    uint256 public constant GRACE_PERIOD = 15 minutes;
    uint40 internal constant OUTAGE = type(uint40).max;

    IPriceOracle public immutable ORACLE;

    uint16 public marketCount;
    /// @notice The contract through which markets with a delay trade.
    address public orders;
    mapping(uint16 market => Market) internal _markets;
    mapping(uint256 account => mapping(uint16 market => Position)) internal _positions;
    mapping(uint16 market => Announcement) internal _announcements;
    mapping(uint16 market => Outage) internal _outages;
    /// @dev Winners of a delisted market whose claims stand.
    mapping(uint256 account => mapping(uint16 market => bool)) internal _registered;

    constructor(IPriceOracle oracle) {
        ORACLE = oracle;
    }

    /* MARKET */

    function _activeMarket(uint16 market, uint16 bit) internal view returns (Market storage m) {
        m = _markets[market];
        if (m.params.imr == 0) revert UnknownMarket(market);
        if (m.state.paused & bit != 0) revert MarketActionPaused(market, bit);
    }

    /// @dev The mark price, asked of the oracle once per action.
    function _mark(int256[MAX_MARKETS] memory marks, uint16 market) internal view returns (int256 mark) {
        mark = marks[market];
        if (mark == 0) {
            (mark,) = _price(market);
            marks[market] = mark;
        }
    }

    /// @dev The mark price, which of a delisted market stands still.
    function _price(uint16 market) internal view returns (int256, uint256) {
        Market storage m = _markets[market];
        if (m.state.paused & DELISTED != 0) return (int256(uint256(m.delisting.price)), block.timestamp);
        return ORACLE.price(market);
    }

    /// @dev The margin ratios of a position's size.
    function _ratios(Market storage m, int256 size) internal view returns (int256 imr, int256 mmr) {
        return _ratiosOf(m, _tierOf(m, size));
    }

    /// @dev The highest tier that a position's size reaches; zero is the market's own ratios.
    function _tierOf(Market storage m, int256 size) internal view returns (uint256 tier) {
        tier = m.state.tiers;
        while (tier > 0 && size.abs() < int256(uint256(m.tiers[tier - 1].minSize))) tier--;
    }

    function _ratiosOf(Market storage m, uint256 tier) internal view returns (int256 imr, int256 mmr) {
        if (tier == 0) return (int256(uint256(m.params.imr)), int256(uint256(m.params.mmr)));
        RiskTier storage t = m.tiers[tier - 1];
        return (int256(uint256(t.imr)), int256(uint256(t.mmr)));
    }

    function _fundingIndex(Market storage m, int256 mark) internal view returns (int256) {
        if (m.state.accruedAt == block.timestamp) return m.state.fundingIndex;
        int256 rate = PerpMath.fundingRate(
            _skew(m), int256(uint256(m.params.skewScale)), int256(uint256(m.params.maxFundingRate))
        );
        return m.state.fundingIndex
            + PerpMath.fundingIndexDelta(
                mark,
                rate,
                int256(block.timestamp - m.state.accruedAt),
                int256(uint256(m.params.fundingInterval))
            );
    }

    function _accrue(Market storage m, int256 mark) internal returns (int256 fundingIndex) {
        fundingIndex = _fundingIndex(m, mark);
        m.state.fundingIndex = fundingIndex.toFundingIndex();
        m.state.accruedAt = uint40(block.timestamp);
    }

    function _skew(Market storage m) internal view returns (int256) {
        return int256(uint256(m.state.longOi)) - int256(uint256(m.state.shortOi));
    }

    function _sidePnl(MarketState storage state, bool long, int256 mark, int256 fundingIndex)
        internal
        view
        returns (int256)
    {
        if (long) return PerpMath.sidePnl(int256(uint256(state.longOi)), state.longBasis, mark, fundingIndex);
        return PerpMath.sidePnl(-int256(uint256(state.shortOi)), state.shortBasis, mark, fundingIndex);
    }

    /// @dev A position with its funding settled, and the money that it receives for it.
    function _fund(Position memory position, int256 fundingIndex)
        internal
        view
        returns (Position memory funded, int256 payment)
    {
        int256 indexDelta = fundingIndex - position.fundingIndex;
        payment = PerpMath.fundingPayment(position.size, indexDelta, QUANTUM);
        funded.size = position.size;
        funded.fundingIndex = fundingIndex.toFundingIndex();
        funded.opened = position.opened;
        funded.cost = PerpMath.costAfterFunding(position.size, position.cost, indexDelta, payment, QUANTUM);
    }

    /// @dev A funded position after `delta` filled at `price`, and the profit that it realised.
    function _fill(Position memory position, int256 delta, int256 price)
        internal
        view
        returns (Position memory next, int256 realized)
    {
        int256 size = position.size;
        next.size = (size + delta).toSize();
        next.fundingIndex = position.fundingIndex;
        next.opened = position.opened;
        next.cost = position.cost;
        int256 closed = PerpMath.closedSize(size, delta);
        if (closed > 0) {
            int256 costClosed = PerpMath.costOfClosed(size, position.cost, closed);
            int256 pnl = PerpMath.closedPnl(size, closed, price, costClosed);
            realized = pnl.divFloor(QUANTUM);
            next.cost = PerpMath.costAfterClose(position.cost, costClosed, pnl, realized, QUANTUM);
        }
        if (next.size == 0) return (Position(0, 0, 0, 0), realized);
        if (closed == size.abs()) next.cost = next.size * price;
        else if (closed == 0) next.cost += delta * price;
    }

    function _replacePosition(
        Market storage m,
        uint256 account,
        uint16 market,
        Position memory previous,
        Position memory next
    ) internal {
        // Opened or flipped: the next event is the position's birth.
        if (next.size != 0 && (previous.size == 0 || (previous.size > 0) != (next.size > 0))) {
            next.opened = uint56(m.state.sequence + 1);
        }
        _replaceOnSides(m.state, previous, next);
        _positions[account][market] = next;
        if (previous.size == 0 && next.size != 0) _addMarket(account, market);
        if (previous.size != 0 && next.size == 0) _removeMarket(account, market);
    }

    /// @dev One change of a side and not two, where a position stays on it.
    function _replaceOnSides(MarketState storage state, Position memory previous, Position memory next) internal {
        if (previous.size > 0 || next.size > 0) {
            int256 size = int256(next.size).max(0) - int256(previous.size).max(0);
            state.longOi = (int256(uint256(state.longOi)) + size).toOpenInterest();
            state.longBasis += _basisOn(true, next) - _basisOn(true, previous);
        }
        if (previous.size < 0 || next.size < 0) {
            int256 size = int256(previous.size).min(0) - int256(next.size).min(0);
            state.shortOi = (int256(uint256(state.shortOi)) + size).toOpenInterest();
            state.shortBasis += _basisOn(false, next) - _basisOn(false, previous);
        }
    }

    /// @dev A position's share of a side's basis: none when it is on the other.
    function _basisOn(bool long, Position memory position) internal pure returns (int256) {
        if (position.size == 0 || long != (position.size > 0)) return 0;
        return PerpMath.basisOf(position.size, position.cost, position.fundingIndex);
    }

    function _addMarket(uint256 account, uint16 market) internal {
        uint128 packed = _accounts[account].markets;
        for (uint256 i = 0; i < MAX_POSITIONS; i++) {
            if (uint16(packed >> (16 * i)) != 0) continue;
            _accounts[account].markets = packed | (uint128(market + 1) << uint128(16 * i));
            return;
        }
        revert TooManyPositions(account);
    }

    /// @dev The last market of the list takes the place of the one that leaves.
    function _removeMarket(uint256 account, uint16 market) internal {
        uint128 packed = _accounts[account].markets;
        uint256 last = 0;
        uint256 place = 0;
        for (uint256 i = 0; i < MAX_POSITIONS && uint16(packed >> (16 * i)) != 0; i++) {
            if (uint16(packed >> (16 * i)) == market + 1) place = i;
            last = i;
        }
        uint128 moved = uint16(packed >> (16 * last));
        packed &= ~(uint128(0xffff) << uint128(16 * last));
        if (place != last) {
            packed &= ~(uint128(0xffff) << uint128(16 * place));
            packed |= moved << uint128(16 * place);
        }
        _accounts[account].markets = packed;
    }

    /// @dev Moves `money` from the pool to an account, from the account to the pool when negative, and a penalty from
    /// the account to the insurance fund.
    function _credit(uint256 account, int256 money, int256 penalty) internal {
        AccountState storage a = _accounts[account];
        a.collateral = (a.collateral + money - penalty).toMoney();
        _vault.pool = (_vault.pool - money).toMoney();
        _vault.insurance = uint96((_insurance() + penalty).toMoney());
    }

    function _chargeFee(Market storage m, uint256 account, int256 fee) internal {
        int256 insurancePart = PerpMath.shareOf(fee, int256(uint256(m.params.insuranceShare)));
        int256 protocolPart = PerpMath.shareOf(fee, int256(uint256(m.params.protocolShare)));
        AccountState storage a = _accounts[account];
        a.collateral = (a.collateral - fee).toMoney();
        m.state.protocolFees = uint96((int256(uint256(m.state.protocolFees)) + protocolPart).toMoney());
        _vault.insurance = uint96((_insurance() + insurancePart).toMoney());
        _vault.pool = (_vault.pool + fee - insurancePart - protocolPart).toMoney();
    }

    function _isBankrupt(uint256 account) internal view returns (bool) {
        AccountState storage a = _accounts[account];
        return a.markets == 0 && a.collateral < 0;
    }

    /// @dev Whether a trade does nothing but make a position smaller.
    function _isReduction(int256 previousSize, int256 size) internal pure returns (bool) {
        if (previousSize > 0) return size >= 0 && size < previousSize;
        return size <= 0 && size > previousSize;
    }

    function _margin(uint256 account, int256[MAX_MARKETS] memory marks) internal view returns (Margin memory margin) {
        AccountState memory state = _accounts[account];
        margin.equity = state.collateral * QUANTUM;
        for (uint128 packed = state.markets; packed != 0; packed >>= 16) {
            unchecked {
                // Eight positions within the supported ranges cannot overflow.
                uint16 market = uint16(packed) - 1;
                Market storage m = _markets[market];
                Position memory position = _positions[account][market];
                int256 mark = _mark(marks, market);
                int256 indexDelta = _fundingIndex(m, mark) - position.fundingIndex;
                (int256 imr, int256 mmr) = _ratios(m, position.size);
                margin.equity += PerpMath.unrealizedPnl(position.size, position.cost, mark, indexDelta);
                margin.initialMargin += PerpMath.marginRequirement(position.size, mark, imr);
                margin.maintenanceMargin += PerpMath.marginRequirement(position.size, mark, mmr);
            }
        }
    }

    /// @dev Refuses who is out of reach of liquidation because of one of its markets: for a liquidation, and for taking
    /// on more risk.
    function _verifyNoGrace(uint256 account) internal view {
        for (uint128 packed = _accounts[account].markets; packed != 0; packed >>= 16) {
            uint16 market = uint16(packed) - 1;
            uint256 graceUntil = _markets[market].state.graceUntil;
            if (block.timestamp < graceUntil) revert GracePeriod(market, graceUntil);
        }
    }

    function _verifySize(Market storage m, int256 size, int256 mark) internal view {
        if (size == 0) return;
        int256 minNotional = int256(uint256(m.params.minNotional));
        int256 value = PerpMath.notional(size, mark);
        if (value < minNotional * QUANTUM) revert BelowMinNotional(value.divFloor(QUANTUM), minNotional);
    }

    /// @dev What grew must be within its bounds; what shrank or stayed is not asked.
    function _verifyGrowth(
        Market storage m,
        uint16 market,
        int256 previousSize,
        int256 size,
        int256 previousSkew,
        int256 mark
    ) internal view {
        bool long = size > 0;
        if (size != 0 && (long ? size > previousSize : size < previousSize)) {
            int256 openInterest = int256(uint256(long ? m.state.longOi : m.state.shortOi));
            int256 maxOpenInterest = int256(uint256(m.params.maxOpenInterest));
            if (openInterest > maxOpenInterest) revert OpenInterestExceeded(market, long, openInterest, maxOpenInterest);
        }
        int256 skew = _skew(m);
        if (skew.abs() > previousSkew.abs()) _verifyReserve(m, market, skew, mark);
    }

    function _verifyReserve(Market storage m, uint16 market, int256 skew, int256 mark) internal view {
        int256 required = PerpMath.notional(skew, mark);
        int256 factor = int256(uint256(m.params.poolReserveFactor));
        if (required * FixedMath.UNIT > factor * _vault.pool * QUANTUM) {
            revert PoolReserveExceeded(market, required.divCeil(QUANTUM), PerpMath.shareOf(_vault.pool, factor));
        }
    }

    function _verifyMargin(uint256 account, int256[MAX_MARKETS] memory marks, bool reduction) internal view {
        Margin memory margin = _margin(account, marks);
        int256 requirement = reduction ? margin.maintenanceMargin : margin.initialMargin;
        if (PerpMath.isCovered(margin.equity, requirement)) return;
        int256 equity = margin.equity.divFloor(QUANTUM);
        int256 required = requirement.divCeil(QUANTUM * FixedMath.UNIT);
        if (reduction) revert BelowMaintenanceMargin(account, equity, required);
        revert BelowInitialMargin(account, equity, required);
    }

    function _verifyInitialMargin(uint256 account) internal view override {
        if (_accounts[account].markets == 0) return;
        int256[MAX_MARKETS] memory marks;
        _verifyMargin(account, marks, false);
    }

    function _verifyPoolReserve() internal view override {
        for (uint16 market = 0; market < marketCount; market++) {
            Market storage m = _markets[market];
            int256 skew = _skew(m);
            if (skew == 0) continue;
            (int256 mark,) = _price(market);
            _verifyReserve(m, market, skew, mark);
        }
    }

    function _balances(Market storage m, uint256 account) internal view returns (Balances memory) {
        return Balances(_accounts[account].collateral, _vault.pool, _vault.insurance, m.state.protocolFees);
    }

    /// @dev Writes off a bankrupt account's debt: the insurance fund covers what it can, the pool bears the rest, which
    /// stands as a deficit of the account's side until deleveraging recovers it.
    function _coverBankruptcy(Market storage m, uint256 account, bool long)
        internal
        returns (int256 badDebt, int256 covered, int256 deficit)
    {
        badDebt = -int256(_accounts[account].collateral);
        covered = badDebt.min(_insurance());
        deficit = badDebt - covered;
        _accounts[account].collateral = 0;
        _vault.insurance = uint96((_insurance() - covered).toMoney());
        _vault.pool = (_vault.pool - deficit).toMoney();
        if (long) m.state.longDeficit = uint96((int256(uint256(m.state.longDeficit)) + deficit).toMoney());
        else m.state.shortDeficit = uint96((int256(uint256(m.state.shortDeficit)) + deficit).toMoney());
    }
}
