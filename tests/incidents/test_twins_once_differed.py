"""Where contract and model once differed: each case in as few actions as it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from parity.sides import Call
from parity.situations import ACCOUNTS, INT256_MAX
from parity.walk import Walk, replay

from perpkit.market_setup import ROLES, UNIT
from perpkit.model.types import owner_of


@pytest.mark.parametrize("rate", ["taker_fee", "maker_fee", "max_funding_rate"])
def test_a_rate_of_more_than_184_per_cent_is_an_invalid_parameter(rate: str) -> None:
    """The check itself must not overflow: a rate of 200 % is refused by name."""
    replay("roomy", [("set_params", "governor", 0, rate, 2 * UNIT)])


def test_open_interest_beyond_the_range_is_refused() -> None:
    """A side of 2**95 and a trade of 2**96 - 1 are more than the books can hold, on both sides."""
    walk = Walk("roomy")
    bounds = {"skew_scale": 2**96 - 1, "max_open_interest": 2**96 - 1, "min_notional": 0, "min_keeper_reward": 0}
    params = replace(walk.specs[0].params, **bounds)
    walk._compare(Call("clearinghouse", "set_market_params", (0, params, ()), ROLES["governor"]))
    walk._compare(walk._push(0, 1, 511))
    for index, size in ((0, 2**95), (5, 2**96 - 1)):
        account = ACCOUNTS[index]
        walk.do(("deposit", "owner", index, 10**11))
        walk._compare(Call("clearinghouse", "trade", (account, 0, size, INT256_MAX), owner_of(account)))


def test_the_funding_index_of_no_market_is_the_same_on_both_sides() -> None:
    """A view of a market that does not exist gives one answer, whichever it is."""
    Walk("roomy")._compare(Call("clearinghouse", "funding_index_of", (77, UNIT), reads=True))


def test_a_token_cannot_mint_more_than_its_supply_can_count() -> None:
    """The supply of the test token stops at uint256."""
    assert replay("roomy", [("mint", "whale", 2**256 - 1)]).outcomes["token.mint", "Panic"] == 1
