"""Every way in which the market refuses, with its values.

    PerpError                       anything that a contract, or its twin, raises
    ├── Refused                     a rule of the market
    │   ├── Unauthorized            NotAuthorized, OperatorMayOnlyPayOwner, NotPool, OwnableUnauthorizedAccount,
    │   │                           OwnableInvalidOwner, SignatureExpired, InvalidSignature
    │   ├── Halted                  Paused, MarketActionPaused, OnlyOrders, GracePeriod, Delisted, NotAnnounced
    │   ├── BadInput                ZeroAmount, InvalidTransfer, UnknownMarket, InvalidParameter, UnsupportedDecimals,
    │   │                           NoPosition, NotAHolder, NotAscending, IncompleteHolders, NothingToDeleverage,
    │   │                           NothingToRecord, InsufficientGas, InvalidTerms, NothingToRebalance
    │   ├── OutOfRange              SizeOutOfRange, PriceOutOfRange, FundingIndexOutOfRange, MoneyOutOfRange,
    │   │                           SharesOutOfRange
    │   ├── InsufficientFunds       InsufficientCollateral, InsufficientTreasury, PoolInsolvent, WorthlessShares
    │   ├── Undermargined           BelowInitialMargin, BelowMaintenanceMargin
    │   ├── LimitExceeded           PriceLimitCrossed, TooManyPositions, BelowMinNotional, OpenInterestExceeded,
    │   │                           PoolReserveExceeded, InsufficientOutput
    │   ├── NotLiquidatable
    │   ├── OrderError              UnknownOrder, OrderAlreadyExecuted, OrderAlreadyCancelled, OrderExpired,
    │   │                           OrderTooEarly, TriggerNotMet, ParentNotExecuted, NothingToReduce, PositionGone,
    │   │                           AlreadyExpiring, NothingToRatchet, InvalidOrder, InvalidExecutionFee,
    │   │                           TooManyOrders, WrongChain, StaleEpoch, NonceAlreadyUsed, EtherRejected,
    │   │                           NothingToClaim
    │   ├── OracleError             NoFeeds, StalePrice, QuorumNotMet, PriceHalted, InvalidFeeds
    │   └── BadReport               UnknownFeed, TakesNoReports, InvalidAnswer, ReportNotNewer, ReportFromFuture,
    │                               InvalidReportSignature, UnknownReporter
    ├── TokenError                  the errors of OpenZeppelin's ERC20, ERC4626 and SafeERC20
    ├── Simulated                   not a failure: carries what a simulated action would have done
    ├── Reverted                    a contract reverted with a text, or without one
    ├── Panic                       a contract broke an assumption of its own
    └── UnknownError                a contract reverted with an error that no ABI here knows

The names, arguments and their order are those of the Solidity errors. `str()` is one sentence for people; the values
stand as attributes.
"""

from __future__ import annotations

from decimal import Decimal
from time import gmtime, strftime
from typing import Any, ClassVar


def _money(quanta: int) -> str:
    return f"{Decimal(quanta).scaleb(-6):,.6f}"


def _unit(value: int) -> str:
    return f"{Decimal(value).scaleb(-18).normalize():,f}"


def _account(account: int) -> str:
    return f"0x{account >> 96:040x}:{account & ((1 << 96) - 1)}"


def _side(long: bool) -> str:
    return "long" if long else "short"


def _time(timestamp: int) -> str:
    if timestamp >= 2**40:  # no time of a contract's
        return str(timestamp)
    return strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(timestamp))


_FORMATS = {"money": _money, "unit": _unit, "account": _account, "side": _side, "time": _time}


# What a market's parameters must be.
_BOUNDS = {
    "marketCount": "less than 32, since there are no more markets than that",
    "symbol": "a name",
    "orders": "set once",
    "bits": "those of actions that can be paused",
    "imr": "above mmr and at most 100 %",
    "mmr": "above zero and at least penaltyRate",
    "takerFee": "at most 10 %",
    "makerFee": "at most 10 %",
    "insuranceShare": "at most 100 % together with protocolShare",
    "maxFundingRate": "at most 10 %",
    "poolReserveFactor": "at most 100 %",
    "skewScale": "above zero",
    "maxOpenInterest": "at most skewScale",
    "fundingInterval": "between 1 hour and 30 days",
    "minKeeperReward": "at most mmr of minNotional",
    "keeperShare": "at most 100 %",
    "adlPnlFactor": "below 100 %",
    "tiers": "at most 3",
    "tiers.minSize": "above zero and in ascending order",
    "tiers.imr": "at least that of the tier before, above the tier's mmr and at most 100 %",
    "tiers.mmr": "at least that of the tier before",
}


