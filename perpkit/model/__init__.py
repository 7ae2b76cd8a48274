"""The market as a pure Python model, integer for integer what the contracts do.

Lives here: formulas, ledger, laws. Not here: clocks, networks, keys, printing. May be imported by: everybody.
"""
