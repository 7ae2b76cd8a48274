"""The twin of `PriceOracle.sol`: one price per market, the median of the feeds that are fresh and agree."""

from __future__ import annotations

from collections.abc import Sequence

from perpkit.model.contract import Mapping, Ownable, World, external
from perpkit.model.errors import (
    InvalidFeeds,
    NoFeeds,
    PriceHalted,
    QuorumNotMet,
    StalePrice,
    TakesNoReports,
    UnknownFeed,
)
from perpkit.model.events import FeedsSet, HaltSet
from perpkit.model.fixed_math import PRICE_MAX, UNIT, div_floor, ten_to
from perpkit.model.push_feed import PushFeed
from perpkit.model.signed_price_feed import SignedPriceFeed
from perpkit.model.types import Address, OracleConfig, SignedReport

MAX_FEEDS = 9
INT128_MAX = 2**127 - 1
UINT24_MAX = 2**24 - 1
UINT40_MAX = 2**40 - 1
# What a slot has room for: deviations in steps of 1e-12.
DEVIATION_STEP = 10**6
# Whatever speaks as Chainlink's feeds do.
Feed = PushFeed | SignedPriceFeed
_NO_CONFIG = OracleConfig(0, 0, 0, ())


class PriceOracle(Ownable):
    def __init__(self, world: World, address: Address, owner: Address, feeds: dict[Address, Feed]) -> None:
        super().__init__(world, address, owner)
        self._sources: Mapping[int, OracleConfig] = Mapping(world, _NO_CONFIG)
        self._halted: Mapping[int, bool] = Mapping(world, False)
        self._feeds = feeds

    @external
    def set_feeds(self, market: int, config: OracleConfig, *, sender: Address) -> None:
        """Replaces the feeds of `market`. Owner only."""
        self.only_owner(sender)
        count = len(config.feeds)
        if count == 0 or count > MAX_FEEDS:
            raise InvalidFeeds(market, "between 1 and 9 feeds")
        if config.quorum == 0 or config.quorum > count:
            raise InvalidFeeds(market, "quorum between 1 and all feeds")
        if config.heartbeat == 0:
            raise InvalidFeeds(market, "heartbeat above zero")
        if config.heartbeat > UINT24_MAX:
            raise InvalidFeeds(market, "heartbeat below 2**24 s")
        if config.max_deviation >= UNIT:
            raise InvalidFeeds(market, "deviation below 100 %")
        deviation = div_floor(config.max_deviation, DEVIATION_STEP)
        if deviation * DEVIATION_STEP != config.max_deviation:
            raise InvalidFeeds(market, "deviation in steps of 1e-12")
        if any(self._feeds[feed].decimals > 36 for feed in config.feeds):
            raise InvalidFeeds(market, "at most 36 decimals")
        self._sources[market] = config
        self.emit(FeedsSet(market, config))

    @external
    def set_halted(self, market: int, halted: bool, *, sender: Address) -> None:
        """Halts the price of `market`, or lets it go on. Owner only."""
        self.only_owner(sender)
        self._halted[market] = halted
        self.emit(HaltSet(market, halted))

    @external
    def deliver(self, market: int, reports: Sequence[SignedReport], *, sender: Address) -> None:
        """Hands each report to its feed, for anyone who has them."""
        feeds = self._sources[market].feeds
        for report in reports:
            if report.feed >= len(feeds):
                raise UnknownFeed(market, report.feed)
            aggregator = feeds[report.feed]
            # Whoever saw the report may have delivered it first, or a newer one; then the feed is as fresh already.
            answered, _, updated_at = self._latest(aggregator)
            if answered and report.timestamp <= updated_at:
                continue
            feed = self._feeds[aggregator]
            if isinstance(feed, PushFeed):
                raise TakesNoReports(market, report.feed)
            feed.deliver(report.price, report.timestamp, report.signature, sender=self.address)

    def is_halted(self, market: int) -> bool:
        return self._halted[market]

    def config_of(self, market: int) -> OracleConfig:
        return self._sources[market]

    def price(self, market: int) -> tuple[int, int]:
        """The price of one base unit {usd/base, 1e18}, and when the oldest feed behind it was updated {s}."""
        config = self._sources[market]
        if self._halted[market]:
            raise PriceHalted(market)
        if not config.feeds:
            raise NoFeeds(market)
        readings = [0] * len(config.feeds)

        fresh = 0
        for feed in config.feeds:
            reading = self._read(feed, self._feeds[feed].decimals, config.heartbeat)
            if reading != 0:
                self._insert(readings, fresh, reading)
                fresh += 1
        if fresh < config.quorum:
            raise StalePrice(market, fresh, config.quorum)

        center = self._median(readings, 0, fresh)
        tolerance = center * config.max_deviation
        first = 0
        end = fresh
        while first < end and (center - self._price(readings[first])) * UNIT > tolerance:
            first += 1
        while end > first and (self._price(readings[end - 1]) - center) * UNIT > tolerance:
            end -= 1
        if end - first < config.quorum:
            raise QuorumNotMet(market, end - first, config.quorum)

        oldest = min(reading & UINT40_MAX for reading in readings[first:end])
        return self._median(readings, first, end), oldest

    def _read(self, aggregator: Address, decimals: int, heartbeat: int) -> int:
        """What a feed says, as `price << 40 | updated_at`, or zero when it has nothing to say that counts: it is not
        positive, leaves the supported range, is too old, or comes from the future."""
        answered, answer, updated_at = self._latest(aggregator)
        if not answered or answer <= 0 or answer > INT128_MAX:
            return 0
        now = self.world.timestamp
        if updated_at == 0 or updated_at > now or now - updated_at > heartbeat:
            return 0
        answer = self._scale(answer, decimals)
        if answer == 0 or answer > PRICE_MAX:
            return 0
        return answer << 40 | updated_at

    def _latest(self, aggregator: Address) -> tuple[bool, int, int]:
        """The twins of feeds always answer."""
        _, answer, _, updated_at, _ = self._feeds[aggregator].latest_round_data()
        return True, answer, updated_at

    def _price(self, reading: int) -> int:
        return reading >> 40

    def _scale(self, answer: int, decimals: int) -> int:
        if decimals <= 18:
            return answer * ten_to(18 - decimals)
        return div_floor(answer, ten_to(decimals - 18))

    def _insert(self, readings: list[int], count: int, reading: int) -> None:
        """Keeps the first `count + 1` readings in ascending order."""
        readings[count] = reading
        readings[: count + 1] = sorted(readings[: count + 1])

    def _median(self, readings: list[int], first: int, end: int) -> int:
        """The median of ascending `readings[first ... end - 1]`."""
        middle = (first + end) >> 1
        if (end - first) & 1:
            return self._price(readings[middle])
        return div_floor(self._price(readings[middle - 1]) + self._price(readings[middle]), 2)
