"""The same two bets twice: one trader keeps each in an account of its own, another has both in one.

Both are long ETH, which falls, and long SOL, which rises a little. Isolated, the ETH long can lose its own margin and
no more, but it has nothing else to live from. Cross, it lives from the other position's margin and profit, survives
the first fall, and is there when the price returns; in the second fall it takes all of it along, the good position
first. Neither is better: it is a choice of which loss one prefers.

Funding is switched off here, so that margin alone moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from perpkit.backend import Receipt, Sandbox
from perpkit.market_setup import DEFAULT_SETUP, DOLLAR, UNIT, MarketSetup
from perpkit.model.events import Traded
from perpkit.model.types import TradeResult
from perpkit.picture import Picture
from perpkit.scenarios.parameters import BadParameter, Between
from perpkit.scenarios.pictures import money_panel, over_steps, price_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "isolated_vs_cross"
IN_A_LINE = "ETH falls, returns, falls: isolated loses one margin at once, cross survives first and then loses all."

# Raw {usd, 1e36} in one quantum of a token of 6 decimals.
QUANTUM = UNIT * UNIT // DOLLAR
ISOLATED, ISOLATED_SOL, CROSS = "trader", "trader 1", "counterparty"


@dataclass(frozen=True, slots=True)
class Bet:
    """One side of the comparison: what it holds, and what it paid for it. Sizes {base, 1e18}, money {quanta}."""

    size: int
    fill: int
    fee: int

    def profit(self, price: int) -> int:
        """At a price in dollars, before the fee."""
        return self.size * (price * UNIT - self.fill) // QUANTUM

    def worth(self, price: int) -> int:
        return self.size * price * UNIT // QUANTUM

    def loss(self, before: int, price: int) -> int:
        """What a fall takes, negative."""
        return self.size * (price - before) * UNIT // QUANTUM


@dataclass(frozen=True, slots=True)
class Purse:
    """What each has while ETH costs what was paid for it {quanta}; `sol` is what the SOL of cross is worth."""

    isolated: int
    cross: int
    eth: Bet
    cross_eth: Bet
    sol: int

    def loses_isolated_only(self, price: int) -> bool:
        gone = self.isolated + self.eth.profit(price) < 0
        return gone and self.cross + self.cross_eth.profit(price) > self._required(price)

    def sells_all_sol(self, price: int) -> bool:
        """SOL requires the most, 2.5 %; closing restores 4.5 %, all of it is needed, and what is left holds ETH."""
        equity, eth = self.cross + self.cross_eth.profit(price), self.cross_eth.worth(price)
        most = self.sol * 25 > eth * 10
        needed = (2 * self._required(price) - equity) * 1_000 >= self.sol * 45
        left = equity - self.sol * 5 // 1_000 - 1
        return most and needed and equity < self._required(price) and left * 100 > eth

    def _required(self, price: int) -> int:
        """Maintenance margin: 1 % of ETH and 2.5 % of SOL."""
        return (self.cross_eth.worth(price) * 10 + self.sol * 25) // 1_000


def without_funding() -> MarketSetup:
    markets = tuple(replace(s, params=replace(s.params, max_funding_rate=0)) for s in DEFAULT_SETUP.markets)
    return replace(DEFAULT_SETUP, markets=markets)


def dollars(money: int) -> str:
    """Quanta as dollars and cents, rounded down."""
    return f"{money // DOLLAR:,}.{money % DOLLAR * 100 // DOLLAR:02}"


def bet(receipt: Receipt) -> Bet:
    result: TradeResult = next(event.result for event in receipt.events if isinstance(event, Traded))
    return Bet(result.delta, result.fill, result.fee)


def play(
    sandbox: Sandbox,
    *,
    margin: Annotated[int, "what each bet gets, in dollars", Between(100, 400_000)] = 2_000,
    eth_milli: Annotated[int, "thousandths of an ETH", Between(100, 500_000)] = 5_000,
    sol_milli: Annotated[int, "thousandths of a SOL", Between(1_000, 10_000_000)] = 50_000,
    sol_price: Annotated[int, "to which SOL rises, in dollars", Between(201, 300)] = 210,
    first_fall: Annotated[int, "to which ETH falls first, in dollars", Between(1, 3_999)] = 3_600,
    second_fall: Annotated[int, "to which it falls after it returned, in dollars", Between(1, 3_999)] = 3_150,
    bottom: Annotated[int, "to which it falls at last, in dollars", Between(1, 3_999)] = 3_000,
) -> StoryResult:
    """Each bet is 10x in ETH and 5x in SOL by default; other numbers have to tell the same story, or are refused."""
    stage = Stage(sandbox, without_funding())
    start = stage.prices[stage.symbols["ETH-USD"]] // UNIT
    stage.deposit("trader", margin)
    stage.deposit("trader", margin, sub=1)
    stage.deposit("counterparty", 2 * margin)
    # 4,000 * (1 + 2.5 / 1,000,000) = 4,000.01, fee 20,000.05 * 0.05 % = 10.000025; who comes second pays 2 cents more.
    eth = bet(stage.trade("trader", "ETH-USD", milli=eth_milli))
    cross_eth = bet(stage.trade("counterparty", "ETH-USD", milli=eth_milli))
    # 200 * (1 + 25 / 20,000,000) = 200.00025, fee 10,000.0125 * 0.05 % = 5.00000625, rounded up.
    sol = bet(stage.trade("trader", "SOL-USD", milli=sol_milli, sub=1))
    cross_sol = bet(stage.trade("counterparty", "SOL-USD", milli=sol_milli))
    stage.expect("both made the same bets", (eth.size, sol.size) == (cross_eth.size, cross_sol.size))
    # 4,000 - 10.000075 - 5.000019 + 50 * 9.99925: what cross has while ETH stands where it was bought.
    money = 2 * margin * DOLLAR - cross_eth.fee - cross_sol.fee + cross_sol.profit(sol_price)
    penalty = -(-cross_sol.size * sol_price * UNIT * 5 // (1_000 * QUANTUM))
    saved = money + cross_eth.profit(second_fall) - penalty
    purse = Purse(margin * DOLLAR - eth.fee, money, eth, cross_eth, cross_sol.size * sol_price * UNIT // QUANTUM)
    _check_falls(purse, saved, first_fall, second_fall, bottom)
    stage.tell(
        f"Each is long ETH and SOL with {2 * margin:,} in all: one in two accounts of {margin:,}, one in a single one."
    )

    stage.price("SOL-USD", sol_price)
    # 2,000 - 5.000007 + 50 * (210 - 200.00025) = 2,494.987493.
    safe = margin * DOLLAR - sol.fee + sol.profit(sol_price)
    stage.expect("the isolated SOL long gains", stage.view(ISOLATED_SOL).equity == safe)
    stage.tell(f"SOL rises to {sol_price}: {dollars(sol.profit(sol_price))} for each.")

    report = stage.price("ETH-USD", first_fall)
    # 2,000 - 10.000025 - 5 * 400.01 = -10.050025: all of this margin and no more; the fund pays the rest.
    short_of = -(margin * DOLLAR - eth.fee + eth.profit(first_fall))
    gone = [event for event in report.liquidations if event.account == stage.cast[ISOLATED]]
    stage.expect("only the isolated ETH long goes", len(report.liquidations) == len(gone) == 1)
    stage.expect("it loses its margin and no more", stage.view(ISOLATED).equity == 0)
    stage.expect("the fund covers the rest", gone[0].result.bad_debt == gone[0].result.covered == short_of > 0)
    stage.expect("the isolated SOL long does not notice", stage.view(ISOLATED_SOL).equity == safe)
    # 4,000 - 10.000075 - 5.000019 - 5 * 400.03 + 50 * 9.99925 = 2,484.812406; 180 + 262.50 are required.
    stage.expect("cross lives from SOL", stage.view(CROSS).equity == money + cross_eth.profit(first_fall))
    stage.expect("cross keeps both positions", len(stage.view(CROSS).positions) == 2)
    stage.tell(
        f"ETH falls to {first_fall:,}: the isolated long is gone with its {margin:,}. The cross account has the same "
        f"loss and stands, with {dollars(stage.view(CROSS).equity)}."
    )

    stage.price("ETH-USD", start)
    cross, isolated = stage.view(CROSS).equity, stage.view(ISOLATED).equity + stage.view(ISOLATED_SOL).equity
    # 2,484.81 + 5 * 400 = 4,484.81 against 2,494.98: whoever was still there has its 2,000 back.
    stage.expect("cross has its money back", cross == money + cross_eth.profit(start) > 2 * margin * DOLLAR)
    stage.expect("isolated does not", isolated == safe < 2 * margin * DOLLAR)
    stage.tell(
        f"ETH returns to {start:,}: cross has {dollars(cross)}, isolated {dollars(isolated)}. Had it ended here, cross "
        "would have been the better choice."
    )

    report = stage.price("ETH-USD", second_fall)
    # 4,484.81 - 5 * 850 = 234.81 against 157.50 + 262.50 required. SOL requires most, so SOL is sold, all of it:
    # (840 - 234.81) / (210 * (5 % - 0.5 %)) = 64 > 50. Penalty 10,500 * 0.5 % = 52.50; 182.31 >= 157.50 stand.
    sold = [(event.account, event.market) for event in report.liquidations]
    stage.expect("the good position is sold for the bad one", sold == [(stage.cast[CROSS], stage.symbols["SOL-USD"])])
    stage.expect("what is left holds the ETH long", stage.view(CROSS).equity == saved > 0)
    stage.tell(
        f"ETH falls to {second_fall:,}: the cross account's SOL is liquidated, though it was in profit. "
        f"{dollars(stage.view(CROSS).equity)} hold the ETH long."
    )

    report = stage.price("ETH-USD", bottom)
    # 182.31 - 5 * 150 = -567.69: nothing is left of 4,000, and the fund pays.
    debts = [event.result.bad_debt for event in report.liquidations]
    stage.expect(
        "cross owes more than it has", debts == [-(saved - cross_eth.size * (second_fall - bottom) * UNIT // QUANTUM)]
    )
    stage.expect("cross loses all", stage.view(CROSS).equity == 0 and not stage.view(CROSS).positions)
    stage.expect("isolated lost one margin only", stage.view(ISOLATED_SOL).equity == safe)
    stage.tell(
        f"ETH falls to {bottom:,}: cross has nothing of its {2 * margin:,}, isolated still has {dollars(safe)}. As it "
        "ends here, isolated was the better choice."
    )
    stage.expect("no deficit stands", stage.steps[-1].deficit == 0)
    return stage.end(NAME, _picture(stage))


def _check_falls(purse: Purse, saved: int, first_fall: int, second_fall: int, bottom: int) -> None:
    """Whether the falls tell this story; `saved` is what holds the ETH long after the second."""
    fits = [price for price in range(1, 4_000) if purse.loses_isolated_only(price)]
    if first_fall not in fits:
        raise BadParameter("first_fall", first_fall, _bounds(fits, "the isolated margin is gone and cross stands"))
    fits = [price for price in range(1, 4_000) if purse.sells_all_sol(price)]
    if second_fall not in fits:
        raise BadParameter("second_fall", second_fall, _bounds(fits, "cross sells all of its SOL and keeps its ETH"))
    fits = [price for price in range(1, second_fall) if saved + purse.cross_eth.loss(second_fall, price) < 0]
    if bottom not in fits:
        raise BadParameter("bottom", bottom, _bounds(fits, "cross has lost all"))


def _bounds(fits: list[int], where: str) -> str:
    if not fits:
        return f"other margins or sizes with it, as at no price {where}"
    return f"{fits[0]:,} to {fits[-1]:,} dollars, where {where}"


def _picture(stage: Stage) -> Picture:
    steps = stage.steps
    equities = [{name: line["equity"] for name, line in step.accounts.items()} for step in steps]
    return over_steps(
        "The same bets in two accounts and in one",
        "Isolated loses one margin at the first fall and keeps the rest; cross lives on, and loses all at the end.",
        steps,
        price_panel(steps),
        price_panel(steps, "SOL-USD"),
        money_panel(
            "Equity",
            isolated=[line[ISOLATED] + line[ISOLATED_SOL] for line in equities],
            cross=[line[CROSS] for line in equities],
        ),
    )
