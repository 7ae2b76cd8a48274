"""A seeded population that trades: who they are and what they do next. Integers and one generator only, so that the
same seed is the same population on every machine and every backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from random import Random

from perpkit.backend import Backend
from perpkit.model.book import Book
from perpkit.model.fixed_math import UNIT, div_floor
from perpkit.model.types import Address, account_id

DOLLAR = 10**6
BUY_AT_ANY_PRICE = 2**255 - 1
SELL_AT_ANY_PRICE = 0
# What fee and premium may take from the margin before leverage is reckoned, in hundredths.
MARGIN_USED = 96
# How often an agent acts in one story, on average.
ACTS_PER_AGENT = 24
# What an agent owns, in multiples of its means.
TOKENS_PER_MEANS = 10


@dataclass(frozen=True, slots=True)
class Agent:
    """One trader: wallet, character, and means {quanta}."""

    number: int
    owner: Address
    isolated: bool
    leans_long: bool
    leverage: int
    means: int

    def account(self, market: int) -> int:
        """Cross traders keep all in account 0, isolated ones an account for each market."""
        return account_id(self.owner, market + 1 if self.isolated else 0)


@dataclass(frozen=True, slots=True)
class Act:
    """A call that an agent wants to make."""

    function: str
    args: tuple[object, ...]


def make_agents(*, count: int, rng: Random, max_leverage: int) -> tuple[Agent, ...]:
    """`count` agents from 2x to the market's limit, half of them isolated, somewhat more of them long than short."""
    return tuple(
        Agent(
            number=number,
            owner=f"0x{sha256(f'perpkit trader {number}'.encode()).hexdigest()[:40]}",
            isolated=rng.randrange(2) == 0,
            leans_long=rng.randrange(100) < 58,
            leverage=_leverage(rng, max_leverage),
            means=rng.randrange(500, 20_000) * DOLLAR,
        )
        for number in range(count)
    )


def _leverage(rng: Random, limit: int) -> int:
    """Mostly moderate, sometimes the limit."""
    return min(limit, (2, 3, 5, 5, 10, 10, 15, 20, 25, 50, 100)[rng.randrange(11)])


class Population:
    """What agents do, one candle after the other, from what the events tell."""

    def __init__(self, agents: tuple[Agent, ...], rng: Random, *, candles: int) -> None:
        self.agents = agents
        self._rng = rng
        # In thousandths, so that a short story is as full of life as a long one.
        self._restlessness = min(max(ACTS_PER_AGENT * 1000 // candles, 1), 250)

    def fund(self, backend: Backend) -> None:
        """Gives every agent tokens and approves the clearinghouse."""
        house = backend.deployed["clearinghouse"].address
        for agent in self.agents:
            backend.transact("token", "mint", agent.owner, TOKENS_PER_MEANS * agent.means, sender=agent.owner)
            backend.transact("token", "approve", house, 2**256 - 1, sender=agent.owner)

    def next_acts(self, book: Book, marks: Mapping[int, int]) -> list[tuple[Agent, list[Act]]]:
        """Who acts after this candle, and how."""
        acts = []
        for agent in self.agents:
            if self._rng.randrange(1000) < self._restlessness:
                market = sorted(marks)[self._rng.randrange(len(marks))]
                chosen = self._choose(agent, market, book, marks)
                if chosen:
                    acts.append((agent, chosen))
        return acts

    def _choose(self, agent: Agent, market: int, book: Book, marks: Mapping[int, int]) -> list[Act]:
        account = book.account(agent.account(market))
        dice = self._rng.randrange(100)
        position = account.positions.get(market)
        if position is None:
            return self._withdraw(agent, market, book) if dice < 10 else self._open(agent, market, book, marks)
        if dice < 25:
            return self._trade(agent, market, position.size * self._rng.randrange(10, 60) // 100)
        if dice < 55:
            return self._trade(agent, market, -(position.size * self._rng.randrange(10, 90) // 100))
        if dice < 70:
            return self._trade(agent, market, -position.size)
        if dice < 78:
            return self._trade(agent, market, -(position.size * self._rng.randrange(110, 250) // 100))
        if dice < 86:
            return self._deposit(agent, market, agent.means // self._rng.randrange(5, 20))
        if dice < 94:
            return self._withdraw(agent, market, book)
        return [Act("settle", (agent.account(market), market))]

    def _open(self, agent: Agent, market: int, book: Book, marks: Mapping[int, int]) -> list[Act]:
        """Deposits a margin and opens with the agent's leverage, as far as the market allows it."""
        params = book.markets[market].params
        margin = agent.means // self._rng.randrange(1, 4)
        leverage = min(agent.leverage, UNIT // params.imr)
        long = agent.leans_long if self._rng.randrange(100) < 80 else not agent.leans_long
        value = margin * leverage * MARGIN_USED // 100 * book.quantum
        size = div_floor(value, marks[market])
        return self._deposit(agent, market, margin) + self._trade(agent, market, size if long else -size)

    def _deposit(self, agent: Agent, market: int, amount: int) -> list[Act]:
        # Beyond its tokens an agent still tries: a refusal is part of the life of a market.
        return [Act("deposit", (agent.account(market), amount))]

    def _withdraw(self, agent: Agent, market: int, book: Book) -> list[Act]:
        account = agent.account(market)
        amount = max(book.account(account).collateral, 0) * self._rng.randrange(5, 60) // 100
        return [Act("withdraw", (account, amount, agent.owner))]

    def _trade(self, agent: Agent, market: int, delta: int) -> list[Act]:
        limit = BUY_AT_ANY_PRICE if delta > 0 else SELL_AT_ANY_PRICE
        return [Act("trade", (agent.account(market), market, delta, limit))]
