// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IMarketLedger} from "./IMarketLedger.sol";
import {IPriceOracle} from "./IPriceOracle.sol";

/// @title IOrders
/// @notice Orders that wait: for a newer price, for a price to be reached, for another order. They propose trades to the
/// clearinghouse in the name of the account's owner, who has made this contract an operator; they move no balances.
///
/// An order fills only at a price that was published `minDelay` of its market or more after it was placed, so nobody trades on
/// a price that is already known. In a market with a delay an order lives on for that delay after it was cancelled, for
/// the same reason.
///
/// A reduce-only order belongs to one position. When that is closed, liquidated or deleveraged away, or flips, the order
/// is dead, though its owner may hold another position by then. Anyone may cancel a dead order.
///
/// In a market with a delay an order that is due, and that only fails because its owner took away margin or authority,
/// ends then and there, and its fee is the keeper's. Else it could sleep until its owner knows the next price and wakes it.
///
/// Each order escrows ether for whoever executes it. What is cancelled is returned to who paid.
///
/// Law: the contract's ether is the sum of the open orders' fees and of the credits, exactly, as long as nobody forces
/// ether on it.
interface IOrders {
    /// @notice What an order waits for, beside a newer price.
    enum Kind {
        /// Nothing.
        Market,
        /// A mark at least as good as the trigger, which bounds the fill as well.
        Limit,
        /// A mark at least as bad as the trigger.
        Stop,
        /// A mark at least as good as the trigger.
        TakeProfit,
        /// As a stop, with a trigger that follows the mark and never loosens.
        TrailingStop
    }

    enum Status {
        None,
        Open,
        Executed,
        Cancelled
    }

    /// @notice What its owner says of an order.
    struct OrderRequest {
        uint256 account;
        uint16 market;
        Kind kind;
        /// Only makes a position smaller: as much of `size` as there is.
        bool reduceOnly;
        /// {base} Positive buys.
        int104 size;
        /// {usd/base} Zero for market orders and trailing stops.
        uint96 trigger;
        /// {usd/base} The worst fill; zero is any.
        uint96 acceptablePrice;
        /// {usd/base, or 1e18 = 100 % of the mark when `trailIsRatio`} How far a trailing stop keeps from the mark.
        uint96 trail;
        bool trailIsRatio;
        /// {s} The last second in which the order may fill; zero is never.
        uint40 expiry;
    }

    /// @notice An order. What changes lies together in storage, and what most orders leave empty.
    struct Order {
        uint256 account;
        /// {base}
        int104 size;
        /// {usd/base} Zero while a trailing stop waits for its entry.
        uint96 trigger;
        /// {s}
        uint40 placedAt;
        uint16 market;
        /// The position that the order reduces; of an executed entry the one that it made.
        uint56 opened;
        /// {wei} Escrowed for whoever executes.
        uint64 fee;
        /// {s}
        uint40 expiry;
        Kind kind;
        Status status;
        bool reduceOnly;
        bool trailIsRatio;
        /// The entry that must be executed first; zero is none.
        uint32 parent;
        /// The first of several neighbours of which one cancels the others; zero is none.
        uint32 group;
        uint96 acceptablePrice;
        uint96 trail;
    }

    /// @notice An order that its owner signs and anyone may bring.
    struct SignedOrder {
        OrderRequest request;
        /// Each of an account's counts once.
        uint64 nonce;
        /// The account's when it was signed: `cancelAll` ends it.
        uint64 epoch;
        uint256 chainId;
    }

    event OrderPlaced(uint64 indexed id, uint256 indexed account, address payer, Order order);
    event OrderExecuted(
        uint64 indexed id,
        uint256 indexed account,
        address indexed keeper,
        uint256 fee,
        uint256 opened,
        IMarketLedger.TradeResult result
    );
    event OrderCancelled(uint64 indexed id, uint256 indexed account, address by, address payer, uint256 refund);
    event OrderForfeited(uint64 indexed id, uint256 indexed account, address indexed keeper, uint256 fee);
    event OrderExpiring(uint64 indexed id, uint256 indexed account, uint256 expiry);
    event OrderRatcheted(uint64 indexed id, uint256 indexed account, int256 mark, int256 trigger);
    event NonceUsed(uint256 indexed account, uint256 nonce, uint64 id);
    event EpochEnded(uint256 indexed account, uint256 epoch);
    event EtherCredited(address indexed to, uint256 amount);
    event EtherClaimed(address indexed to, uint256 amount);

