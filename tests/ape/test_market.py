"""The market under ape: its accounts deploy and trade, `ape.reverts` names our errors, its logs are the model's."""

from __future__ import annotations

from typing import Any

import ape
import pytest
from ape_market import ApeMarket, modelled, plain

from perpkit.market_setup import DEFAULT_MARKETS, DOLLAR, ROLES, UNIT
from perpkit.model import errors
from perpkit.model.types import account_id

ETH = DEFAULT_MARKETS[0]
ANY_PRICE = 2**255 - 1
TRADER = account_id(ROLES["trader"])
KEEPER = account_id(ROLES["keeper"])


def test_apes_accounts_are_the_roles(accounts: Any) -> None:
    """Its test mnemonic is the one that every local node funds."""
    assert [account.address.lower() for account in accounts] == list(ROLES.values())


def test_every_market_is_listed(market: ApeMarket) -> None:
    """What the lens shows through ape is what the model's shows."""
    shown = plain(market.lens.markets())
    assert [view[1].rstrip(b"\0").decode() for view in shown] == [spec.symbol for spec in DEFAULT_MARKETS]
    market.model.set_time(ape.chain.blocks.head.timestamp)
    assert shown == plain(market.model.call("lens", "markets"))


def test_a_deposit_and_a_trade_are_logged_as_in_the_model(market: ApeMarket) -> None:
    """Every number of both events, in the order of the ABI."""
    deposited = market.act("trader", "deposit", TRADER, 1_000 * DOLLAR)
    assert market.logged(deposited, "Deposited") == modelled(deposited, "Deposited") != []
    traded = market.act("trader", "trade", TRADER, 0, 2 * UNIT, ANY_PRICE)
    assert market.logged(traded, "Traded") == modelled(traded, "Traded") != []


def test_too_much_leverage_is_refused_by_name(market: ApeMarket) -> None:
    """ape finds the custom error and its arguments, which are the model's."""
    market.act("trader", "deposit", TRADER, 100 * DOLLAR)
    with pytest.raises(errors.BelowInitialMargin) as expected:
        market.model.transact("clearinghouse", "trade", TRADER, 0, 2 * UNIT, ANY_PRICE, sender=ROLES["trader"])
    refusal = expected.value
    with ape.reverts(
        market.clearinghouse.BelowInitialMargin,
        account=refusal.account,
        equity=refusal.equity,
        required=refusal.required,
    ):
        market.act("trader", "trade", TRADER, 0, 2 * UNIT, ANY_PRICE)


def test_a_healthy_account_is_not_liquidated(market: ApeMarket) -> None:
    """The keeper's attempt is refused by name."""
    market.act("trader", "deposit", TRADER, 1_000 * DOLLAR)
    market.act("trader", "trade", TRADER, 0, UNIT, ANY_PRICE)
    with ape.reverts(market.clearinghouse.NotLiquidatable):
        market.act("keeper", "liquidate", TRADER, 0)


def test_a_fall_of_the_price_leads_to_a_liquidation(market: ApeMarket) -> None:
    """The keeper is paid, and the event has the model's numbers."""
    market.act("trader", "deposit", TRADER, 200 * DOLLAR)
    market.act("trader", "trade", TRADER, 0, UNIT, ANY_PRICE)
    market.set_price(ETH, 3_830 * UNIT)
    liquidated = market.act("keeper", "liquidate", TRADER, 0)
    [event] = market.logged(liquidated, "Liquidated")
    assert [event] == modelled(liquidated, "Liquidated")
    assert event["keeper_collateral"] == market.clearinghouse.collateralOf(KEEPER) > 0


def test_funding_runs_with_apes_clock(market: ApeMarket) -> None:
    """A day later a settlement pays what the model's pays."""
    market.act("trader", "deposit", TRADER, 1_000 * DOLLAR)
    market.act("trader", "trade", TRADER, 0, 2 * UNIT, ANY_PRICE)
    ape.chain.pending_timestamp += 24 * 3600
    market.set_price(ETH, 4_000 * UNIT)
    settled = market.act("trader", "settle", TRADER, 0)
    [event] = market.logged(settled, "Settled")
    assert [event] == modelled(settled, "Settled")
    funding = event["result"][2]
    assert funding < 0
