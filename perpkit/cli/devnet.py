"""`perpkit devnet`: runs a devnet until it is told to stop."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from perpkit.chain.errors import ChainError
from perpkit.chain.manifest import DEFAULT_PATH
from perpkit.cli.as_json import print_json
from perpkit.cli.failure import INTERRUPTED, OK
from perpkit.cli.options import JsonOption
from perpkit.devnet.devnet import (
    DEFAULT_CHAIN_ID,
    DEFAULT_ORIGIN,
    DEFAULT_PORT,
    Devnet,
    Progress,
)
from perpkit.devnet.node import DEFAULT_MNEMONIC
from perpkit.model.errors import PerpError

app = typer.Typer()

_POLL_SECONDS = 0.2


class ClockOption(str, Enum):
    """Whether time passes by itself."""

    wall = "wall"
    fixed = "fixed"


@app.command("devnet")
def devnet(
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port on 127.0.0.1; 0 picks a free one.")] = (
        DEFAULT_PORT
    ),
    anvil: Annotated[Path | None, typer.Option(help="The Anvil binary, instead of searching for one.")] = None,
    manifest: Annotated[
        Path, typer.Option(envvar="PERPKIT_MANIFEST", help="Where to write what clients need to know.")
    ] = DEFAULT_PATH,
    as_json: JsonOption = False,
    install: Annotated[bool, typer.Option(help="Install Anvil from npm when there is none.")] = True,
    chain_id: Annotated[int, typer.Option(help="31337 or 1337.")] = DEFAULT_CHAIN_ID,
    clock: Annotated[ClockOption, typer.Option(help="wall: time passes. fixed: it stands still.")] = ClockOption.wall,
    allow_origin: Annotated[str, typer.Option(help="The web page that may call the node.")] = DEFAULT_ORIGIN,
    publish_every: Annotated[
        int, typer.Option(min=0, help="Seconds after which prices are published again; 0: never.")
    ] = 600,
) -> None:
    """Run a local chain with the whole market on it, until Ctrl-C.

    Addresses, roles and block hashes are the same each time; prices are published again so that they stay fresh.
    """
    ready = False
    with _stopped_by_signals():
        try:
            with _starting() as progress:
                net = Devnet.start(
                    anvil=anvil,
                    port=port,
                    manifest=manifest,
                    clock=clock.value,
                    install=install,
                    chain_id=chain_id,
                    allow_origin=allow_origin,
                    progress=progress,
                )
            with net:
                ready = True
                _say_ready(net, as_json)
                _serve(net, publish_every)
        except KeyboardInterrupt:
            raise typer.Exit(OK if ready else INTERRUPTED) from None


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Makes the signals that ask for an end raise KeyboardInterrupt, once."""
    signals = [signal.SIGINT, signal.SIGTERM]
    # After nohup the terminal's end is no reason to stop.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)  # the end has begun, and must not be cut short
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _starting() -> Iterator[Progress]:
    """Shows on stderr what takes its time: a spinner on a terminal, a line for each slow step elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda words: console.print(f"{words} …", highlight=False, soft_wrap=True)
        return
    with console.status("starting the devnet …") as status:
        yield lambda words: status.update(f"{words} …")


def _say_ready(net: Devnet, as_json: bool) -> None:
    """The one line on stdout that says that everything is there."""
    if as_json:
        print_json(
            {
                "rpc": net.url,
                "chain_id": net.chain_id,
                "addresses": net.addresses,
                "accounts": dict(net.roles),
                "mnemonic": DEFAULT_MNEMONIC,
                "manifest": str(net.manifest_path),
            }
        )
    else:
        where = f"{net.url}, chain id {net.chain_id}, manifest {net.manifest_path}"
        print(f"perpkit devnet ready: {where} (Ctrl-C stops it)", flush=True)


def _serve(net: Devnet, publish_every: int) -> None:
    """Keeps prices fresh until somebody stops us, or the node ends by itself."""
    published = time.time()
    while net.is_alive():
        time.sleep(_POLL_SECONDS)
        # The wall clock also counts the time that a laptop slept.
        if net.clock == "wall" and 0 < publish_every <= time.time() - published:
            _publish(net)
            published = time.time()
    net.node.rpc("eth_chainId")  # raises what became of it


def _publish(net: Devnet) -> None:
    try:
        net.refresh_prices()
    except (ChainError, PerpError) as error:
        # A client may have stopped mining or taken the feeds over: that is its right.
        print(f"perpkit: prices were not published: {error}", file=sys.stderr)
