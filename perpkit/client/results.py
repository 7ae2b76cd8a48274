"""What a trader's actions did, or would do: in `Decimal`s, with the ledger's own result in `raw`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from perpkit.backend import Receipt
from perpkit.client.sizing import Side
from perpkit.client.views import AccountInfo, PositionInfo
from perpkit.model.events import Event
from perpkit.model.types import LiquidationResult, TradeResult
from perpkit.model.types import SettleResult as RawSettleResult

E = TypeVar("E", bound=Event)


class Sent:
    """What a transaction was; a backend without a chain has no transaction, block or gas."""

    __slots__ = ()

    receipt: Receipt

    @property
    def transaction(self) -> str | None:
        return self.receipt.transaction

    @property
    def block(self) -> int | None:
        return self.receipt.block

    @property
    def gas_used(self) -> int | None:
        return self.receipt.gas_used

    @property
    def timestamp(self) -> int:
        return self.receipt.timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePreview:
    """What a trade would do, and how it would leave the account."""

    market: str
    isolated: bool
    # Of the position; `size` is what is traded, without sign.
    side: Side
    size: Decimal
    fill_price: Decimal
    mark_price: Decimal
    fee: Decimal
    # Received; negative when paid.
    funding: Decimal
    # Before fee and funding.
    realized_pnl: Decimal
    # The account afterwards, and its position in this market, None when it is closed.
    account: AccountInfo
    position: PositionInfo | None
    raw: TradeResult

    @property
    def collateral(self) -> Decimal:
        """The account's settled money afterwards."""
        return self.account.collateral

    @property
    def equity(self) -> Decimal:
        return self.account.equity

    @property
    def liquidation_price(self) -> Decimal | None:
        return self.position.liquidation_price if self.position else None

    @property
    def leverage(self) -> Decimal | None:
        return self.position.leverage if self.position else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPreview(TradePreview):
    """What opening, or adding to, a position would do."""

    # What moved to the account for it.
    margin: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenResult(OpenPreview, Sent):
    """What opening, or adding to, a position did."""

    receipt: Receipt
    # The transaction that let the market take the margin, if one was needed.
    approval: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducePreview(TradePreview):
    """What reducing or closing a position would do."""

    # What goes back to the cross account or the wallet.
    returned: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceResult(ReducePreview, Sent):
    """What reducing or closing a position did."""

    receipt: Receipt
    # The transaction that brought the margin back, if that was asked for.
    return_receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyResult(Sent):
    """What moved, and the account that it left or, for a deposit, reached."""

    amount: Decimal
    account: AccountInfo
    receipt: Receipt
    approval: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleResult(Sent):
    """What a settlement did."""

    market: str
    mark_price: Decimal
    realized_pnl: Decimal
    funding: Decimal
    account: AccountInfo
    raw: RawSettleResult
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidatePreview:
    """What a liquidation would do, and how it would leave the account."""

    market: str
    # Without sign.
    size: Decimal
    mark_price: Decimal
    realized_pnl: Decimal
    funding: Decimal
    penalty: Decimal
    reward: Decimal
    bad_debt: Decimal
    account: AccountInfo
    raw: LiquidationResult


@dataclass(frozen=True, slots=True, kw_only=True)
class LiquidateResult(LiquidatePreview, Sent):
    """What a liquidation did; the reward stands in the keeper's cross account."""

    receipt: Receipt


def only(events: Iterable[Event], kind: type[E]) -> E:
    """The event of a kind that every success emits exactly once."""
    [event] = [event for event in events if isinstance(event, kind)]
    return event
