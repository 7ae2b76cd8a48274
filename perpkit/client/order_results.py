"""What a trader's orders did, or would do: in `Decimal`s, with the ledger's own result in `raw`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from perpkit.backend import Receipt
from perpkit.client.order_views import OrderInfo
from perpkit.client.results import OpenResult, Sent, TradePreview
from perpkit.model.types import Address, SignedOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceResult(Sent):
    """The orders that were placed, and the transactions that had to come first."""

    orders: tuple[OrderInfo, ...]
    # In ether, put aside for whoever executes them, all together.
    execution_fee: Decimal
    receipt: Receipt
    # The one that lets the orders contract trade for the owner, the one that lets the market take the margin, and the
    # one that brought it.
    operator_approval: Receipt | None
    approval: Receipt | None
    margin_receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketResult(PlaceResult):
    """What a bracket did: a position that was opened at once, or an entry that waits among the orders."""

    opened: OpenResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResult(Sent):
    """What was cancelled."""

    cancelled: tuple[int, ...]
    # Those that live on until the market's delay is over, so that nobody cancels what a known price would fill.
    ending: tuple[int, ...]
    # In ether: execution fees that were returned, and what waits for `claim` because its payer did not take it.
    returned: Decimal
    credited: Decimal
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutePreview(TradePreview):
    """What executing an order would do; `execution_fee` {ether} goes to whoever does it."""

    order: int
    execution_fee: Decimal
    # The orders that this cancels.
    cancelled: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteResult(ExecutePreview, Sent):
    """What executing an order did."""

    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class RatchetResult(Sent):
    """Where a trailing stop's trigger was moved."""

    order: int
    mark_price: Decimal
    trigger: Decimal
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult(Sent):
    """The ether that was paid out."""

    amount: Decimal
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTicket:
    """An order that its owner signed; whoever brings it to the orders contract at `contract` pays its execution fee."""

    contract: Address
    order: SignedOrder
    # Bytes on a chain.
    signature: Any
