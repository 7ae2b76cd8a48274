"""`perpkit`: finds the command, runs it, and turns every error into one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from perpkit.cli.failure import INTERRUPTED, report_failure


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, and what `perpkit --help` says about it."""

    module: str
    help: str


# Only the module of the command that is asked for is imported: web3 alone takes a second or two.
COMMANDS = {
    "devnet": Entry("devnet", "Run a local chain with the whole market on it."),
    "markets": Entry("markets", "Show the markets: price, funding, open interest, leverage."),
    "accounts": Entry("markets", "Show the margin accounts of the roles, or of any address."),
    "positions": Entry("markets", "Show one account's positions with their liquidation prices."),
    "watch": Entry("markets", "Show markets and accounts live."),
    "quote": Entry("quote", "Work a position out offline: size, liquidation price, fee."),
    "deposit": Entry("trade", "Put collateral into an account."),
    "withdraw": Entry("trade", "Take free collateral out of an account."),
    "open": Entry("trade", "Open a position, or add to it."),
    "reduce": Entry("trade", "Close a part of a position."),
    "close": Entry("trade", "Close a position."),
    "token": Entry("token", "Mint, redeem and rebalance leveraged tokens."),
    "order": Entry("order", "Orders that wait: place, bracket, ladder, list, cancel, execute, sign."),
    "price": Entry("price", "Move a devnet's market: publish a price on all its feeds."),
    "advance": Entry("advance", "Move a devnet's time on, with prices kept fresh."),
    "market": Entry("market", "Govern a market: pause, halt, change, delist, close out."),
    "liquidate": Entry("liquidate", "Liquidate an account that is below maintenance margin."),
    "keeper": Entry("keeper", "Watch the market and liquidate what has to be."),
    "scenario": Entry("scenario", "Play a story, such as a crash."),
    "replay": Entry("replay", "Replay candles with a population of traders."),
}


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code: 0, 1 (refused), 2 (usage) or 130 (interrupted)."""
    try:
        command = typer.main.get_command(build(arguments))
        code: Any = command.main(list(arguments), prog_name="perpkit", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return report_failure(error, as_json="--json" in arguments)
    return code if isinstance(code, int) else 0


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application, with the real command where its name stands in the arguments and its help line elsewhere."""
    app = typer.Typer(
        help="An exact perpetuals market on your own machine.",
        add_completion=False,
        rich_markup_mode=None,
        invoke_without_command=True,
        callback=_root,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, entry in COMMANDS.items():
        if find_spec(f"perpkit.cli.{entry.module}") is None:
            continue
        if name in arguments:
            _add(app, name, import_module(f"perpkit.cli.{entry.module}").app)
        else:
            app.command(name, help=entry.help)(_nothing)
    return app


def _add(app: typer.Typer, name: str, source: typer.Typer) -> None:
    """Adds a module's command of that name or, when it has none, all its commands as a group."""
    own = [command for command in source.registered_commands if command.name == name]
    if own:
        app.registered_commands += own
    else:
        app.add_typer(source, name=name, help=COMMANDS[name].help)


def _nothing() -> None:
    """Stands for a command in `perpkit --help`."""


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"perpkit {version('perpkit')}")
        raise typer.Exit()


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


if __name__ == "__main__":
    main()
