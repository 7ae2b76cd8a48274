"""The twin of `SignedPriceFeed.sol`: a feed that anyone may update with a report that a reporter signed."""

from __future__ import annotations

from perpkit.model.contract import Mapping, Ownable, World, external
from perpkit.model.errors import (
    InvalidAnswer,
    InvalidReportSignature,
    ReportFromFuture,
    ReportNotNewer,
    UnknownReporter,
)
from perpkit.model.events import AnswerUpdated, ReporterSet
from perpkit.model.fixed_math import PRICE_MAX, div_floor, ten_to
from perpkit.model.types import ZERO_ADDRESS, Address, Signature

INT128_MAX = 2**127 - 1


class SignedPriceFeed(Ownable):
    def __init__(self, world: World, address: Address, owner: Address, decimals: int, description: str) -> None:
        super().__init__(world, address, owner)
        self.decimals = decimals
        self.description = description
        # Above 18 decimals the type is the nearer bound, and the oracle drops what it does not support.
        self.max_answer = div_floor(PRICE_MAX, ten_to(18 - decimals)) if decimals <= 18 else INT128_MAX
        self._answer = 0
        self._updated_at = 0
        self._round_id = 0
        self._reporters: Mapping[Address, bool] = Mapping(world, False)

    def is_reporter(self, reporter: Address) -> bool:
        return self._reporters[reporter]

    @external
    def deliver(self, price: int, timestamp: int, signature: Signature, *, sender: Address) -> None:
        if price <= 0 or price > self.max_answer:
            raise InvalidAnswer(price)
        if timestamp <= self._updated_at:
            raise ReportNotNewer(timestamp, self._updated_at)
        if timestamp > self.world.timestamp:
            raise ReportFromFuture(timestamp, self.world.timestamp)
        signer = self._recover(price, timestamp, signature)
        if not self._reporters[signer]:
            raise UnknownReporter(signer)
        self._answer = price
        self._updated_at = timestamp
        self._round_id += 1
        self.emit(AnswerUpdated(price, self._round_id, timestamp))

    @external
    def set_reporter(self, reporter: Address, allowed: bool, *, sender: Address) -> None:
        """Allows or dismisses a reporter. Owner only."""
        self.only_owner(sender)
        self._reporters[reporter] = allowed
        self.emit(ReporterSet(reporter, allowed))

    def latest_round_data(self) -> tuple[int, int, int, int, int]:
        return self._round_id, self._answer, self._updated_at, self._updated_at, self._round_id

    def _recover(self, price: int, timestamp: int, signature: Signature) -> Address:
        """The signer, when this is what was signed. A signature of anything else recovers to an address that nobody can
        foretell, for which the zero address stands here; and a signature by the zero address stands for a torn one."""
        if signature.signer == ZERO_ADDRESS:
            raise InvalidReportSignature()
        if signature.message != ("PriceReport", self.address, price, timestamp):
            return ZERO_ADDRESS
        return signature.signer
