"""Puts a whole market on a sandbox: contracts, feeds, markets, pool and insurance, the same on each.

The markets, roles and amounts here are what `perpkit devnet` starts with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from perpkit.backend import Sandbox
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import Address, MarketParams, OracleConfig, RiskTier, Signature, SignedReport, Terms

UNIT = 10**18
DOLLAR = 10**6
FEED_DECIMALS = 8
FEED_TICK: int = 10 ** (18 - FEED_DECIMALS)
FEEDS_PER_MARKET = 3
# What executing an order pays at least. {wei}
MIN_EXECUTION_FEE = 10**14

# The accounts 0 to 9 of the mnemonic "test test test test test test test test test test test junk", which every local
# node funds. Everybody knows their keys: they are for chains without value only.
ROLES: Mapping[str, Address] = MappingProxyType(
    {
        "governor": "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        "publisher": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "provider": "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
        "keeper": "0x90f79bf6eb2c4f870365e785982e1f101e93b906",
        "trader": "0x15d34aaf54267db7d7c367839aaf71a00a2c6a65",
        "counterparty": "0x9965507d1a55bcc2695c58ba16fb37d819b0a4dc",
        "whale": "0x976ea74026e726554db657fa54763abd0c3a0aa9",
        "market_maker": "0x14dc79964da2c08b23698b3d3cc7ca32193d9955",
        "operator": "0x23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f",
        "outsider": "0xa0ee7a142d267c1f36714e4a8f75612f20a79720",
    }
)

# Makes the publisher's signature of a feed's price, in its decimals, at a time {s}; each backend has its own way.
SignReport = Callable[[Address, int, int], Any]


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """A market to list: its symbol, parameters, first price {usd/base, 1e18}, and how its feeds are read."""

    symbol: str
    params: MarketParams
    price: int
    heartbeat: int = 3600
    max_deviation: int = UNIT // 50
    quorum: int = 2
    feeds: int = FEEDS_PER_MARKET
    # Above the first.
    tiers: tuple[RiskTier, ...] = ()
    # Whether signed reports bring the prices, instead of the publisher.
    pull: bool = False


@dataclass(frozen=True, slots=True)
class MarketSetup:
    """What a sandbox starts with. Money in quanta."""

    markets: tuple[MarketSpec, ...]
    pool: int = 20_000_000 * DOLLAR
    insurance: int = 500_000 * DOLLAR
    role_balance: int = 1_000_000 * DOLLAR


def market_params(*, imr: int, mmr: int, skew_scale: int, max_open_interest: int) -> MarketParams:
    """Parameters of a market with the usual fees; `imr` and `mmr` in hundredths of a per cent."""
    basis_point = UNIT // 10_000
    return MarketParams(
        imr=imr * basis_point,
        mmr=mmr * basis_point,
        taker_fee=5 * basis_point,
        maker_fee=2 * basis_point,
        insurance_share=UNIT // 10,
        protocol_share=UNIT // 10,
        max_funding_rate=75 * basis_point,
        pool_reserve_factor=UNIT * 8 // 10,
        skew_scale=skew_scale * UNIT,
        max_open_interest=max_open_interest * UNIT,
        funding_interval=8 * 3600,
        min_delay=0,
        min_notional=100 * DOLLAR,
        min_keeper_reward=DOLLAR // 2,
        penalty_rate=min(mmr, 50) * basis_point,
        keeper_share=UNIT // 2,
        adl_pnl_factor=UNIT * 6 // 10,
    )


# Open interest is bounded so that the average premium, half of it over the skew scale, stays below the fees of a round
# trip: else who trades against himself and liquidates the losing half at the mark price could earn the premium.
DEFAULT_MARKETS = (
    MarketSpec(
        "ETH-USD",
        market_params(imr=200, mmr=100, skew_scale=1_000_000, max_open_interest=1_600),
        price=4_000 * UNIT,
    ),
    MarketSpec(
        "BTC-USD",
        market_params(imr=100, mmr=50, skew_scale=50_000, max_open_interest=80),
        price=100_000 * UNIT,
    ),
    MarketSpec(
        "SOL-USD",
        market_params(imr=500, mmr=250, skew_scale=20_000_000, max_open_interest=32_000),
        price=200 * UNIT,
    ),
)
DEFAULT_SETUP = MarketSetup(DEFAULT_MARKETS)


def feed_labels(spec: MarketSpec) -> tuple[str, ...]:
    return tuple(f"feed:{spec.symbol}:{i}" for i in range(spec.feeds))


def set_up(sandbox: Sandbox, setup: MarketSetup = DEFAULT_SETUP, *, sign: SignReport | None = None) -> None:
    """Deploys everything, lists the markets with their first prices, and seeds pool, insurance and roles."""
    deploy_contracts(sandbox)
    for market, spec in enumerate(setup.markets):
        list_market(sandbox, market, spec, sign=sign)
    seed(sandbox, setup)


def deploy_contracts(sandbox: Sandbox, *, decimals: int = 6) -> None:
    """The contracts, always in this order, so that their addresses are always the same."""
    governor = ROLES["governor"]

    def deploy(label: str, contract: str, *args: object) -> Address:
        return sandbox.deploy(label, contract, *args, sender=governor)

    token = deploy("token", "TestUSD", decimals)
    oracle = deploy("oracle", "PriceOracle", governor)
    extension = deploy("extension", "ClearinghouseExtension", token, oracle, governor)
    clearinghouse = deploy("clearinghouse", "Clearinghouse", token, oracle, extension, governor)
    pool = deploy("pool", "LiquidityPool", clearinghouse, token, 10 ** (36 - decimals))
    deploy("lens", "PerpLens", clearinghouse)
    deploy("board", "PriceBoard", ROLES["publisher"])
    orders = deploy("orders", "Orders", clearinghouse, MIN_EXECUTION_FEE)
    sandbox.transact("clearinghouse", "set_pool", pool, sender=governor)
    sandbox.transact("clearinghouse", "set_orders", orders, sender=governor)


def list_market(sandbox: Sandbox, market: int, spec: MarketSpec, *, sign: SignReport | None = None) -> None:
    """One market with its feeds, which carry its first price; `sign` is needed when they are pulled."""
    governor = ROLES["governor"]
    feeds = tuple(_deploy_feed(sandbox, spec, i) for i in range(spec.feeds))
    config = OracleConfig(spec.heartbeat, spec.max_deviation, spec.quorum, feeds)
    sandbox.transact("oracle", "set_feeds", market, config, sender=governor)
    symbol = spec.symbol.encode().ljust(32, b"\0")
    sandbox.transact("clearinghouse", "list_market", symbol, spec.params, spec.tiers, sender=governor)
    if not spec.pull:
        push_price(sandbox, spec, spec.price)
    elif sign is not None:
        reports = signed_reports(sandbox, spec, spec.price, sign=sign)
        sandbox.transact("oracle", "deliver", market, reports, sender=ROLES["publisher"])
    else:
        raise ValueError(f"{spec.symbol} pulls its prices, so its first one must be signed; give `sign`.")


def _deploy_feed(sandbox: Sandbox, spec: MarketSpec, i: int) -> Address:
    governor, label, name = ROLES["governor"], feed_labels(spec)[i], f"{spec.symbol} {i}"
    if not spec.pull:
        board = sandbox.deployed["board"].address
        return sandbox.deploy(label, "PushFeed", board, FEED_DECIMALS, name, sender=governor)
    feed = sandbox.deploy(label, "SignedPriceFeed", governor, FEED_DECIMALS, name, sender=governor)
    sandbox.transact(label, "set_reporter", ROLES["publisher"], True, sender=governor)
    return feed


def seed(sandbox: Sandbox, setup: MarketSetup) -> None:
    """Gives every role its tokens, and the pool and the insurance fund theirs."""
    provider = ROLES["provider"]
    sandbox.transact("token", "mint", provider, setup.pool + setup.insurance, sender=provider)
    for label in ("pool", "clearinghouse"):
        spender = sandbox.deployed[label].address
        sandbox.transact("token", "approve", spender, UINT256_MAX, sender=provider)
    sandbox.transact("pool", "deposit", setup.pool, provider, sender=provider)
    sandbox.transact("clearinghouse", "fund_insurance", setup.insurance, sender=provider)
    clearinghouse = sandbox.deployed["clearinghouse"].address
    for role, address in ROLES.items():
        sandbox.transact("token", "mint", address, setup.role_balance, sender=address)
        if role != "provider":
            sandbox.transact("token", "approve", clearinghouse, UINT256_MAX, sender=address)


def feed_answer(price: int) -> int:
    """A price {1e18} in the feeds' decimals, rounded down."""
    return price // FEED_TICK


