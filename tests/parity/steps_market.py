"""Steps on the markets: trading, governing, ending."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from parity.sides import Call, Sides
from parity.situations import INT256_MAX, LOT, STRANGER, tiers_of
from perpkit.market_setup import UNIT, feed_labels
from perpkit.model import perp_math
from perpkit.model.errors import PerpError
from perpkit.model.types import MarketParams, OracleConfig, RiskTier

# Risk tiers as a step tells them.
Shape = Sequence[tuple[int, int]]


class MarketSteps(Sides):
    """A `plan_` function says which calls a step is, in the state of now."""

    # ---- trading

    def plan_trade(self, who: str, index: int, market: int, mode: str, number: int, limit: str) -> Iterable[Call]:
        """`mode` and `number`: open at a leverage in hundredths (negative: sell), resize by per cent of the position,
        balance per cent of the skew, or a bare size."""
        account = self.account(index)
        delta = self._delta(account, market, mode, number)
        args = (account, market, delta, self._limit(market, delta, limit))
        return [Call("clearinghouse", "trade", args, self.actor(who, account))]

    def _delta(self, account: int, market: int, mode: str, number: int) -> int:
        mark = self.mark(market) or 10**20
        if mode == "open":
            try:
                equity = max(self.house.margin_of(account)[0], 0)
            except PerpError:
                equity = max(self.house.collateral_of(account), 0) * self.house.quantum
            delta = equity * number // (100 * mark)
            return delta - delta % LOT if number % 2 else delta
        if mode == "resize":
            return self.house.position_of(account, market).size * number // 100
        if mode == "balance":
            state = self.house.state_of(market)
            return (state.short_oi - state.long_oi) * number // 100
        return number

    def _limit(self, market: int, delta: int, limit: str) -> int:
        """No limit; the very fill price; or the next price that the trade crosses."""
        mark, params, state = self.mark(market), self.house.params_of(market), self.house.state_of(market)
        if limit == "any" or mark is None or params.skew_scale == 0:
            return INT256_MAX if delta > 0 else 0
        fill = perp_math.fill_price(mark, state.long_oi - state.short_oi, delta, params.skew_scale)
        if limit == "crossed":
            fill += -1 if delta > 0 else 1
        return min(max(fill, -INT256_MAX), INT256_MAX)

    def plan_settle(self, who: str, index: int, market: int) -> Iterable[Call]:
        return [Call("clearinghouse", "settle", (self.account(index), market), self.address(who))]

    def plan_liquidate(self, who: str, index: int, market: int) -> Iterator[Call]:
        account = self.account(index)
        done = self.outcomes["liquidate", "done"]
        yield Call("clearinghouse", "liquidate", (account, market), self.address(who))
        if self.outcomes["liquidate", "done"] > done and self.house.position_of(account, market).size:
            equity, initial_margin, _ = self.house.margin_of(account)
            self._law("4, a partial liquidation restores initial margin", equity * UNIT >= initial_margin)

    def plan_liquidate_many(self, who: str, market: int, indices: Sequence[int]) -> Iterable[Call]:
        accounts = tuple(self.account(index) for index in indices)
        return [Call("clearinghouse", "liquidate_many", (market, accounts), self.address(who))]

    def plan_deleverage(self, who: str, market: int, long: bool, variant: str) -> Iterable[Call]:
        """`variant` is all holders, one left out, unordered, twice, with a stranger, or none."""
        accounts = self.holders(market, long)
        if variant == "one left out":
            accounts = accounts[:-1]
        elif variant == "unordered":
            accounts.reverse()
        elif variant == "twice":
            accounts = accounts[:1] * 2 + accounts[1:]
        elif variant == "with a stranger":
            accounts = sorted([*accounts, STRANGER])
        elif variant == "other side":
            accounts = self.holders(market, not long)
        elif variant == "none":
            accounts = []
        return [Call("clearinghouse", "deleverage", (market, long, tuple(accounts)), self.address(who))]

    # ---- governing

    def plan_list_market(self, who: str, change: str, value: int, shape: Shape = ()) -> Iterable[Call]:
        """A market like the first, with one parameter changed; its feeds are the first market's."""
        symbol = bytes(32) if change == "symbol" else b"NEW-USD".ljust(32, b"\0")
        args = (symbol, self._changed(0, change, value), self._tiers(0, shape))
        return [Call("clearinghouse", "list_market", args, self.address(who))]

    def plan_set_params(
        self, who: str, market: int, change: str, value: int, shape: Shape | str = ()
    ) -> Iterator[Call]:
        """`shape` is that of the risk tiers: of each where it begins, in millionths of the skew scale, and its ratios
        in per cent of the market's own; "kept" are those that there are."""
        terms = self._changed(market, change, value), self._tiers(market, shape)
        yield from self._set(who, market, terms)

    def plan_announce(self, who: str, market: int, change: str, value: int, shape: Shape | str = ()) -> Iterable[Call]:
        args = (market, self._changed(market, change, value), self._tiers(market, shape))
        return [Call("clearinghouse", "announce_market_params", args, self.address(who))]

    def plan_set_announced(self, who: str, market: int) -> Iterator[Call]:
        """Just what was announced last."""
        announced = self.house._announcements[market]
        if announced is not None:
            yield from self._set(who, market, announced.terms)

    def _set(self, who: str, market: int, terms: tuple[MarketParams, tuple[RiskTier, ...]]) -> Iterator[Call]:
        unannounced, healthy = self.house._announcements[market] is None, self._healthy()
        yield Call("clearinghouse", "set_market_params", (market, *terms), self.address(who))
        if unannounced:
            self._law("no change without notice makes an account liquidatable", healthy <= self._healthy())

    def _healthy(self) -> set[int]:
        """The accounts that nobody may liquidate, as far as prices tell."""
        found = set()
        for account in self.house._accounts:
            try:
                equity, _, maintenance_margin = self.house.margin_of(account)
            except PerpError:
                continue
            if equity * UNIT >= maintenance_margin:
                found.add(account)
        return found

    def _tiers(self, market: int, shape: Shape | str) -> tuple[RiskTier, ...]:
        if isinstance(shape, str):
            return self.house.risk_tiers_of(market)
        return tiers_of(self.specs[market if market < len(self.specs) else 0], shape)

    def _changed(self, market: int, change: str, value: int) -> MarketParams:
        """A market's first parameters but for one, so that changes do not add up."""
        params = self.specs[market if market < len(self.specs) else 0].params
        return replace(params, **{change: value}) if change not in ("", "symbol") else params

    def plan_pause_market(self, who: str, market: int, bits: int) -> Iterable[Call]:
        return [Call("clearinghouse", "set_market_paused", (market, bits), self.address(who))]

    def plan_set_orders(self, who: str, orders: str) -> Iterable[Call]:
        return [Call("clearinghouse", "set_orders", (self.address(orders),), self.address(who))]

    def plan_record_outage(self, who: str, market: int) -> Iterable[Call]:
        return [Call("clearinghouse", "record_outage", (market,), self.address(who))]

    def plan_pause_vault(self, who: str, bits: int) -> Iterable[Call]:
        return [Call("clearinghouse", "set_vault_paused", (bits,), self.address(who))]

    def plan_set_feeds(
        self, who: str, market: int, heartbeat: int, deviation: int, quorum: int, n: int
    ) -> Iterable[Call]:
        """The market's own feeds, `n` times over; markets that were listed later take those of the first."""
        labels = feed_labels(self.specs[market if market < len(self.specs) else 0])
        feeds = tuple(self.addresses[label] for label in labels) * n
        config = OracleConfig(heartbeat, deviation, quorum, feeds)
        return [
            Call("oracle", "set_feeds", (market, config), self.address(who)),
            Call("oracle", "config_of", (market,), reads=True),
        ]

    # ---- ending

    def plan_announce_delisting(self, who: str, market: int) -> Iterable[Call]:
        return [Call("clearinghouse", "announce_delisting", (market,), self.address(who))]

    def plan_delist_market(self, who: str, market: int) -> Iterable[Call]:
        return [Call("clearinghouse", "delist_market", (market,), self.address(who))]

    def plan_close_out(self, who: str, market: int, indices: Sequence[int]) -> Iterable[Call]:
        accounts = tuple(self.account(index) for index in indices)
        return [Call("clearinghouse", "close_out", (market, accounts), self.address(who))]