class PerpError(Exception):
    """Anything that a contract, or its twin in the model, raises."""

    # The names of the error's arguments in order, each with how people read it: "available:money".
    arguments: ClassVar[tuple[str, ...]] = ()
    sentence: ClassVar[str] = ""

    def __init__(self, *values: Any) -> None:
        names = [argument.partition(":")[0] for argument in self.arguments]
        if len(values) != len(names):
            raise TypeError(f"{type(self).__name__} takes {names}, got {values!r}")
        super().__init__(*values)
        for name, value in zip(names, values, strict=True):
            setattr(self, name, value)

    def __str__(self) -> str:
        shown = {}
        for argument, value in zip(self.arguments, self.args, strict=True):
            name, _, format_name = argument.partition(":")
            shown[name] = _FORMATS[format_name](value) if format_name else value
        return self.sentence.format(**shown) if self.sentence else repr(self)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == getattr(other, "args", None)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.args))


class Refused(PerpError):
    """A rule of the market."""


class Unauthorized(Refused):
    """The sender may not do this."""


class Halted(Refused):
    """The action is paused."""


class BadInput(Refused):
    """The arguments make no sense here."""


class OutOfRange(Refused):
    """A number leaves the supported range."""


class InsufficientFunds(Refused):
    """Somebody does not have the money."""


class Undermargined(Refused):
    """Equity would be too low for the positions."""


class LimitExceeded(Refused):
    """A limit of the trade, the account or the market."""


class OracleError(Refused):
    """There is no price that counts."""


class OrderError(Refused):
    """An order cannot be placed, filled or cancelled as it stands."""


class BadReport(Refused):
    """A signed price report does not count."""


class TokenError(PerpError):
    """An ERC-20 or ERC-4626 token refuses."""


class NotAuthorized(Unauthorized):
    arguments = ("account:account", "sender")
    sentence = (
        "{sender} is neither the owner of account {account} nor one of the owner's operators; let the"
        " owner call setOperator first."
    )
    account: int
    sender: str


class OperatorMayOnlyPayOwner(Unauthorized):
    arguments = ("owner", "to")
    sentence = "an operator may withdraw only to the owner {owner}, not to {to}."
    owner: str
    to: str


class NotPool(Unauthorized):
    arguments = ("sender",)
    sentence = "{sender} is not the liquidity pool; deposit and withdraw through the pool's share token."
    sender: str


class OwnableUnauthorizedAccount(Unauthorized):
    arguments = ("account",)
    sentence = "{account} does not own this contract and may not govern it."
    account: str


class OwnableInvalidOwner(Unauthorized):
    arguments = ("owner",)
    sentence = "{owner} cannot own a contract."
    owner: str


class SignatureExpired(Unauthorized):
    arguments = ("deadline",)
    sentence = "the signature's deadline {deadline} has passed; sign again with a later one."
    deadline: int


class InvalidSignature(Unauthorized):
    arguments = ("owner",)
    sentence = "the signature is not {owner}'s over these values and nonce; sign again."
    owner: str


class Paused(Halted):
    arguments = ("bit",)
    sentence = "this action of the vault (bit {bit}) is paused."
    bit: int


class MarketActionPaused(Halted):
    arguments = ("market", "bit")
    sentence = "this action (bit {bit}) is paused in market {market}."
    market: int
    bit: int


class OnlyOrders(Halted):
    arguments = ("market", "min_delay")
    sentence = "market {market} trades only through orders that wait {min_delay} s for a newer price; place an order."
    market: int
    min_delay: int


