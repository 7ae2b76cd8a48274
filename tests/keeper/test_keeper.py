"""The keeper on the model and on bytecode."""

from __future__ import annotations

import pytest

from perpkit.backend import Sandbox
from perpkit.keeper.decide import Deleverage, Liquidate, Rebalance
from perpkit.keeper.keeper import Keeper
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DOLLAR,
    ROLES,
    UNIT,
    MarketSetup,
    deploy_leveraged_tokens,
    push_price,
    set_up,
)
from perpkit.model.book import SequenceGap
from perpkit.model.events import Traded
from perpkit.model.market_ledger import GRACE_PERIOD, INCREASE, LIQUIDATE, NOTICE, OUTAGE, TRADE
from perpkit.model.types import RiskTier, account_id
from perpkit.scenarios.story import Stage
from perpkit.state import book_agrees, read_state


@pytest.fixture(params=["model", "revm"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """A market of its own for each test."""
    return Stage(new_sandbox(request.param))


def new_sandbox(name: str) -> Sandbox:
    from perpkit.devnet.sandboxes import open_sandbox

    return open_sandbox(name, timestamp=1_700_000_000).__enter__()


def test_a_keeper_leaves_healthy_accounts_alone(stage: Stage) -> None:
    """Nothing is sent while nobody is below maintenance margin."""
    stage.deposit("trader", 1_000)
    stage.trade("trader", "ETH-USD", milli=1_000)
    report = stage.price("ETH-USD", 3_900)

    assert report.transactions == 0


def test_a_keeper_that_missed_an_event_says_so(stage: Stage) -> None:
    """A gap in a market's sequence is never papered over."""
    stage.deposit("trader", 1_000)
    receipt = stage.trade("trader", "ETH-USD", milli=1_000)
    again = next(event for event in receipt.events if isinstance(event, Traded))
    stage.keeper.sync()

    with pytest.raises(SequenceGap, match="ETH-USD is missing: expected number 3, found 2"):
        stage.keeper.book.apply(again, receipt.timestamp)


def test_a_keeper_leaves_accounts_in_grace_alone_to_the_last_second(stage: Stage) -> None:
    """Liquidations were paused; 15 minutes after they are resumed, and not a second before, the keeper acts."""
    stage.deposit("trader", 100)
    stage.trade("trader", "ETH-USD", milli=1_000)
    stage.act("governor", "set_market_paused", 0, LIQUIDATE)
    assert stage.price("ETH-USD", 3_800).transactions == 0
    stage.act("governor", "set_market_paused", 0, 0)

    assert stage.advance(GRACE_PERIOD - 1).transactions == 0
    assert [event.account for event in stage.advance(1).liquidations] == [account_id(ROLES["trader"])]


def test_a_keeper_leaves_a_cross_account_alone_while_one_of_its_markets_is_in_grace(stage: Stage) -> None:
    """ETH makes both liquidatable, SOL is in grace: only who holds no SOL is liquidated."""
    for sub in (0, 1):
        stage.deposit("trader", 200, sub=sub)
        stage.trade("trader", "ETH-USD", milli=1_000, sub=sub)
    stage.trade("trader", "SOL-USD", milli=1_000, sub=1)
    stage.act("governor", "set_market_paused", 2, LIQUIDATE)
    stage.act("governor", "set_market_paused", 2, 0)
    report = stage.price("ETH-USD", 3_790)

    assert [event.account for event in report.liquidations] == [account_id(ROLES["trader"])]
    assert not report.refusals
    assert {event.account for event in stage.advance(GRACE_PERIOD).liquidations} == {account_id(ROLES["trader"], 1)}


def test_a_keeper_records_no_outage_of_a_market_in_which_nobody_is(stage: Stage) -> None:
    """All three markets are silent; only ETH has a position."""
    stage.deposit("trader", 100)
    stage.trade("trader", "ETH-USD", milli=1_000)
    stage.sandbox.set_time(stage.sandbox.timestamp + 3_601)
    report = stage.keeper.step()

    assert [(event.market, event.grace_until) for event in report.outages] == [(0, OUTAGE)]
    assert report.transactions == 1
    assert stage.keeper.step().transactions == 0


def test_a_keeper_records_the_end_of_every_outage_that_was_recorded(stage: Stage) -> None:
    """Of ETH, which it recorded itself, and of SOL, which is somebody else's record and has no positions."""
    stage.deposit("trader", 100)
    stage.trade("trader", "ETH-USD", milli=1_000)
    stage.sandbox.set_time(stage.sandbox.timestamp + 3_601)
    stage.act("outsider", "record_outage", 2)
    stage.keeper.step()
    report = stage.price("ETH-USD", 3_800, after=GRACE_PERIOD)

    until = stage.sandbox.timestamp + GRACE_PERIOD
    assert [(event.market, event.grace_until) for event in report.outages] == [(0, until), (2, until)]
    assert not report.liquidations and not report.refusals
    assert len(stage.advance(GRACE_PERIOD).liquidations) == 1


def test_an_outage_in_one_market_does_not_stop_liquidations_in_another(stage: Stage) -> None:
    """BTC has no price, and its outage is recorded in the same step in which an account in ETH is liquidated."""
    stage.deposit("trader", 100)
    stage.trade("trader", "ETH-USD", milli=1_000)
    stage.deposit("whale", 1_000)
    stage.trade("whale", "BTC-USD", milli=10)
    stage.sandbox.set_time(stage.sandbox.timestamp + 3_601)
    push_price(stage.sandbox, DEFAULT_MARKETS[0], 3_800 * UNIT)
    report = stage.keeper.step()

    assert [event.market for event in report.outages] == [1]
    assert [event.market for event in report.liquidations] == [0]


def test_a_keeper_leaves_a_delisted_market_alone(stage: Stage) -> None:
    """Its price stands still, so nothing is missing, and nobody in it is liquidated or deleveraged."""
    stage.deposit("trader", 100)
    stage.trade("trader", "ETH-USD", milli=1_000)
    stage.act("governor", "announce_delisting", 0)
    stage.advance(NOTICE)
    stage.act("governor", "delist_market", 0)
    stage.sandbox.set_time(stage.sandbox.timestamp + 3_601)

    assert stage.keeper.step().transactions == 0


def test_everybody_below_maintenance_is_liquidated_in_one_step_and_nobody_else(stage: Stage) -> None:
    """Ten accounts of rising margin on one ether each; at 3,800 those with less than 200 + 1 % are gone or reduced."""
    for sub in range(10):
        stage.deposit("trader", 100 + 25 * sub, sub=sub)
        stage.trade("trader", "ETH-USD", milli=1_000, sub=sub)
    report = stage.price("ETH-USD", 3_800)

    touched = {event.account & 0xFF for event in report.liquidations}
    # Equity is the margin less 2 of fee and 200 of loss; maintenance margin is 38: margins below 240 go.
    assert touched == {0, 1, 2, 3, 4, 5}
    assert report.transactions == 1
    assert stage.keeper.step().transactions == 0


def test_a_cross_account_is_liquidated_until_it_is_healthy(stage: Stage) -> None:
    """Two positions in one account: the heavier one goes first, and that is enough."""
    stage.deposit("trader", 1_000)
    stage.trade("trader", "ETH-USD", milli=5_000)
    stage.trade("trader", "SOL-USD", milli=20_000)
    report = stage.price("ETH-USD", 3_860)

    assert [event.market for event in report.liquidations] == [0]
    assert not stage.view("trader").liquidatable


def test_a_keeper_follows_accounts_into_new_tiers(stage: Stage) -> None:
    """Two longs of 1 ETH with 100 dollars and 98 of equity; after a day's notice 3 % are needed from 1 ETH on."""
    book, params = stage.keeper.book, stage.setup.markets[0].params
    tiers = (RiskTier(UNIT, UNIT * 4 // 100, UNIT * 3 // 100),)
    for role, milli in (("trader", 1_000), ("whale", 999)):
        stage.deposit(role, 100)
        stage.trade(role, "ETH-USD", milli=milli)
    stage.act("governor", "announce_market_params", 0, params, tiers)
    assert stage.advance(NOTICE).transactions == 0
    stage.act("governor", "set_market_params", 0, params, tiers)
    report = stage.keeper.step()

    # 3 % of 4,000 are 120, and what is left below 1 ETH needs 2 %: one unit is enough.
    assert [(event.account, event.result.closed) for event in report.liquidations] == [(account_id(ROLES["trader"]), 1)]
    assert book.mmr(account_id(ROLES["trader"])) == UNIT // 100


def test_a_gap_ends_in_insurance_deficit_and_deleveraging() -> None:
    """A fund of 1,000 dollars, a 45x long and a short against it, and a price that falls by 30 % at once."""
    stage = Stage(new_sandbox("model"), MarketSetup(DEFAULT_MARKETS, insurance=1_000 * DOLLAR))
    stage.deposit("trader", 1_000)
    stage.trade("trader", "ETH-USD", milli=11_250)
    stage.deposit("counterparty", 20_000)
    stage.trade("counterparty", "ETH-USD", milli=-10_000)
    report = stage.price("ETH-USD", 2_800)

    (liquidation,) = report.liquidations
    (winner,) = report.deleveragings
    assert liquidation.result.covered > 0
    assert liquidation.result.deficit > 0
    assert winner.account == account_id(ROLES["counterparty"])
    assert winner.result.haircut == liquidation.result.deficit
    assert winner.result.deficit == 0
    # Only as much of the winner's position is closed as recovers the deficit.
    assert winner.position.size != 0
    assert all(stage.watchman.laws.values())


def test_decisions_are_the_same_for_the_same_book(stage: Stage) -> None:
    """Deciding changes nothing and asks no one."""
    for sub in range(4):
        stage.deposit("trader", 100, sub=sub)
        stage.trade("trader", "ETH-USD", milli=1_000, sub=sub)
    idle = Keeper(stage.sandbox, ROLES["operator"], batch=3)
    stage.keeper.step = lambda: None  # type: ignore[method-assign, assignment, return-value]
    stage.price("ETH-USD", 3_800)
    idle.sync()

    accounts = [account_id(ROLES["trader"], sub) for sub in range(4)]
    # Premium makes a later entry dearer, so the last who came is worst off.
    assert idle.decide() == idle.decide()
    assert sorted(a for act in idle.decide() if isinstance(act, Liquidate) for a in act.accounts) == sorted(accounts)
    assert [len(act.accounts) for act in idle.decide()] == [3, 1]
    assert not [act for act in idle.decide() if isinstance(act, Deleverage)]


def test_a_keepers_book_is_what_the_contracts_hold(stage: Stage) -> None:
    """Events alone tell the whole state, to the last digit."""
    stage.deposit("trader", 5_000)
    stage.trade("trader", "ETH-USD", milli=30_000)
    stage.deposit("counterparty", 5_000)
    stage.trade("counterparty", "BTC-USD", milli=-400)
    stage.act("trader", "settle", account_id(ROLES["trader"]), 0)
    stage.price("ETH-USD", 3_880)
    stage.price("BTC-USD", 110_000)
    stage.act("governor", "collect_fees", 0)
    stage.keeper.sync()

    state = read_state(stage.sandbox, accounts=stage.keeper.book.accounts, owners=ROLES.values())
    assert book_agrees(stage.keeper.book, state)


def test_a_market_without_a_price_is_left_out_and_the_others_go_on() -> None:
    """Feeds of one market that went stale do not stop liquidations in another."""
    stage = Stage(new_sandbox("model"))
    stage.deposit("trader", 100)
    stage.trade("trader", "ETH-USD", milli=1_000)
    stage.sandbox.set_time(stage.sandbox.timestamp + 7_200)
    push_price(stage.sandbox, DEFAULT_MARKETS[0], 3_800 * UNIT)

    assert len(stage.keeper.step().liquidations) == 1


def test_a_fresh_set_up_needs_nothing() -> None:
    """A keeper on an empty market has an empty book and nothing to do."""
    sandbox = new_sandbox("model")
    set_up(sandbox)

    assert Keeper(sandbox, ROLES["keeper"]).step().transactions == 0


def test_a_keeper_rebalances_tokens_only_when_that_is_its_task(stage: Stage) -> None:
    """ETH3S is short three times at 4,000 and more than four times at 4,300: out of its band, so at once; ETH3L has
    2.5 times, in its band, so a day after it was deployed. A keeper without the task leaves both alone."""
    deploy_leveraged_tokens(stage.sandbox, DEFAULT_MARKETS)
    for symbol in ("ETH3L", "ETH3S"):
        spender = stage.sandbox.deployed[symbol].address
        stage.sandbox.transact("token", "approve", spender, 1_000 * DOLLAR, sender=ROLES["trader"])
        stage.sandbox.transact(symbol, "mint", 1_000 * DOLLAR, 0, ROLES["trader"], sender=ROLES["trader"])
    bot = Keeper(stage.sandbox, ROLES["keeper"], rebalance=True)
    assert bot.step().transactions == 0

    report = stage.price("ETH-USD", 4_300)
    assert (report.transactions, report.rebalances) == (0, [])
    bot.sync()
    assert bot.rebalances() == [Rebalance("ETH3S")]
    report = bot.step()
    [(symbol, event)] = report.rebalances
    assert (symbol, report.transactions, report.refusals) == ("ETH3S", 1, [])
    assert -3 * UNIT > event.result.leverage > -3.02 * UNIT
    assert stage.sandbox.call("ETH3S", "balance_of", ROLES["keeper"]) == event.result.shares > 0
    assert bot.step().transactions == 0

    stage.sandbox.set_time(stage.sandbox.timestamp + 86_400)
    stage.price("ETH-USD", 4_300)
    assert [symbol for symbol, _ in bot.step().rebalances] == ["ETH3L", "ETH3S"]


def test_a_keeper_knows_when_the_market_would_not_let_it_rebalance(stage: Stage) -> None:
    """Paused trades, a missing price, and pauses of increases or grace where the position has to grow:
    nothing is traded, and nothing refused."""
    deploy_leveraged_tokens(stage.sandbox, DEFAULT_MARKETS)
    spender = stage.sandbox.deployed["ETH3L"].address
    stage.sandbox.transact("token", "approve", spender, 1_000 * DOLLAR, sender=ROLES["trader"])
    stage.sandbox.transact("ETH3L", "mint", 1_000 * DOLLAR, 0, ROLES["trader"], sender=ROLES["trader"])
    stage.sandbox.set_time(stage.sandbox.timestamp + 86_400)
    bot = Keeper(stage.sandbox, ROLES["keeper"], rebalance=True)
    assert bot.step().rebalances == []

    stage.price("ETH-USD", 4_100)
    for bits in (TRADE, INCREASE):
        stage.sandbox.transact("clearinghouse", "set_market_paused", 0, bits, sender=ROLES["governor"])
        report = bot.step()
        assert (report.rebalances, report.refusals) == ([], [])
    for bits in (LIQUIDATE, 0):
        stage.sandbox.transact("clearinghouse", "set_market_paused", 0, bits, sender=ROLES["governor"])
    report = bot.step()
    assert (report.rebalances, report.refusals) == ([], [])
    stage.price("ETH-USD", 3_900)
    assert len(bot.step().rebalances) == 1
