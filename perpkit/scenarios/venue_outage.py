"""The venue halts trading, settling and liquidations of a market while its price falls, and then resumes.

For 15 minutes after the resumption nobody is liquidated. Who adds margin within them survives, though nothing was done
during the halt; who does not is liquidated in the second in which they end, too late: the price has gone through the
bankruptcy price, and the insurance fund pays for a loss that an open market would have cut in time. The same fall is
played without the halt first, and undone, so that both can be compared.
"""

from __future__ import annotations

from typing import Annotated

from perpkit.backend import Sandbox
from perpkit.keeper.keeper import Keeper
from perpkit.market_setup import DOLLAR, ROLES, UNIT, push_prices
from perpkit.model.errors import GracePeriod, MarketActionPaused
from perpkit.model.events import Liquidated
from perpkit.model.market_ledger import GRACE_PERIOD, LIQUIDATE, SETTLE, TRADE
from perpkit.model.types import account_id
from perpkit.picture import LINES, Stretch
from perpkit.scenarios.parameters import BadParameter, Between
from perpkit.scenarios.pictures import equity_panel, money_panel, over_steps, price_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "venue_outage"
IN_A_LINE = (
    "Liquidations halt while ETH falls: who tops up in the 15 minutes after it survives, the other leaves bad debt."
)

ETH = 0


