// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IMarginVault} from "./interfaces/IMarginVault.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title VaultLedger
/// @notice The books of the house's money, which the vault and all actions on the markets share.
abstract contract VaultLedger is Ownable2Step, ReentrancyGuardTransient {
    using FixedMath for int256;

    /// @dev One slot: an action that touches collateral and the list of markets writes once.
    struct AccountState {
        int96 collateral;
        uint32 reserved;
        /// Up to eight market ids, each plus one, from the lowest 16 bits up.
        uint128 markets;
    }

    IERC20Metadata public immutable TOKEN;
    /// {raw per quantum}
    int256 public immutable QUANTUM;

    address public pool;
    IMarginVault.Vault internal _vault;
    mapping(uint256 account => AccountState) internal _accounts;
    mapping(address owner => mapping(address operator => bool)) internal _isOperator;

    /// @dev Set within `simulate`, which undoes everything that it lets pass.
    bool internal transient _simulating;

    constructor(IERC20Metadata token, address owner) Ownable(owner) {
        uint8 decimals = token.decimals();
        if (decimals < 6 || decimals > 18) revert IMarginVault.UnsupportedDecimals(decimals);
        TOKEN = token;
        QUANTUM = int256(10 ** (36 - decimals));
    }

    function _insurance() internal view returns (int256) {
        return int256(uint256(_vault.insurance));
    }

    function _authorize(uint256 account) internal view {
        address owner = address(uint160(account >> 96));
        if (msg.sender == owner || _isOperator[owner][msg.sender] || _simulating) return;
        revert IMarginVault.NotAuthorized(account, msg.sender);
    }

    /// @dev Refuses an account whose equity is below its initial margin; needs no price when it has no position.
    function _verifyInitialMargin(uint256 account) internal view virtual;

    /// @dev Refuses a pool that cannot back the skew of every market.
    function _verifyPoolReserve() internal view virtual;
}
