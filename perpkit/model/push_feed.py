"""The twins of `PushFeed.sol` and `PriceBoard.sol`."""

from __future__ import annotations

from collections.abc import Sequence

from perpkit.model.contract import Ownable, World, external
from perpkit.model.events import AnswerUpdated
from perpkit.model.types import Address


class PushFeed(Ownable):
    """A price feed that says what its owner pushed last, in the dialect of Chainlink's."""

    def __init__(self, world: World, address: Address, owner: Address, decimals: int, description: str) -> None:
        super().__init__(world, address, owner)
        self.decimals = decimals
        self.description = description
        self._answer = 0
        self._updated_at = 0
        self._round_id = 0

    @external
    def push(self, answer: int, *, sender: Address) -> None:
        """Publishes `answer` as of now. Owner only."""
        self.push_at(answer, self.world.timestamp, sender=sender)

    @external
    def push_at(self, answer: int, updated_at: int, *, sender: Address) -> None:
        """Publishes `answer` as of `updated_at`, which may be any time. Owner only."""
        self.only_owner(sender)
        self._answer = answer
        self._updated_at = updated_at
        self._round_id += 1
        self.emit(AnswerUpdated(answer, self._round_id, updated_at))

    def latest_round_data(self) -> tuple[int, int, int, int, int]:
        return self._round_id, self._answer, self._updated_at, self._updated_at, self._round_id


class PriceBoard(Ownable):
    """Owns many feeds and publishes to all of them in one transaction."""

    def __init__(self, world: World, address: Address, owner: Address, feeds: dict[Address, PushFeed]) -> None:
        super().__init__(world, address, owner)
        self._feeds = feeds

    @external
    def push(self, feeds: Sequence[Address], answers: Sequence[int], *, sender: Address) -> None:
        """Publishes `answers[i]` to `feeds[i]` as of now. Owner only."""
        self.only_owner(sender)
        for feed, answer in zip(feeds, answers, strict=True):
            self._feeds[feed].push(answer, sender=self.address)

    @external
    def push_at(self, feeds: Sequence[Address], answers: Sequence[int], updated_at: int, *, sender: Address) -> None:
        """The same as of another time. Owner only."""
        self.only_owner(sender)
        for feed, answer in zip(feeds, answers, strict=True):
            self._feeds[feed].push_at(answer, updated_at, sender=self.address)
