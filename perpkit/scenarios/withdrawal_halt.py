"""The vault's door is shut while the market stays open, as a bank's is on the day of a run.

Trades, liquidations and deposits go on; withdrawals and transfers between one's own accounts are refused. When the door
opens again everybody gets what the books say, to the quantum. Liquidity providers go through a door of their own, which
has a bit of its own: who shuts only the traders' lets them leave first.
"""

from __future__ import annotations

from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.market_setup import DOLLAR, ROLES, UNIT
from perpkit.model.errors import Paused
from perpkit.model.margin_vault import WITHDRAW
from perpkit.model.types import account_id
from perpkit.picture import BARS, Picture, Stretch
from perpkit.picture import NAME as BY_NAME
from perpkit.scenarios.parameters import Between
from perpkit.scenarios.pictures import equity_panel, money_panel, over_steps, price_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "withdrawal_halt"
IN_A_LINE = "Withdrawals halt while trading goes on; when they resume everybody gets what the books say."

ETH = 0
POOL_WITHDRAWAL = 1_000_000


def play(
    sandbox: Sandbox,
    *,
    price: Annotated[
        int,
        "the price in dollars during the halt, at which the 20x long goes and the 4x long stands",
        Between(3_050, 3_820),
    ] = 3_810,
) -> StoryResult:
    stage = Stage(sandbox)
    # Always from a skew of 0 to 10 and back: all fill at 4,000.02; 20.0001 is each long's fee, 8.00004 each short's.
    trader = stage.deposit("trader", 10_000)
    counterparty = stage.deposit("counterparty", 20_000)
    stage.deposit("whale", 2_000)
    stage.trade("trader", "ETH-USD", milli=10_000)
    stage.trade("counterparty", "ETH-USD", milli=-10_000)
    stage.trade("whale", "ETH-USD", milli=10_000)
    stage.trade("counterparty", "ETH-USD", milli=-10_000)
    stage.cast["keeper"] = account_id(ROLES["keeper"])
    stage.tell("Two longs of 10 ETH, 4x and 20x, and a short of 20, at 4,000.")

    stage.act("governor", "set_vault_paused", WITHDRAW)
    shut = Paused(WITHDRAW)
    stage.expect_refused("a withdrawal", shut, "trader", "withdraw", trader, DOLLAR, ROLES["trader"])
    stage.expect_refused("a transfer", shut, "trader", "transfer", trader, trader + 1, DOLLAR)
    outsider = stage.deposit("outsider", 500)
    stage.tell("Withdrawals halt. A deposit of 500 still comes in, and does not get out again.")
    stage.expect_refused(
        "withdrawing what was just deposited", shut, "outsider", "withdraw", outsider, 1, ROLES["outsider"]
    )

    provider = ROLES["provider"]
    pool_before = sandbox.call("clearinghouse", "vault").pool
    sandbox.transact("pool", "withdraw", POOL_WITHDRAWAL * DOLLAR, provider, provider, sender=provider)
    stage.watch()
    stage.tell("A liquidity provider leaves with 1,000,000 through a door that nobody shut.")
    pool_after = stage.steps[-1].pool
    stage.expect("the pool's door has a bit of its own", pool_before - pool_after == POOL_WITHDRAWAL * DOLLAR)

    report = stage.price("ETH-USD", price)
    stage.tell(f"At {price:,} the 20x long is liquidated as on any day.")
    # 2,000 - 20.0001 + 10 * (price - 4,000.02)
    equity = 10 * price * DOLLAR - 38_020_200_100
    penalty = min(50_000 * price, max(equity, 0))  # 0.5 % of 10 * price, as far as equity goes
    bad_debt = max(-equity, 0)
    # Half the penalty; of a bankrupt 0.25 % of 10 * price, from the fund.
    reward = penalty // 2 if equity >= 0 else 25_000 * price
    stage.expect(
        "liquidations go on",
        [(e.result.closed, e.result.penalty, e.result.reward, e.result.bad_debt) for e in report.liquidations]
        == [(10 * UNIT, penalty, reward, bad_debt)],
    )

    stage.trade("trader", "ETH-USD", milli=-10_000)
    stage.trade("counterparty", "ETH-USD", milli=20_000)
    stage.tell("The other long and the short close: trades go on. All is money now, and nobody gets it.")
    sold = 10 * price * DOLLAR - 150 * price  # from a skew of -10 to -20: price * (1 - 1.5e-5)
    bought = 20 * price * DOLLAR - 200 * price  # from a skew of -20 to 0: price * (1 - 1e-5)
    taker_fee, maker_fee = (sold * 5 + 9_999) // 10_000, (bought * 2 + 9_999) // 10_000
    owed = {
        "trader": 10_000 * DOLLAR - 20_000_100 + sold - 40_000_200_000 - taker_fee,
        "counterparty": 20_000 * DOLLAR - 16_000_080 + 80_000_400_000 - bought - maker_fee,
        "whale": max(equity, 0) - penalty,
        "keeper": reward,
        "outsider": 500 * DOLLAR,
    }
    stage.expect("the books say what each is owed", {name: stage.view(name).equity for name in stage.cast} == owed)
    gain = ("withdraw", counterparty, owed["counterparty"], ROLES["counterparty"])
    stage.expect_refused("withdrawing a gain", shut, "counterparty", *gain)

    stage.act("governor", "set_vault_paused", 0)
    before = {name: sandbox.call("token", "balance_of", ROLES[name]) for name in owed}
    for name, amount in owed.items():
        if amount > 0:
            stage.act(name, "withdraw", stage.cast[name], amount, ROLES[name])
    stage.tell("Withdrawals resume, and everybody takes everything.")
    paid = {name: sandbox.call("token", "balance_of", ROLES[name]) - before[name] for name in owed}
    stage.expect("everybody gets what the books said", paid == owed)
    stage.expect("nobody has anything left here", not any(stage.view(name).equity for name in owed))
    # 500,000 and a tenth of each fee: 2 * (2.00001 + 0.800004) and those of the closing trades, floored.
    insurance = 500_005_600_028 + penalty - reward - bad_debt + taker_fee // 10 + maker_fee // 10
    stage.expect("the fund has what the books say", stage.steps[-1].insurance == insurance)
    book = stage.watchman.book
    house = sandbox.call("token", "balance_of", sandbox.deployed["clearinghouse"].address)
    # What came in, 20,000,000 + 500,000 + 10,000 + 20,000 + 2,000 + 500, less what went out.
    booked = (20_532_500 - POOL_WITHDRAWAL) * DOLLAR - sum(paid.values())
    stage.expect("what stays is the house's, to the quantum", house == book.vault.booked == booked)
    fees = sum(market.state.protocol_fees for market in book.markets.values())
    stage.expect("pool, fund and fees are all of it", book.vault.pool + book.vault.insurance + fees == booked)
    halt = over_steps(
        "What the books owe each while the door is shut",
        "Trades and liquidations go on; nothing leaves but a provider's million, until withdrawals resume.",
        stage.steps,
        price_panel(stage.steps),
        equity_panel(stage.steps),
        money_panel("Pool", pool=[step.pool for step in stage.steps]),
        stretches=(Stretch("withdrawals halted", 2, len(stage.steps) - 1),),
    )
    got = Picture(
        "What each was owed, and what each got",
        "To the quantum.",
        tuple(range(len(owed))),
        (money_panel("At the end", BARS, owed=list(owed.values()), paid=list(paid.values())),),
        BY_NAME,
        tuple(name.replace("_", " ") for name in owed),
    )
    return stage.end(NAME, halt, got)
