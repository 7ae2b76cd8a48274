"""Every law holds in a market at work, and is broken by the smallest thing that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from perpkit.local import LocalBackend
from perpkit.market_setup import ROLES
from perpkit.model import laws
from perpkit.model.book import Book
from perpkit.model.events import Liquidated, MarketPaused, Traded, Withdrawn
from perpkit.model.laws import STATE_LAWS, Moment, Watchman
from perpkit.model.market_ledger import GRACE_PERIOD, LIQUIDATE, NOTICE
from perpkit.model.types import account_id
from perpkit.scenarios.story import STORY_START, Stage

Break = Callable[[Book], None]


def busy_stage() -> Stage:
    """A long and a short in ETH, and funding that has run."""
    stage = Stage(LocalBackend(timestamp=STORY_START))
    stage.deposit("trader", 1_000)
    stage.trade("trader", "ETH-USD", milli=5_000)
    stage.deposit("counterparty", 1_000)
    stage.trade("counterparty", "ETH-USD", milli=-2_000)
    stage.price("ETH-USD", 4_010, after=3_000)
    return stage


def moment(stage: Stage) -> Moment:
    house = stage.sandbox.deployed["clearinghouse"].address
    balance = stage.sandbox.call("token", "balance_of", house)
    return Moment(stage.watchman.book, stage.prices, stage.sandbox.timestamp, balance)


def trader(book: Book) -> int:
    return next(id for id, account in book.accounts.items() if account.positions)


def one_quantum_too_much(book: Book) -> None:
    book.accounts[trader(book)].collateral += 1


def one_unit_of_open_interest_too_much(book: Book) -> None:
    m = book.markets[0]
    m.state = replace(m.state, long_oi=m.state.long_oi + 1)


def one_raw_unit_of_cost_too_much(book: Book) -> None:
    account = book.accounts[trader(book)]
    p = account.positions[0]
    account.positions[0] = replace(p, cost=p.cost + 1)


def an_insurance_fund_in_debt(book: Book) -> None:
    book.vault = replace(book.vault, insurance=-1, pool=book.vault.pool + book.vault.insurance + 1)


def a_debt_without_a_position(book: Book) -> None:
    book.account(account_id("0x" + "ab" * 20)).collateral = -1
    book.vault = replace(book.vault, pool=book.vault.pool + 1)


BREAKS: dict[str, Break] = {
    "booked_money_adds_up": one_quantum_too_much,
    "sides_match_positions": one_unit_of_open_interest_too_much,
    "equity_adds_up": one_raw_unit_of_cost_too_much,
    "funds_are_never_negative": an_insurance_fund_in_debt,
    "nobody_owes_without_a_position": a_debt_without_a_position,
}


def test_every_law_holds_in_a_market_at_work() -> None:
    """Nothing to see while nothing is wrong."""
    stage = busy_stage()
    stage.watchman.check(moment(stage))

    assert all(stage.watchman.laws.values())
    assert set(BREAKS) == {law.__name__ for law in STATE_LAWS}


@pytest.mark.parametrize("law", sorted(BREAKS))
def test_a_state_law_is_broken_by_the_smallest_thing(law: str) -> None:
    """One quantum, one unit, one raw unit: laws have no tolerance."""
    stage = busy_stage()
    BREAKS[law](stage.watchman.book)

    assert not getattr(laws, law)(moment(stage))


def watch(stage: Stage, *extra: object) -> Watchman:
    """A second watchman who reads everything again, with events changed on the way."""
    watchman = Watchman(quantum=stage.watchman.book.quantum)
    events, _ = stage.sandbox.events_since(0)
    for timestamp, event in events:
        changed = extra[0](event) if extra else event  # type: ignore[operator]
        if changed is not None:
            watchman.observe(changed, timestamp, stage.prices)
    return watchman


def test_a_missing_event_is_noticed() -> None:
    """Dropping one trade leaves a gap in the market's sequence."""
    stage = busy_stage()
    dropped: list[object] = []

    def drop_first_trade(event: object) -> object:
        if isinstance(event, Traded) and not dropped:
            dropped.append(event)
            return None
        return event

    assert "no_event_is_missing" in watch(stage, drop_first_trade).breaches


def test_liquidating_a_healthy_account_is_noticed() -> None:
    """The same liquidation at a price at which the account was healthy."""
    stage = busy_stage()
    stage.price("ETH-USD", 3_790)

    def at_a_better_price(event: object) -> object:
        if isinstance(event, Liquidated):
            return replace(event, result=replace(event.result, mark=4_000 * 10**18))
        return event

    assert "only_unhealthy_accounts_are_liquidated" not in watch(stage).breaches
    assert "only_unhealthy_accounts_are_liquidated" in watch(stage, at_a_better_price).breaches


def test_a_liquidation_in_grace_is_noticed() -> None:
    """The same liquidation, and a resumption that lasts a second longer."""
    stage = busy_stage()
    stage.act("governor", "set_market_paused", 0, LIQUIDATE)
    stage.act("governor", "set_market_paused", 0, 0)
    stage.price("ETH-USD", 3_790, after=GRACE_PERIOD)

    def a_second_longer(event: object) -> object:
        return replace(event, grace_until=event.grace_until + 1) if isinstance(event, MarketPaused) else event

    assert any(isinstance(event, Liquidated) for _, event in stage.sandbox.events_since(0)[0])
    assert "nobody_is_liquidated_in_grace" not in watch(stage).breaches
    assert "nobody_is_liquidated_in_grace" in watch(stage, a_second_longer).breaches


def test_a_delisted_market_is_valued_at_its_final_price() -> None:
    """Whatever the prices of elsewhere say: all equity still adds up, and nobody in it is liquidatable by them."""
    stage = busy_stage()
    stage.act("governor", "announce_delisting", 0)
    stage.advance(NOTICE)
    stage.act("governor", "delist_market", 0)
    book, account = stage.watchman.book, account_id(ROLES["trader"])
    equity = stage.sandbox.call("clearinghouse", "margin_of", account)
    stage.prices[0] = 10**18

    assert book.margin(account, stage.prices, stage.sandbox.timestamp) == equity
    stage.watchman.check(moment(stage))
    stage.act("outsider", "close_out", 0, tuple(book.accounts))
    stage.watchman.check(moment(stage))
    assert all(stage.watchman.laws.values())
    assert book.markets[0].state.long_oi == book.markets[0].state.short_oi == 0


def test_a_partial_liquidation_that_falls_short_is_noticed() -> None:
    """One dollar less than what restores initial margin."""
    stage = busy_stage()
    stage.price("ETH-USD", 3_830)

    def a_dollar_short(event: object) -> object:
        if isinstance(event, Liquidated):
            balances = replace(event.balances, collateral=event.balances.collateral - 10**6)
            return replace(event, balances=balances)
        return event

    assert any(isinstance(event, Liquidated) for _, event in stage.sandbox.events_since(0)[0])
    assert "partial_liquidation_restores_initial_margin" not in watch(stage).breaches
    assert "partial_liquidation_restores_initial_margin" in watch(stage, a_dollar_short).breaches


def test_a_withdrawal_while_the_pool_is_in_debt_is_noticed() -> None:
    """Winners are never paid out of other traders' margin."""
    stage = busy_stage()
    watchman = watch(stage)
    watchman.book.vault = replace(watchman.book.vault, pool=-1)
    sequence = watchman.book.vault.sequence + 1
    account = trader(watchman.book)
    watchman.observe(Withdrawn(account, "0x" + "00" * 20, sequence, 1, 0), STORY_START, stage.prices)

    assert "withdrawals_leave_the_pool_solvent" in watchman.breaches