def push_price(sandbox: Sandbox, spec: MarketSpec, price: int) -> None:
    """Publishes one price {1e18} on every feed of a market."""
    push_prices(sandbox, {spec: price})


def push_prices(sandbox: Sandbox, prices: Mapping[MarketSpec, int]) -> None:
    """Publishes prices {1e18} on every feed of several markets in one transaction."""
    feeds: list[Address] = []
    answers: list[int] = []
    for spec, price in prices.items():
        if spec.pull:
            raise ValueError(f"{spec.symbol} pulls its prices, so none can be pushed; deliver `signed_reports`.")
        feeds += [sandbox.deployed[label].address for label in feed_labels(spec)]
        answers += [feed_answer(price)] * spec.feeds
    sandbox.transact("board", "push", tuple(feeds), tuple(answers), sender=ROLES["publisher"])


def signed_reports(sandbox: Sandbox, spec: MarketSpec, price: int, *, sign: SignReport) -> tuple[SignedReport, ...]:
    """The publisher's report of one price {1e18}, as of now, for every feed of a market that pulls."""
    answer, now = feed_answer(price), sandbox.timestamp
    feeds = [sandbox.deployed[label].address for label in feed_labels(spec)]
    return tuple(SignedReport(i, answer, now, sign(feed, answer, now)) for i, feed in enumerate(feeds))


