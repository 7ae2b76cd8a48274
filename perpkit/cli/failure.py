"""Errors for people and programs: one sentence on stderr, or one JSON object, and an exit code.

0    done
1    refused by the market or by the environment
2    a wrong option, argument or file
130  interrupted
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import typer

from perpkit.cli.as_json import plain

OK = 0
REFUSED = 1
USAGE = 2
INTERRUPTED = 130

# The base of all errors of the command line's parser, which has no public name in every version of typer.
_ParserError: Any = typer.BadParameter.__mro__[2]


class Usage(ValueError):
    """`name` cannot be `value`; `expected` completes the sentence."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(name, value, expected)
        self.name = name
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.name} cannot be {self.value}: expected {self.expected}."


def report_failure(error: Exception, *, as_json: bool) -> int:
    """Says on stderr what went wrong and returns the exit code."""
    if os.environ.get("PERPKIT_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, BrokenPipeError):
        _forget_stdout()
        return REFUSED
    if as_json:
        found = {"name": _name(error), "message": sentence(error), "values": _values(error)}
        print(json.dumps({"error": found}), file=sys.stderr)
    else:
        print(f"perpkit: {sentence(error)}", file=sys.stderr)
    return exit_code(error)


def exit_code(error: Exception) -> int:
    """2 when the caller has to write something else, 1 when the world has to change."""
    if isinstance(error, _ParserError) or type(error).__name__ == "BadRpcUrl":
        return USAGE
    # Everywhere in perpkit an input that makes no sense is a ValueError too.
    wrong = isinstance(error, ValueError) and _is_ours(error) and not _is_of_the_moment(error)
    return USAGE if wrong else REFUSED


def _is_of_the_moment(error: ValueError) -> bool:
    """Whether the same input would make sense at another time, or elsewhere: with a position there, or with money."""
    from perpkit.client.errors import (
        AmbiguousPosition,
        BadPosition,
        NoOrders,
        NothingToCancel,
        NothingToMove,
        OrdersNotApproved,
        PreviewUnavailable,
        SigningUnavailable,
    )

    if isinstance(error, AmbiguousPosition):  # which --isolated or --cross settles
        return False
    state = BadPosition | NothingToMove | NothingToCancel | OrdersNotApproved
    return isinstance(error, state | NoOrders | PreviewUnavailable | SigningUnavailable)


def sentence(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, _ParserError):
        text = error.format_message()
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif _is_ours(error):
        text = str(error)
    else:
        text = f"unexpected {type(error).__name__}: {error} (PERPKIT_DEBUG=1 shows where)"
    return " ".join(text.split())


def _is_ours(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] == "perpkit"


def _name(error: Exception) -> str:
    return "UsageError" if isinstance(error, _ParserError) else type(error).__name__


def _values(error: Exception) -> dict[str, Any]:
    """The error's values by name; decimals, and integers that outgrow JSON, as strings."""
    if not _is_ours(error):
        return {}
    return {name: plain(value) for name, value in vars(error).items() if not name.startswith("_")}


def _forget_stdout() -> None:
    """Whoever read our output is gone: nothing may be written to it at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
