"""Finds accounts to liquidate, winners to deleverage, and does it.

Lives here: the liquidation index, the decision, the keeper's loop. Not here: formulas, keys, chains. May be imported
by: replay, scenarios, devnet, testing, cli.
"""
