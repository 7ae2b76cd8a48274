"""Measure what the actions cost on Anvil, and write it to docs/gas.json.

python scripts/gas_report.py          measure and write
python scripts/gas_report.py --check  exit 1 naming the first figure that a measurement would change
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perpkit.chain.sandbox import ChainSandbox
from perpkit.devnet.find_node import find_anvil
from perpkit.devnet.node import AnvilNode
from perpkit.market_setup import (
    DEFAULT_MARKETS,
    DOLLAR,
    ETH3L,
    MIN_EXECUTION_FEE,
    ROLES,
    UNIT,
    deploy_leveraged_token,
    push_price,
    set_up,
)
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import OrderKind, OrderRequest, account_id

HOME = Path(__file__).resolve().parent.parent
REPORT = HOME / "docs" / "gas.json"
START = 1_750_000_000
MINUTE = 60
DAY = 86_400
ANY_PRICE = 2**255 - 1
MANY = 21
ETH = DEFAULT_MARKETS[0]

# What a liquidation meets: a part of the position closed, all of it closed, and an account that is bankrupt.
FALLS = {"partial": 3_930, "full": 3_906, "bankrupt": 3_800}

NOTES = {
    "unit": "gas used by the whole transaction as its receipt tells it, intrinsic gas and refunds included",
    "node": "Anvil, hardfork cancun, through perpkit.chain.sandbox; the default market setup",
    "market": "ETH-USD with three fresh feeds and quorum 2, already listed, priced and traded on both sides; every "
    "measured action comes a minute or more after the market was last touched and accrues funding",
    "deposit": "100 dollars into an account that already has collateral",
    "open": "a long of 1 ETH in an account that has a deposit and no position yet",
    "reduce": "a quarter of that position sold",
    "close": "the rest of it sold",
    "withdraw": "10 dollars out of an account without positions, to its owner",
    "liquidate": "one account, for a keeper's account that already has collateral: the dearest of a partial, a full "
    "and a bankrupt one",
    "place": "a market order of 1 ETH by the owner of an account that has had an order before",
    "place_trailing": "a reduce-only trailing stop for a position of 1 ETH",
    "place_bracket": "a market order of 1 ETH with a stop and a take-profit of which one cancels the other",
    "trade_with_exits": "1 ETH bought in an account without position, and a stop and a take-profit placed for it",
    "execute": "that market order, by a keeper",
    "execute_oco": "the take-profit of that trade, which closes the position and cancels the stop",
    "liquidate_each_more": f"liquidateMany: the mean of {MANY - 1} accounts beyond the first, rounded up, again the "
    "dearest of the three",
    "token_mint": "1,000 dollars into a leveraged token that has holders and a position, for who has shares already",
    "token_redeem": "half of somebody's shares of it; the others stay",
    "rebalance": "the day after, 2 % higher, for a keeper who has shares already",
}


def account(role: str, sub: int = 0) -> int:
    return account_id(ROLES[role], sub)


@dataclass(frozen=True)
class Market:
    """A market that is warm, on a node of one's own."""

    sandbox: ChainSandbox

    def gas(self, role: str, function: str, *args: Any, label: str = "clearinghouse", value: int = 0) -> int:
        used = self.sandbox.transact(label, function, *args, sender=ROLES[role], value=value).gas_used
        assert used is not None
        return used

    def order_gas(self, role: str, function: str, *args: Any, orders: int = 0) -> int:
        """Of a call that pays for some orders."""
        return self.gas(role, function, *args, label="orders", value=orders * MIN_EXECUTION_FEE)

    def buy(self, role: str, size: int, sub: int = 0) -> int:
        limit = ANY_PRICE if size > 0 else 0
        return self.gas(role, "trade", account(role, sub), 0, size, limit)

    def wait(self, *, price: int) -> None:
        """A minute passes and the feeds say something new."""
        self.sandbox.set_time(self.sandbox.timestamp + MINUTE)
        push_price(self.sandbox, ETH, price * UNIT)

    def warm_up(self) -> None:
        """Everyone who acts has collateral, and both sides have open interest."""
        set_up(self.sandbox)
        for role in ("trader", "counterparty", "whale", "keeper"):
            self.gas(role, "deposit", account(role), 1_000 * DOLLAR)
        self.buy("whale", UNIT)
        self.buy("counterparty", -UNIT * 3 // 2)
        self.wait(price=4_001)


def trading(market: Market) -> dict[str, int]:
    """One position's life."""
    found = {"deposit": market.gas("trader", "deposit", account("trader"), 100 * DOLLAR)}
    market.wait(price=4_002)
    found["open"] = market.buy("trader", UNIT)
    market.wait(price=4_003)
    found["reduce"] = market.buy("trader", -UNIT // 4)
    market.wait(price=4_001)
    found["close"] = market.buy("trader", -UNIT * 3 // 4)
    market.wait(price=4_002)
    found["withdraw"] = market.gas("trader", "withdraw", account("trader"), 10 * DOLLAR, ROLES["trader"])
    return found


def order(size: int, kind: OrderKind = OrderKind.MARKET, *, trigger: int = 0, trail: int = 0) -> OrderRequest:
    """An order of the trader's; a sale only closes."""
    return OrderRequest(account("trader"), 0, kind, size < 0, size, trigger * UNIT, 0, trail * UNIT, False, 0)


def ordering(market: Market) -> dict[str, int]:
    """Orders placed and executed."""
    market.gas("trader", "set_operator", market.sandbox.deployed["orders"].address, True)
    market.order_gas("trader", "place", order(UNIT), orders=1)
    market.order_gas("keeper", "execute", 1)
    market.buy("trader", -UNIT)
    exits = (
        order(-UNIT, OrderKind.STOP, trigger=3_900),
        order(-UNIT, OrderKind.TAKE_PROFIT, trigger=4_010),
    )
    market.wait(price=4_002)
    found = {"place": market.order_gas("trader", "place", order(UNIT), orders=1)}
    market.wait(price=4_003)
    found["execute"] = market.order_gas("keeper", "execute", 2)
    trailing = order(-UNIT, OrderKind.TRAILING_STOP, trail=100)
    found["place_trailing"] = market.order_gas("trader", "place", trailing, orders=1)
    market.order_gas("trader", "cancel_all", account("trader"))
    market.buy("trader", -UNIT)
    with market.sandbox.rolled_back():
        found["place_bracket"] = market.order_gas("trader", "place_bracket", order(UNIT), exits, True, orders=3)
    market.wait(price=4_001)
    args = (account("trader"), 0, UNIT, ANY_PRICE, exits, True)
    found["trade_with_exits"] = market.order_gas("trader", "trade_with_exits", *args, orders=2)
    market.wait(price=4_010)
    found["execute_oco"] = market.order_gas("keeper", "execute", 5)
    return found


def liquidations(market: Market) -> tuple[dict[str, int], dict[str, int]]:
    """The first and each further liquidated account, by how far the price fell."""
    accounts = tuple(account("trader", sub) for sub in range(1, MANY + 1))
    for sub in range(1, MANY + 1):
        market.gas("trader", "deposit", accounts[sub - 1], 100 * DOLLAR)
        market.buy("trader", UNIT, sub)
    single: dict[str, int] = {}
    further: dict[str, int] = {}
    for name, price in FALLS.items():
        with market.sandbox.rolled_back():
            market.wait(price=price)
            with market.sandbox.rolled_back():
                single[name] = market.gas("keeper", "liquidate", accounts[0], 0)
            with market.sandbox.rolled_back():
                one = market.gas("keeper", "liquidate_many", 0, accounts[:1])
            many = market.gas("keeper", "liquidate_many", 0, accounts)
            further[name] = -((one - many) // (MANY - 1))
    return single, further


def leveraged_token(market: Market) -> dict[str, int]:
    """A token that is alive, at three times leverage."""
    sandbox, found = market.sandbox, dict[str, int]()
    spender = deploy_leveraged_token(sandbox, name="ETH 3x long", symbol="ETH3L", market=0, terms=ETH3L)

    def act(name: str, role: str, function: str, *args: Any) -> None:
        used = sandbox.transact("ETH3L", function, *args, sender=ROLES[role]).gas_used
        assert used is not None
        found[name] = used

    for role in ("trader", "counterparty"):
        sandbox.transact("token", "approve", spender, UINT256_MAX, sender=ROLES[role])
        act("token_mint", role, "mint", 1_000 * DOLLAR, 0, ROLES[role])
    for price in (4_080, 4_160):
        sandbox.set_time(sandbox.timestamp + DAY)
        push_price(sandbox, ETH, price * UNIT)
        act("rebalance", "keeper", "rebalance")
    market.wait(price=4_150)
    act("token_mint", "trader", "mint", 1_000 * DOLLAR, 0, ROLES["trader"])
    market.wait(price=4_160)
    half = sandbox.call("ETH3L", "balance_of", ROLES["trader"]) // 2
    act("token_redeem", "trader", "redeem", half, 0, ROLES["trader"])
    return found


def measure() -> dict[str, Any]:
    """The figures of docs/gas.json, measured now."""
    with AnvilNode.start(find_anvil(), port=0, timestamp=START) as node:
        market = Market(ChainSandbox(node.url))
        market.warm_up()
        with market.sandbox.rolled_back():
            found = trading(market)
        with market.sandbox.rolled_back():
            found |= leveraged_token(market)
        with market.sandbox.rolled_back():
            found |= ordering(market)
        single, further = liquidations(market)
    found["liquidate"] = max(single.values())
    found["liquidate_each_more"] = max(further.values())
    cases = {"liquidate": single, "liquidate_each_more": further}
    return {**found, "notes": {**NOTES, "cases": cases}}


def render(figures: dict[str, Any]) -> str:
    return json.dumps(figures, indent=2, sort_keys=True) + "\n"


def check(measured: dict[str, Any]) -> str | None:
    """What is wrong with the checked-in report, in a sentence."""
    if not REPORT.is_file():
        return "docs/gas.json is missing: run python scripts/gas_report.py."
    known = json.loads(REPORT.read_text(encoding="utf-8"))
    for name in sorted(measured.keys() | known.keys()):
        if known.get(name) != measured.get(name):
            return (
                f"docs/gas.json says {known.get(name)} for {name}, but it is {measured.get(name)}: "
                "run python scripts/gas_report.py."
            )
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the actions cost.")
    parser.add_argument("--check", action="store_true", help="compare with docs/gas.json and write nothing")
    args = parser.parse_args()
    measured = measure()
    if args.check:
        complaint = check(measured)
        if complaint:
            print(complaint, file=sys.stderr)
        return 1 if complaint else 0
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(render(measured), encoding="utf-8")
    print(render(measured), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
