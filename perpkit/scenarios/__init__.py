"""Stories of a leveraged market, told on any backend.

Lives here: what happens, and what is expected of it. Not here: rules, chains. May be imported by: devnet, testing, cli.
"""
