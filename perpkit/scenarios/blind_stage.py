"""A stage for stories in which a market has no price for a while."""

from __future__ import annotations

from collections.abc import Mapping

from perpkit.backend import Sandbox
from perpkit.market_setup import DEFAULT_SETUP, UNIT, MarketSetup
from perpkit.model import perp_math
from perpkit.model.errors import OracleError
from perpkit.model.fixed_math import div_ceil, div_floor
from perpkit.picture import Stretch
from perpkit.scenarios.story import Stage


class BlindStage(Stage):
    """A stage whose ledger goes on while a market has no price: positions are then written at the last known one.

    `priced` says for each step whether the first market had a price.
    """

    def __init__(self, sandbox: Sandbox, setup: MarketSetup = DEFAULT_SETUP) -> None:
        self.priced: list[bool] = []
        super().__init__(sandbox, setup)

    def tell(self, words: str) -> None:
        super().tell(words)
        self.priced.append(self.sandbox.call("lens", "markets")[0].priced)

    def blind_stretches(self, name: str) -> tuple[Stretch, ...]:
        """The steps without a price, for a picture along the ledger."""
        blind = [number for number, priced in enumerate(self.priced, 1) if not priced]
        return (Stretch(name, blind[0], blind[-1]),) if blind else ()

    def _line(self, name: str) -> Mapping[str, int]:
        try:
            return super()._line(name)
        except OracleError:
            book, quantum = self.watchman.book, self.watchman.book.quantum
            account = self.cast[name]
            equity, _, maintenance = book.margin(account, self.prices, self.sandbox.timestamp)
            market, position = next(iter(book.accounts[account].positions.items()))
            mark, mmr = self.prices[market], book.markets[market].ratios(position.size)[1]
            return {
                **self.steps[-1].accounts[name],
                "equity": div_floor(equity, quantum),
                "maintenance_margin": div_ceil(maintenance, quantum * UNIT),
                "size": position.size,
                "liquidation_price": perp_math.liquidation_price(position.size, mark, equity, maintenance, mmr),
            }
