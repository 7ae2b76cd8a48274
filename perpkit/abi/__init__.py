"""Lives here: artifacts and the one translator between ABI and model types.

Not here: networks, keys. May be imported by: revm, chain, testing, devnet.
"""
