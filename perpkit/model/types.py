"""The structs of the contracts, as frozen dataclasses of ints.

Units: size {base, 1e18}; price and funding index {usd/base, 1e18}; rates, ratios and fees {1e18 = 100 %}; money
{quanta of the token, 1e-6 of a dollar}; raw {usd, 1e36}; time {s}.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

# A lowercase hex address, "0x" and 40 digits.
Address = str

ZERO_ADDRESS: Address = "0x" + "0" * 40


class OrderKind(IntEnum):
    """What an order waits for, beside a newer price."""

    # Nothing.
    MARKET = 0
    # A mark at least as good as the trigger, which bounds the fill as well.
    LIMIT = 1
    # A mark at least as bad as the trigger.
    STOP = 2
    # A mark at least as good as the trigger.
    TAKE_PROFIT = 3
    # As a stop, with a trigger that follows the mark and never loosens.
    TRAILING_STOP = 4


class OrderStatus(IntEnum):
    NONE = 0
    OPEN = 1
    EXECUTED = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True)
class Vault:
    """The house's own money."""

    # The liquidity pool's settled cash; negative while winners were paid faster than losers.
    pool: int
    # The insurance fund.
    insurance: int
    # One bit per paused action of the vault.
    paused: int
    # The protocol's share of the fees.
    treasury: int
    # All money on the books.
    booked: int
    # The number of the vault's last event; the next is one more.
    sequence: int


@dataclass(frozen=True, slots=True)
class Position:
    """One account's exposure to one market."""

    # {base} Positive when long.
    size: int
    # {usd/base} The market's funding index when the position was last touched.
    funding_index: int
    # The sequence number with which the position was opened, or flipped: no two positions of a market share it.
    opened: int
    # {raw} The exact signed cost, `sum(delta * fill)`.
    cost: int


@dataclass(frozen=True, slots=True)
class MarketParams:
    """What governs a market. Rates are 1e18 = 100 %. In the order of storage: what an action reads lies together."""

    # {base} The skew at which the premium is 100 %.
    skew_scale: int
    # {s}
    funding_interval: int
    # {s} How much newer than a commitment the price must be at which it fills; above zero only orders trade.
    min_delay: int
    # Bound of the funding rate per funding interval.
    max_funding_rate: int
    # Initial and maintenance margin ratio.
    imr: int
    mmr: int
    # {quanta} The least a position may be worth.
    min_notional: int
    # {quanta} The least a keeper receives, as far as the penalty goes.
    min_keeper_reward: int
    # Fee on what enlarges |skew|, and on what reduces it.
    taker_fee: int
    maker_fee: int
    # Shares of a fee; the rest is the pool's.
    insurance_share: int
    protocol_share: int
    # {base} Bound of each side's open interest.
    max_open_interest: int
    # The pool backs |skew| * mark up to this part of its cash.
    pool_reserve_factor: int
    # A side whose profit exceeds this part of the pool's cash may be deleveraged.
    adl_pnl_factor: int
    # Of a liquidation's notional.
    penalty_rate: int
    # The keeper's part of the penalty.
    keeper_share: int


@dataclass(frozen=True, slots=True)
class MarketState:
    """What a market is at this moment, as last accrued."""

    # {usd/base} What one base unit has paid in funding since the market was listed.
    funding_index: int
    # {s} When the funding index was last brought up to date.
    accrued_at: int
    # One bit per paused action.
    paused: int
    # How many risk tiers there are above the first.
    tiers: int
    # {quanta} The protocol's share of the market's fees, until it is collected.
    protocol_fees: int
    # {base} Open interest per side.
    long_oi: int
    short_oi: int
    # The number of the market's last event.
    sequence: int
    # {raw} `sum(cost - size * F0)` per side.
    long_basis: int
    short_basis: int
    # {quanta} Bad debt of each side that the insurance fund could not cover and ADL has not yet
    # recovered.
    long_deficit: int
    short_deficit: int
    # {s} Before this time nobody is liquidated; all ones while an outage of the price lasts.
    grace_until: int


@dataclass(frozen=True, slots=True)
class RiskTier:
    """What positions of at least `min_size` need instead of the market's own margin ratios."""

    # {base}
    min_size: int
    imr: int
    mmr: int


@dataclass(frozen=True, slots=True)
class Delisting:
    """The end of a market: the price at which everything is settled, and what its winners are owed and get."""

    # {s} From when on the market may be delisted; zero when that was not announced.
    effective_at: int
    # {usd/base} The final price; zero before.
    price: int
    # {base} The size of the winners whose claims stand.
    registered: int
    # Whether every claim stands, so that winners are paid.
    paying: bool
    # {quanta} What winners are owed, and what there is for them once every claim stands.
    claims: int
    payout: int


