"""Shared fixtures: a whole market on each backend, set up once per session."""

from __future__ import annotations

import pytest
from roles import MARKETS, START

from perpkit.backend import Sandbox
from perpkit.local import LocalBackend
from perpkit.market_setup import MarketSetup, set_up


@pytest.fixture(scope="session", params=["model", "revm"])
def perp_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """The default market on the Python model, then on the compiled contracts. Use it rolled back only."""
    sandbox: Sandbox
    if request.param == "model":
        sandbox = LocalBackend(timestamp=START)
    else:
        pytest.importorskip("pyrevm", reason="needs the extra perpkit[revm]")
        from perpkit.revm import RevmBackend

        sandbox = RevmBackend(timestamp=START)
    set_up(sandbox, MarketSetup(MARKETS))
    return sandbox