class GracePeriod(Halted):
    arguments = ("market", "grace_until")
    sentence = (
        "nobody in market {market} is liquidated or takes on more risk before {grace_until}, so that owners can react"
        " to a pause or an outage; reduce or wait, and if that is no time, record the end of the outage first."
    )
    market: int
    grace_until: int


class Delisted(Halted):
    arguments = ("market", "delisted")
    sentence = "market {market} is delisted: {delisted}; govern a market before, and close it out after that."
    market: int
    delisted: bool


class NotAnnounced(Halted):
    arguments = ("market", "effective_at")
    sentence = (
        "this change of market {market} could hurt open positions: announce it a day before (announced for"
        " {effective_at}; zero is not at all)."
    )
    market: int
    effective_at: int


class NothingToRecord(BadInput):
    arguments = ("market", "priced")
    sentence = "there is nothing to record for market {market}: that its price is there ({priced}) is known."
    market: int
    priced: bool


class InsufficientGas(BadInput):
    arguments = ("available", "required")
    sentence = "{available} gas is left where {required} is needed to ask every feed; send more."
    available: int
    required: int


class ZeroAmount(BadInput):
    sentence = "the amount is zero; give more than zero."


class InvalidTransfer(BadInput):
    arguments = ("from_:account", "to:account")
    sentence = "margin moves only between two different accounts of one owner, not from {from_} to {to}."
    from_: int
    to: str


class UnknownMarket(BadInput):
    arguments = ("market",)
    sentence = "there is no market {market}."
    market: int


class InvalidParameter(BadInput):
    arguments = ("name",)
    name: str

    def __str__(self) -> str:
        expected = _BOUNDS.get(self.name, "another")
        return f"the market parameter {self.name} is out of its bounds: it must be {expected}."


class UnsupportedDecimals(BadInput):
    arguments = ("decimals",)
    sentence = "the token has {decimals} decimals, and 6 to 18 are supported."
    decimals: int


class NoPosition(BadInput):
    arguments = ("account:account", "market")
    sentence = "account {account} has no position in market {market}."
    account: int
    market: int


class NotAHolder(BadInput):
    arguments = ("account:account",)
    sentence = "account {account} does not hold the side that is deleveraged."
    account: int


class NotAscending(BadInput):
    arguments = ("previous:account", "next:account")
    sentence = "the list of accounts must ascend, but {next} follows {previous}."
    previous: int
    next: int


class IncompleteHolders(BadInput):
    arguments = ("listed:unit", "open_interest:unit")
    sentence = (
        "the listed accounts hold {listed} of an open interest of {open_interest}; list every holder of the side."
    )
    listed: int
    open_interest: int


class NothingToDeleverage(BadInput):
    arguments = ("market", "long:side")
    sentence = "the {long} side of market {market} needs no deleveraging."
    market: int
    long: bool


class SizeOutOfRange(OutOfRange):
    arguments = ("size:unit",)
    sentence = "a size of {size} leaves the supported range."
    size: int


class PriceOutOfRange(OutOfRange):
    arguments = ("price:unit",)
    sentence = "a price of {price} leaves the supported range."
    price: int


class FundingIndexOutOfRange(OutOfRange):
    arguments = ("funding_index:unit",)
    sentence = "a funding index of {funding_index} leaves the supported range."
    funding_index: int


class MoneyOutOfRange(OutOfRange):
    arguments = ("money:money",)
    sentence = "an amount of {money} leaves the supported range."
    money: int


class InsufficientCollateral(InsufficientFunds):
    arguments = ("account:account", "available:money", "requested:money")
    sentence = (
        "account {account} holds {available} of settled collateral, less than the {requested} asked for; take less."
    )
    account: int
    available: int
    requested: int


class InsufficientTreasury(InsufficientFunds):
    arguments = ("available:money", "requested:money")
    sentence = "the treasury holds {available}, less than the {requested} asked for."
    available: int
    requested: int


class PoolInsolvent(InsufficientFunds):
    arguments = ("pool:money",)
    sentence = "the pool's settled cash is {pool}; money leaves only while it is not negative."
    pool: int


class WorthlessShares(InsufficientFunds):
    sentence = (
        "the shares are worth nothing at the moment, so that none can be issued; those of a leveraged token are dealt"
        " in again once somebody deposits for its account."
    )


