"""The command line.

Lives here: options, tables, JSON, exit codes, the one error handler. Not here: any decision about money.
"""
