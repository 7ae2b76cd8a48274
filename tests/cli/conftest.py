"""A devnet that the tests hold in their hands while the command line speaks to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Protocol

import pytest
from programs import Ended, environment, perpkit

from perpkit.devnet.devnet import Devnet


class Run(Protocol):
    """Runs a command of `perpkit` on the devnet."""

    def __call__(self, *arguments: object) -> Ended: ...


@pytest.fixture(scope="module")
def shared_net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with Devnet.start(port=0, manifest=tmp_path_factory.mktemp("devnet") / "manifest.json") as net:
        yield net


@pytest.fixture
def net(shared_net: Devnet) -> Devnet:
    """The module's devnet in its first state."""
    shared_net.reset()
    return shared_net


@pytest.fixture
def run(net: Devnet) -> Run:
    """The command line with this devnet's manifest."""
    return partial(perpkit, env=environment(PERPKIT_MANIFEST=str(net.manifest_path)))