class BelowInitialMargin(Undermargined):
    arguments = ("account:account", "equity:money", "required:money")
    sentence = (
        "account {account} would have equity of {equity}, below its initial margin of {required}; add"
        " margin, or trade or withdraw less."
    )
    account: int
    equity: int
    required: int


class BelowMaintenanceMargin(Undermargined):
    arguments = ("account:account", "equity:money", "required:money")
    sentence = (
        "account {account} would have equity of {equity}, below its maintenance margin of {required};"
        " add margin or reduce more."
    )
    account: int
    equity: int
    required: int


class PriceLimitCrossed(LimitExceeded):
    arguments = ("fill:unit", "price_limit:unit")
    sentence = "the trade would fill at {fill}, beyond its acceptable price of {price_limit}."
    fill: int
    price_limit: int


class TooManyPositions(LimitExceeded):
    arguments = ("account:account",)
    sentence = "account {account} already has positions in 8 markets, the most there may be."
    account: int


class BelowMinNotional(LimitExceeded):
    arguments = ("notional:money", "min_notional:money")
    sentence = "the position would be worth {notional}, less than the least of {min_notional}; trade more, or close it."
    notional: int
    min_notional: int


class OpenInterestExceeded(LimitExceeded):
    arguments = ("market", "long:side", "open_interest:unit", "max_open_interest:unit")
    sentence = (
        "the {long} open interest of market {market} would be {open_interest}, above its bound of "
        "{max_open_interest}; trade less."
    )
    market: int
    long: bool
    open_interest: int
    max_open_interest: int


class PoolReserveExceeded(LimitExceeded):
    arguments = ("market", "required:money", "available:money")
    sentence = (
        "the pool would have to back {required} in market {market} and may back {available}; trade or withdraw less."
    )
    market: int
    required: int
    available: int


class NotLiquidatable(Refused):
    arguments = ("account:account", "equity:money", "maintenance_margin:money")
    sentence = "account {account} is healthy: equity {equity}, maintenance margin {maintenance_margin}."
    account: int
    equity: int
    maintenance_margin: int


class NoFeeds(OracleError):
    arguments = ("market",)
    sentence = "market {market} has no price feeds."
    market: int


class StalePrice(OracleError):
    arguments = ("market", "fresh", "quorum")
    sentence = "market {market} has {fresh} fresh price feeds and needs {quorum}; push a new price."
    market: int
    fresh: int
    quorum: int


class QuorumNotMet(OracleError):
    arguments = ("market", "agreeing", "quorum")
    sentence = "only {agreeing} fresh price feeds of market {market} agree, and {quorum} must."
    market: int
    agreeing: int
    quorum: int


class PriceHalted(OracleError):
    arguments = ("market",)
    sentence = "the price of market {market} is halted by its governor; wait until it goes on."
    market: int


class InvalidFeeds(OracleError):
    arguments = ("market", "reason")
    sentence = "the feeds of market {market} are not acceptable: expected {reason}."
    market: int
    reason: str


class UnknownFeed(BadReport):
    arguments = ("market", "feed")
    sentence = "market {market} has no feed {feed}; count its feeds from 0 in the order of configOf."
    market: int
    feed: int


class TakesNoReports(BadReport):
    arguments = ("market", "feed")
    sentence = "feed {feed} of market {market} takes no signed reports; its owner pushes its prices."
    market: int
    feed: int


class InvalidAnswer(BadReport):
    arguments = ("price",)
    sentence = "a report's price must be above zero and at most the feed's MAX_ANSWER, not {price}."
    price: int


class ReportNotNewer(BadReport):
    arguments = ("timestamp", "latest")
    sentence = "the report is of time {timestamp}, and the feed has one of {latest}; deliver a newer one."
    timestamp: int
    latest: int


class ReportFromFuture(BadReport):
    arguments = ("timestamp", "present")
    sentence = "the report is of time {timestamp}, and now it is {present}; deliver it when its time has come."
    timestamp: int
    present: int


class InvalidReportSignature(BadReport):
    sentence = "the report's signature is none; give the 65 bytes that its reporter signed."


