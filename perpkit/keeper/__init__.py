"""Finds accounts to liquidate, winners to deleverage, outages to record, and does it.

Lives here: the liquidation index, the decision, the keeper's loop. Not here: formulas, keys, chains. May be imported
by: replay, scenarios, devnet, testing, cli.
"""

from perpkit.keeper.decide import Deleverage, Liquidate, RecordOutage, decide
from perpkit.keeper.keeper import Keeper, KeeperReport
from perpkit.keeper.liquidation_index import LiquidationIndex

__all__ = ["Deleverage", "Keeper", "KeeperReport", "Liquidate", "LiquidationIndex", "RecordOutage", "decide"]
