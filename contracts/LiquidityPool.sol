// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626, IERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IClearinghouse} from "./interfaces/IClearinghouse.sol";
import {IMarginVault} from "./interfaces/IMarginVault.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title LiquidityPool
/// @notice The counterparty of all traders, as an ERC-4626 share. Its assets are the pool's cash in the clearinghouse
/// less the unrealised profit of all traders; the money itself stays in the clearinghouse.
/// @dev ERC-4626 wants `totalAssets` and `max...` never to revert. Without a fresh price they do, with the oracle's
/// error: a share without a price has no value to quote.
contract LiquidityPool is ERC4626 {
    using FixedMath for int256;
    using SafeERC20 for IERC20;

    address public immutable CLEARINGHOUSE;
    int256 private immutable _quantum;

    /// @notice Thrown when shares exist but are worth nothing, so that no price for new ones is fair.
    error WorthlessShares();

    constructor(address clearinghouse, IERC20 token, int256 quantum)
        ERC20("perpkit liquidity", "pkLP")
        ERC4626(token)
    {
        CLEARINGHOUSE = clearinghouse;
        _quantum = quantum;
        token.forceApprove(clearinghouse, type(uint256).max);
    }

    /// @inheritdoc IERC4626
    function totalAssets() public view override returns (uint256) {
        return IClearinghouse(CLEARINGHOUSE).poolEquity().divFloor(_quantum).toUnsigned();
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) public pure override returns (uint256) {
        return uint256(FixedMath.MONEY_MAX);
    }

    /// @inheritdoc IERC4626
    function maxMint(address) public pure override returns (uint256) {
        return type(uint128).max;
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override {
        if (totalSupply() > 0 && totalAssets() == 0) revert WorthlessShares();
        super._deposit(caller, receiver, assets, shares);
    }

    function _transferIn(address from, uint256 assets) internal override {
        super._transferIn(from, assets);
        IMarginVault(CLEARINGHOUSE).depositPool(assets);
    }

    function _transferOut(address to, uint256 assets) internal override {
        IMarginVault(CLEARINGHOUSE).withdrawPool(assets, to);
    }

    /// @dev A first depositor who would inflate the share price loses a million times what a later one could.
    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }
}