class UnknownReporter(BadReport):
    arguments = ("signer",)
    sentence = (
        "the report was signed by {signer}, who is no reporter of this feed; deliver a reporter's, with the price and"
        " time that were signed."
    )
    signer: str


class InvalidTerms(BadInput):
    arguments = ("name",)
    sentence = "a leveraged token's {name} is out of its bounds in this market; deploy it with another."
    name: str


class NothingToRebalance(BadInput):
    arguments = ("leverage:unit", "not_before:time")
    sentence = (
        "leverage is {leverage}, and the token may be rebalanced from {not_before} on, or when leverage leaves its"
        " band, if there is anything to trade by then."
    )
    leverage: int
    not_before: int


class SharesOutOfRange(OutOfRange):
    arguments = ("shares",)
    sentence = "a supply of {shares} shares leaves the supported range."
    shares: int


class InsufficientOutput(LimitExceeded):
    arguments = ("amount", "minimum")
    sentence = "{amount} would be received where at least {minimum} was demanded; demand less or try again later."
    amount: int
    minimum: int


class ERC20InsufficientBalance(TokenError):
    arguments = ("sender", "balance:money", "needed:money")
    sentence = "{sender} holds {balance} tokens, less than the {needed} needed."
    sender: str
    balance: int
    needed: int


class ERC20InvalidSender(TokenError):
    arguments = ("sender",)
    sentence = "{sender} cannot send tokens."
    sender: str


class ERC20InvalidReceiver(TokenError):
    arguments = ("receiver",)
    sentence = "{receiver} cannot receive tokens."
    receiver: str


class ERC20InsufficientAllowance(TokenError):
    arguments = ("spender", "allowance:money", "needed:money")
    sentence = "{spender} may spend {allowance} tokens, less than the {needed} needed; approve more."
    spender: str
    allowance: int
    needed: int


class ERC20InvalidApprover(TokenError):
    arguments = ("approver",)
    sentence = "{approver} cannot approve a spender."
    approver: str


class ERC20InvalidSpender(TokenError):
    arguments = ("spender",)
    sentence = "{spender} cannot be approved as a spender."
    spender: str


class ERC2612ExpiredSignature(TokenError):
    arguments = ("deadline",)
    sentence = "the permit's deadline {deadline} has passed."
    deadline: int


class ERC2612InvalidSigner(TokenError):
    arguments = ("signer", "owner")
    sentence = "the permit was signed by {signer}, not by {owner}."
    signer: str
    owner: str


class ERC4626ExceededMaxDeposit(TokenError):
    arguments = ("receiver", "assets:money", "max:money")
    sentence = "a deposit of {assets} exceeds the most that the pool takes, {max}."
    receiver: str
    assets: int
    max: int


class ERC4626ExceededMaxMint(TokenError):
    arguments = ("receiver", "shares", "max")
    sentence = "minting {shares} shares exceeds the most that the pool issues, {max}."
    receiver: str
    shares: int
    max: int


class ERC4626ExceededMaxWithdraw(TokenError):
    arguments = ("owner", "assets:money", "max:money")
    sentence = "{owner} asks for {assets} of the pool and owns {max}."
    owner: str
    assets: int
    max: int


class ERC4626ExceededMaxRedeem(TokenError):
    arguments = ("owner", "shares", "max")
    sentence = "{owner} would redeem {shares} shares and owns {max}."
    owner: str
    shares: int
    max: int


class SafeERC20FailedOperation(TokenError):
    arguments = ("token",)
    sentence = "the token {token} refused a transfer."
    token: str


class InvalidAccountNonce(PerpError):
    arguments = ("account", "current_nonce")
    sentence = "the nonce of {account} is {current_nonce}."
    account: str
    current_nonce: int


class ReentrancyGuardReentrantCall(PerpError):
    sentence = "the contract was entered a second time before the first call ended."


class AddressEmptyCode(PerpError):
    arguments = ("target",)
    sentence = "there is no contract at {target}."
    target: str


class FailedCall(PerpError):
    sentence = "a call to another contract failed without saying why."


class Simulated(PerpError):
    arguments = ("result", "report")
    sentence = "the simulated action succeeded, and everything it did was undone."
    result: Any
    report: Any


