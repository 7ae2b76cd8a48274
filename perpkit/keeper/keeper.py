"""The keeper: reads events, decides, acts. It moves only when it is stepped, so that a test can follow it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from perpkit.backend import Backend, Deployed, Receipt
from perpkit.keeper.decide import Action, Leveraged, Liquidate, Rebalance, RecordOutage, decide, rebalances
from perpkit.keeper.liquidation_index import LiquidationIndex
from perpkit.model.book import Book
from perpkit.model.errors import PerpError
from perpkit.model.events import Deleveraged, Liquidated, OutageRecorded, Rebalanced
from perpkit.model.types import Address, MarketView, account_id

# One step answers one price: more rounds than this mean that acting changes nothing.
MAX_ROUNDS = 100


@dataclass(slots=True)
class KeeperReport:
    """What one step did. Money in quanta."""

    liquidations: list[Liquidated] = field(default_factory=list)
    deleveragings: list[Deleveraged] = field(default_factory=list)
    outages: list[OutageRecorded] = field(default_factory=list)
    # By the token's symbol; rewarded in its shares.
    rebalances: list[tuple[str, Rebalanced]] = field(default_factory=list)
    refusals: list[PerpError] = field(default_factory=list)
    transactions: int = 0

    @property
    def reward(self) -> int:
        return sum(event.result.reward for event in self.liquidations)


class Keeper:
    """Liquidates, deleverages and records outages on any backend, for the account 0 of `address`; when it is to
    `rebalance`, also brings leveraged tokens back to their target."""

    def __init__(self, backend: Backend, address: Address, *, batch: int = 40, rebalance: bool = False) -> None:
        self.backend = backend
        self.address = address
        self.batch = batch
        self.rebalance = rebalance
        quantum = backend.call("clearinghouse", "QUANTUM")
        self.book = Book(quantum=quantum)
        self.index = LiquidationIndex(quantum=quantum)
        self._cursor = 0

    def sync(self) -> None:
        """Takes in all events since the last time. Raises `SequenceGap` when one is missing."""
        events, self._cursor = self.backend.events_since(self._cursor)
        for timestamp, event in events:
            for id in self.book.apply(event, timestamp):
                account = self.book.accounts[id]
                self.index.update(id, collateral=account.collateral, positions=account.positions, mmr=self.book.mmr(id))

    def marks(self) -> dict[int, int]:
        """The mark price of every market that has one."""
        views: tuple[MarketView, ...] = self.backend.call("lens", "markets")
        return {view.market: view.mark for view in views if view.priced}

    def decide(self) -> list[Action]:
        """Who is to be liquidated or deleveraged now."""
        return decide(self.book, self.index, self.marks(), self.backend.timestamp, batch=self.batch)

    def rebalances(self) -> list[Action]:
        """Which tokens are to be rebalanced now, if that is this keeper's task."""
        if not self.rebalance:
            return []
        return list(rebalances(self.book, self.tokens(), self.marks(), self.backend.timestamp))

    def tokens(self) -> tuple[Leveraged, ...]:
        """The leveraged tokens that the backend knows, now."""
        return tuple(self._token(one) for one in self.backend.deployed.values() if one.contract == "LeveragedToken")

    def _token(self, one: Deployed) -> Leveraged:
        def ask(function: str) -> Any:
            return self.backend.call(one.label, function)

        account = account_id(one.address)
        return Leveraged(one.label, account, ask("terms"), ask("total_supply"), ask("next_rebalance"))

    def step(self) -> KeeperReport:
        """Acts until there is nothing left to do at the present prices."""
        report = KeeperReport()
        refused: set[Action] = set()
        for _ in range(MAX_ROUNDS):
            self.sync()
            actions = [action for action in self.decide() if action not in refused]
            # Only what is left of a token after that is traded.
            actions = actions or [action for action in self.rebalances() if action not in refused]
            if not actions:
                break
            for action in actions:
                try:
                    self._note(action, self._act(action), report)
                except PerpError as error:
                    refused.add(action)
                    report.refusals.append(error)
        return report

    def _act(self, action: Action) -> Receipt:
        if isinstance(action, RecordOutage):
            return self.backend.transact("clearinghouse", "record_outage", action.market, sender=self.address)
        if isinstance(action, Liquidate):
            args: tuple[object, ...] = (action.market, action.accounts)
            return self.backend.transact("clearinghouse", "liquidate_many", *args, sender=self.address)
        if isinstance(action, Rebalance):
            return self.backend.transact(action.symbol, "rebalance", sender=self.address)
        args = (action.market, action.long, action.accounts)
        return self.backend.transact("clearinghouse", "deleverage", *args, sender=self.address)

    def _note(self, action: Action, receipt: Receipt, report: KeeperReport) -> None:
        report.transactions += 1
        report.liquidations += [event for event in receipt.events if isinstance(event, Liquidated)]
        report.deleveragings += [event for event in receipt.events if isinstance(event, Deleveraged)]
        report.outages += [event for event in receipt.events if isinstance(event, OutageRecorded)]
        if isinstance(action, Rebalance):
            report.rebalances += [(action.symbol, event) for event in receipt.events if isinstance(event, Rebalanced)]
