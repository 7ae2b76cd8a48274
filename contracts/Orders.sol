// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Clearinghouse} from "./Clearinghouse.sol";
import {IMarginVault} from "./interfaces/IMarginVault.sol";
import {IMarketLedger} from "./interfaces/IMarketLedger.sol";
import {IOrders} from "./interfaces/IOrders.sol";
import {IPriceOracle} from "./interfaces/IPriceOracle.sol";
import {FixedMath} from "./libraries/FixedMath.sol";
import {PerpMath} from "./libraries/PerpMath.sol";

/// @title Orders
/// @notice {documentation: IOrders}
contract Orders is IOrders, ReentrancyGuardTransient, Multicall, EIP712 {
    using FixedMath for int256;

    /// @dev Open at once, per account.
    uint256 public constant MAX_ORDERS = 16;
    /// @dev Enough to take ether, too little to do mischief with.
    uint256 private constant REFUND_GAS = 10_000;

    string private constant ORDER_REQUEST =
        "OrderRequest(uint256 account,uint16 market,uint8 kind,bool reduceOnly,int104 size,uint96 trigger,uint96 acceptablePrice,uint96 trail,bool trailIsRatio,uint40 expiry)";
    bytes32 private constant ORDER_REQUEST_TYPEHASH = keccak256(bytes(ORDER_REQUEST));
    bytes32 private constant SIGNED_ORDER_TYPEHASH = keccak256(
        abi.encodePacked(
            "SignedOrder(OrderRequest request,uint64 nonce,uint64 epoch,uint256 chainId)", ORDER_REQUEST
        )
    );

    Clearinghouse public immutable CLEARINGHOUSE;
    /// {wei}
    uint256 public immutable MIN_EXECUTION_FEE;

    uint64 public orderCount;
    mapping(uint64 id => Order) private _orders;
    mapping(uint64 id => address) private _payers;
    mapping(uint256 account => uint64[MAX_ORDERS]) private _open;
    mapping(uint256 account => uint64) public epochOf;
    mapping(uint256 account => mapping(uint64 nonce => bool)) public isNonceUsed;
    mapping(address to => uint256) public creditOf;

    constructor(Clearinghouse clearinghouse, uint256 minExecutionFee) EIP712("perpkit orders", "1") {
        CLEARINGHOUSE = clearinghouse;
        MIN_EXECUTION_FEE = minExecutionFee;
    }

    /* PLACE */

    /// @inheritdoc IOrders
    function place(OrderRequest calldata request) external payable nonReentrant returns (uint64 id) {
        uint64 fee = _feeOf(1, msg.value);
        _authorize(request.account);
        id = _place(request, fee, 0, 0, msg.sender);
    }

    /// @inheritdoc IOrders
    function placeMany(OrderRequest[] calldata requests, bool oneCancelsOther)
        external
        payable
        nonReentrant
        returns (uint64 first)
    {
        uint64 fee = _feeOf(requests.length, msg.value);
        first = orderCount + 1;
        for (uint256 i = 0; i < requests.length; i++) {
            _authorize(requests[i].account);
            _place(requests[i], fee, 0, oneCancelsOther ? first : 0, msg.sender);
        }
    }

    /// @inheritdoc IOrders
    function placeBracket(OrderRequest calldata entry, OrderRequest[] calldata exits, bool oneCancelsOther)
        external
        payable
        nonReentrant
        returns (uint64 first)
    {
        uint64 fee = _feeOf(1 + exits.length, msg.value);
        _authorize(entry.account);
        first = _place(entry, fee, 0, 0, msg.sender);
        for (uint256 i = 0; i < exits.length; i++) {
            _requireExit(exits[i], entry.account, entry.market, entry.size);
            _place(exits[i], fee, first, oneCancelsOther ? first + 1 : 0, msg.sender);
        }
    }

    /// @inheritdoc IOrders
    function tradeWithExits(
        uint256 account,
        uint16 market,
        int256 delta,
        int256 priceLimit,
        OrderRequest[] calldata exits,
        bool oneCancelsOther
    ) external payable nonReentrant returns (IMarketLedger.TradeResult memory result, uint64 first) {
        uint64 fee = _feeOf(exits.length, msg.value);
        _authorize(account);
        uint256 minDelay = CLEARINGHOUSE.paramsOf(market).minDelay;
        if (minDelay != 0) revert IMarketLedger.OnlyOrders(market, minDelay);
        result = CLEARINGHOUSE.trade(account, market, delta, priceLimit);
        first = orderCount + 1;
        for (uint256 i = 0; i < exits.length; i++) {
            _requireExit(exits[i], account, market, delta);
            _place(exits[i], fee, 0, oneCancelsOther ? first : 0, msg.sender);
        }
    }

    /// @inheritdoc IOrders
    function placeSigned(SignedOrder calldata order, bytes calldata signature)
        external
        payable
        nonReentrant
        returns (uint64 id)
    {
        // AUTHORIZE
        uint64 fee = _feeOf(1, msg.value);
        uint256 account = order.request.account;
        if (order.chainId != block.chainid) revert WrongChain(order.chainId, block.chainid);
        if (order.epoch != epochOf[account]) revert StaleEpoch(account, order.epoch, epochOf[account]);
        if (isNonceUsed[account][order.nonce]) revert NonceAlreadyUsed(account, order.nonce);
        _verifySignature(order, signature);

        // APPLY
        isNonceUsed[account][order.nonce] = true;
        id = _place(order.request, fee, 0, 0, msg.sender);

        // EMIT
        emit NonceUsed(account, order.nonce, id);
    }

    function _place(OrderRequest calldata request, uint64 fee, uint64 parent, uint64 group, address payer)
        internal
        returns (uint64 id)
    {
        // AUTHORIZE
        _requireValid(request);
        address owner = address(uint160(request.account >> 96));
        if (!CLEARINGHOUSE.isOperator(owner, address(this))) {
            revert IMarginVault.NotAuthorized(request.account, address(this));
        }

        // COMPUTE
        Order memory order = Order({
            account: request.account,
            size: request.size,
            trigger: request.trigger,
            placedAt: uint40(block.timestamp),
            market: request.market,
            opened: 0,
            fee: fee,
            expiry: request.expiry,
            kind: request.kind,
            status: Status.Open,
            reduceOnly: request.reduceOnly,
            trailIsRatio: request.trailIsRatio,
            // 2**32 orders are years of blocks full of nothing else.
            parent: uint32(parent),
            group: uint32(group),
            acceptablePrice: request.acceptablePrice,
            trail: request.trail
        });
        if (order.reduceOnly && parent == 0) order.opened = _positionToReduce(order).opened;
        if (order.kind == Kind.TrailingStop && parent == 0) {
            (int256 mark,) = CLEARINGHOUSE.priceOf(order.market);
            order.trigger = uint96(uint256(_trailingTrigger(order, mark)));
        }

        // APPLY
        id = ++orderCount;
        _orders[id] = order;
        if (payer != owner) _payers[id] = payer;
        _addOpen(order.account, id);

        // EMIT
        emit OrderPlaced(id, order.account, payer, order);
    }

    /* EXECUTE */

    /// @inheritdoc IOrders
    function execute(uint64 id) external nonReentrant returns (IMarketLedger.TradeResult memory result) {
        // AUTHORIZE
        Order memory order = _openOrder(id);
        if (_isExpired(order)) revert OrderExpired(id, order.expiry);
        _requireParent(id, order);

        // COMPUTE
        (int256 mark, uint256 updatedAt) = CLEARINGHOUSE.priceOf(order.market);
        uint256 notBefore = order.placedAt + CLEARINGHOUSE.paramsOf(order.market).minDelay;
        if (updatedAt < notBefore) revert OrderTooEarly(id, updatedAt, notBefore);
        if (!_isTriggered(order, mark)) revert TriggerNotMet(id, mark, int256(uint256(order.trigger)));
        int256 delta = _deltaOf(id, order);

        // APPLY
        _orders[id].status = Status.Executed;
        _removeOpen(order.account, id);
        try CLEARINGHOUSE.trade(order.account, order.market, delta, _priceLimitOf(order)) returns (
            IMarketLedger.TradeResult memory traded
        ) {
            result = traded;
        } catch (bytes memory refusal) {
            if (notBefore == order.placedAt || !_isOwnersDoing(bytes4(refusal))) _bubble(refusal);
            _forfeit(id, order);
            return result;
        }
        uint56 opened = CLEARINGHOUSE.positionOf(order.account, order.market).opened;
        _orders[id].opened = opened;
        _cancelGroup(id, order.group);

        // EMIT
        emit OrderExecuted(id, order.account, msg.sender, order.fee, opened, result);
        _payOut(msg.sender, order.fee);
    }

    /// @dev An order that is due and fails by its owner's doing ends, and costs its fee.
    function _forfeit(uint64 id, Order memory order) internal {
        // APPLY
        _orders[id].status = Status.Cancelled;

        // EMIT
        emit OrderForfeited(id, order.account, msg.sender, order.fee);
        _cancelExits(id);
        _payOut(msg.sender, order.fee);
    }

    /// @inheritdoc IOrders
    function ratchet(uint64 id) external nonReentrant {
        // AUTHORIZE
        Order memory order = _openOrder(id);
        if (order.kind != Kind.TrailingStop) revert InvalidOrder("kind");
        if (_isExpired(order)) revert OrderExpired(id, order.expiry);
        _requireParent(id, order);

        // COMPUTE
        (int256 mark,) = CLEARINGHOUSE.priceOf(order.market);
        int256 trigger = _trailingTrigger(order, mark);
        int256 previous = int256(uint256(order.trigger));
        if (previous != 0 && (order.size > 0 ? trigger >= previous : trigger <= previous)) {
            revert NothingToRatchet(id, mark, previous);
        }

        // APPLY
        _orders[id].trigger = uint96(uint256(trigger));

        // EMIT
        emit OrderRatcheted(id, order.account, mark, trigger);
    }

    /// @inheritdoc IOrders
    function deliverReports(uint16 market, IPriceOracle.SignedReport[] calldata reports) external nonReentrant {
        CLEARINGHOUSE.ORACLE().deliver(market, reports);
    }

    /* CANCEL */

    /// @inheritdoc IOrders
    function cancel(uint64 id) external nonReentrant {
        Order memory order = _openOrder(id);
        if (_isDead(order)) return _cancel(id, order);
        _authorize(order.account);
        if (!_end(id, order)) revert AlreadyExpiring(id, order.expiry);
    }

    /// @inheritdoc IOrders
    function cancelAll(uint256 account) external nonReentrant {
        // AUTHORIZE
        _authorize(account);

        // APPLY
        uint256 epoch = ++epochOf[account];
        for (uint256 i = 0; i < MAX_ORDERS; i++) {
            uint64 id = _open[account][i];
            if (id == 0) continue;
            Order memory order = _orders[id];
            if (_isDead(order)) _cancel(id, order);
            else _end(id, order);
        }

        // EMIT
        emit EpochEnded(account, epoch);
    }

    /// @inheritdoc IOrders
    function cancelSigned(uint256 account, uint64 nonce) external {
        // AUTHORIZE
        _authorize(account);
        if (isNonceUsed[account][nonce]) revert NonceAlreadyUsed(account, nonce);

        // APPLY
        isNonceUsed[account][nonce] = true;

        // EMIT
        emit NonceUsed(account, nonce, 0);
    }

    /// @inheritdoc IOrders
    function claim(address to) external nonReentrant {
        // AUTHORIZE
        uint256 amount = creditOf[to];
        if (amount == 0) revert NothingToClaim(to);

        // APPLY
        creditOf[to] = 0;

        // EMIT
        emit EtherClaimed(to, amount);
        _payOut(to, amount);
    }

    /// @dev Cancels a living order, or lets it live for the market's delay; false when that runs already.
    function _end(uint64 id, Order memory order) internal returns (bool) {
        uint256 minDelay = CLEARINGHOUSE.paramsOf(order.market).minDelay;
        if (minDelay == 0) {
            _cancel(id, order);
            return true;
        }
        uint256 expiry = block.timestamp + minDelay;
        if (order.expiry != 0 && order.expiry <= expiry) return false;
        _orders[id].expiry = uint40(expiry);
        emit OrderExpiring(id, order.account, expiry);
        return true;
    }

    function _cancel(uint64 id, Order memory order) internal {
        // APPLY
        _orders[id].status = Status.Cancelled;
        _removeOpen(order.account, id);

        // EMIT
        address payer = payerOf(id);
        emit OrderCancelled(id, order.account, msg.sender, payer, order.fee);
        (bool taken,) = payer.call{value: order.fee, gas: REFUND_GAS}("");
        if (!taken) {
            creditOf[payer] += order.fee;
            emit EtherCredited(payer, order.fee);
        }
        _cancelExits(id);
    }

    /// @dev What waits for an entry that will never be executed.
    function _cancelExits(uint64 id) internal {
        for (uint64 exit = id + 1; _orders[exit].parent == id; exit++) {
            Order memory child = _orders[exit];
            if (child.status == Status.Open) _cancel(exit, child);
        }
    }

    /// @dev One was executed: its neighbours are cancelled.
    function _cancelGroup(uint64 id, uint64 group) internal {
        if (group == 0) return;
        for (uint64 member = group; _orders[member].group == group; member++) {
            Order memory order = _orders[member];
            if (member != id && order.status == Status.Open) _cancel(member, order);
        }
    }

    /* VIEWS */

    /// @inheritdoc IOrders
    function orderOf(uint64 id) external view returns (Order memory) {
        return _orders[id];
    }

    /// @inheritdoc IOrders
    function ordersOf(uint256 account) external view returns (uint64[] memory ids) {
        uint64[MAX_ORDERS] memory open = _open[account];
        uint256 count = 0;
        for (uint256 i = 0; i < MAX_ORDERS; i++) {
            if (open[i] != 0) count++;
        }
        ids = new uint64[](count);
        count = 0;
        for (uint256 i = 0; i < MAX_ORDERS; i++) {
            if (open[i] != 0) ids[count++] = open[i];
        }
    }

    /// @inheritdoc IOrders
    function isDead(uint64 id) external view returns (bool) {
        Order memory order = _orders[id];
        return order.status != Status.Open || _isDead(order);
    }

    /// @inheritdoc IOrders
    function isTriggered(uint64 id, int256 mark) external view returns (bool) {
        return _isTriggered(_orders[id], mark);
    }

    /// @inheritdoc IOrders
    function payerOf(uint64 id) public view returns (address) {
        address payer = _payers[id];
        return payer == address(0) ? address(uint160(_orders[id].account >> 96)) : payer;
    }

    /* INTERNAL */

    /// @dev The ether sent, divided among `count` orders without remainder.
    function _feeOf(uint256 count, uint256 value) internal view returns (uint64) {
        int256 fee = count == 0 ? int256(0) : int256(value).divFloor(int256(count));
        bool exact = uint256(fee) * count == value && uint256(fee) <= type(uint64).max;
        if (count == 0 || !exact || uint256(fee) < MIN_EXECUTION_FEE) {
            revert InvalidExecutionFee(value, count, MIN_EXECUTION_FEE);
        }
        return uint64(uint256(fee));
    }

    function _authorize(uint256 account) internal view {
        address owner = address(uint160(account >> 96));
        if (msg.sender != owner && !CLEARINGHOUSE.isOperator(owner, msg.sender)) {
            revert IMarginVault.NotAuthorized(account, msg.sender);
        }
    }

    function _verifySignature(SignedOrder calldata order, bytes calldata signature) internal view {
        bytes32 request = keccak256(abi.encode(ORDER_REQUEST_TYPEHASH, order.request));
        bytes32 message =
            keccak256(abi.encode(SIGNED_ORDER_TYPEHASH, request, order.nonce, order.epoch, order.chainId));
        address owner = address(uint160(order.request.account >> 96));
        if (!SignatureChecker.isValidSignatureNow(owner, _hashTypedDataV4(message), signature)) {
            revert IMarginVault.InvalidSignature(owner);
        }
    }

    function _requireValid(OrderRequest calldata request) internal view {
        if (CLEARINGHOUSE.symbolOf(request.market) == 0) revert IMarketLedger.UnknownMarket(request.market);
        bool trails = request.kind == Kind.TrailingStop;
        if (request.size == 0) revert InvalidOrder("size");
        int256(request.size).toSize();
        if (request.kind == Kind.Market || trails ? request.trigger != 0 : request.trigger == 0) {
            revert InvalidOrder("trigger");
        }
        if (request.trigger > uint256(FixedMath.PRICE_MAX)) revert InvalidOrder("trigger");
        if (request.acceptablePrice > uint256(FixedMath.PRICE_MAX)) revert InvalidOrder("acceptablePrice");
        if (request.kind == Kind.Limit && request.acceptablePrice != 0) revert InvalidOrder("acceptablePrice");
        if (trails ? request.trail == 0 : request.trail != 0 || request.trailIsRatio) revert InvalidOrder("trail");
        if (request.trail > uint256(request.trailIsRatio ? FixedMath.UNIT - 1 : FixedMath.PRICE_MAX)) {
            revert InvalidOrder("trail");
        }
        if (request.expiry != 0 && request.expiry < block.timestamp) revert InvalidOrder("expiry");
    }

    /// @dev An exit makes the position of its entry smaller.
    function _requireExit(OrderRequest calldata request, uint256 account, uint16 market, int256 delta) internal pure {
        if (request.account != account) revert InvalidOrder("account");
        if (request.market != market) revert InvalidOrder("market");
        if (!request.reduceOnly) revert InvalidOrder("reduceOnly");
        if ((request.size > 0) == (delta > 0)) revert InvalidOrder("size");
    }

    function _openOrder(uint64 id) internal view returns (Order memory order) {
        order = _orders[id];
        if (order.status == Status.None) revert UnknownOrder(id);
        if (order.status == Status.Executed) revert OrderAlreadyExecuted(id);
        if (order.status == Status.Cancelled) revert OrderAlreadyCancelled(id);
    }

    function _requireParent(uint64 id, Order memory order) internal view {
        if (order.parent == 0 || _orders[order.parent].status == Status.Executed) return;
        revert ParentNotExecuted(id, order.parent);
    }

    function _isExpired(Order memory order) internal view returns (bool) {
        return order.expiry != 0 && block.timestamp > order.expiry;
    }

    /// @dev Whether an open order can never fill again.
    function _isDead(Order memory order) internal view returns (bool) {
        if (_isExpired(order)) return true;
        if (order.parent != 0) {
            Order storage parent = _orders[order.parent];
            // One that was cancelled has cancelled its exits.
            if (parent.status == Status.Open) return _isDead(parent);
        }
        if (!order.reduceOnly) return false;
        IMarketLedger.Position memory position = CLEARINGHOUSE.positionOf(order.account, order.market);
        return position.opened != _openedOf(order) || !_reduces(order, position);
    }

    /// @dev The position that a reduce-only order belongs to: its own, or the one that its entry made.
    function _openedOf(Order memory order) internal view returns (uint56) {
        return order.parent == 0 ? order.opened : _orders[order.parent].opened;
    }

    function _isTriggered(Order memory order, int256 mark) internal pure returns (bool) {
        if (order.kind == Kind.Market) return true;
        if (order.trigger == 0) return false;
        bool stop = order.kind == Kind.Stop || order.kind == Kind.TrailingStop;
        return PerpMath.isTriggered(stop, order.size, mark, int256(uint256(order.trigger)));
    }

    function _trailingTrigger(Order memory order, int256 mark) internal pure returns (int256) {
        return PerpMath.trailingTrigger(order.size, mark, int256(uint256(order.trail)), order.trailIsRatio).clamp(
            1, FixedMath.PRICE_MAX
        );
    }

    /// @dev The position that a reduce-only order would make smaller.
    function _positionToReduce(Order memory order) internal view returns (IMarketLedger.Position memory position) {
        position = CLEARINGHOUSE.positionOf(order.account, order.market);
        if (!_reduces(order, position)) revert NothingToReduce(order.account, order.market);
    }

    function _reduces(Order memory order, IMarketLedger.Position memory position) internal pure returns (bool) {
        return position.size != 0 && (position.size > 0) != (order.size > 0);
    }

    /// @dev How much an order trades now: a reduce-only one no more than there is.
    function _deltaOf(uint64 id, Order memory order) internal view returns (int256) {
        if (!order.reduceOnly) return order.size;
        uint56 opened = _openedOf(order);
        if (CLEARINGHOUSE.positionOf(order.account, order.market).opened != opened) revert PositionGone(id, opened);
        int256 held = int256(_positionToReduce(order).size).abs();
        return int256(order.size).clamp(-held, held);
    }

    function _priceLimitOf(Order memory order) internal pure returns (int256) {
        if (order.kind == Kind.Limit) return int256(uint256(order.trigger));
        if (order.acceptablePrice != 0) return int256(uint256(order.acceptablePrice));
        return order.size > 0 ? type(int256).max : int256(0);
    }

    /// @dev Whether a refusal of the clearinghouse is about what an account's owner could see to.
    function _isOwnersDoing(bytes4 refusal) internal pure returns (bool) {
        return refusal == IMarginVault.NotAuthorized.selector || refusal == IMarketLedger.BelowInitialMargin.selector
            || refusal == IMarketLedger.BelowMaintenanceMargin.selector
            || refusal == IMarketLedger.BelowMinNotional.selector
            || refusal == IMarketLedger.TooManyPositions.selector;
    }

    function _payOut(address to, uint256 amount) internal {
        (bool taken,) = to.call{value: amount}("");
        if (!taken) revert EtherRejected(to);
    }

    /// @dev Raises the bytes of a revert again.
    function _bubble(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    function _addOpen(uint256 account, uint64 id) internal {
        for (uint256 i = 0; i < MAX_ORDERS; i++) {
            if (_open[account][i] != 0) continue;
            _open[account][i] = id;
            return;
        }
        revert TooManyOrders(account);
    }

    function _removeOpen(uint256 account, uint64 id) internal {
        for (uint256 i = 0; i < MAX_ORDERS; i++) {
            if (_open[account][i] != id) continue;
            _open[account][i] = 0;
            return;
        }
    }
}
