"""Steps of prices and time."""

from __future__ import annotations

from collections.abc import Iterable

from parity.sides import Call, Sides
from perpkit.market_setup import ROLES, feed_answer, feed_labels
from perpkit.model.errors import PerpError


class PriceSteps(Sides):
    """A `plan_` function says which calls a step is, in the state of now."""

    # ---- prices and time

    def plan_push(self, market: int, basis_points: int, feeds: int) -> Iterable[Call]:
        """Moves the price; `feeds` has a bit for each feed that follows."""
        answer = max(self.last_price(market) * (10_000 + basis_points) // 10_000, 1)
        return [self._push(market, answer, feeds)]

    def _push(self, market: int, answer: int, feeds: int, offset: int | None = None) -> Call:
        labels = [label for i, label in enumerate(feed_labels(self.specs[market])) if feeds >> i & 1]
        targets = tuple(self.addresses[label] for label in labels)
        answers = (answer,) * len(targets)
        if offset is None:
            return Call("board", "push", (targets, answers), ROLES["publisher"])
        args = (targets, answers, max(self.revm.timestamp + offset, 0))
        return Call("board", "push_at", args, ROLES["publisher"])

    def plan_squeeze(self, index: int, market: int, permille: int) -> Iterable[Call]:
        """Moves the price to where an account is liquidatable (0), bankrupt (1000), or between or beyond the two."""
        try:
            view = self.lens.account(self.account(index))
        except PerpError:
            return []
        for position in view.positions:
            if position.market == market < len(self.specs):
                reach = position.bankruptcy_price - position.liquidation_price
                price = position.liquidation_price + reach * permille // 1000
                first = feed_answer(self.specs[market].price)
                return [self._push(market, min(max(feed_answer(price), first >> 2), first << 2), 511)]
        return []

    def plan_push_all(self, *basis_points: int) -> Iterable[Call]:
        """All markets in a row; one that is not told stays where it is."""
        moves = [*basis_points, *[0] * len(self.specs)][: len(self.specs)]
        return [call for market, move in enumerate(moves) for call in self.plan_push(market, move, 511)]

    def plan_push_odd(self, market: int, answer: int, feeds: int, offset: int) -> Iterable[Call]:
        """An answer that may be zero or negative, or of another time; the feeds keep their last good price in mind."""
        return [self._push(market, answer or self.last_price(market), feeds & ~1 if answer else feeds, offset)]

    def plan_zero(self, market: int, feeds: int) -> Iterable[Call]:
        return [self._push(market, 0, feeds & ~1)]

    def plan_push_unowned(self, who: str, market: int) -> Iterable[Call]:
        label = feed_labels(self.specs[market])[0]
        args = ((self.addresses[label],), (10**8,))
        return [Call("board", "push", args, self.address(who)), Call(label, "push", (10**8,), self.address(who))]

    def plan_time(self, seconds: int) -> Iterable[Call]:
        for backend in (self.model, self.revm):
            backend.set_time(backend.timestamp + seconds)
        return []