    /// @notice Thrown when there is no order of that id.
    error UnknownOrder(uint256 id);
    /// @notice Thrown when an order was executed before.
    error OrderAlreadyExecuted(uint256 id);
    /// @notice Thrown when an order was cancelled before.
    error OrderAlreadyCancelled(uint256 id);
    /// @notice Thrown when an order's last second has passed.
    error OrderExpired(uint256 id, uint256 expiry);
    /// @notice Thrown when the price is not new enough for an order. {s}
    error OrderTooEarly(uint256 id, uint256 updatedAt, uint256 notBefore);
    /// @notice Thrown when the mark has not reached an order's trigger. {usd/base}
    error TriggerNotMet(uint256 id, int256 mark, int256 trigger);
    /// @notice Thrown when an exit comes before its entry.
    error ParentNotExecuted(uint256 id, uint256 parent);
    /// @notice Thrown when there is no position that an order would make smaller.
    error NothingToReduce(uint256 account, uint16 market);
    /// @notice Thrown when the position that an order belongs to is gone.
    error PositionGone(uint256 id, uint256 opened);
    /// @notice Thrown when an order that is about to end is cancelled a second time.
    error AlreadyExpiring(uint256 id, uint256 expiry);
    /// @notice Thrown when the mark would move a trailing stop's trigger nowhere, or back. {usd/base}
    error NothingToRatchet(uint256 id, int256 mark, int256 trigger);
    /// @notice Thrown when a field of an order makes no sense.
    error InvalidOrder(string field);
    /// @notice Thrown when the ether sent is not the same fee of at least `required` for each order. {wei}
    error InvalidExecutionFee(uint256 value, uint256 orders, uint256 required);
    /// @notice Thrown when an account has as many open orders as it can.
    error TooManyOrders(uint256 account);
    /// @notice Thrown when an order was signed for another chain.
    error WrongChain(uint256 chainId, uint256 expected);
    /// @notice Thrown when an order was signed before the account's owner cancelled all.
    error StaleEpoch(uint256 account, uint256 epoch, uint256 current);
    /// @notice Thrown when a nonce of an account is used again.
    error NonceAlreadyUsed(uint256 account, uint256 nonce);
    /// @notice Thrown when somebody does not take the ether that is due.
    error EtherRejected(address to);
    /// @notice Thrown when there is no ether to claim.
    error NothingToClaim(address to);

    /// @notice Places an order with the ether sent as its execution fee.
    function place(OrderRequest calldata request) external payable returns (uint64 id);

    /// @notice Places several orders, such as a ladder, and returns the first id; the others follow. The ether sent is
    /// divided among them.
    /// @param oneCancelsOther Whether the first that is executed cancels the others.
    function placeMany(OrderRequest[] calldata requests, bool oneCancelsOther) external payable returns (uint64 first);

    /// @notice Places an entry and its exits, which wait for it; returns the entry's id.
    function placeBracket(OrderRequest calldata entry, OrderRequest[] calldata exits, bool oneCancelsOther)
        external
        payable
        returns (uint64 first);

    /// @notice Trades now and places the exits of the position in the same transaction; returns their first id. Not in
    /// a market with a delay.
    function tradeWithExits(
        uint256 account,
        uint16 market,
        int256 delta,
        int256 priceLimit,
        OrderRequest[] calldata exits,
        bool oneCancelsOther
    ) external payable returns (IMarketLedger.TradeResult memory result, uint64 first);

    /// @notice Places an order that its account's owner signed. The ether is the caller's, and is returned to the
    /// caller when the order is cancelled.
    function placeSigned(SignedOrder calldata order, bytes calldata signature) external payable returns (uint64 id);

    /// @notice Fills an order, for its fee. In a market with a delay, one that fails by its owner's doing (margin,
    /// authority, the least notional, the number of positions) is ended instead, for its fee as well, and the result is
    /// zero.
    function execute(uint64 id) external returns (IMarketLedger.TradeResult memory);

    /// @notice Hands signed prices to the oracle, so that one multicall brings the price and executes what waits for it.
    function deliverReports(uint16 market, IPriceOracle.SignedReport[] calldata reports) external;

    /// @notice Moves a trailing stop's trigger after the mark, for anyone who asks.
    function ratchet(uint64 id) external;

    /// @notice Cancels an order and the exits that wait for it, for its owner and operators; a dead one for anyone. In a
    /// market with a delay a living order only gets that delay as its expiry, and is dead after that.
    function cancel(uint64 id) external;

    /// @notice Cancels every open order of an account, as `cancel` does, and every order that was signed for it before.
    function cancelAll(uint256 account) external;

    /// @notice Makes a nonce useless, so that the order signed with it is. Owner and operators only.
    function cancelSigned(uint256 account, uint64 nonce) external;

    /// @notice Pays out ether that `to` did not take when it was returned.
    function claim(address to) external;

    function orderOf(uint64 id) external view returns (Order memory);

    /// @notice The ids of an account's open orders.
    function ordersOf(uint256 account) external view returns (uint64[] memory ids);

    /// @notice Whether an order can never fill again: it is closed or expired, or its entry or the position that
    /// it would make smaller is gone.
    function isDead(uint64 id) external view returns (bool);

    /// @notice Whether a mark reaches an order's trigger.
    function isTriggered(uint64 id, int256 mark) external view returns (bool);

    /// @notice How many orders were placed; ids run from one.
    function orderCount() external view returns (uint64);

    /// @notice Who escrowed an order's fee, and gets it back.
    function payerOf(uint64 id) external view returns (address);

    function epochOf(uint256 account) external view returns (uint64);

    function isNonceUsed(uint256 account, uint64 nonce) external view returns (bool);

    /// @notice {wei}
    function creditOf(address to) external view returns (uint256);
}
