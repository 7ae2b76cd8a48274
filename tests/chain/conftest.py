"""A market on a real Anvil, rolled back after each test, and a node that lies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live import LyingNode, Market

from perpkit.devnet.errors import AnvilNotFound
from perpkit.devnet.node import AnvilNode, find_anvil


@pytest.fixture(scope="session")
def perp_market() -> Iterator[Market]:
    """The default market, set up once. Use it rolled back only."""
    try:
        anvil = find_anvil(install=False)
    except AnvilNotFound:
        pytest.skip("needs Anvil")
    with AnvilNode.start(anvil, timestamp=1_750_000_000, port=0) as node:
        yield Market(node.url)


@pytest.fixture
def market(perp_market: Market) -> Iterator[Market]:
    with perp_market.sandbox.rolled_back():
        perp_market.connected.clear()
        yield perp_market
        perp_market.mine_at_once()
    for backend in perp_market.connected:
        backend.close()


@pytest.fixture
def liar(market: Market) -> Iterator[LyingNode]:
    """Passes everything on to the market's node, and its answers back, but for what a test makes it change."""
    with LyingNode(market.url) as node:
        yield node
