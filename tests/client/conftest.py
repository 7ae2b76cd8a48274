"""Traders on the default market, on the model and on the bytecode; everything is rolled back after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from roles import ETH, House, address, units

from perpkit.backend import Sandbox
from perpkit.client import Reader, Trader


@pytest.fixture
def house(perp_sandbox: Sandbox) -> Iterator[House]:
    with House(perp_sandbox).rolled_back() as house:
        # The numbers in these tests are for this premium, whatever the default is.
        house.set_params(ETH, skew_scale=units(1_000_000))
        yield house


@pytest.fixture
def trader(house: House) -> Trader:
    return Trader(house.sandbox, address("trader"))


@pytest.fixture
def reader(house: House) -> Reader:
    return Reader(house.sandbox)
