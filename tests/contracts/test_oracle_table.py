"""Which action needs which price: every action in every state of the oracle, allowed or refused with a named error.

A row is a decorated function below: what it is called, its cells in the order of the states, and what it does. Add one,
and run `PYTHONPATH=.:tests python tests/contracts/test_oracle_table.py` to write it into docs/oracle.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import leverage
import pytest
from expect import laws_hold, refuses
from misfortune import make_deficit
from roles import BTC, DAY, ETH, HOUR, INT256_MAX, House, acc, address, allow_everything, dollars, units

from perpkit.abi.artifacts import load_artifact
from perpkit.market_setup import ETH3L, MIN_EXECUTION_FEE, feed_answer, feed_labels, push_prices
from perpkit.model import errors
from perpkit.model.errors import (
    InvalidOrder,
    NoFeeds,
    NoPosition,
    NothingToRecord,
    PerpError,
    PriceHalted,
    QuorumNotMet,
    StalePrice,
    WorthlessShares,
    ZeroAmount,
)
from perpkit.model.types import OracleConfig, OrderKind, OrderRequest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "oracle.md"
BEGIN, END = "<!-- table: written by tests/contracts/test_oracle_table.py -->", "<!-- end of the table -->"

BARE = 3  # a fourth market, which has no feeds
YES = "yes"


# ------------------------------------------------------------------ the states


@dataclass
class Scene:
    """One cell's house: where the action is, where the account's position is, and whether it has one elsewhere too."""

    house: House
    market: int = ETH
    held: int = ETH
    cross: bool = False
    priced: bool = True


@dataclass(frozen=True)
class State:
    """A state of the oracle, as seen by an action on a market."""

    name: str
    meaning: str
    prepare: Callable[[Scene], None]
    bring_about: Callable[[Scene], None]


def _nothing(scene: Scene) -> None:
    pass


def _list_bare(scene: Scene) -> None:
    """Nobody can hold anything in a market without feeds, so the position is in another."""
    house = scene.house
    house.do("list_market", b"BARE-USD".ljust(32, b"\0"), house.params(ETH), (), by="governor")
    house.specs.append(replace(house.specs[ETH], symbol="BARE-USD"))
    scene.market, scene.priced = BARE, False


def _cross(scene: Scene) -> None:
    scene.cross = True


def _outdate(scene: Scene, market: int) -> None:
    """Time passes, and every market but one has new prices."""
    house = scene.house
    house.wait(HOUR + 1, refresh=False)
    stale = house.specs[market]
    push_prices(house.sandbox, {spec: price for spec, price in house.prices.items() if spec is not stale})


def _stale(scene: Scene) -> None:
    _outdate(scene, scene.market)
    scene.priced = False


def _other_stale(scene: Scene) -> None:
    _outdate(scene, BTC)


def _deviating(scene: Scene) -> None:
    """Two of three are 10 % off the one in the middle, and 2 % are allowed."""
    house, spec = scene.house, scene.house.specs[scene.market]
    middle = feed_answer(house.prices[spec])
    places = tuple(house.at(label) for label in feed_labels(spec))
    house.do("push", places, (middle * 9 // 10, middle, middle * 11 // 10), by="publisher", label="board")
    scene.priced = False


def _halted(scene: Scene) -> None:
    scene.house.do("set_halted", scene.market, True, by="governor", label="oracle")
    scene.priced = False


STATES = (
    State("fresh", "enough feeds are fresh and agree", _nothing, _nothing),
    State("stale", "fewer feeds than the quorum are within the heartbeat", _nothing, _stale),
    State("deviating", "enough feeds are fresh, but fewer than the quorum agree", _nothing, _deviating),
    State("halted", "the oracle's owner has halted the market's price", _nothing, _halted),
    State(
        "no feeds", "the market is listed and its feeds were never set; no position can be in it", _list_bare, _nothing
    ),
    State(
        "other stale", "the account has a position in another market too, and that one is stale", _cross, _other_stale
    ),
)


# ------------------------------------------------------------------ what an account has before


def empty(scene: Scene) -> None:
    """Collateral, and no position but the one elsewhere of a cross account."""
    scene.house.deposit("trader", dollars(1_000))
    if scene.cross:
        scene.house.trade("trader", BTC, units("0.01"))


def idle(scene: Scene) -> None:
    """Collateral and no position at all; it is somebody else who has them."""
    scene.house.deposit("trader", dollars(1_000))
    for market in (scene.held, BTC) if scene.cross else (scene.held,):
        scene.house.deposit("counterparty", dollars(1_000))
        scene.house.trade("counterparty", market, units("0.1"))


def holding(scene: Scene) -> None:
    """10 ETH long with 1,000 dollars."""
    empty(scene)
    scene.house.trade("trader", scene.held, units(10))


def underwater(scene: Scene) -> None:
    """The same at 3,920: equity of 180 against a maintenance margin of 392."""
    holding(scene)
    scene.house.set_price(scene.held, 3_920)


def collected(scene: Scene) -> None:
    """The fee of a trade is in the treasury."""
    holding(scene)
    scene.house.do("collect_fees", scene.held, by="outsider")


def announced(scene: Scene) -> None:
    """A position in a market that may be delisted, a day later."""
    holding(scene)
    scene.house.do("announce_delisting", scene.market, by="governor")
    scene.house.wait(DAY)


def delisted(scene: Scene) -> None:
    """A position in a market that is delisted; its price stands still, whatever the oracle says."""
    holding(scene)
    if scene.market == BARE:
        config = scene.house.ask("config_of", ETH, label="oracle")
        scene.house.do("set_feeds", scene.market, config, by="governor", label="oracle")
    scene.house.do("announce_delisting", scene.market, by="governor")
    scene.house.wait(DAY)
    scene.house.do("delist_market", scene.market, by="governor")


def approved(scene: Scene) -> None:
    """Collateral, and the orders contract may act for the trader."""
    empty(scene)
    scene.house.do("set_operator", scene.house.at("orders"), True, by="trader")


def waiting(scene: Scene) -> None:
    """A market order that the next price fills."""
    approved(scene)
    place(scene, OrderKind.MARKET, units("0.5"))


def trailing(scene: Scene) -> None:
    """A long with a trailing stop, and a higher price since; where there is no price, an order that trails nothing."""
    approved(scene)
    if scene.market == BARE:
        place(scene, OrderKind.LIMIT, units("0.5"), trigger=units(3_000))
        return
    scene.house.trade("trader", scene.market, units("0.5"))
    place(scene, OrderKind.TRAILING_STOP, -units("0.5"), trail=units(100))
    scene.house.set_price(scene.market, 4_050)


def place(scene: Scene, kind: OrderKind, size: int, *, trigger: int = 0, trail: int = 0) -> None:
    request = OrderRequest(acc("trader"), scene.market, kind, size < 0, size, trigger, 0, trail, False, 0)
    trader = address("trader")
    scene.house.sandbox.transact("orders", "place", request, sender=trader, value=MIN_EXECUTION_FEE)


def tokenised(scene: Scene) -> None:
    """A leveraged token on the market, and somebody's 1,000 dollars in it where it can have a position."""
    leverage.deploy(scene.house, replace(ETH3L, market=scene.market))
    if scene.market != BARE:
        leverage.mint(scene.house, "trader", dollars(1_000))


