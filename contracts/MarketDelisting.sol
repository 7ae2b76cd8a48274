// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MarketRegistry} from "./MarketRegistry.sol";
import {FixedMath} from "./libraries/FixedMath.sol";
import {PerpMath} from "./libraries/PerpMath.sol";

/// @title MarketDelisting
/// @notice The end of a market: everybody gets out at one price, in proportion if there is not enough.
abstract contract MarketDelisting is MarketRegistry {
    using FixedMath for int256;

    /// @dev {documentation: IClearinghouse}
    function announceDelisting(uint16 market) external onlyOwner {
        // AUTHORIZE
        Market storage m = _listedMarket(market);

        // APPLY
        uint256 effectiveAt = block.timestamp + NOTICE;
        m.delisting.effectiveAt = uint40(effectiveAt);

        // EMIT
        emit DelistingAnnounced(market, ++m.state.sequence, effectiveAt);
    }

    /// @dev {documentation: IClearinghouse}
    function delistMarket(uint16 market) external onlyOwner {
        // AUTHORIZE
        Market storage m = _listedMarket(market);
        uint256 effectiveAt = m.delisting.effectiveAt;
        if (effectiveAt == 0 || block.timestamp < effectiveAt) revert NotAnnounced(market, effectiveAt);
        if (block.timestamp < m.state.graceUntil) revert GracePeriod(market, m.state.graceUntil);

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        int256 mark = _mark(marks, market);
        int256 fundingIndex = _accrue(m, mark);

        // APPLY
        m.delisting.price = uint96(uint256(mark));
        m.params.maxFundingRate = 0;
        m.state.paused = TRADE | SETTLE | LIQUIDATE | DELEVERAGE | DELISTED;

        // EMIT
        emit MarketDelisted(market, ++m.state.sequence, mark, fundingIndex, m.state.paused);
    }

    /// @dev {documentation: IClearinghouse}
    function closeOut(uint16 market, uint256[] calldata accounts) external nonReentrant {
        // AUTHORIZE
        Market storage m = _activeMarket(market, 0);
        if (m.state.paused & DELISTED == 0) revert Delisted(market, false);

        for (uint256 i = 0; i < accounts.length; i++) {
            _payOrRegister(m, accounts[i], market);
        }
        _fixPayout(m, market);
        if (!m.delisting.paying) return;
        for (uint256 i = 0; i < accounts.length; i++) {
            if (!_registered[accounts[i]][market]) continue;
            delete _registered[accounts[i]][market];
            int256 claim = _claimOf(m, _positions[accounts[i]][market]);
            int256 payout = int256(uint256(m.delisting.payout));
            _close(m, accounts[i], market, claim, PerpMath.proRata(claim, payout, int256(uint256(m.delisting.claims))));
        }
    }

    /// @dev Whoever owes pays now; a winner's claim is written down.
    function _payOrRegister(Market storage m, uint256 account, uint16 market) internal {
        // COMPUTE
        Position memory position = _positions[account][market];
        if (position.size == 0 || _registered[account][market]) return;
        int256 claim = _claimOf(m, position);
        if (claim <= 0) return _close(m, account, market, claim, claim);

        // APPLY
        _registered[account][market] = true;
        m.delisting.registered += uint104(uint256(int256(position.size).abs()));
        m.delisting.claims = uint96((int256(uint256(m.delisting.claims)) + claim).toMoney());

        // EMIT
        emit ClaimRegistered(market, account, ++m.state.sequence, claim, m.delisting);
    }

    /// @dev Once nobody but registered winners is left, what there is for them: the pool's cash, and the insurance fund
    /// where that is not enough.
    function _fixPayout(Market storage m, uint16 market) internal {
        // COMPUTE
        uint256 left = uint256(m.state.longOi) + m.state.shortOi;
        if (m.delisting.paying || left == 0 || m.delisting.registered != left) return;
        int256 claims = int256(uint256(m.delisting.claims));
        int256 drawn = (claims - _vault.pool).clamp(0, _insurance());

        // APPLY
        _vault.insurance = uint96((_insurance() - drawn).toMoney());
        _vault.pool = (_vault.pool + drawn).toMoney();
        m.delisting.payout = uint96(uint256(claims.min(int256(_vault.pool).max(0))));
        m.delisting.paying = true;

        // EMIT
        emit PayoutFixed(market, ++m.state.sequence, m.delisting, _vault.pool, _vault.insurance);
    }

    function _close(Market storage m, uint256 account, uint16 market, int256 claim, int256 paid) internal {
        // COMPUTE
        Position memory previous = _positions[account][market];
        CloseOutResult memory result;
        result.price = int256(uint256(m.delisting.price));
        result.claim = claim;
        result.paid = paid;

        // APPLY
        _replacePosition(m, account, market, previous, Position(0, 0, 0, 0));
        _credit(account, paid, 0);
        if (_isBankrupt(account)) {
            (result.badDebt, result.covered, result.deficit) = _coverBankruptcy(m, account, previous.size > 0);
        }

        // EMIT
        emit ClosedOut(market, account, ++m.state.sequence, result, _balances(m, account));
    }

    /// @dev What a position is worth at the final price, its funding included; negative when it owes.
    function _claimOf(Market storage m, Position memory position) internal view returns (int256) {
        int256 indexDelta = m.state.fundingIndex - position.fundingIndex;
        int256 price = int256(uint256(m.delisting.price));
        return PerpMath.unrealizedPnl(position.size, position.cost, price, indexDelta).divFloor(QUANTUM);
    }
}