class Reverted(PerpError):
    arguments = ("message",)
    sentence = "the contract reverted: {message}"
    message: str


class Panic(PerpError):
    arguments = ("code",)
    sentence = "the contract broke an assumption of its own (panic {code:#x})."
    code: int


class UnknownError(PerpError):
    arguments = ("selector", "data")
    selector: bytes
    data: bytes

    def __str__(self) -> str:
        return f"the contract reverted with an error that is not known here (selector 0x{self.selector.hex()})."


class UnknownOrder(OrderError):
    arguments = ("id",)
    sentence = "there is no order {id}; ids come with OrderPlaced, and run from 1."
    id: int


class OrderAlreadyExecuted(OrderError):
    arguments = ("id",)
    sentence = "order {id} was executed before; an order fills once."
    id: int


class OrderAlreadyCancelled(OrderError):
    arguments = ("id",)
    sentence = "order {id} was cancelled before; place a new one."
    id: int


class OrderExpired(OrderError):
    arguments = ("id", "expiry")
    sentence = "the last second of order {id} was {expiry}; cancel it, which returns its fee, and place a new one."
    id: int
    expiry: int


class OrderTooEarly(OrderError):
    arguments = ("id", "updated_at", "not_before")
    sentence = (
        "order {id} fills at a price of {not_before} or later, and the price is of {updated_at}; wait for the next one."
    )
    id: int
    updated_at: int
    not_before: int


class TriggerNotMet(OrderError):
    arguments = ("id", "mark:unit", "trigger:unit")
    sentence = "the mark of {mark} has not reached the trigger {trigger} of order {id}."
    id: int
    mark: int
    trigger: int


class ParentNotExecuted(OrderError):
    arguments = ("id", "parent")
    sentence = "order {id} is an exit of order {parent}, which must be executed first."
    id: int
    parent: int


class NothingToReduce(OrderError):
    arguments = ("account:account", "market")
    sentence = "account {account} has no position in market {market} that this reduce-only order would make smaller."
    account: int
    market: int


class PositionGone(OrderError):
    arguments = ("id", "opened")
    sentence = "the position {opened} to which order {id} belongs is gone; cancel the order, which returns its fee."
    id: int
    opened: int


class AlreadyExpiring(OrderError):
    arguments = ("id", "expiry")
    sentence = "order {id} ends at {expiry} already; cancel it after that to have its fee back."
    id: int
    expiry: int


class NothingToRatchet(OrderError):
    arguments = ("id", "mark:unit", "trigger:unit")
    sentence = (
        "at a mark of {mark} the trigger {trigger} of order {id} stays where it is; a trailing stop never loosens."
    )
    id: int
    mark: int
    trigger: int


class InvalidOrder(OrderError):
    arguments = ("field",)
    sentence = "{field} of the order makes no sense with the rest of it; see IOrders.OrderRequest."
    field: str


class InvalidExecutionFee(OrderError):
    arguments = ("value", "orders", "required")
    sentence = (
        "{value} wei are no execution fee for {orders} orders: send the same for each, {required} wei or more, less"
        " than 18 ether."
    )
    value: int
    orders: int
    required: int


class TooManyOrders(OrderError):
    arguments = ("account:account",)
    sentence = "account {account} has 16 open orders, which is the most; cancel one."
    account: int


class WrongChain(OrderError):
    arguments = ("chain_id", "expected")
    sentence = "the order was signed for chain {chain_id}, and this is {expected}."
    chain_id: int
    expected: int


class StaleEpoch(OrderError):
    arguments = ("account:account", "epoch", "current")
    sentence = (
        "the order was signed in epoch {epoch} of account {account}, which is {current} now: its owner cancelled all."
    )
    account: int
    epoch: int
    current: int


class NonceAlreadyUsed(OrderError):
    arguments = ("account:account", "nonce")
    sentence = "nonce {nonce} of account {account} was used before; sign the order with another."
    account: int
    nonce: int


class EtherRejected(OrderError):
    arguments = ("to",)
    sentence = "{to} does not take ether; act from an address that does."
    to: str


class NothingToClaim(OrderError):
    arguments = ("to",)
    sentence = "there is no ether here for {to}."
    to: str
