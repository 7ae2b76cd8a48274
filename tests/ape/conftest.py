"""Fixtures of the ape tests: Anvil where ape-foundry looks for it, and the market, deployed once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from ape_market import ApeMarket

from perpkit.devnet.find_node import find_anvil

# ape-foundry starts the `anvil` that it finds on PATH.
os.environ["PATH"] = os.pathsep.join([str(find_anvil().parent), os.environ["PATH"]])


@pytest.fixture(scope="session")
def deployed_market(accounts: Any) -> ApeMarket:
    return ApeMarket(accounts)


@pytest.fixture
def market(deployed_market: ApeMarket) -> Iterator[ApeMarket]:
    """The market as it was deployed: ape takes the chain back after each test, and this the model."""
    with deployed_market.model.rolled_back():
        yield deployed_market
