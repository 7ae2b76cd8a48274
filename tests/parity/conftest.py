"""Options of the parity walk. Pytest knows them when given this folder; PERPKIT_WALK_STEPS works from anywhere."""

from __future__ import annotations

import pytest

from parity.seeds import WALK_STEPS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--walk-steps", type=int, default=WALK_STEPS, help="steps of the parity walk, all situations together"
    )
