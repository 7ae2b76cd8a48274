"""Which step comes next."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from parity.sides import Step
from parity.situations import ACCOUNTS, ACTORS, DAY, HOUR, MARKET_BITS, NOWHERE, SHAPE, VAULT_BITS
from perpkit.market_setup import DOLLAR, ROLES, UNIT, feed_answer
from perpkit.model import perp_math
from perpkit.model.errors import PerpError
from perpkit.model.fixed_math import PRICE_MAX
from perpkit.model.market_ledger import DELISTED, OUTAGE
from perpkit.model.types import OracleConfig, owner_of

if TYPE_CHECKING:
    from parity.walk import Walk


class Chooser:
    """Chooses steps that lead somewhere: it knows what the market needs, and now and then does something silly."""

    def __init__(self, rng: random.Random, walk: Walk) -> None:
        self.rng = rng
        self.walk = walk
        self.choices: list[tuple[int, Callable[[], Step]]] = [
            (36, self.trade),
            (7, self.deposit),
            (3, self.permit),
            (6, self.withdraw),
            (5, self.transfer),
            (5, self.settle),
            (4, self.liquidate),
            (4, self.liquidate_many),
            (3, self.deleverage),
            (2, lambda: ("fund_insurance", self.role(), self.amount() // 50)),
            (2, lambda: ("skim", self.role())),
            (2, lambda: ("send", self.role(), self.rng.choice(("clearinghouse", "outsider", "zero")), self.amount())),
            (1, lambda: ("mint", self.role(), self.amount())),
            (2, lambda: ("approve", self.role(), self.rng.choice(("clearinghouse", "pool")), self.allowance())),
            (2, lambda: ("withdraw_treasury", self.governor(), self.role(), self.permille())),
            (3, lambda: ("collect_fees", self.role(), self.market())),
            (9, self.pool),
            (4, self.operator),
            (7, self.govern),
            (2, lambda: ("record_outage", self.role(), self.market())),
            (2, self.end),
            (16, self.push),
            (8, self.squeeze),
            (3, self.push_odd),
            (9, self.time),
            (4, self.multicall),
            (6, self.preview),
            (1, lambda: ("look",)),
        ]

    def next(self) -> Step:
        return self._urgent() or self._any()

    def _any(self) -> Step:
        weights = [weight for weight, _ in self.choices]
        return self.rng.choices(self.choices, weights)[0][1]()

    def _urgent(self) -> Step | None:
        """What the state calls for, most of the time."""
        rng, walk, house = self.rng, self.walk, self.walk.house
        vault = house.vault()
        if vault.paused and rng.random() < 0.2:
            return "pause_vault", "governor", 0
        market = rng.randrange(house.market_count)
        paused = house.state_of(market).paused
        if paused and not paused & DELISTED and rng.random() < 0.2:
            return "pause_market", "governor", market, 0
        if step := self._ending() or self._noticed(market) or self._outage(market):
            return step
        if any(walk.mark(m) is None for m in range(len(walk.specs))) and rng.random() < 0.35:
            return ("push_all", *[self._drift(m) + rng.randint(-300, 300) for m in range(len(walk.specs))])
        if rng.random() < 0.04:
            spec = walk.specs[market] if market < len(walk.specs) else walk.specs[0]
            config = OracleConfig(2 * HOUR, UNIT // 50, min(2, spec.feeds), ())
            if replace(walk.oracle.config_of(market), feeds=()) != config:
                return "set_feeds", "governor", market, config.heartbeat, config.max_deviation, config.quorum, 1
        for label in ("clearinghouse", "pool"):
            role = self.role()
            allowance = walk.token.allowance(ROLES[role], walk.addresses[label])
            if allowance < 10**12 * walk.scale and rng.random() < 0.3:
                return "approve", role, label, -1
        if walk.token.balance_of(ROLES[role]) < 10**10 * walk.scale and rng.random() < 0.3:
            return "mint", role, 10**11
        if rng.random() < 0.25 and (weak := self._liquidatable()):
            return ("liquidate", self.role(), *rng.choice(weak))
        if rng.random() < 0.3 and (sides := self._overdue()):
            return ("deleverage", self.role(), *rng.choice(sides), "all")
        return None

    def _liquidatable(self) -> list[tuple[int, int]]:
        found = []
        house = self.walk.house
        for index, account in enumerate(ACCOUNTS):
            if self._in_grace(account) and self.rng.random() < 0.8:
                continue
            try:
                equity, _, maintenance_margin = house.margin_of(account)
            except PerpError:
                continue
            if equity * UNIT < maintenance_margin:
                found += [(index, market) for market in house.markets_of(account) if not self._ended(market)]
        return found

    def _in_grace(self, account: int) -> bool:
        house = self.walk.house
        return any(house.world.timestamp < house.state_of(m).grace_until for m in house.markets_of(account))

    def _overdue(self) -> list[tuple[int, bool]]:
        """Sides that may be deleveraged."""
        house, found = self.walk.house, []
        for market in range(house.market_count):
            if self._ended(market):
                continue
            mark, state = self.walk.mark(market), house.state_of(market)
            for long in (True, False):
                deficit = state.short_deficit if long else state.long_deficit
                if mark and (state.long_oi if long else state.short_oi):
                    profit = house._side_pnl(state, long, mark, state.funding_index)
                    target = perp_math.deleverage_target(
                        profit, house.vault().pool, deficit, house.params_of(market).adl_pnl_factor, house.quantum
                    )
                    wins = any(
                        perp_math.unrealized_pnl(p.size, p.cost, mark, state.funding_index - p.funding_index)
                        >= house.quantum
                        for p in (house.position_of(a, market) for a in self.walk.holders(market, long))
                    )
                    if target > 0 and wins:
                        found.append((market, long))
        return found

    def _noticed(self, market: int) -> Step | None:
        """What was announced is set when its day has come; a delay is taken back soon, for it stops most trades."""
        rng, house, now = self.rng, self.walk.house, self.walk.revm.timestamp
        if self._ended(market):
            return None
        announced = house._announcements[market]
        if announced and now >= announced.effective_at and rng.random() < 0.2:
            return "set_announced", "governor", market
        if announced and now < announced.effective_at and rng.random() < 0.03:
            return "time", announced.effective_at - now - rng.choice((0, 0, 0, 1))
        if house.params_of(market).min_delay and rng.random() < 0.1:
            return self._delayed(market)
        return None

    def _delayed(self, market: int) -> Step:
        """A delay is taken back soon: how orders trade in spite of it is the order walk's."""
        return "set_params", "governor", market, "", 0, "kept"

    def _outage(self, market: int) -> Step | None:
        """Both ends of an outage are recorded soon, by anybody."""
        known = self.walk.house.state_of(market).grace_until == OUTAGE
        if self._ended(market) or (self.walk.mark(market) is None) == known or self.rng.random() > 0.25:
            return None
        return "record_outage", self.role(), market

    def _ended(self, market: int) -> bool:
        return bool(self.walk.house.state_of(market).paused & DELISTED)

    def _may_end(self) -> list[int]:
        """Markets that were listed on the way, and in some situations all but the first."""
        first = 1 if self.walk.situation.ends else len(self.walk.specs)
        return list(range(first, self.walk.house.market_count))

    def _ending(self) -> Step | None:
        """Leads a market to its end: the announcement, a day, more often than not a fall or a rise, and out."""
        rng, house, now = self.rng, self.walk.house, self.walk.revm.timestamp
        for market in self._may_end():
            state, due = house.state_of(market), house.delisting_of(market).effective_at
            if not state.long_oi + state.short_oi or rng.random() > (0.5 if due and now >= due else 0.15):
                continue
            if self._ended(market):
                return self._close_out(market)
            if due == 0 and state.long_oi and state.short_oi and rng.random() < 0.1:
                return "announce_delisting", "governor", market
            if due and now < due:
                return "time", due - now
            if due:
                return self._last_moments(market)
        return None

    def _last_moments(self, market: int) -> Step:
        """A price, no grace, somebody who takes the other side so that the pool may leave, a fall or a rise that is too
        much for the losers, and the end."""
        rng, now, grace_until = self.rng, self.walk.revm.timestamp, self.walk.house.state_of(market).grace_until
        if self.walk.mark(market) is None:
            recorded = grace_until == OUTAGE or rng.random() < 0.6
            return ("push_all",) if recorded else ("record_outage", self.role(), market)
        if now < grace_until and rng.random() < 0.3:
            return "delist_market", "governor", market
        if grace_until == OUTAGE:
            return "record_outage", self.role(), market
        if now < grace_until:
            return "time", grace_until - now
        pick, feeds = rng.random(), market if market < len(self.walk.specs) else 0
        if pick < 0.25:
            return "trade", "owner", self.index(), market, "balance", 100, "any"
        if pick < 0.4:
            owner = rng.choice(("provider", "provider", "whale", self.role()))
            return "pool_redeem", owner, owner, owner, rng.choice((900, 990))
        if pick < 0.65:
            return "push", feeds, rng.choice((-7000, -3000, 3000, 15_000)), 511
        return "delist_market", "governor", market

    def _close_out(self, market: int) -> Step:
        """All accounts, some of them, or some twice."""
        rng = self.rng
        indices = tuple(range(len(ACCOUNTS) + 1))
        if rng.random() < 0.7:
            indices = tuple(self.index() for _ in range(rng.choice((0, 1, 3, 6))))
        return "close_out", self.role(), market, indices

    # ---- ingredients

    def role(self) -> str:
        return self.rng.choice(ACTORS)

    def governor(self) -> str:
        return "governor" if self.rng.random() < 0.85 else self.role()

    def owner(self) -> str:
        """Mostly the owner; else an operator, which is who orders trade through, or somebody who may not."""
        house = self.walk.house
        if any(house.params_of(market).min_delay for market in range(house.market_count)) and self.rng.random() < 0.5:
            return "operator"
        return "owner" if self.rng.random() < 0.85 else self.rng.choice(("operator", "outsider"))

    def index(self) -> int:
        return self.rng.randrange(len(ACCOUNTS)) if self.rng.random() < 0.97 else len(ACCOUNTS)

    def market(self) -> int:
        if self.rng.random() < 0.02:
            return self.rng.choice((NOWHERE, 31, self.walk.house.market_count))
        if self.rng.random() < 0.5 and len(self.walk.specs) < 9 and not self.walk.situation.ends:
            return 0
        return self.rng.randrange(self.walk.house.market_count)

    def amount(self) -> int:
        """Money in millionths of a dollar."""
        pick = self.rng.random()
        if pick < 0.04:
            return self.rng.choice((0, 1, 2**108, 2**87 - 1, 2**87, 2**255, 2**256 - 1))
        return self.rng.randint(1, 30_000) * DOLLAR // self.rng.choice((1, 1, 7, 30)) + self.rng.randint(0, 999_999)

    def allowance(self) -> int:
        return self.rng.choice((-1, 0, self.amount()))

    def permille(self) -> int:
        return self.rng.choice((1000, 1000, 1001, 0, 9999, self.rng.randint(1, 1000), self.rng.randint(1, 1000)))

    # ---- steps

    def deposit(self) -> Step:
        poor = [i for i, account in enumerate(ACCOUNTS) if self.walk.house.collateral_of(account) < 100 * DOLLAR]
        index = self.rng.choice(poor) if poor and self.rng.random() < 0.6 else self.index()
        return "deposit", "owner" if self.rng.random() < 0.7 else self.role(), index, self.amount()

    def permit(self) -> Step:
        variant = self.rng.choice(("good", "good", "wrong signer", "expired", "used"))
        return "permit", "owner", self.index(), self.amount(), variant

    def withdraw(self) -> Step:
        to = "owner" if self.rng.random() < 0.7 else self.rng.choice(("outsider", "clearinghouse", "zero", "whale"))
        return "withdraw", self.owner(), self.index(), self.permille(), to

    def transfer(self) -> Step:
        index = self.index()
        to = self.index() if self.rng.random() < 0.3 else min(max(index + self.rng.choice((-1, 0, 1)), 0), 8)
        return "transfer", self.owner(), index, to, self.permille()

    def _trade(self) -> tuple[str, int, str]:
        rng = self.rng
        limit = rng.choice(("any", "any", "any", "exact", "crossed"))
        pick = rng.random()
        if pick < 0.55:
            leverage = rng.choice((rng.randint(5, 100), rng.randint(100, 1000), rng.randint(1000, 11_000)))
            return "open", rng.choice((-1, 1)) * leverage, limit
        if pick < 0.86:
            number = rng.choice((-100, -100, -rng.randint(1, 99), rng.randint(1, 60), -rng.randint(101, 250)))
            return "resize", number, limit
        if pick < 0.93:
            return "balance", rng.choice((100, rng.randint(1, 200))), limit
        sizes = (0, 1, -1, rng.randint(-1000, 1000), 10**18, 2**96, -(2**96), 2**95, -(2**95), 2**255 - 1, -(2**255))
        return "size", rng.choice(sizes), "any" if abs(pick) < 0.99 else limit

    def trade(self) -> Step:
        held = [(i, market) for i, account in enumerate(ACCOUNTS) for market in self.walk.house.markets_of(account)]
        mode, number, limit = self._trade()
        if mode == "resize" and held and self.rng.random() < 0.9:
            return "trade", self.owner(), *self.rng.choice(held), mode, number, limit
        house = self.walk.house
        if len(self.walk.specs) > 8 and self.rng.random() < 0.4:
            _, index = max((len(house.markets_of(account)), i) for i, account in enumerate(ACCOUNTS))
            free = [m for m in range(house.market_count) if not house.position_of(ACCOUNTS[index], m).size]
            leverage = self.rng.choice((-1, 1)) * self.rng.randint(5, 30)
            return "trade", "owner", index, self.rng.choice(free or [0]), "open", leverage, "any"
        rich = [i for i, account in enumerate(ACCOUNTS) if house.collateral_of(account) > 0]
        index = self.rng.choice(rich) if rich and mode != "size" and self.rng.random() < 0.9 else self.index()
        return "trade", self.owner(), index, self.market(), "open" if mode == "resize" else mode, number, limit

    def _held(self) -> tuple[int, int]:
        held = [(i, market) for i, account in enumerate(ACCOUNTS) for market in self.walk.house.markets_of(account)]
        return self.rng.choice(held) if held and self.rng.random() < 0.85 else (self.index(), self.market())

    def settle(self) -> Step:
        return "settle", self.role(), *self._held()

    def liquidate(self) -> Step:
        return "liquidate", self.role(), *self._held()

    def liquidate_many(self) -> Step:
        indices = tuple(self.index() for _ in range(self.rng.choice((0, 1, 3, 12, 12))))
        return "liquidate_many", self.role(), self.market(), indices

    def deleverage(self) -> Step:
        variants = ("all", "one left out", "unordered", "twice", "with a stranger", "other side", "none")
        overdue = self._overdue()
        side = self.rng.choice(overdue) if overdue else (self.market(), self.rng.random() < 0.5)
        return "deleverage", self.role(), *side, self.rng.choice(variants)

    def pool(self) -> Step:
        rng, who, owner = self.rng, self.role(), self.rng.choice(("provider", "provider", "whale", self.role()))
        caller = owner if rng.random() < 0.7 else who
        permille = rng.choice((rng.randint(1, 60), self.permille()))
        return rng.choice(
            (
                ("pool_deposit", owner, self.amount(), rng.choice((owner, who))),
                ("pool_mint", owner, self.amount(), rng.choice((owner, who))),
                ("pool_withdraw", caller, owner, who, permille),
                ("pool_redeem", caller, owner, who, permille),
                ("pool_approve", owner, who, rng.choice((permille, 9999))),
                ("pool_transfer", owner, who, permille),
                ("not_the_pool", self.role(), self.amount()),
                ("pool_quotes", self.amount()),
            )
        )

    def operator(self) -> Step:
        owner = self.rng.choice(("trader", "whale", "counterparty"))
        operator, approved = self.rng.choice(("operator", "operator", "outsider")), self.rng.random() < 0.7
        if self.rng.random() < 0.4:
            return "set_operator", owner, operator, approved
        variants = ("good", "good", "wrong signer", "other nonce", "replayed", "expired", "torn")
        return "sign_operator", self.role(), owner, operator, approved, self.rng.choice(variants)

    def govern(self) -> Step:
        rng = self.rng
        bad = {
            "imr": (2 * UNIT, 1),
            "mmr": (0, 1, UNIT),
            "penalty_rate": (UNIT // 2,),
            "taker_fee": (UNIT // 10 + 1,),
            "maker_fee": (UNIT // 10 + 1,),
            "insurance_share": (UNIT,),
            "protocol_share": (UNIT,),
            "max_funding_rate": (UNIT // 10 + 1,),
            "pool_reserve_factor": (UNIT + 1,),
            "skew_scale": (0, 1),
            "max_open_interest": (2**96 - 1,),
            "funding_interval": (3599, 30 * DAY + 1),
            "min_notional": (2**87, 0),
            "min_keeper_reward": (2**80,),
            "keeper_share": (UNIT + 1,),
            "adl_pnl_factor": (UNIT,),
            "symbol": (0,),
        }
        good = {
            "": (0,),
            "taker_fee": (0, UNIT // 10, UNIT // 777),
            "maker_fee": (0, UNIT // 10, UNIT // 3333),
            "insurance_share": (0, UNIT // 3),
            "max_funding_rate": (0, UNIT // 10),
            "pool_reserve_factor": (UNIT, UNIT // 10),
            "funding_interval": (3600, 30 * DAY),
            "min_notional": (10_000 * DOLLAR * self.walk.scale,),
            "keeper_share": (0, UNIT),
            "adl_pnl_factor": (0, UNIT - 1, UNIT // 20),
            "mmr": (UNIT // 250, UNIT // 80),
            "imr": (UNIT // 10, UNIT),
            "penalty_rate": (0, UNIT // 1000),
        }
        pick, market, who = rng.random(), self.market(), self.governor()
        if pick < 0.18:
            return "pause_vault", who, rng.choice((0, 15, 65535, *VAULT_BITS))
        if pick < 0.36:
            return "pause_market", who, market, rng.choice((0, 31, 32, 65535, *MARKET_BITS))
        if pick < 0.46:
            return self._feeds(who, market)
        if pick < 0.48:
            return "set_orders", who, rng.choice(("operator", "operator", "operator", "keeper"))
        if pick < 0.72:
            return self._announce(who, market)
        table = bad if rng.random() < 0.5 else good
        change = rng.choice(sorted(table))
        kind = "list_market" if rng.random() < 0.3 or change == "symbol" else "set_params"
        alive = [m for m in range(len(self.walk.specs), self.walk.house.market_count) if not self._ended(m)]
        if kind == "list_market" and table is good and alive:
            kind = "set_params"
        value, shape = rng.choice(table[change]), self._shape()
        return (kind, who, change, value, shape) if kind == "list_market" else (kind, who, market, change, value, shape)

    def _announce(self, who: str, market: int) -> Step:
        """Mostly what needs it."""
        rng = self.rng
        mmr = self.walk.house.params_of(market).mmr
        if rng.random() < 0.5:
            return rng.choice(("announce", "set_params", "set_params")), who, market, "", 0, self._shape()
        change, value = rng.choice((("min_delay", 1), ("min_delay", 255), ("mmr", mmr * 5 // 4), ("imr", 1)))
        return rng.choice(("announce", "announce", "set_params")), who, market, change, value, self._shape()

    def _shape(self) -> tuple[tuple[int, int], ...] | str:
        """Risk tiers: those that there are, none, steeper or gentler ones, and some that cannot be."""
        if self.rng.random() < 0.4:
            return "kept"
        return self.rng.choice(
            (
                (),
                SHAPE,
                SHAPE,
                SHAPE[:1],
                ((20, 300),),
                ((60, 100), (400, 220)),
                ((0, 150),),
                ((200, 150), (100, 200)),
                ((50, 50),),
                ((50, 200), (100, 150)),
                (*SHAPE, (5_000, 500)),
                ((50, 20_000),),
            )
        )

    def end(self) -> Step:
        """What belongs to the end of a market, in any order."""
        rng, market = self.rng, self.rng.choice([*(self._may_end() or [0]) * 4, NOWHERE])
        pick = rng.random()
        if pick < 0.2:
            return "announce_delisting", self.governor(), market
        if pick < 0.5:
            return "delist_market", self.governor(), market
        if pick < 0.8:
            return self._close_out(self.market() if rng.random() < 0.3 else market)
        return "pause_market" if pick < 0.9 else "announce", "governor", market, *((0,) if pick < 0.9 else ("", 0))

    def _feeds(self, who: str, market: int) -> Step:
        rng = self.rng
        if rng.random() < 0.5:
            heartbeat, deviation, quorum, n = rng.choice(
                ((0, 0, 1, 1), (HOUR, UNIT, 1, 1), (HOUR, 0, 0, 1), (HOUR, 0, 99, 1), (HOUR, 0, 1, 0), (HOUR, 0, 1, 10))
            )
        else:
            heartbeat, deviation = rng.choice((HOUR, 40 * DAY)), rng.choice((0, UNIT // 100, UNIT - 1))
            quorum, n = 1, rng.choice((1, 2, 3))
        return "set_feeds", who, market, heartbeat, deviation, quorum, n

    def push(self) -> Step:
        rng = self.rng
        market = rng.randrange(len(self.walk.specs))
        drift = self._drift(market)
        pick = rng.random()
        if pick < 0.2:
            move = rng.choice((rng.randint(-150, 150), rng.randint(-900, 900), 500, -500))
            return "push", market, move, 1 << rng.randrange(1, 3)
        if pick < 0.5:
            return "push", market, drift + rng.randint(-120, 120), 511
        if pick < 0.75:
            return "push", market, drift + rng.randint(-800, 800), 511
        if pick < 0.85:
            return "push", market, drift + rng.randint(-4000, 4000), 511
        return ("push_all", *[self._drift(m) + rng.randint(-500, 500) for m in range(len(self.walk.specs))])

    def squeeze(self) -> Step:
        """Now and then the price that makes somebody's account weak, or worse."""
        permille = self.rng.choice((0, 0, 1000, self.rng.randint(0, 1000), self.rng.randint(0, 1000), 1100, 2000))
        return "squeeze", *self._held(), permille

    def _drift(self, market: int) -> int:
        """Back to where the price came from, once it is far away."""
        now, first = self.walk.last_price(market), feed_answer(self.walk.specs[market].price)
        if first <= 3 * now <= 9 * first and now <= feed_answer(PRICE_MAX):
            return 0
        return (first - now) * 10_000 // now

    def push_odd(self) -> Step:
        rng, market = self.rng, self.rng.randrange(len(self.walk.specs))
        pick, feeds = rng.random(), rng.choice((1, 2, 4, 6, 7))
        if pick < 0.2:
            return "zero", market, 6
        if pick < 0.35:
            return "push_odd", market, rng.choice((-1, -(2**127), 2**127 - 1, 1)), feeds | 6, 0
        if pick < 0.9:
            return "push_odd", market, 0, feeds, rng.choice((1, HOUR, -HOUR, -2 * HOUR, -2 * HOUR - 1, -(2**40), 0))
        return "push_unowned", self.role(), market

    def time(self) -> Step:
        rng = self.rng
        if rng.random() < 0.8:
            return "time", rng.choice((0, 1, 12, 60, rng.randint(0, HOUR)))
        return "time", rng.choice((HOUR, 2 * HOUR, 2 * HOUR + 1, rng.randint(0, DAY), rng.randint(0, 30 * DAY)))

    def multicall(self) -> Step:
        index = self.index()
        account = self.walk.account(index)
        role = next((name for name, address in ROLES.items() if address == owner_of(account)), "outsider")
        parts: list[Callable[[], Step]] = [
            lambda: ("deposit", role, index, self.amount()),
            lambda: ("trade", role, index, self.market(), *self._trade()),
            lambda: ("withdraw", role, index, self.rng.randint(0, 500), "owner"),
            lambda: ("settle", role, *self._held()),
            lambda: ("liquidate", role, *self._held()),
            lambda: ("liquidate_many", role, self.market(), tuple(range(12))),
            lambda: ("transfer", role, index, max(index - 1, 0), self.rng.randint(0, 500)),
            lambda: ("set_operator", role, "operator", self.rng.random() < 0.5),
            lambda: ("deleverage", role, self.market(), self.rng.random() < 0.5, "all"),
            lambda: ("sign_operator", role, role, "operator", True, "good"),
            lambda: ("skim", role),
            lambda: ("permit", role, index, self.amount(), "good"),
            lambda: ("set_params", role, 0, "", 0),
        ]
        weights = [4, 8, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1]
        return ("multicall", role, *[make() for make in self.rng.choices(parts, weights, k=self.rng.randint(0, 4))])

    def preview(self) -> Step:
        pick = self.rng.random()
        if pick < 0.5:
            return "preview_trade", *self._held(), *self._trade()
        if pick < 0.75:
            return "preview_withdraw", self.index(), self.permille()
        return "preview_liquidation", *(self.rng.choice(self._liquidatable() or [self._held()]))
