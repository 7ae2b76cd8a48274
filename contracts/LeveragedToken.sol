// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {Clearinghouse} from "./Clearinghouse.sol";
import {ILeveragedToken} from "./interfaces/ILeveragedToken.sol";
import {IMarginVault} from "./interfaces/IMarginVault.sol";
import {FixedMath} from "./libraries/FixedMath.sol";
import {PerpMath} from "./libraries/PerpMath.sol";

/// @title LeveragedToken
/// @notice {documentation: ILeveragedToken}
contract LeveragedToken is ILeveragedToken, ERC20, ReentrancyGuardTransient {
    using FixedMath for int256;
    using SafeERC20 for IERC20Metadata;

    /// @dev What an action finds: the position's size, raw equity, net asset value, the shares that share it, and the
    /// market's least position.
    struct Holding {
        int256 size;
        int256 equity;
        int256 nav;
        int256 supply;
        int256 minNotional;
    }

    Clearinghouse public immutable CLEARINGHOUSE;
    IERC20Metadata public immutable TOKEN;
    uint256 public immutable ACCOUNT;
    /// {raw per quantum}
    int256 private immutable _quantum;
    /// @dev Shares that nobody owns and that own one quantum: the first share costs a dollar, and who inflates the
    /// price of a share by a gift gives most of it away.
    int256 private immutable _virtualShares;

    Terms private _terms;
    /// {s}
    uint256 private _rebalancedAt;

    constructor(
        string memory name,
        string memory symbol,
        Clearinghouse clearinghouse,
        IERC20Metadata token,
        Terms memory terms_
    ) ERC20(name, symbol) {
        if (address(token) != address(clearinghouse.TOKEN())) revert InvalidTerms("token");
        int256 imr = int256(uint256(clearinghouse.paramsOf(terms_.market).imr));
        int256 target = int256(terms_.targetLeverage).abs();
        int256 maxLeverage = int256(uint256(terms_.maxLeverage));
        if (imr == 0) revert InvalidTerms("market");
        if (target < FixedMath.UNIT || target > 10 * FixedMath.UNIT) revert InvalidTerms("targetLeverage");
        if (int256(uint256(terms_.minLeverage)) > target) revert InvalidTerms("minLeverage");
        if (maxLeverage < target || maxLeverage * imr >= FixedMath.UNIT * FixedMath.UNIT) {
            revert InvalidTerms("maxLeverage");
        }
        if (terms_.rebalanceInterval < 1 hours || terms_.rebalanceInterval > 30 days) {
            revert InvalidTerms("rebalanceInterval");
        }
        if (terms_.fee > 0.1e18) revert InvalidTerms("fee");
        if (terms_.maxPremium > 0.1e18) revert InvalidTerms("maxPremium");
        if (terms_.rebalanceReward > 0.01e18) revert InvalidTerms("rebalanceReward");
        CLEARINGHOUSE = clearinghouse;
        TOKEN = token;
        ACCOUNT = uint256(uint160(address(this))) << 96;
        _quantum = clearinghouse.QUANTUM();
        _virtualShares = int256(10 ** (18 - token.decimals()));
        _terms = terms_;
        _rebalancedAt = block.timestamp;
        token.forceApprove(address(clearinghouse), type(uint256).max);
    }

    /* SHARES */

    /// @inheritdoc ILeveragedToken
    function mint(uint256 assets, uint256 minShares, address receiver)
        external
        nonReentrant
        returns (MintResult memory result)
    {
        // AUTHORIZE
        int256 money = FixedMath.toAmount(assets);
        Terms memory t = _terms;
        result.assets = assets;

        // ACCRUE
        Holding memory before = _holding();
        if (before.nav == 0 && before.supply > 0) revert WorthlessShares();
        result.mark = _mark();

        // COMPUTE
        result.delta = PerpMath.mintDelta(
            before.size,
            result.mark,
            money,
            before.nav,
            t.targetLeverage,
            before.minNotional,
            _quantum
        );

        // APPLY
        TOKEN.safeTransferFrom(msg.sender, address(this), assets);
        CLEARINGHOUSE.deposit(ACCOUNT, assets);
        result.fill = _trade(result.delta, result.mark);
        int256 equity = _equity();
        int256 nav = _nav(equity);
        result.value = nav - before.nav;
        // What opening a position for all earns is everybody's, not the minter's.
        if (before.size == 0) result.value = result.value.min(money);
        result.fee = PerpMath.chargeOf(result.value.max(0), int256(uint256(t.fee)));
        int256 shares = PerpMath.sharesFor(result.value - result.fee, before.supply, before.nav, _virtualShares);
        if (shares <= 0) revert IMarginVault.ZeroAmount();
        result.shares = uint256(shares);
        result.supply = (before.supply + shares).toShares();
        _mint(receiver, result.shares);

        // VERIFY
        if (result.shares < minShares) revert InsufficientOutput(result.shares, minShares);

        // EMIT
        result.leverage = PerpMath.leverageOf(before.size + result.delta, result.mark, equity);
        result.netAssetValue = nav.toUnsigned();
        emit Minted(msg.sender, receiver, result);
    }

    /// @inheritdoc ILeveragedToken
    function redeem(uint256 shares, uint256 minAssets, address receiver)
        external
        nonReentrant
        returns (RedeemResult memory result)
    {
        // AUTHORIZE
        uint256 balance = balanceOf(msg.sender);
        if (shares > balance) revert ERC20InsufficientBalance(msg.sender, balance, shares);
        result.shares = shares;

        // ACCRUE
        Holding memory before = _holding();
        if (before.nav == 0) revert WorthlessShares();
        if (before.size != 0) result.mark = _mark();

        // COMPUTE
        bool last = int256(shares) == before.supply;
        result.value = PerpMath.assetsFor(int256(shares), before.supply, before.nav, _virtualShares);
        if (result.value == 0) revert IMarginVault.ZeroAmount();
        int256 next = last
            ? int256(0)
            : PerpMath.sizeAfterRedeem(
                before.size, result.mark, result.value, before.nav, before.minNotional, _quantum
            );
        result.delta = next - before.size;

        // APPLY
        _burn(msg.sender, shares);
        result.fill = _trade(result.delta, result.mark);
        int256 equity = _equity();
        int256 nav = _nav(equity);
        result.cost = before.nav - nav;
        // What closing the others' rest earns is theirs, not the redeemer's.
        if (next == 0 && !last) result.cost = result.cost.max(0);
        result.fee = last
            ? int256(0)
            : PerpMath.chargeOf((result.value - result.cost).max(0), int256(uint256(_terms.fee)));
        int256 money = result.value - result.cost - result.fee;
        if (money <= 0) revert IMarginVault.ZeroAmount();
        result.assets = uint256(money);
        if (CLEARINGHOUSE.collateralOf(ACCOUNT) < money) CLEARINGHOUSE.settle(ACCOUNT, _terms.market);
        CLEARINGHOUSE.withdraw(ACCOUNT, result.assets, receiver);

        // VERIFY
        if (result.assets < minAssets) revert InsufficientOutput(result.assets, minAssets);

        // EMIT
        result.leverage = PerpMath.leverageOf(next, result.mark, equity - money * _quantum);
        result.netAssetValue = (nav - money).toUnsigned();
        result.supply = totalSupply();
        emit Redeemed(msg.sender, receiver, result);
    }

    /* REBALANCE */

    /// @inheritdoc ILeveragedToken
    function rebalance() external nonReentrant returns (RebalanceResult memory result) {
        // ACCRUE
        Terms memory t = _terms;
        Holding memory before = _holding();
        result.mark = _mark();

        // COMPUTE
        int256 next = before.supply == 0
            ? int256(0)
            : PerpMath.targetSize(t.targetLeverage, result.mark, before.equity, before.minNotional, _quantum);
        result.delta = next - before.size;
        result.leverage = PerpMath.leverageOf(before.size, result.mark, before.equity);
        int256 multiple = result.leverage.abs();
        bool balanced =
            multiple >= int256(uint256(t.minLeverage)) && multiple <= int256(uint256(t.maxLeverage));
        uint256 notBefore = nextRebalance();
        if (result.delta == 0 || (balanced && block.timestamp < notBefore)) {
            revert NothingToRebalance(result.leverage, notBefore);
        }

        // APPLY
        _rebalancedAt = block.timestamp;
        result.fill = _trade(result.delta, result.mark);
        int256 equity = _equity();
        int256 nav = _nav(equity);
        result.reward =
            PerpMath.rebalanceReward(result.delta, result.mark, int256(uint256(t.rebalanceReward)), nav, _quantum);
        int256 shares = PerpMath.sharesFor(result.reward, before.supply, nav, _virtualShares);
        result.shares = shares.min(FixedMath.SHARES_MAX - before.supply).toUnsigned();
        if (result.shares > 0) _mint(msg.sender, result.shares);

        // EMIT
        result.leverage = PerpMath.leverageOf(next, result.mark, equity);
        result.netAssetValue = nav.toUnsigned();
        result.supply = totalSupply();
        emit Rebalanced(msg.sender, result);
    }

    /* VIEWS */

    /// @inheritdoc ILeveragedToken
    function terms() external view returns (Terms memory) {
        return _terms;
    }

    /// @inheritdoc ILeveragedToken
    function netAssetValue() external view returns (uint256) {
        return _nav(_equity()).toUnsigned();
    }

    /// @inheritdoc ILeveragedToken
    function leverage() external view returns (int256) {
        Holding memory holding = _holding();
        if (holding.size == 0) return 0;
        return PerpMath.leverageOf(holding.size, _mark(), holding.equity);
    }

    /// @inheritdoc ILeveragedToken
    function nextRebalance() public view returns (uint256) {
        return _rebalancedAt + _terms.rebalanceInterval;
    }

    /* INTERNAL */

    function _holding() internal view returns (Holding memory holding) {
        uint16 market = _terms.market;
        holding.size = CLEARINGHOUSE.positionOf(ACCOUNT, market).size;
        holding.equity = _equity();
        holding.nav = _nav(holding.equity);
        holding.supply = int256(totalSupply());
        holding.minNotional = int256(uint256(CLEARINGHOUSE.paramsOf(market).minNotional));
    }

    function _mark() internal view returns (int256 mark) {
        (mark,) = CLEARINGHOUSE.priceOf(_terms.market);
    }

    /// @dev {raw}
    function _equity() internal view returns (int256 equity) {
        (equity,,) = CLEARINGHOUSE.marginOf(ACCOUNT);
    }

    /// @dev Whole quanta that are there to be shared.
    function _nav(int256 equity) internal view returns (int256) {
        return equity.divFloor(_quantum).max(0).toMoney();
    }

    /// @dev Trades near the mark price, if at all; the fill.
    function _trade(int256 delta, int256 mark) internal returns (int256) {
        if (delta == 0) return 0;
        Terms memory t = _terms;
        int256 limit = PerpMath.priceLimit(mark, delta, int256(uint256(t.maxPremium)));
        return CLEARINGHOUSE.trade(ACCOUNT, t.market, delta, limit).fill;
    }
}
