"""Leveraged tokens and governing on a real Anvil: errors on every way, then the same as on the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import pytest
from live import LyingNode, Market, mine_before_waiting
from roles import DAY, ETH, START

from perpkit.chain.errors import MinedRevert
from perpkit.chain.manifest import Manifest
from perpkit.client import Governor, Trader
from perpkit.local import LocalBackend
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DOLLAR,
    ROLES,
    deploy_leveraged_tokens,
    push_price,
    set_up,
)
from perpkit.model.errors import (
    Delisted,
    ERC20InsufficientBalance,
    InsufficientOutput,
    NotAnnounced,
    NothingToRebalance,
    OwnableUnauthorizedAccount,
    PerpError,
)

TRADER = ROLES["trader"]
D = Decimal

REFUSED: list[tuple[type[PerpError], str, tuple[Any, ...]]] = [
    (InsufficientOutput, "trader", ("ETH3L", "mint", 1_000 * DOLLAR, 10**30, TRADER)),
    (ERC20InsufficientBalance, "trader", ("ETH3L", "redeem", 10**30, 0, TRADER)),
    (NothingToRebalance, "trader", ("ETH3L", "rebalance")),
    (OwnableUnauthorizedAccount, "trader", ("oracle", "set_halted", ETH, True)),
    (NotAnnounced, "governor", ("clearinghouse", "delist_market", ETH)),
    (Delisted, "trader", ("clearinghouse", "close_out", ETH, ())),
]


@pytest.fixture
def tokens(market: Market) -> Market:
    """The market with both tokens, which the trader has approved, in its manifest."""
    leveraged = deploy_leveraged_tokens(market.sandbox, DEFAULT_MARKETS)
    spender = market.sandbox.deployed["ETH3L"].address
    market.sandbox.transact("token", "approve", spender, 10**15, sender=TRADER)
    market.leveraged_manifest = Manifest.of(  # type: ignore[attr-defined]
        market.sandbox.deployed.values(),
        chain_id=31337,
        rpc_url=market.url,
        get_code=market.code,
        markets=DEFAULT_MARKETS,
        leveraged_tokens=leveraged,
        roles=ROLES,
    )
    return market


def connect(tokens: Market, role: str, **options: Any) -> Any:
    return tokens.connect(role, manifest=tokens.leveraged_manifest, **options)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("refusal", "role", "call"), REFUSED)
def test_a_refusal_is_the_same_on_every_way(
    tokens: Market, refusal: type[PerpError], role: str, call: tuple[Any, ...]
) -> None:
    """Called, called with others, simulated, and sent: the contract's own error, as from a sandbox."""
    backend, sender = connect(tokens, role), ROLES[role]
    with pytest.raises(refusal) as expected:
        tokens.sandbox.call(*call, sender=sender)
    ways: list[Callable[[], Any]] = [
        lambda: backend.call(*call, sender=sender),
        lambda: backend.call_many([("token", "decimals"), call], sender=sender),
        lambda: backend.simulate([call], then=[], sender=sender),
        lambda: backend.transact(*call),
    ]
    for way in ways:
        with pytest.raises(refusal) as met:
            way()
        assert met.value == expected.value


