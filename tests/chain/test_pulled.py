"""Signed reports on a real Anvil: the publisher signs off the chain, the trader's transaction carries it there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from live import Market
from roles import START

from perpkit.chain.keys import signer_from_role
from perpkit.chain.signing import sign_price_report
from perpkit.market_setup import DEFAULT_MARKETS, ROLES, UNIT, SignReport, list_market, signed_reports
from perpkit.model.errors import StalePrice, UnknownReporter
from perpkit.model.events import AnswerUpdated, Traded
from perpkit.model.types import Address, account_id

SPEC = replace(DEFAULT_MARKETS[0], symbol="PULL-USD", pull=True)
PULLED = len(DEFAULT_MARKETS)
TRADER = ROLES["trader"]
ANY_PRICE = 2**255 - 1


def signing_as(role: str) -> SignReport:
    key = "0x" + bytes(signer_from_role(role).key).hex()

    def sign(feed: Address, answer: int, timestamp: int) -> bytes:
        return sign_price_report(key, feed=feed, price=answer, timestamp=timestamp, chain_id=31337)

    return sign


def test_a_trader_brings_the_price_along(market: Market) -> None:
    """One transaction of the trader's own key: three reports and the trade; forged ones undo it."""
    sandbox = market.sandbox
    list_market(sandbox, PULLED, SPEC, sign=signing_as("publisher"))
    sandbox.transact("clearinghouse", "deposit", account_id(TRADER), 10**9, sender=TRADER)
    sandbox.set_time(START + SPEC.heartbeat + 1)
    with pytest.raises(StalePrice):
        sandbox.call("oracle", "price", PULLED)
    trader = market.connect("trader")
    trade = trader.action("clearinghouse", "trade", account_id(TRADER), PULLED, UNIT, ANY_PRICE)

    def bundle(role: str) -> tuple[bytes, bytes]:
        reports = signed_reports(sandbox, SPEC, 4_010 * UNIT, sign=signing_as(role))
        return trader.action("clearinghouse", "deliver_reports", PULLED, reports), trade

    with pytest.raises(UnknownReporter) as refused:
        trader.transact("clearinghouse", "multicall", bundle("trader"), sender=TRADER)
    assert refused.value == UnknownReporter(TRADER)
    receipt = trader.transact("clearinghouse", "multicall", bundle("publisher"), sender=TRADER)
    (traded,) = (event for event in receipt.events if isinstance(event, Traded))
    assert traded.result.mark == 4_010 * UNIT
    assert sandbox.call("oracle", "price", PULLED) == (4_010 * UNIT, START + SPEC.heartbeat + 1)
    told, _ = sandbox.events_since(0)
    assert [event.current for _, event in told if isinstance(event, AnswerUpdated)][-3:] == [4_010 * 10**8] * 3
