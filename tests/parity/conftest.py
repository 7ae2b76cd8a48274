"""Options of the parity walk."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    default = int(os.environ.get("PERPKIT_WALK_STEPS", "22000"))
    parser.addoption("--walk-steps", type=int, default=default, help="steps of the parity walk, over all situations")
