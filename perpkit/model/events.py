"""The events of the contracts, with the same names, arguments and order."""

from __future__ import annotations

from dataclasses import dataclass

from perpkit.model.types import (
    Address,
    Balances,
    CloseOutResult,
    DeleverageResult,
    Delisting,
    LiquidationResult,
    MarketParams,
    MintResult,
    OracleConfig,
    Order,
    Position,
    RebalanceResult,
    RedeemResult,
    RiskTier,
    SettleResult,
    TradeResult,
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a contract said."""


@dataclass(frozen=True, slots=True)
class Deposited(Event):
    account: int
    from_: Address
    sequence: int
    amount: int
    collateral: int


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    account: int
    to: Address
    sequence: int
    amount: int
    collateral: int


@dataclass(frozen=True, slots=True)
class Transferred(Event):
    from_: int
    to: int
    sequence: int
    amount: int
    from_collateral: int
    to_collateral: int


@dataclass(frozen=True, slots=True)
class InsuranceFunded(Event):
    from_: Address
    sequence: int
    amount: int
    insurance: int


@dataclass(frozen=True, slots=True)
class Skimmed(Event):
    by: Address
    sequence: int
    amount: int
    insurance: int


@dataclass(frozen=True, slots=True)
class TreasuryWithdrawn(Event):
    to: Address
    sequence: int
    amount: int
    treasury: int


@dataclass(frozen=True, slots=True)
class PoolDeposited(Event):
    sequence: int
    amount: int
    pool: int


@dataclass(frozen=True, slots=True)
class PoolWithdrawn(Event):
    to: Address
    sequence: int
    amount: int
    pool: int


@dataclass(frozen=True, slots=True)
class PoolSet(Event):
    pool: Address


@dataclass(frozen=True, slots=True)
class OperatorSet(Event):
    owner: Address
    operator: Address
    approved: bool


@dataclass(frozen=True, slots=True)
class VaultPaused(Event):
    bits: int


@dataclass(frozen=True, slots=True)
class MarketListed(Event):
    market: int
    sequence: int
    symbol: bytes
    params: MarketParams
    tiers: tuple[RiskTier, ...]


@dataclass(frozen=True, slots=True)
class MarketParamsAnnounced(Event):
    market: int
    sequence: int
    effective_at: int
    params: MarketParams
    tiers: tuple[RiskTier, ...]


@dataclass(frozen=True, slots=True)
class MarketParamsSet(Event):
    market: int
    sequence: int
    mark: int
    funding_index: int
    params: MarketParams
    tiers: tuple[RiskTier, ...]


@dataclass(frozen=True, slots=True)
class OrdersSet(Event):
    orders: Address


@dataclass(frozen=True, slots=True)
class OutageRecorded(Event):
    market: int
    sequence: int
    grace_until: int


@dataclass(frozen=True, slots=True)
class DelistingAnnounced(Event):
    market: int
    sequence: int
    effective_at: int


@dataclass(frozen=True, slots=True)
class MarketDelisted(Event):
    market: int
    sequence: int
    price: int
    funding_index: int
    bits: int


@dataclass(frozen=True, slots=True)
class ClaimRegistered(Event):
    market: int
    account: int
    sequence: int
    claim: int
    delisting: Delisting


@dataclass(frozen=True, slots=True)
class PayoutFixed(Event):
    market: int
    sequence: int
    delisting: Delisting
    pool: int
    insurance: int


@dataclass(frozen=True, slots=True)
class ClosedOut(Event):
    market: int
    account: int
    sequence: int
    result: CloseOutResult
    balances: Balances


@dataclass(frozen=True, slots=True)
class ProtocolFeesCollected(Event):
    market: int
    sequence: int
    amount: int
    treasury: int


@dataclass(frozen=True, slots=True)
class MarketPaused(Event):
    market: int
    sequence: int
    bits: int
    grace_until: int


@dataclass(frozen=True, slots=True)
class Traded(Event):
    market: int
    account: int
    sequence: int
    funding_index: int
    result: TradeResult
    position: Position
    balances: Balances


@dataclass(frozen=True, slots=True)
class Settled(Event):
    market: int
    account: int
    sequence: int
    funding_index: int
    result: SettleResult
    position: Position
    balances: Balances


@dataclass(frozen=True, slots=True)
class Liquidated(Event):
    market: int
    account: int
    keeper: int
    sequence: int
    funding_index: int
    result: LiquidationResult
    position: Position
    balances: Balances
    keeper_collateral: int


@dataclass(frozen=True, slots=True)
class Deleveraged(Event):
    market: int
    account: int
    sequence: int
    funding_index: int
    result: DeleverageResult
    position: Position
    balances: Balances


@dataclass(frozen=True, slots=True)
class FeedsSet(Event):
    market: int
    config: OracleConfig


@dataclass(frozen=True, slots=True)
class HaltSet(Event):
    market: int
    halted: bool


@dataclass(frozen=True, slots=True)
class ReporterSet(Event):
    reporter: Address
    allowed: bool


@dataclass(frozen=True, slots=True)
class AnswerUpdated(Event):
    current: int
    round_id: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Transfer(Event):
    from_: Address
    to: Address
    value: int


@dataclass(frozen=True, slots=True)
class Approval(Event):
    owner: Address
    spender: Address
    value: int


@dataclass(frozen=True, slots=True)
class Deposit(Event):
    sender: Address
    owner: Address
    assets: int
    shares: int


@dataclass(frozen=True, slots=True)
class Withdraw(Event):
    sender: Address
    receiver: Address
    owner: Address
    assets: int
    shares: int


@dataclass(frozen=True, slots=True)
class OrderPlaced(Event):
    id: int
    account: int
    payer: Address
    order: Order


@dataclass(frozen=True, slots=True)
class OrderExecuted(Event):
    id: int
    account: int
    keeper: Address
    fee: int
    opened: int
    result: TradeResult


@dataclass(frozen=True, slots=True)
class OrderCancelled(Event):
    id: int
    account: int
    by: Address
    payer: Address
    refund: int


@dataclass(frozen=True, slots=True)
class OrderForfeited(Event):
    id: int
    account: int
    keeper: Address
    fee: int


@dataclass(frozen=True, slots=True)
class OrderExpiring(Event):
    id: int
    account: int
    expiry: int


@dataclass(frozen=True, slots=True)
class OrderRatcheted(Event):
    id: int
    account: int
    mark: int
    trigger: int


@dataclass(frozen=True, slots=True)
class NonceUsed(Event):
    account: int
    nonce: int
    id: int


@dataclass(frozen=True, slots=True)
class EpochEnded(Event):
    account: int
    epoch: int


@dataclass(frozen=True, slots=True)
class EtherCredited(Event):
    to: Address
    amount: int


@dataclass(frozen=True, slots=True)
class EtherClaimed(Event):
    to: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Minted(Event):
    minter: Address
    receiver: Address
    result: MintResult


@dataclass(frozen=True, slots=True)
class Redeemed(Event):
    redeemer: Address
    receiver: Address
    result: RedeemResult


@dataclass(frozen=True, slots=True)
class Rebalanced(Event):
    keeper: Address
    result: RebalanceResult
