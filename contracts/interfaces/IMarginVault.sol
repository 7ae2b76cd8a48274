// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IMarginVault
/// @notice The money of the house: who owns which part of the token balance.
///
/// An account is one margin bucket. Its id is `owner (160 bits) | sub (96 bits)`, so one owner has as many accounts
/// as there are numbers. Money is in quanta of the token.
///
/// Law: `booked == sum of collateral + pool + insurance + treasury + protocol fees of the markets`, exactly, always. Tokens that reach the contract
/// past its functions are not booked until `skim` gives them to the insurance fund.
interface IMarginVault {
    /// @notice The house's own money.
    struct Vault {
        /// The liquidity pool's settled cash; negative while winners were paid faster than losers.
        int96 pool;
        /// The insurance fund.
        uint96 insurance;
        /// One bit per paused action of the vault.
        uint16 paused;
        /// The protocol's share of the fees, as far as it was collected from the markets.
        uint96 treasury;
        /// All money on the books.
        uint96 booked;
        /// The number of the vault's last event; the next is one more.
        uint64 sequence;
    }

    event Deposited(uint256 indexed account, address indexed from, uint64 sequence, uint256 amount, int256 collateral);
    event Withdrawn(uint256 indexed account, address indexed to, uint64 sequence, uint256 amount, int256 collateral);
    event Transferred(
        uint256 indexed from,
        uint256 indexed to,
        uint64 sequence,
        uint256 amount,
        int256 fromCollateral,
        int256 toCollateral
    );
    event InsuranceFunded(address indexed from, uint64 sequence, uint256 amount, uint256 insurance);
    event Skimmed(address indexed by, uint64 sequence, uint256 amount, uint256 insurance);
    event TreasuryWithdrawn(address indexed to, uint64 sequence, uint256 amount, uint256 treasury);
    event PoolDeposited(uint64 sequence, uint256 amount, int256 pool);
    event PoolWithdrawn(address indexed to, uint64 sequence, uint256 amount, int256 pool);
    event PoolSet(address pool);
    event OperatorSet(address indexed owner, address indexed operator, bool approved);
    event VaultPaused(uint16 bits);

    /// @notice Thrown when an amount, or a trade's size, is zero.
    error ZeroAmount();
    /// @notice Thrown when `sender` is neither the account's owner nor an operator of the owner.
    error NotAuthorized(uint256 account, address sender);
    /// @notice Thrown when an operator would send money to somebody other than the owner.
    error OperatorMayOnlyPayOwner(address owner, address to);
    /// @notice Thrown when money would move between accounts of different owners, or from an account to itself.
    error InvalidTransfer(uint256 from, uint256 to);
    /// @notice Thrown when more is taken than is settled.
    error InsufficientCollateral(uint256 account, int256 available, int256 requested);
    /// @notice Thrown when the pool's cash is negative, or would become so.
    error PoolInsolvent(int256 pool);
    /// @notice Thrown when the treasury holds less than is asked for.
    error InsufficientTreasury(uint256 available, uint256 requested);
    /// @notice Thrown when `sender` is not the liquidity pool, or the pool is set a second time.
    error NotPool(address sender);
    /// @notice Thrown when an action is paused; `bit` names the action.
    error Paused(uint16 bit);
    /// @notice Thrown when a signature's deadline has passed.
    error SignatureExpired(uint256 deadline);
    /// @notice Thrown when a signature was made by another key than the owner's, or over other values.
    error InvalidSignature(address owner);
    /// @notice Thrown when the token has fewer than 6 or more than 18 decimals.
    error UnsupportedDecimals(uint8 decimals);

    /// @notice Adds `amount` of the caller's tokens to `account`; anyone may pay for any account.
    function deposit(uint256 account, uint256 amount) external;

    /// @notice Deposits with the token's permit in the same transaction. A permit that was already used is no
    /// obstacle as long as the allowance stands.
    function depositWithPermit(uint256 account, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;

    /// @notice Pays `amount` of settled collateral out to `to`. The account must keep its initial margin, and the
    /// pool's cash must not be negative. An operator may pay only the owner.
    function withdraw(uint256 account, uint256 amount, address to) external;

    /// @notice Moves `amount` of settled collateral between two accounts of one owner. `from` must keep its initial
    /// margin.
    function transfer(uint256 from, uint256 to, uint256 amount) external;

    /// @notice Gives `amount` of the caller's tokens to the insurance fund.
    function fundInsurance(uint256 amount) external;

    /// @notice Gives tokens that were sent past `deposit` to the insurance fund.
    function skim() external returns (uint256 amount);

    /// @notice Pays `amount` of the protocol's fees to `to`. Owner only.
    function withdrawTreasury(address to, uint256 amount) external;

    /// @notice Books `amount` of the pool's tokens. Liquidity pool only.
    function depositPool(uint256 amount) external;

    /// @notice Pays `amount` of the pool's cash to `to`. Liquidity pool only.
    function withdrawPool(uint256 amount, address to) external;

    /// @notice Names the liquidity pool, once. Owner only.
    function setPool(address pool) external;

    /// @notice Lets `operator` act for all accounts of the caller, or no longer.
    function setOperator(address operator, bool approved) external;

    /// @notice The same by the owner's EIP-712 signature over
    /// `SetOperator(address owner,address operator,bool approved,uint256 nonce,uint256 deadline)`.
    function setOperatorBySignature(
        address owner,
        address operator,
        bool approved,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Pauses the vault's actions whose bits are set and resumes the others. Owner only.
    function setVaultPaused(uint16 bits) external;

    /// @notice The house's own money.
    function vault() external view returns (Vault memory);

    /// @notice The settled collateral of an account; negative while unrealised profit covers it. {quanta}
    function collateralOf(uint256 account) external view returns (int256);

    /// @notice Whether `operator` acts for all accounts of `owner`.
    function isOperator(address owner, address operator) external view returns (bool);
}
