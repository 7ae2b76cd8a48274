// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {VaultLedger} from "./VaultLedger.sol";
import {IMarginVault} from "./interfaces/IMarginVault.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title MarginVault
/// @notice The only file that touches the token. {documentation: IMarginVault}
abstract contract MarginVault is IMarginVault, VaultLedger, Multicall, Nonces, EIP712 {
    using FixedMath for int256;
    using SafeERC20 for IERC20Metadata;

    uint16 public constant DEPOSIT = 1;
    uint16 public constant WITHDRAW = 2;
    uint16 public constant POOL_DEPOSIT = 4;
    uint16 public constant POOL_WITHDRAW = 8;

    bytes32 private constant SET_OPERATOR_TYPEHASH =
        keccak256("SetOperator(address owner,address operator,bool approved,uint256 nonce,uint256 deadline)");

    constructor() EIP712("perpkit", "1") {}

    /* COLLATERAL */

    /// @inheritdoc IMarginVault
    function deposit(uint256 account, uint256 amount) public nonReentrant {
        _deposit(account, amount);
    }

    /// @inheritdoc IMarginVault
    function depositWithPermit(uint256 account, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
    {
        // Whoever saw the permit may have used it first; then the allowance stands and the deposit goes through.
        try IERC20Permit(address(TOKEN)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(account, amount);
    }

    /// @inheritdoc IMarginVault
    function withdraw(uint256 account, uint256 amount, address to) external nonReentrant {
        // AUTHORIZE
        _requireActive(WITHDRAW);
        _authorize(account);
        _authorizePayment(account, to);
        int256 money = _requireAmount(amount);

        // COMPUTE
        int256 collateral = _accounts[account].collateral;
        if (money > collateral) revert InsufficientCollateral(account, collateral, money);

        // APPLY
        _accounts[account].collateral = (collateral - money).toMoney();
        _vault.booked -= uint96(amount);

        // VERIFY
        if (_vault.pool < 0) revert PoolInsolvent(_vault.pool);
        _verifyInitialMargin(account);

        // EMIT
        emit Withdrawn(account, to, ++_vault.sequence, amount, collateral - money);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IMarginVault
    function transfer(uint256 from, uint256 to, uint256 amount) external nonReentrant {
        // AUTHORIZE
        _requireActive(WITHDRAW);
        _authorize(from);
        if (from == to || from >> 96 != to >> 96) revert InvalidTransfer(from, to);
        int256 money = _requireAmount(amount);

        // COMPUTE
        int256 collateral = _accounts[from].collateral;
        if (money > collateral) revert InsufficientCollateral(from, collateral, money);

        // APPLY
        _accounts[from].collateral = (collateral - money).toMoney();
        _accounts[to].collateral = (_accounts[to].collateral + money).toMoney();

        // VERIFY
        _verifyInitialMargin(from);

        // EMIT
        emit Transferred(from, to, ++_vault.sequence, amount, collateral - money, _accounts[to].collateral);
    }

    /* INSURANCE FUND AND TREASURY */

    /// @inheritdoc IMarginVault
    function fundInsurance(uint256 amount) external nonReentrant {
        // AUTHORIZE
        int256 money = _requireAmount(amount);

        // APPLY
        _vault.insurance = uint96((_insurance() + money).toMoney());
        _receive(amount);

        // EMIT
        emit InsuranceFunded(msg.sender, ++_vault.sequence, amount, _vault.insurance);
    }

    /// @inheritdoc IMarginVault
    function skim() external nonReentrant returns (uint256 amount) {
        // COMPUTE
        amount = TOKEN.balanceOf(address(this)) - _vault.booked;
        int256 money = _requireAmount(amount);

        // APPLY
        _vault.insurance = uint96((_insurance() + money).toMoney());
        _vault.booked += uint96(amount);

        // EMIT
        emit Skimmed(msg.sender, ++_vault.sequence, amount, _vault.insurance);
    }

    /// @inheritdoc IMarginVault
    function withdrawTreasury(address to, uint256 amount) external onlyOwner nonReentrant {
        // AUTHORIZE
        _requireAmount(amount);
        if (amount > _vault.treasury) revert InsufficientTreasury(_vault.treasury, amount);

        // APPLY
        _vault.treasury -= uint96(amount);
        _vault.booked -= uint96(amount);

        // EMIT
        emit TreasuryWithdrawn(to, ++_vault.sequence, amount, _vault.treasury);
        TOKEN.safeTransfer(to, amount);
    }

    /* LIQUIDITY POOL */

    /// @inheritdoc IMarginVault
    function depositPool(uint256 amount) external nonReentrant {
        // AUTHORIZE
        _requireActive(POOL_DEPOSIT);
        if (msg.sender != pool) revert NotPool(msg.sender);
        int256 money = _requireAmount(amount);

        // APPLY
        _vault.pool = (_vault.pool + money).toMoney();
        _receive(amount);

        // EMIT
        emit PoolDeposited(++_vault.sequence, amount, _vault.pool);
    }

    /// @inheritdoc IMarginVault
    function withdrawPool(uint256 amount, address to) external nonReentrant {
        // AUTHORIZE
        _requireActive(POOL_WITHDRAW);
        if (msg.sender != pool) revert NotPool(msg.sender);
        int256 money = _requireAmount(amount);

        // APPLY
        _vault.pool = (_vault.pool - money).toMoney();
        if (_vault.pool < 0) revert PoolInsolvent(_vault.pool);
        _vault.booked -= uint96(amount);

        // VERIFY
        _verifyPoolReserve();

        // EMIT
        emit PoolWithdrawn(to, ++_vault.sequence, amount, _vault.pool);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IMarginVault
    function setPool(address pool_) external onlyOwner {
        if (pool != address(0)) revert NotPool(pool_);
        pool = pool_;
        emit PoolSet(pool_);
    }

    /* OPERATORS */

    /// @inheritdoc IMarginVault
    function setOperator(address operator, bool approved) external {
        _isOperator[msg.sender][operator] = approved;
        emit OperatorSet(msg.sender, operator, approved);
    }

    /// @inheritdoc IMarginVault
    function setOperatorBySignature(
        address owner,
        address operator,
        bool approved,
        uint256 deadline,
        bytes calldata signature
    ) external {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 message =
            keccak256(abi.encode(SET_OPERATOR_TYPEHASH, owner, operator, approved, _useNonce(owner), deadline));
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(_hashTypedDataV4(message), signature);
        if (failure != ECDSA.RecoverError.NoError || signer != owner) revert InvalidSignature(owner);
        _isOperator[owner][operator] = approved;
        emit OperatorSet(owner, operator, approved);
    }

    /* PAUSE */

    /// @inheritdoc IMarginVault
    function setVaultPaused(uint16 bits) external onlyOwner {
        _vault.paused = bits;
        emit VaultPaused(bits);
    }

    /* VIEWS */

    /// @inheritdoc IMarginVault
    function vault() external view returns (Vault memory) {
        return _vault;
    }

    /// @inheritdoc IMarginVault
    function collateralOf(uint256 account) external view returns (int256) {
        return _accounts[account].collateral;
    }

    /// @inheritdoc IMarginVault
    function isOperator(address owner, address operator) external view returns (bool) {
        return _isOperator[owner][operator];
    }

    /* INTERNAL */

    function _deposit(uint256 account, uint256 amount) internal {
        // AUTHORIZE
        _requireActive(DEPOSIT);
        int256 money = _requireAmount(amount);

        // APPLY
        int256 collateral = _accounts[account].collateral + money;
        _accounts[account].collateral = collateral.toMoney();
        _receive(amount);

        // EMIT
        emit Deposited(account, msg.sender, ++_vault.sequence, amount, collateral);
    }

    function _receive(uint256 amount) internal {
        _vault.booked += uint96(amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    function _requireAmount(uint256 amount) internal pure returns (int256 money) {
        money = FixedMath.toAmount(amount);
        if (money == 0) revert ZeroAmount();
    }

    function _requireActive(uint16 bit) internal view {
        if (_vault.paused & bit != 0) revert Paused(bit);
    }

    function _authorizePayment(uint256 account, address to) internal view {
        address owner = address(uint160(account >> 96));
        if (msg.sender != owner && to != owner && !_simulating) revert OperatorMayOnlyPayOwner(owner, to);
    }
}
