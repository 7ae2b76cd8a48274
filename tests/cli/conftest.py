"""A devnet that the tests hold in their hands while the command line speaks to it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from programs import OURS, Ended, Inside

from perpkit.cli.__main__ import run as run_command
from perpkit.devnet.devnet import Devnet


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
def inside(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inside:
    """The command line without a devnet."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)

    def perpkit(*arguments: object) -> Ended:
        code = run_command([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return perpkit


@pytest.fixture
def run(inside: Inside, net: Devnet, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """The command line with this devnet's manifest."""
    monkeypatch.setenv("PERPKIT_MANIFEST", str(net.manifest_path))
    return inside
