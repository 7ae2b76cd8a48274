"""Boots a local chain with the market on it.

Lives here: node, deployment, manifest. Not here: strategy, drawing.
"""