@dataclass(frozen=True, slots=True)
class Balances:
    """Balances after an action. {quanta}"""

    collateral: int
    pool: int
    insurance: int
    # The market's protocol fees.
    protocol_fees: int


@dataclass(frozen=True, slots=True)
class TradeResult:
    """What a trade did."""

    delta: int
    fill: int
    mark: int
    # {quanta} Charged.
    fee: int
    # {quanta} Realised profit before fee and funding.
    realized: int
    # {quanta} Funding received; negative when paid.
    funding: int


@dataclass(frozen=True, slots=True)
class SettleResult:
    """What a settlement did."""

    mark: int
    realized: int
    funding: int


@dataclass(frozen=True, slots=True)
class LiquidationResult:
    """What a liquidation did."""

    # {base} Without sign.
    closed: int
    mark: int
    realized: int
    funding: int
    # {quanta} Charged to the account, the keeper's reward included.
    penalty: int
    # {quanta} Credited to the keeper, out of the penalty or, when the account is bankrupt, by the fund.
    reward: int
    # {quanta} The account's bad debt, the part that the insurance fund covered, and what stands as a
    # deficit.
    bad_debt: int
    covered: int
    deficit: int


@dataclass(frozen=True, slots=True)
class DeleverageResult:
    """What deleveraging did to one winner."""

    closed: int
    mark: int
    realized: int
    funding: int
    # {quanta} The part of the realised profit that went to the opposite side's deficit.
    haircut: int
    # {quanta} The opposite side's deficit after it.
    deficit: int
    # {quanta} The account's own bad debt, when closing leaves it bankrupt, and what the insurance fund covered of it;
    # the rest is added to its own side's deficit.
    bad_debt: int
    covered: int


@dataclass(frozen=True, slots=True)
class CloseOutResult:
    """What closing out did to one position of a delisted market."""

    # {usd/base} The final price.
    price: int
    # {quanta} What the position was worth, funding included, and what was paid: less when there is not enough for all
    # winners; negative when it was owed.
    claim: int
    paid: int
    # {quanta} The account's bad debt, the part that the insurance fund covered, and what stands as a deficit.
    bad_debt: int
    covered: int
    deficit: int


@dataclass(frozen=True, slots=True)
class OracleConfig:
    """How a market's feeds are read."""

    # {s} A feed older than this does not count.
    heartbeat: int
    # {1e18 = 100 %} A feed further than this from the median of the fresh ones does not count.
    max_deviation: int
    # How many feeds must be left.
    quorum: int
    feeds: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class MarketView:
    """A market now. Without a fresh price `priced` is false and what depends on it is zero."""

    market: int
    symbol: bytes
    priced: bool
    mark: int
    # {s} When the oldest feed behind the mark price was updated.
    updated_at: int
    skew: int
    premium: int
    # Per funding interval; positive when longs pay shorts.
    funding_rate: int
    # {usd/base} As of now.
    funding_index: int
    # {quanta} Unrealised profit of each side, rounded down.
    long_pnl: int
    short_pnl: int
    state: MarketState
    params: MarketParams
    tiers: tuple[RiskTier, ...]
    delisting: Delisting


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position now."""

    market: int
    size: int
    # The sequence number with which the position was opened.
    opened: int
    # The margin ratios of its risk tier.
    imr: int
    mmr: int
    cost: int
    entry_price: int
    mark: int
    # {quanta} Rounded up.
    notional: int
    # {quanta} Accrued funding included, rounded down.
    unrealized_pnl: int
    # {quanta} Accrued and not yet settled; negative when it is to be paid.
    funding: int
    # {quanta} Rounded up.
    initial_margin: int
    maintenance_margin: int
    # {usd/base} Zero when there is none.
    liquidation_price: int
    bankruptcy_price: int
    # Profit / entry notional * notional / equity; who has most is deleveraged first.
    adl_score: int


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What its owner says of an order. `kind` is one of `OrderKind`."""

    account: int
    market: int
    kind: int
    # Only makes a position smaller: as much of `size` as there is.
    reduce_only: bool
    # {base} Positive buys.
    size: int
    # {usd/base} Zero for market orders and trailing stops.
    trigger: int
    # {usd/base} The worst fill; zero is any.
    acceptable_price: int
    # {usd/base, or 1e18 = 100 % of the mark when `trail_is_ratio`} How far a trailing stop keeps from the mark.
    trail: int
    trail_is_ratio: bool
    # {s} The last second in which the order may fill; zero is never.
    expiry: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order. `kind` is one of `OrderKind`, `status` one of `OrderStatus`."""

    account: int
    # {base}
    size: int
    # {usd/base} Zero while a trailing stop waits for its entry.
    trigger: int
    # {s}
    placed_at: int
    market: int
    # The position that the order reduces; of an executed entry the one that it made.
    opened: int
    # {wei} Escrowed for whoever executes.
    fee: int
    # {s}
    expiry: int
    kind: int
    status: int
    reduce_only: bool
    trail_is_ratio: bool
    # The entry that must be executed first; zero is none.
    parent: int
    # The first of several neighbours of which one cancels the others; zero is none.
    group: int
    acceptable_price: int
    trail: int


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order that its owner signs and anyone may bring."""

    request: OrderRequest
    # Each of an account's counts once.
    nonce: int
    # The account's when it was signed: `cancel_all` ends it.
    epoch: int
    chain_id: int


