"""A stage for stories in which a market has no price for a while."""

from __future__ import annotations

from collections.abc import Mapping

from perpkit.market_setup import UNIT
from perpkit.model import perp_math
from perpkit.model.errors import OracleError
from perpkit.model.fixed_math import div_ceil, div_floor
from perpkit.scenarios.story import Stage


class BlindStage(Stage):
    """A stage whose ledger goes on while a market has no price: positions are then written at the last known one."""

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
