"""`perpkit replay`: candles and a population of traders through a backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from perpkit.candles import Candle, crash_candles, read_candles
from perpkit.cli.as_json import print_json
from perpkit.cli.failure import REFUSED, Usage
from perpkit.cli.options import JsonOption, check_folder
from perpkit.cli.output import print_facts, stdout
from perpkit.devnet.sandboxes import BACKENDS, UnknownBackend, open_sandbox
from perpkit.market_setup import DEFAULT_MARKETS, UNIT
from perpkit.replay import Replay, ReplayConfig, ReplayResult, sandbox_start

app = typer.Typer()

CRASH_START = 1_700_000_000
CRASH_CANDLES = 288
CRASH_FALL_PERCENT = {"ETH-USD": 28, "BTC-USD": 22, "SOL-USD": 35}
LONGEST_SYMBOL = 31


@app.command("replay")
def replay(
    prices: Annotated[
        list[str] | None, typer.Option(help="SYMBOL=CSV, once for each market; without it, a seeded crash.")
    ] = None,
    accounts: Annotated[int, typer.Option(help="How many traders.")] = 60,
    seed: Annotated[int, typer.Option(help="The seed of all chance.")] = 7,
    backend: Annotated[str, typer.Option(help="model, revm (the bytecode in process) or anvil (a node).")] = "model",
    report: Annotated[Path | None, typer.Option(help="Write a page with pictures into this folder.")] = None,
    anvil: Annotated[Path | None, typer.Option(help="The Anvil binary, instead of searching for one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay candles with a seeded population that trades, a keeper that liquidates, and every law watched."""
    if backend not in BACKENDS:
        raise UnknownBackend(backend)
    config = ReplayConfig(_candles(prices or [], seed), accounts=accounts, seed=seed)
    check_folder(report)
    result = _run(config, backend, anvil)
    page = _write_report(result, report) if report else None
    if as_json:
        print_json(result.summary() | {"report": str(page) if page else None})
    else:
        show(result, page)
    if not all(result.laws.values()):
        raise typer.Exit(REFUSED)


def _candles(prices: list[str], seed: int) -> Mapping[str, tuple[Candle, ...]]:
    """The candles that were asked for, or a crash of the default markets."""
    if not prices:
        return seeded_crash(seed)
    found: dict[str, tuple[Candle, ...]] = {}
    for entry in prices:
        symbol, equals, path = entry.partition("=")
        if not equals or not symbol or not path:
            raise Usage("--prices", entry, "SYMBOL=CSV, for example ETH-USD=eth.csv")
        if len(symbol.encode()) > LONGEST_SYMBOL:
            raise Usage("--prices", entry, f"a symbol of at most {LONGEST_SYMBOL} bytes")
        if symbol in found:
            raise Usage("--prices", entry, f"{symbol} only once")
        found[symbol] = read_candles(Path(path))
    return found


def seeded_crash(seed: int) -> Mapping[str, tuple[Candle, ...]]:
    """A day in which the default markets crash together, each in its own way."""
    from decimal import Decimal

    return {
        spec.symbol: crash_candles(
            seed=seed * 1000 + number,
            start_price=Decimal(spec.price // UNIT),
            candles=CRASH_CANDLES,
            start_time=CRASH_START,
            fall_percent=CRASH_FALL_PERCENT[spec.symbol],
        )
        for number, spec in enumerate(DEFAULT_MARKETS)
    }


def _run(config: ReplayConfig, backend: str, anvil: Path | None) -> ReplayResult:
    with _progress(backend) as bar:
        task = bar.add_task("starting", total=None)

        def words(text: str) -> None:
            bar.update(task, description=text)

        with open_sandbox(backend, timestamp=sandbox_start(config), anvil=anvil, progress=words) as sandbox:
            words("replaying")
            return Replay(sandbox, config).run(lambda done, total: bar.update(task, completed=done, total=total))


@contextmanager
def _progress(backend: str) -> Iterator[Progress]:
    """A bar on stderr; on a pipe nothing."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description} on " + backend),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("candles"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


def _write_report(result: ReplayResult, directory: Path) -> Path:
    from perpkit.replay_report import report_of
    from perpkit.report import write_report

    return write_report(report_of(result, title=f"Replay of {', '.join(result.symbols)}"), directory)


def show(result: ReplayResult, page: Path | None) -> None:
    """The table, the laws, the digest."""
    from perpkit.replay_report import facts_of

    print_facts(f"Replay of {', '.join(result.symbols)} on {result.backend}", facts_of(result))
    console = stdout()
    console.print()
    for law, held in result.laws.items():
        mark = "[green]✓[/]" if held else "[bold red]✗[/]"
        console.print(f"{mark} {law.replace('_', ' ')}")
    console.print(f"\ndigest {result.digest}", soft_wrap=True)
    if page:
        console.print(f"report {page}", soft_wrap=True)
