"""The twin of `PriceOracle.sol`: one price per market, the median of the feeds that are fresh and agree."""

from __future__ import annotations

from perpkit.model.contract import Mapping, Ownable, World, external
from perpkit.model.errors import InvalidFeeds, NoFeeds, QuorumNotMet, StalePrice
from perpkit.model.events import FeedsSet
from perpkit.model.fixed_math import PRICE_MAX, UNIT, div_floor, ten_to
from perpkit.model.push_feed import PushFeed
from perpkit.model.types import Address, OracleConfig

MAX_FEEDS = 9
# What a slot has room for: deviations in steps of 1e-12.
DEVIATION_STEP = 10**6
_NO_CONFIG = OracleConfig(0, 0, 0, ())


class PriceOracle(Ownable):
    def __init__(self, world: World, address: Address, owner: Address, feeds: dict[Address, PushFeed]) -> None:
        super().__init__(world, address, owner)
        self._sources: Mapping[int, OracleConfig] = Mapping(world, _NO_CONFIG)
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
        if config.max_deviation >= UNIT:
            raise InvalidFeeds(market, "deviation below 100 %")
        deviation = div_floor(config.max_deviation, DEVIATION_STEP)
        if deviation * DEVIATION_STEP != config.max_deviation:
            raise InvalidFeeds(market, "deviation in steps of 1e-12")
        if any(self._feeds[feed].decimals > 36 for feed in config.feeds):
            raise InvalidFeeds(market, "at most 36 decimals")
        self._sources[market] = config
        self.emit(FeedsSet(market, config))

    def config_of(self, market: int) -> OracleConfig:
        return self._sources[market]

    def price(self, market: int) -> tuple[int, int]:
        """The price of one base unit {usd/base, 1e18}, and when the oldest feed behind it was updated {s}."""
        source = self._sources[market]
        if not source.feeds:
            raise NoFeeds(market)
        fresh: list[tuple[int, int]] = []
        for feed in source.feeds:
            answer, updated_at = self._read(self._feeds[feed])
            if answer == 0 or self.world.timestamp > updated_at + source.heartbeat:
                continue
            fresh.append((answer, updated_at))
        if len(fresh) < source.quorum:
            raise StalePrice(market, len(fresh), source.quorum)

        center = self._median([answer for answer, _ in fresh])
        agreeing = [
            (answer, updated_at)
            for answer, updated_at in fresh
            if not self._deviates(answer, center, source.max_deviation)
        ]
        if len(agreeing) < source.quorum:
            raise QuorumNotMet(market, len(agreeing), source.quorum)
        oldest = min(updated_at for _, updated_at in agreeing)
        return self._median([answer for answer, _ in agreeing]), oldest

    def _read(self, feed: PushFeed) -> tuple[int, int]:
        """A feed's answer in 1e18, or zero when it has none that counts: it is not positive, leaves the supported
        range, or comes from the future."""
        _, answer, _, updated_at, _ = feed.latest_round_data()
        if answer <= 0 or answer > 2**127 - 1 or updated_at == 0 or updated_at > self.world.timestamp:
            return 0, 0
        scaled = self._scale(answer, feed.decimals)
        if scaled > PRICE_MAX:
            return 0, 0
        return scaled, updated_at

    def _scale(self, answer: int, decimals: int) -> int:
        if decimals <= 18:
            return answer * ten_to(18 - decimals)
        return div_floor(answer, ten_to(decimals - 18))

    def _median(self, prices: list[int]) -> int:
        prices = sorted(prices)
        middle = len(prices) >> 1
        if len(prices) & 1:
            return prices[middle]
        return div_floor(prices[middle - 1] + prices[middle], 2)

    def _deviates(self, answer: int, center: int, max_deviation: int) -> bool:
        return abs(answer - center) * UNIT > center * max_deviation
