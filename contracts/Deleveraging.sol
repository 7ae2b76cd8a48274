// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MarketLedger} from "./MarketLedger.sol";
import {FixedMath} from "./libraries/FixedMath.sol";
import {PerpMath} from "./libraries/PerpMath.sol";

/// @title Deleveraging
/// @notice Closes winners when bad debt, or their own profit, is more than the house can bear.
abstract contract Deleveraging is MarketLedger {
    using FixedMath for int256;

    /// @dev The winners of a side, ranked.
    struct Ranking {
        int256[] numerators;
        int256[] denominators;
    }

    /// @dev {documentation: IClearinghouse}
    function deleverage(uint16 market, bool long, uint256[] calldata accounts)
        external
        nonReentrant
        returns (DeleverageResult[] memory results)
    {
        // AUTHORIZE
        Market storage m = _activeMarket(market, DELEVERAGE);

        // ACCRUE
        int256[MAX_MARKETS] memory marks;
        int256 mark = _mark(marks, market);
        int256 fundingIndex = _accrue(m, mark);

        // COMPUTE
        int256 target = _deleverageTarget(m, long, mark);
        if (target == 0) revert NothingToDeleverage(market, long);
        results = new DeleverageResult[](accounts.length);
        Ranking memory ranking = _rank(m, market, long, accounts, marks);

        while (target > 0) {
            (bool found, uint256 winner) = _highest(ranking);
            if (!found) break;
            ranking.numerators[winner] = 0;
            results[winner] = _deleverage(m, accounts[winner], market, mark, fundingIndex, target);
            target = _deleverageTarget(m, long, mark);
        }
    }

    function _deleverage(
        Market storage m,
        uint256 account,
        uint16 market,
        int256 mark,
        int256 fundingIndex,
        int256 target
    ) internal returns (DeleverageResult memory result) {
        // COMPUTE
        Position memory previous = _positions[account][market];
        bool long = previous.size > 0;
        result.mark = mark;
        Position memory next;
        (next, result.funding) = _fund(previous, fundingIndex);
        result.closed = PerpMath.deleverageSize(
            next.size,
            mark,
            PerpMath.unrealizedPnl(next.size, next.cost, mark, 0),
            target,
            int256(uint256(m.params.minNotional)),
            QUANTUM
        );
        (next, result.realized) = _fill(next, long ? -result.closed : result.closed, mark);
        result.deficit = _oppositeDeficit(m, long);
        result.haircut = result.deficit.min(result.realized.max(0));
        result.deficit -= result.haircut;

        // APPLY
        _replacePosition(m, account, market, previous, next);
        _credit(account, result.funding + result.realized - result.haircut, 0);
        if (long) m.state.shortDeficit = uint96(result.deficit.toMoney());
        else m.state.longDeficit = uint96(result.deficit.toMoney());
        if (_isBankrupt(account)) (result.badDebt, result.covered,) = _coverBankruptcy(m, account, long);

        // EMIT
        emit Deleveraged(market, account, ++m.state.sequence, fundingIndex, result, next, _balances(m, account));
    }

    /// @dev Scores every account of a list that must hold all of a side, in ascending order.
    function _rank(
        Market storage m,
        uint16 market,
        bool long,
        uint256[] calldata accounts,
        int256[MAX_MARKETS] memory marks
    ) internal view returns (Ranking memory ranking) {
        ranking = Ranking(new int256[](accounts.length), new int256[](accounts.length));
        int256 listed = 0;
        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 account = accounts[i];
            if (i > 0 && account <= accounts[i - 1]) revert NotAscending(accounts[i - 1], account);
            Position memory position = _positions[account][market];
            if (long ? position.size <= 0 : position.size >= 0) revert NotAHolder(account);
            listed += int256(position.size).abs();
            (ranking.numerators[i], ranking.denominators[i]) =
                _score(position, m.state.fundingIndex, marks[market], _margin(account, marks).equity);
        }
        int256 openInterest = int256(uint256(long ? m.state.longOi : m.state.shortOi));
        if (listed != openInterest) revert IncompleteHolders(listed, openInterest);
    }

    /// @dev A winner's score once its funding is settled.
    function _score(Position memory position, int256 fundingIndex, int256 mark, int256 equity)
        internal
        view
        returns (int256 numerator, int256 denominator)
    {
        (Position memory funded,) = _fund(position, fundingIndex);
        return PerpMath.deleverageScore(
            PerpMath.unrealizedPnl(funded.size, funded.cost, mark, 0),
            funded.cost,
            PerpMath.notional(funded.size, mark),
            equity,
            QUANTUM
        );
    }

    /// @dev The first account with the highest score; none when nobody wins.
    function _highest(Ranking memory ranking) internal pure returns (bool found, uint256 winner) {
        for (uint256 i = 0; i < ranking.numerators.length; i++) {
            if (ranking.numerators[i] == 0) continue;
            if (
                !found
                    || FixedMath.productGreater(
                        ranking.numerators[i],
                        ranking.denominators[winner],
                        ranking.numerators[winner],
                        ranking.denominators[i]
                    )
            ) (found, winner) = (true, i);
        }
    }

    function _deleverageTarget(Market storage m, bool long, int256 mark) internal view returns (int256) {
        return PerpMath.deleverageTarget(
            _sidePnl(m.state, long, mark, m.state.fundingIndex),
            _vault.pool,
            _oppositeDeficit(m, long),
            int256(uint256(m.params.adlPnlFactor)),
            QUANTUM
        );
    }

    function _oppositeDeficit(Market storage m, bool long) internal view returns (int256) {
        return int256(uint256(long ? m.state.shortDeficit : m.state.longDeficit));
    }
}