def test_a_price_that_moves_before_the_block_is_what_slippage_is_for(tokens: Market, liar: LyingNode) -> None:
    """Previewed and estimated at 4,000, and mined after 4,100, which makes shares dearer by 7.5 %: refused in the
    block."""
    trader = Trader(connect(tokens, "trader", rpc_url=liar.url), TRADER)
    trader.mint_leveraged(symbol="ETH3L", dollars=1_000)

    def publish_meanwhile(method: str, params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        push_price(tokens.sandbox, DEFAULT_MARKETS[ETH], 4_100 * 10**18)
        return answer

    # What is asked last before a transaction is sent.
    liar.twists["eth_maxPriorityFeePerGas"] = publish_meanwhile
    with pytest.raises(InsufficientOutput) as refusal:
        trader.mint_leveraged(symbol="ETH3L", dollars=1_000)
    assert isinstance(refusal.value.__cause__, MinedRevert)
    # 7 % fewer shares than were previewed, where half a per cent fewer would do.
    assert D("0.93") < D(refusal.value.amount) / refusal.value.minimum < D("0.94")


def test_a_notice_that_ends_before_the_block_is_the_contracts_error(tokens: Market, liar: LyingNode) -> None:
    """Announced terms may be set for a day; who sends too late is refused in the block."""
    governor = Governor(connect(tokens, "governor", rpc_url=liar.url), ROLES["governor"])
    terms = governor.with_params("ETH-USD", mmr="0.015")
    effective_at = governor.announce_terms(terms).effective_at
    assert effective_at is not None
    tokens.sandbox.set_time(effective_at)
    push_price(tokens.sandbox, DEFAULT_MARKETS[ETH], DEFAULT_MARKETS[ETH].price)
    mine_before_waiting(tokens, governor.backend, after=DAY + 1)  # type: ignore[arg-type]
    with pytest.raises(NotAnnounced) as refusal:
        governor.set_terms(terms)
    assert refusal.value == NotAnnounced(ETH, effective_at)
    assert isinstance(refusal.value.__cause__, MinedRevert)


def story(trader: Trader, keeper: Trader, governor: Governor, set_price: Callable[[int], None]) -> list[Any]:
    """Everything that can be done with tokens, and to a market, once."""
    told: list[Any] = [trader.reader.leveraged_tokens(owner=TRADER)]
    told += [trader.preview_mint_leveraged(symbol="ETH3S", dollars=500)]
    told += [trader.mint_leveraged(symbol=symbol, dollars=1_000) for symbol in ("ETH3L", "ETH3S")]
    set_price(4_300)
    told += [keeper.preview_rebalance(symbol="ETH3S"), keeper.rebalance(symbol="ETH3S")]
    told += [trader.preview_redeem_leveraged(symbol="ETH3L", shares=100)]
    told += [trader.redeem_leveraged(symbol="ETH3L", shares=100), trader.redeem_leveraged(symbol="ETH3S")]
    told += [trader.reader.leveraged_tokens(owner=ROLES["keeper"])]
    told += [governor.pause("ETH-USD", "trade", "liquidate"), governor.resume("ETH-USD")]
    told += [governor.set_terms(governor.with_params("ETH-USD", taker_fee="0.0006"))]
    told += [governor.announce_terms(governor.with_tiers("ETH-USD", (500, "0.04", "0.02")))]
    told += [governor.halt("ETH-USD"), governor.record_outage("ETH-USD"), governor.halt("ETH-USD", halted=False)]
    told += [governor.announce_delisting("ETH-USD")]
    return told


def plain(told: Any) -> Any:
    """A result without what only a chain has."""
    if isinstance(told, tuple):
        return [plain(one) for one in told]
    if not is_dataclass(told):
        return told
    kept = [field.name for field in fields(told) if field.name not in ("receipt", "approval")]
    return {name: plain(getattr(told, name)) for name in kept}


def test_a_whole_story_is_the_same_on_model_and_chain(tokens: Market) -> None:
    """Every result of every action, to the last digit."""
    addresses = {label: one.address for label, one in tokens.sandbox.deployed.items()}
    model = LocalBackend(timestamp=START, addresses=addresses)
    set_up(model)
    deploy_leveraged_tokens(model, DEFAULT_MARKETS)
    model.transact("token", "approve", addresses["ETH3L"], 10**15, sender=TRADER)

    def prices_of(sandbox: Any) -> Callable[[int], None]:
        return lambda dollars: push_price(sandbox, DEFAULT_MARKETS[ETH], dollars * 10**18)

    names = ("trader", "keeper", "governor")
    local = [model] * 3
    chain = [connect(tokens, name) for name in names]
    expected, met = (
        story(
            Trader(of_trader, TRADER),
            Trader(of_keeper, ROLES["keeper"]),
            Governor(of_governor, ROLES["governor"]),
            prices_of(sandbox),
        )
        for (of_trader, of_keeper, of_governor), sandbox in ((local, model), (chain, tokens.sandbox))
    )
    for ours, theirs in zip(expected, met, strict=True):
        assert plain(ours) == plain(theirs)
    assert all(told.transaction and told.gas_used for told in met if hasattr(told, "receipt"))


def test_a_manifest_tells_of_the_tokens(tokens: Market) -> None:
    """Their symbol is their label among the contracts; older manifests have none."""
    manifest: Manifest = tokens.leveraged_manifest  # type: ignore[attr-defined]
    assert [(one.symbol, one.market, one.target_leverage) for one in manifest.leveraged_tokens] == [
        ("ETH3L", ETH, 3 * 10**18),
        ("ETH3S", ETH, -3 * 10**18),
    ]
    assert all(manifest.contracts[one.symbol].contract == "LeveragedToken" for one in manifest.leveraged_tokens)
    assert tokens.manifest.leveraged_tokens == ()