def play(
    sandbox: Sandbox,
    *,
    top_up: Annotated[int, "what the trader adds after the halt, in dollars", Between(100, 500_000)] = 1_000,
    prices: Annotated[tuple[int, ...], "in dollars, a minute apart"] = (3_900, 3_830, 3_790, 3_750),
) -> StoryResult:
    if prices[-1] > 3_802:
        raise BadParameter("prices", prices, "an end at most at 3,802, where who does not top up is bankrupt")
    # 38,020.20 was paid for 10 ETH more than deposited; 1 % of 10 * the last price is maintenance margin.
    least = 38_021 - 10 * prices[-1] + prices[-1] // 10 + 1
    if top_up < least:
        raise BadParameter("top_up", top_up, f"at least {least:,} dollars, so that the trader survives {prices[-1]:,}")
    stage = Stage(sandbox)
    # Always from a skew of 0 to 10 and back: all fill at 4,000.02; 20.0001 is each long's fee, 8.00004 each short's.
    careful, careless = stage.deposit("trader", 2_000), stage.deposit("whale", 2_000)
    for long, short in (("trader", "counterparty"), ("whale", "market_maker")):
        stage.deposit(short, 10_000)
        stage.trade(long, "ETH-USD", milli=10_000)
        stage.trade(short, "ETH-USD", milli=-10_000)
    stage.tell("Two longs at 20x, trader and whale, and two shorts, 10 ETH each at 4,000.")

    with sandbox.rolled_back():
        open_debt, open_insurance, kept = _without_outage(stage, prices, top_up)
    stage.expect("undone, the other run left nothing behind", stage.view("whale").equity == 1_979_799_900)

    bits = TRADE | SETTLE | LIQUIDATE
    stage.act("governor", "set_market_paused", ETH, bits)
    stage.tell("The venue halts trading, settling and liquidations of ETH.")
    reports = []
    for price in prices:
        reports.append(stage.price("ETH-USD", price))
        stage.tell(f"At {price:,} nobody is liquidated, whoever should be.")
    stage.expect_refused("a trade", MarketActionPaused(ETH, TRADE), "trader", "trade", careful, ETH, -10 * UNIT, 0)
    stage.expect_refused("settling", MarketActionPaused(ETH, SETTLE), "outsider", "settle", careless, ETH)
    stage.expect_refused("a liquidation", MarketActionPaused(ETH, LIQUIDATE), "keeper", "liquidate", careless, ETH)
    stage.expect("the keeper waits", not any(report.transactions or report.refusals for report in reports))
    last = prices[-1]
    # 2,000 - 20.0001 + 10 * (last - 4,000.02), long and short being equal, so that no funding runs.
    equity = 10 * last * DOLLAR - 38_020_200_100
    equities = [stage.view(role).equity for role in ("trader", "whale")]
    stage.expect("both longs are below zero, and stand", equities == [equity, equity] and equity < 0)

    stage.act("governor", "set_market_paused", ETH, 0)
    until = sandbox.timestamp + GRACE_PERIOD
    waiting = stage.keeper.step()
    for name, account in (("the trader", careful), ("the whale", careless)):
        grace = GracePeriod(ETH, until)
        stage.expect_refused(f"liquidating {name} in grace", grace, "keeper", "liquidate", account, ETH)
    stage.tell("The venue resumes. For 15 minutes nobody is liquidated: both longs may still add margin.")
    reports = [waiting, stage.advance(GRACE_PERIOD - 60)]
    stage.deposit("trader", top_up)
    stage.expect("the trader has as much, and the deposit", stage.view("trader").equity == equity + top_up * DOLLAR)
    stage.tell(f"In the last minute of them the trader deposits {top_up:,} more. The whale does nothing.")
    reports.append(stage.advance(59))
    stage.expect("the keeper waits to the last second", not any(r.transactions or r.refusals for r in reports))

    report = stage.advance(1)
    stage.tell("The 15 minutes are over. The keeper liquidates the whale in that second; the trader stands.")
    reward = 25_000 * last  # 0.25 % of 10 * last
    stage.expect(
        "who did not top up is liquidated with bad debt",
        [(e.account, e.result.closed, e.result.bad_debt, e.result.reward) for e in report.liquidations]
        == [(careless, 10 * UNIT, -equity, reward)],
    )
    stage.expect("who topped up survives", stage.view("trader").positions[0].size == 10 * UNIT)
    # 500,000 and a tenth of the fees, 2 * (2.00001 + 0.800004).
    insurance = 500_005_600_028 - reward + equity
    stage.expect("the fund pays for the outage", stage.steps[-1].insurance == insurance)
    stage.expect("an open market would have left less bad debt", open_debt < -equity)
    stage.expect("and a richer fund", open_insurance > insurance)
    stage.expect("and the whale no poorer", kept >= stage.view("whale").equity == 0)
    stage.tell(
        f"Bad debt {_dollars(-equity)} against {_dollars(open_debt)} without the outage; the fund has "
        f"{_dollars(insurance)} against {_dollars(open_insurance)}, the whale nothing against {_dollars(kept)}."
    )

    stage.trade("trader", "ETH-USD", milli=-10_000)
    # From a skew of -10 to -20 at last * (1 - 1.5e-5), for 5 bp.
    sold = 10 * last * DOLLAR - 150 * last
    left = (2_000 + top_up) * DOLLAR - 20_000_100 + sold - 40_000_200_000 - (sold * 5 + 9_999) // 10_000
    stage.expect("who survived closes at a price of its own choice", stage.view("trader").equity == left)
    stage.act("trader", "withdraw", careful, left, ROLES["trader"])
    stage.tell("The trader closes and withdraws everything.")
    stage.expect("no deficit stands", stage.steps[-1].deficit == 0)
    picture = over_steps(
        "A fall while the venue is shut",
        "Both fall through bankruptcy in the halt; who adds margin in the grace after it stands.",
        stage.steps,
        price_panel(stage.steps),
        equity_panel(stage.steps, {"trader": "trader adds margin", "whale": "whale does not"}, shown=LINES),
        money_panel("Insurance fund", fund=[step.insurance for step in stage.steps]),
        stretches=(Stretch("halt", 2, 2 + len(prices)), Stretch("grace", 3 + len(prices), 4 + len(prices))),
    )
    return stage.end(NAME, picture)


def _without_outage(stage: Stage, prices: tuple[int, ...], top_up: int) -> tuple[int, int, int]:
    """The same prices with the market open, and the same deposit after the first: bad debt, insurance, and the whale's
    equity."""
    sandbox, keeper = stage.sandbox, Keeper(stage.sandbox, ROLES["keeper"])
    liquidations: list[Liquidated] = []
    marks = dict(stage.prices)
    for i, price in enumerate(prices):
        marks[ETH] = price * UNIT
        sandbox.set_time(sandbox.timestamp + 60)
        push_prices(sandbox, {spec: marks[market] for market, spec in enumerate(stage.setup.markets)})
        liquidations += keeper.step().liquidations
        if i == 0:
            account = account_id(ROLES["trader"])
            sandbox.transact("clearinghouse", "deposit", account, top_up * DOLLAR, sender=ROLES["trader"])
    bad_debt = sum(event.result.bad_debt for event in liquidations)
    return bad_debt, sandbox.call("clearinghouse", "vault").insurance, stage.view("whale").equity


def _dollars(quanta: int) -> str:
    return f"{quanta // DOLLAR:,}.{quanta % DOLLAR:06d}"
