"""Sentences about a leveraged token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from roles import ETH, House, address

from perpkit.backend import Receipt
from perpkit.market_setup import ETH3L, deploy_leveraged_token
from perpkit.model.events import Event
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import MintResult, RebalanceResult, RedeemResult, Terms

E = TypeVar("E", bound=Event)

TOKEN = "ETH3X"
# Nothing is taken but what the market takes.
FREE = replace(ETH3L, fee=0, rebalance_reward=0)
MINTERS = ("trader", "whale", "outsider")


def deploy(house: House, terms: Terms) -> None:
    """Puts a new token in the place of the old one, and lets three roles mint."""
    deploy_leveraged_token(house.sandbox, name="ETH 3x", symbol=TOKEN, market=terms.market, terms=terms)
    for who in MINTERS:
        house.do("approve", house.at(TOKEN), UINT256_MAX, by=who, label="token")


def mint(house: House, who: str, assets: int, *, least: int = 0) -> MintResult:
    result: MintResult = house.do("mint", assets, least, address(who), by=who, label=TOKEN).value
    return result


def redeem(house: House, who: str, amount: int | None = None, *, least: int = 0) -> RedeemResult:
    """Some shares, or all that one has."""
    amount = shares(house, who) if amount is None else amount
    result: RedeemResult = house.do("redeem", amount, least, address(who), by=who, label=TOKEN).value
    return result


def rebalance(house: House, *, by: str = "keeper") -> RebalanceResult:
    result: RebalanceResult = house.do("rebalance", by=by, label=TOKEN).value
    return result


def own(house: House) -> str:
    """The name of the token's account."""
    return house.at(TOKEN)


def nav(house: House) -> int:
    return int(house.ask("net_asset_value", label=TOKEN))


def leverage(house: House) -> int:
    return int(house.ask("leverage", label=TOKEN))


def supply(house: House) -> int:
    return int(house.ask("total_supply", label=TOKEN))


def shares(house: House, who: str) -> int:
    return int(house.ask("balance_of", address(who), label=TOKEN))


def wealth(house: House, who: str) -> int:
    """Tokens in the wallet, and what the shares are worth at the mark price. {quanta}"""
    return house.wallet(who) + shares(house, who) * nav(house) // max(supply(house), 1)


def sure(house: House, receipt: Receipt, kind: type[E]) -> Any:
    """The one event of its kind, whose totals are those that anybody can ask for."""
    (found,) = [event for event in receipt.events if isinstance(event, kind)]
    result: Any = found.result  # type: ignore[attr-defined]
    said = result.leverage, result.net_asset_value, result.supply
    assert said == (leverage(house), nav(house), supply(house))
    assert house.position(own(house), ETH).size == 0 or result.leverage != 0
    return found