def due(scene: Scene) -> None:
    """The same, a day and 2 % later."""
    tokenised(scene)
    scene.house.wait(DAY)
    if scene.market != BARE:
        scene.house.set_price(scene.market, 4_080)


def deficit(scene: Scene) -> None:
    """Three shorts have won what nobody can pay; one of them has a position elsewhere too."""
    make_deficit(scene.house)
    if scene.cross:
        scene.house.trade("counterparty", BTC, units("0.01"))


def nothing(scene: Scene) -> None:
    """Nobody trades."""


# ------------------------------------------------------------------ the table


@dataclass(frozen=True)
class Row:
    """An action, and what comes of it in each state: `yes`, or the name of the error that refuses it."""

    action: str
    cells: tuple[str, ...]
    arrange: Callable[[Scene], None]
    act: Callable[[Scene], Any]


ROWS: list[Row] = []

Act = Callable[[Scene], Any]


def row(action: str, *cells: str, arrange: Callable[[Scene], None] = nothing) -> Callable[[Act], Act]:
    """Adds a row. Its cells are in the order of STATES; one cell stands for all."""

    def add(act: Act) -> Act:
        ROWS.append(Row(action, cells * len(STATES) if len(cells) == 1 else cells, arrange, act))
        return act

    return add


# What needs a price of the market in which it is, and of every other in which the account is.
PRICED = (YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoFeeds", "StalePrice")
# The same of the account as it is, with its position elsewhere when the market has no feeds.
VALUED = (YES, "StalePrice", "QuorumNotMet", "PriceHalted", YES, "StalePrice")


@row("deposit", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.deposit("trader", dollars(1))


@row("withdraw, without position", YES, arrange=idle)
def _(scene: Scene) -> None:
    scene.house.withdraw("trader", dollars(1))


@row("withdraw, with position", *VALUED, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.withdraw("trader", dollars(1))


@row("transfer, without position", YES, arrange=idle)
def _(scene: Scene) -> None:
    scene.house.transfer("trader", "trader/1", dollars(1))


@row("transfer, with position", *VALUED, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.transfer("trader", "trader/1", dollars(1))


@row("trade, opening", *PRICED, arrange=empty)
def _(scene: Scene) -> None:
    scene.house.trade("trader", scene.market, units(1))


@row("trade, reducing", *PRICED, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.trade("trader", scene.market, -units(5))


@row("settle", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoPosition", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.settle("trader", scene.market)


@row("liquidate", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoPosition", "StalePrice", arrange=underwater)
def _(scene: Scene) -> None:
    scene.house.liquidate("trader", scene.market)


@row("liquidateMany", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoFeeds", YES, arrange=underwater)
def _(scene: Scene) -> None:
    """It passes over whom it cannot judge."""
    (result,) = scene.house.liquidate_many(scene.market, ["trader"]).value
    assert (result.closed > 0) is not scene.cross


@row("deleverage", *PRICED, arrange=deficit)
def _(scene: Scene) -> None:
    scene.house.deleverage(scene.market, False, ["market_maker", "provider", "counterparty"])


@row("pool deposit, with open interest", *VALUED, arrange=holding)
def _(scene: Scene) -> None:
    allow_everything(scene.house, "whale")
    scene.house.do("deposit", dollars(1), address("whale"), by="whale", label="pool")


@row("pool deposit, without open interest", YES)
def _(scene: Scene) -> None:
    allow_everything(scene.house, "whale")
    scene.house.do("deposit", dollars(1), address("whale"), by="whale", label="pool")


@row("pool redeem, with open interest", *VALUED, arrange=holding)
def _(scene: Scene) -> None:
    _redeem(scene)


@row("pool redeem, without open interest", YES)
def _(scene: Scene) -> None:
    _redeem(scene)


def _redeem(scene: Scene) -> None:
    provider = address("provider")
    scene.house.do("redeem", dollars(1) * 10**6, provider, provider, by="provider", label="pool")


@row("fundInsurance", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.fund_insurance(dollars(1))


@row("skim", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.donate(dollars(1))
    scene.house.skim()


@row("collectFees", YES, YES, YES, YES, "ZeroAmount", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.do("collect_fees", scene.market, by="outsider")


@row("withdrawTreasury", YES, arrange=collected)
def _(scene: Scene) -> None:
    scene.house.do("withdraw_treasury", address("governor"), 1, by="governor")


@row("listMarket", YES)
def _(scene: Scene) -> None:
    scene.house.do("list_market", b"NEW-USD".ljust(32, b"\0"), scene.house.params(ETH), (), by="governor")


@row("setMarketParams", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoFeeds", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.set_params(scene.market, taker_fee=0)


@row("announceMarketParams", YES, arrange=holding)
def _(scene: Scene) -> None:
    params = replace(scene.house.params(ETH), mmr=units("0.015"))
    scene.house.do("announce_market_params", scene.market, params, (), by="governor")


@row("recordOutage", "NothingToRecord", YES, YES, YES, YES, "NothingToRecord", arrange=holding)
def _(scene: Scene) -> None:
    """It begins where there is no price."""
    scene.house.do("record_outage", scene.market, by="outsider")


@row("announceDelisting", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.do("announce_delisting", scene.market, by="governor")


@row("delistMarket", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoFeeds", YES, arrange=announced)
def _(scene: Scene) -> None:
    scene.house.do("delist_market", scene.market, by="governor")


@row("closeOut", YES, arrange=delisted)
def _(scene: Scene) -> None:
    """Of a market that was delisted before."""
    scene.house.do("close_out", scene.market, (acc("trader"), acc("counterparty")), by="outsider")


@row("orders.place, at a trigger", YES, arrange=approved)
def _(scene: Scene) -> None:
    place(scene, OrderKind.LIMIT, units("0.5"), trigger=units(3_900))


@row("orders.place, trailing", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoFeeds", YES, arrange=approved)
def _(scene: Scene) -> None:
    """Its trigger is where the mark is."""
    request = OrderRequest(
        acc("trader"), scene.market, OrderKind.TRAILING_STOP, False, units("0.5"), 0, 0, units(100), False, 0
    )
    scene.house.sandbox.transact("orders", "place", request, sender=address("trader"), value=MIN_EXECUTION_FEE)


@row("orders.execute", *PRICED, arrange=waiting)
def _(scene: Scene) -> None:
    scene.house.do("execute", 1, by="keeper", label="orders")


@row("orders.ratchet", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "InvalidOrder", YES, arrange=trailing)
def _(scene: Scene) -> None:
    scene.house.do("ratchet", 1, by="keeper", label="orders")


@row("orders.cancel", YES, arrange=waiting)
def _(scene: Scene) -> None:
    scene.house.do("cancel", 1, by="trader", label="orders")


@row("token.mint", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoFeeds", YES, arrange=tokenised)
def _(scene: Scene) -> None:
    leverage.mint(scene.house, "whale", dollars(1_000))


@row("token.redeem", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "WorthlessShares", YES, arrange=tokenised)
def _(scene: Scene) -> None:
    leverage.redeem(scene.house, "trader")


@row("token.rebalance", YES, "StalePrice", "QuorumNotMet", "PriceHalted", "NoFeeds", YES, arrange=due)
def _(scene: Scene) -> None:
    leverage.rebalance(scene.house)


@row("lens.ordersOf", YES, arrange=waiting)
def _(scene: Scene) -> None:
    """Without a price nothing is triggered."""
    (view,) = scene.house.ask("orders_of", acc("trader"), label="lens")
    assert view.triggered is scene.priced


@row("setMarketPaused", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.do("set_market_paused", scene.market, 1, by="governor")


@row("setVaultPaused", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.do("set_vault_paused", 1, by="governor")


@row("oracle.setFeeds", YES, arrange=holding)
def _(scene: Scene) -> None:
    feeds = tuple(scene.house.at(label) for label in feed_labels(scene.house.specs[ETH]))
    config = OracleConfig(HOUR, units("0.02"), 2, feeds)
    scene.house.do("set_feeds", scene.market, config, by="governor", label="oracle")


@row("oracle.setHalted", YES, arrange=holding)
def _(scene: Scene) -> None:
    scene.house.do("set_halted", scene.market, True, by="governor", label="oracle")


@row("marginOf, without position", YES, arrange=idle)
def _(scene: Scene) -> None:
    assert scene.house.margin("trader")[1:] == (0, 0)


@row("marginOf, with position", *VALUED, arrange=holding)
def _(scene: Scene) -> None:
    assert scene.house.margin("trader")[1] > 0


@row("lens.markets", YES, arrange=holding)
def _(scene: Scene) -> None:
    """It says which markets have a price."""
    views = scene.house.ask("markets", label="lens")
    assert views[scene.market].priced is scene.priced
    assert views[BTC].priced is not scene.cross


@row("lens.account, without position", YES, arrange=idle)
def _(scene: Scene) -> None:
    assert scene.house.view("trader").withdrawable == dollars(1_000)


@row("lens.account, with position", *VALUED, arrange=holding)
def _(scene: Scene) -> None:
    assert scene.house.view("trader").positions


@row("lens.previewTrade", *PRICED, arrange=empty)
def _(scene: Scene) -> None:
    args = acc("trader"), scene.market, units(1), INT256_MAX
    scene.house.ask("preview_trade", *args, label="lens")


def expected(scene: Scene, error: str) -> PerpError:
    """The very error that a cell names, with its values."""
    known: dict[str, PerpError] = {
        "StalePrice": StalePrice(BTC if scene.cross else scene.market, 0, 2),
        "QuorumNotMet": QuorumNotMet(scene.market, 1, 2),
        "PriceHalted": PriceHalted(scene.market),
        "NoFeeds": NoFeeds(scene.market),
        "NoPosition": NoPosition(acc("trader"), scene.market),
        "ZeroAmount": ZeroAmount(),
        "InvalidOrder": InvalidOrder("kind"),
        "WorthlessShares": WorthlessShares(),
        "NothingToRecord": NothingToRecord(scene.market, True),
    }
    return known[error]


# ------------------------------------------------------------------ the tests


CELLS = [
    pytest.param(one, state, cell, id=f"{one.action} | {state.name} | {cell}")
    for one in ROWS
    for state, cell in zip(STATES, one.cells, strict=True)
]


@pytest.mark.parametrize(("one", "state", "cell"), CELLS)
def test_a_cell_of_the_table_is_true(house: House, one: Row, state: State, cell: str) -> None:
    """The action goes through or is refused with this error, nothing else moves, and when there are prices again all
    money is where it was."""
    scene = Scene(house)
    state.prepare(scene)
    one.arrange(scene)
    state.bring_about(scene)
    if cell == YES:
        one.act(scene)
    else:
        with refuses(house, expected(scene, cell)):
            one.act(scene)
    laws_hold(house)
    house.do("set_halted", scene.market, False, by="governor", label="oracle")
    house.refresh()
    assert house.ask("pool_equity") is not None  # or the law of everybody's equity would not be asked
    laws_hold(house)


# Functions that have no row, and why.
ROWLESS = {
    "depositWithPermit": "a deposit",
    "depositPool": "a pool deposit",
    "withdrawPool": "a pool redemption",
    "multicall": "each of its actions has a row",
    "simulate": "as the action that it simulates",
    "deliverReports": "it brings the price",
    "setPool": "once, before anything else",
    "setOrders": "once, before anything else",
    "setOperator": "moves no money",
    "setOperatorBySignature": "moves no money",
    "transferOwnership": "OpenZeppelin's",
    "acceptOwnership": "OpenZeppelin's",
    "renounceOwnership": "OpenZeppelin's",
}


def test_every_action_of_the_clearinghouse_has_a_row() -> None:
    """Or a reason why not; so a new action is not forgotten here."""
    functions = (item for item in load_artifact("Clearinghouse").abi if item["type"] == "function")
    actions = {item["name"] for item in functions if item["stateMutability"] not in ("view", "pure")}
    assert actions - {one.action.partition(",")[0] for one in ROWS} == set(ROWLESS)


def test_everything_is_allowed_at_a_fresh_price() -> None:
    """The first column is the market as it should be; only an outage cannot be recorded where there is none."""
    refused = {one.action for one in ROWS if one.cells[0] != YES}
    assert refused == {"recordOutage"}


def test_an_action_has_one_row_and_a_refusal_is_an_error_of_the_model() -> None:
    """No name twice, and none invented."""
    actions = [one.action for one in ROWS]
    assert len(set(actions)) == len(actions)
    assert all(hasattr(errors, cell) for one in ROWS for cell in one.cells if cell != YES)


# ------------------------------------------------------------------ the page


def render() -> str:
    """The states and the table as they stand in docs/oracle.md."""
    lines = ["| state | meaning |", "| --- | --- |"]
    lines += [f"| {state.name} | {state.meaning} |" for state in STATES]
    lines += ["", f"| action | {' | '.join(state.name for state in STATES)} |", f"| --- |{' --- |' * len(STATES)}"]
    for one in ROWS:
        shown = [cell if cell == YES else f"`{cell}`" for cell in one.cells]
        lines.append(f"| {one.action} | {' | '.join(shown)} |")
    return "\n".join(lines)


def parts_of_the_page() -> tuple[str, str, str]:
    """What stands before the table, the table, and what stands after it."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN + "\n")
    table, after = rest.split(END)
    return before, table, after


def test_the_page_shows_the_table() -> None:
    """docs/oracle.md is what these rows say; this module, run as a script, writes it."""
    _, table, _ = parts_of_the_page()
    assert table.strip() == render()


if __name__ == "__main__":
    first, _, last = parts_of_the_page()
    PAGE.write_text(f"{first}{BEGIN}\n\n{render()}\n\n{END}{last}", encoding="utf-8")
