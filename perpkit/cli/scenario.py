"""`perpkit scenario`: plays a story and prints its ledger."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from perpkit.cli.as_json import print_json
from perpkit.cli.failure import REFUSED
from perpkit.cli.options import JsonOption
from perpkit.cli.output import money, price, size, stdout, table
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.scenarios import crash
from perpkit.scenarios.story import STORY_START, Step, StoryResult

app = typer.Typer()

BackendOption = Annotated[str, typer.Option(help="model, revm (the bytecode in process) or anvil (a node).")]
AnvilOption = Annotated[Path | None, typer.Option(help="The Anvil binary, instead of searching for one.")]


@app.command("crash", help=crash.IN_A_LINE)
def crash_command(backend: BackendOption = "model", anvil: AnvilOption = None, as_json: JsonOption = False) -> None:
    with open_sandbox(backend, timestamp=STORY_START, anvil=anvil) as sandbox:
        result = crash.play(sandbox)
    if as_json:
        print_json(result)
    else:
        show(result)
    if not result.holds:
        raise typer.Exit(REFUSED)


@app.callback()
def scenario() -> None:
    """Play a story, such as a crash."""


def show(result: StoryResult) -> None:
    """The ledger step by step, then what was expected, then the laws."""
    console = stdout()
    for step in result.steps:
        console.print(f"\n[bold]{step.words}[/]")
        console.print(_ledger(step))
    for sentence, held in (*result.expected.items(), *result.laws.items()):
        mark = "[green]✓[/]" if held else "[bold red]✗[/]"
        console.print(f"{mark} {sentence.replace('_', ' ')}")
    console.print(f"\ndigest {result.digest}", soft_wrap=True)


def _ledger(step: Step) -> object:
    made = table("", "account", "size", "equity", "maintenance", "liquidation at")
    made.title = None
    for name, line in step.accounts.items():
        made.add_row(
            name.replace("_", " "),
            size(_unit(line["size"])),
            money(_quanta(line["equity"])),
            money(_quanta(line["maintenance_margin"])),
            price(_unit(line["liquidation_price"])) if line["liquidation_price"] else "–",
        )
    made.add_section()
    for name, value in (("insurance fund", step.insurance), ("pool", step.pool), ("deficit", step.deficit)):
        made.add_row(name, "", money(_quanta(value)), "", "")
    return made


def _quanta(value: int) -> Decimal:
    return Decimal(value).scaleb(-6)


def _unit(value: int) -> Decimal:
    return Decimal(value).scaleb(-18)