def sign_in_model(feed: Address, answer: int, timestamp: int) -> Signature:
    """The publisher's signature of a price report in the model."""
    return Signature(ROLES["publisher"], ("PriceReport", feed, answer, timestamp))


# A band of half a target's width on either side, a rebalance a day, and fills no further from the mark than open
# interest can move them in the default markets.
ETH3L = Terms(
    market=0,
    target_leverage=3 * UNIT,
    min_leverage=2 * UNIT,
    max_leverage=4 * UNIT,
    rebalance_interval=24 * 3600,
    fee=UNIT // 1000,
    max_premium=UNIT // 400,
    rebalance_reward=UNIT // 10_000,
)
ETH3S = replace(ETH3L, target_leverage=-3 * UNIT)


def deploy_leveraged_token(sandbox: Sandbox, *, name: str, symbol: str, market: int, terms: Terms) -> Address:
    """A leveraged token on `market`, labelled by its symbol. No part of `set_up`."""
    clearinghouse, token = sandbox.deployed["clearinghouse"].address, sandbox.deployed["token"].address
    terms = replace(terms, market=market)
    return sandbox.deploy(symbol, "LeveragedToken", name, symbol, clearinghouse, token, terms, sender=ROLES["governor"])


# What a devnet has beside the market, by symbol; on ETH-USD.
LEVERAGED_TOKENS: Mapping[str, tuple[str, Terms]] = MappingProxyType(
    {"ETH3L": ("ETH 3x long", ETH3L), "ETH3S": ("ETH 3x short", ETH3S)}
)


def deploy_leveraged_tokens(sandbox: Sandbox, markets: Sequence[MarketSpec]) -> dict[str, Terms]:
    """ETH3L and ETH3S, where ETH-USD is listed and gives the leverage of their band; the terms by symbol. No part of
    `set_up`, after which nothing else moves."""
    deployed = {}
    for market, spec in enumerate(markets):
        for symbol, (name, terms) in LEVERAGED_TOKENS.items():
            if spec.symbol == "ETH-USD" and terms.max_leverage * spec.params.imr < UNIT * UNIT:
                deploy_leveraged_token(sandbox, name=name, symbol=symbol, market=market, terms=terms)
                deployed[symbol] = replace(terms, market=market)
    return deployed
