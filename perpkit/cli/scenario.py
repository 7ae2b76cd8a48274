"""`perpkit scenario`: names the stories, plays one and prints its ledger. Each story of the catalogue is a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from perpkit.cli.as_json import print_json
from perpkit.cli.failure import REFUSED
from perpkit.cli.options import JsonOption, decimal
from perpkit.cli.output import money, price, size, stdout, table
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.scenarios.catalogue import SCENARIOS, Scenario, UnknownScenario
from perpkit.scenarios.story import STORY_START, Step, StoryResult


class Stories(TyperGroup):
    """The group of commands; it knows what to say to a name that is none."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise UnknownScenario(name)
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=Stories)

BackendOption = Annotated[str, typer.Option(help="model, revm (the bytecode in process) or anvil (a node).")]
AnvilOption = Annotated[Path | None, typer.Option(help="The Anvil binary, instead of searching for one.")]


@app.command("list")
def list_command(as_json: JsonOption = False) -> None:
    """Name every story, each in a line."""
    if as_json:
        print_json([_entry(scenario) for scenario in SCENARIOS.values()])
        return
    width = max(map(len, SCENARIOS))
    for scenario in SCENARIOS.values():
        typer.echo(f"{scenario.name:{width}}  {scenario.in_a_line}")


@app.callback()
def scenario() -> None:
    """Play a story, such as a crash."""


def play(
    scenario: Scenario, *, backend: str, anvil: Path | None, as_json: bool, parameters: Mapping[str, object]
) -> None:
    """Plays a story and prints it; a story that does not hold ends with exit code 1."""
    with open_sandbox(backend, timestamp=STORY_START, anvil=anvil) as sandbox:
        result = scenario.play(sandbox, **parameters)
    if as_json:
        print_json(result)
    else:
        show(result)
    if not result.holds:
        raise typer.Exit(REFUSED)


def _entry(scenario: Scenario) -> dict[str, object]:
    parameters = {parameter.name: parameter.default for parameter in _parameters(scenario)}
    return {"name": scenario.name, "in_a_line": scenario.in_a_line, "parameters": parameters}


# OPTIONS
# A story's parameters are its options, as far as they are numbers or switches; richer ones are for tests.
# `Annotated[int, "what it is"]` puts words into the help.


def _parameters(scenario: Scenario) -> list[Parameter]:
    parameters = signature(scenario.play).parameters.values()
    return [p for p in parameters if p.kind is Parameter.KEYWORD_ONLY and isinstance(p.default, int | Decimal)]


def _command(scenario: Scenario) -> Callable[..., None]:
    """The command of a story, with the signature that typer reads its options from."""

    def command(backend: str, anvil: Path | None, as_json: bool, **parameters: object) -> None:
        play(scenario, backend=backend, anvil=anvil, as_json=as_json, parameters=parameters)

    hints = get_type_hints(scenario.play, include_extras=True)
    annotations: dict[str, Any] = {p.name: _option(p, hints[p.name]) for p in _parameters(scenario)}
    defaults: dict[str, object] = {p.name: p.default for p in _parameters(scenario)}
    annotations |= {"backend": BackendOption, "anvil": AnvilOption, "as_json": JsonOption}
    defaults |= {"backend": "model", "anvil": None, "as_json": False}
    command.__annotations__ = annotations
    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotations[name])
            for name in annotations
        ]
    )
    return command


def _option(parameter: Parameter, hint: Any) -> Any:
    """A parameter's annotation with its help and, for a decimal, how it is read."""
    words: list[str] = [word for word in getattr(hint, "__metadata__", ()) if isinstance(word, str)]
    kind = getattr(hint, "__origin__", hint) if words else hint
    text = words[0][:1].upper() + words[0][1:].removesuffix(".") + "." if words else None
    if kind is Decimal:
        return Annotated[kind, typer.Option(parser=decimal, metavar="NUMBER", help=text)]
    return Annotated[kind, typer.Option(help=text)]


for _scenario in SCENARIOS.values():
    app.command(_scenario.name, help=_scenario.in_a_line)(_command(_scenario))


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