@dataclass(frozen=True, slots=True)
class OrderView:
    """An open order now."""

    id: int
    # Who escrowed its fee.
    payer: Address
    # It can never fill: anyone may cancel it.
    dead: bool
    # The mark has reached its trigger.
    triggered: bool
    # All that it waits for is there: it fills, if margin, limits and acceptable price allow.
    executable: bool
    # {s} The price must have been published then or later.
    not_before: int
    order: Order


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account now. Money in quanta: equity is rounded down, requirements up."""

    account: int
    collateral: int
    equity: int
    initial_margin: int
    maintenance_margin: int
    # Equity / maintenance margin; below 1e18 means liquidatable.
    health: int
    withdrawable: int
    liquidatable: bool
    positions: tuple[PositionView, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a leveraged token promises. Fixed at deployment."""

    market: int
    # {1e18 = 1x} Negative when short.
    target_leverage: int
    # {1e18 = 1x} Without sign: outside of this band anyone may rebalance at any time.
    min_leverage: int
    max_leverage: int
    # {s} Inside of the band anyone may rebalance this long after the last time.
    rebalance_interval: int
    # {1e18 = 100 %} Of what is minted or redeemed; stays with the holders.
    fee: int
    # {1e18 = 100 %} How much worse than the mark price a trade may fill.
    max_premium: int
    # {1e18 = 100 %} Of the notional that a rebalance trades; paid in new shares, so that no payment can fail.
    rebalance_reward: int


@dataclass(frozen=True, slots=True)
class MintResult:
    """What minting did. The last three are totals after it."""

    # {quanta} Paid.
    assets: int
    # {quanta} What net asset value rose by: the assets less what the trade cost.
    value: int
    # {quanta} The part of the value that is the holders'.
    fee: int
    shares: int
    mark: int
    delta: int
    # {usd/base} Zero when nothing was traded.
    fill: int
    leverage: int
    net_asset_value: int
    supply: int


@dataclass(frozen=True, slots=True)
class RedeemResult:
    """What redeeming did. The last three are totals after it."""

    shares: int
    # {quanta} The shares' part of net asset value.
    value: int
    # {quanta} What the trade cost; negative when it earned.
    cost: int
    # {quanta} The part of the rest that is the holders'.
    fee: int
    # {quanta} Paid out.
    assets: int
    # {usd/base} Zero when there was no position.
    mark: int
    delta: int
    fill: int
    leverage: int
    net_asset_value: int
    supply: int


@dataclass(frozen=True, slots=True)
class RebalanceResult:
    """What a rebalance did. The last three are totals after it."""

    mark: int
    delta: int
    fill: int
    # {quanta} The keeper's reward, and the shares that were minted for it.
    reward: int
    shares: int
    leverage: int
    net_asset_value: int
    supply: int


@dataclass(frozen=True, slots=True)
class Signature:
    """What stands for a signature in the model: who signed, and the very message."""

    signer: Address
    message: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class SignedReport:
    """A price that a feed's reporter signed, and which of the market's feeds it is for."""

    # The feed's place in `OracleConfig.feeds`, from 0 on.
    feed: int
    # In the feed's decimals.
    price: int
    # {s}
    timestamp: int
    # Bytes on a chain.
    signature: Any


NO_POSITION = Position(0, 0, 0, 0)
NO_PARAMS = MarketParams(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
NO_STATE = MarketState(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
NO_ORDER = Order(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, False, False, 0, 0, 0, 0)
NO_DELISTING = Delisting(0, 0, 0, False, 0, 0)


def account_id(owner: Address, sub: int = 0) -> int:
    """The id of the `sub`th account of `owner`: `owner (160 bits) | sub (96 bits)`."""
    return int(owner, 16) << 96 | sub


def owner_of(account: int) -> Address:
    """The owner of an account."""
    return f"0x{account >> 96:040x}"


def sub_of(account: int) -> int:
    """Which of its owner's accounts an account is."""
    return account & ((1 << 96) - 1)
