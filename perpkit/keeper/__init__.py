"""Finds accounts to liquidate, winners to deleverage, outages to record and tokens to rebalance, and does it.

Lives here: the liquidation index, the decision, the keeper's loop. Not here: formulas, keys, chains. May be imported
by: replay, scenarios, devnet, testing, cli.
"""

from perpkit.keeper.decide import Deleverage, Leveraged, Liquidate, Rebalance, RecordOutage, decide, rebalances
from perpkit.keeper.keeper import Keeper, KeeperReport
from perpkit.keeper.liquidation_index import LiquidationIndex

__all__ = [
    "Deleverage",
    "Keeper",
    "KeeperReport",
    "Leveraged",
    "Liquidate",
    "LiquidationIndex",
    "Rebalance",
    "RecordOutage",
    "decide",
    "rebalances",
]
