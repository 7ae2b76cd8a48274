"""The structs of the contracts, as frozen dataclasses of ints.

Units: size {base, 1e18}; price and funding index {usd/base, 1e18}; rates, ratios and fees {1e18 = 100 %}; money
{quanta of the token, 1e-6 of a dollar}; raw {usd, 1e36}; time {s}.
"""

from __future__ import annotations

from dataclasses import dataclass

# A lowercase hex address, "0x" and 40 digits.
Address = str

ZERO_ADDRESS: Address = "0x" + "0" * 40


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
    # {raw} The exact signed cost, `sum(delta * fill)`.
    cost: int


@dataclass(frozen=True, slots=True)
class MarketParams:
    """What governs a market. Rates are 1e18 = 100 %. In the order of storage: what an action reads lies together."""

    # {base} The skew at which the premium is 100 %.
    skew_scale: int
    # {s}
    funding_interval: int
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


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position now."""

    market: int
    size: int
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


NO_POSITION = Position(0, 0, 0)


def account_id(owner: Address, sub: int = 0) -> int:
    """The id of the `sub`th account of `owner`: `owner (160 bits) | sub (96 bits)`."""
    return int(owner, 16) << 96 | sub


def owner_of(account: int) -> Address:
    """The owner of an account."""
    return f"0x{account >> 96:040x}"


def sub_of(account: int) -> int:
    """Which of its owner's accounts an account is."""
    return account & ((1 << 96) - 1)
