"""Every test of the contracts has the house to itself, and leaves it with its laws intact."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from expect import laws_hold
from roles import House

from perpkit.backend import Sandbox


@pytest.fixture
def sandbox(perp_sandbox: Sandbox) -> Iterator[Sandbox]:
    """A backend with the default market, rolled back after the test."""
    with perp_sandbox.rolled_back():
        yield perp_sandbox


@pytest.fixture
def house(sandbox: Sandbox) -> Iterator[House]:
    """The house on that backend; after the test its laws must hold."""
    house = House(sandbox)
    yield house
    laws_hold(house)
