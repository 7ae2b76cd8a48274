"""`perpkit scenario`: names the stories, plays one or all, prints the ledger, and writes pages with pictures.

Each story of the catalogue is a command, and each of its parameters an option.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from inspect import Parameter, Signature, signature
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperGroup

from perpkit.cli.as_json import plain, print_json
from perpkit.cli.failure import REFUSED
from perpkit.cli.options import JsonOption, check_folder, decimal
from perpkit.cli.output import money, price, size, stdout, table
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.scenarios.catalogue import SCENARIOS, Scenario, UnknownScenario
from perpkit.scenarios.parameters import words_of
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
ReportOption = Annotated[Path | None, typer.Option(help="Write the story's page with its pictures into this folder.")]
SeedOption = Annotated[int, typer.Option(min=0, help="The seed of all chance, as far as a story has any.")]
UnusedSeedOption = Annotated[int, typer.Option(min=0, help="Nothing in this story is left to chance: ignored.")]


@app.command("list")
def list_command(as_json: JsonOption = False) -> None:
    """Name every story, each in a line."""
    if as_json:
        print_json([_entry(scenario) for scenario in SCENARIOS.values()])
        return
    width = max(map(len, SCENARIOS))
    for scenario in SCENARIOS.values():
        typer.echo(f"{scenario.name:{width}}  {scenario.in_a_line}")


@app.command("all")
def all_command(
    seed: SeedOption = 0,
    backend: BackendOption = "model",
    anvil: AnvilOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play every story, each in a line; with --report, write their pages and one that leads to all."""
    check_folder(report)
    results = []
    for scenario in SCENARIOS.values():
        parameters = {"seed": seed} if _takes_seed(scenario) else {}
        results.append(_played(scenario, backend=backend, anvil=anvil, parameters=parameters))
        if not as_json:
            _show_line(results[-1])
    pages = [_write_page(result, report) for result in results] if report else []
    contents = _write_contents(results, report) if report else None
    if as_json:
        print_json([_as_json(result, page) for result, page in zip_longest(results, pages)])
    elif contents:
        stdout().print(f"\nreport {contents}", soft_wrap=True)
    if not all(result.holds for result in results):
        raise typer.Exit(REFUSED)


@app.callback()
def scenario() -> None:
    """Play a story, such as a crash."""


def play(
    scenario: Scenario,
    *,
    backend: str,
    anvil: Path | None,
    report: Path | None,
    as_json: bool,
    parameters: Mapping[str, object],
) -> None:
    """Plays a story and prints it; a story that does not hold ends with exit code 1."""
    check_folder(report)
    result = _played(scenario, backend=backend, anvil=anvil, parameters=parameters)
    page = _write_page(result, report) if report else None
    if as_json:
        print_json(_as_json(result, page))
    else:
        show(result)
        if page:
            stdout().print(f"report {page}", soft_wrap=True)
    if not result.holds:
        raise typer.Exit(REFUSED)


def _played(scenario: Scenario, *, backend: str, anvil: Path | None, parameters: Mapping[str, object]) -> StoryResult:
    with open_sandbox(backend, timestamp=STORY_START, anvil=anvil) as sandbox:
        return scenario.play(sandbox, **parameters)


def _as_json(result: StoryResult, page: Path | None) -> dict[str, Any]:
    """The story, and where its page is when one was written."""
    whole: dict[str, Any] = plain(result)
    return whole | {"report": str(page)} if page else whole


def _write_page(result: StoryResult, directory: Path) -> Path:
    from perpkit.report import write_story
    from perpkit.story_report import file_of, story_page

    page = story_page(result, in_a_line=SCENARIOS[result.name].in_a_line)
    return write_story(page, directory / file_of(result.name))


def _write_contents(results: Sequence[StoryResult], directory: Path) -> Path:
    from perpkit.report import write_contents
    from perpkit.story_report import story_contents

    lines = [SCENARIOS[result.name].in_a_line for result in results]
    return write_contents(story_contents(results, lines), directory)


def _entry(scenario: Scenario) -> dict[str, object]:
    parameters = {parameter.name: parameter.default for parameter in _parameters(scenario)}
    return {"name": scenario.name, "in_a_line": scenario.in_a_line, "parameters": parameters}


# OPTIONS
# A story's parameters are its options, as far as they are numbers or switches; richer ones are for tests.
# Every story has a seed, so that all can be told with the same options.


def _parameters(scenario: Scenario) -> list[Parameter]:
    parameters = signature(scenario.play).parameters.values()
    return [p for p in parameters if p.kind is Parameter.KEYWORD_ONLY and isinstance(p.default, int | Decimal)]


def _takes_seed(scenario: Scenario) -> bool:
    return any(parameter.name == "seed" for parameter in _parameters(scenario))


def _command(scenario: Scenario) -> Callable[..., None]:
    """The command of a story, with the signature that typer reads its options from."""

    def command(backend: str, anvil: Path | None, report: Path | None, as_json: bool, **parameters: object) -> None:
        known = {name: value for name, value in parameters.items() if name in hints}
        play(scenario, backend=backend, anvil=anvil, report=report, as_json=as_json, parameters=known)

    hints = get_type_hints(scenario.play, include_extras=True)
    annotations: dict[str, Any] = {p.name: _option(p, hints[p.name]) for p in _parameters(scenario)}
    defaults: dict[str, object] = {p.name: p.default for p in _parameters(scenario)}
    if not _takes_seed(scenario):
        annotations["seed"], defaults["seed"] = UnusedSeedOption, 0
    annotations |= {"backend": BackendOption, "anvil": AnvilOption, "report": ReportOption, "as_json": JsonOption}
    defaults |= {"backend": "model", "anvil": None, "report": None, "as_json": False}
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
    kind = getattr(hint, "__origin__", hint) if hasattr(hint, "__metadata__") else hint
    text = words_of(hint) or None
    if kind is Decimal:
        return Annotated[kind, typer.Option(parser=decimal, metavar="NUMBER", help=text)]
    return Annotated[kind, typer.Option(help=text)]


for _scenario in SCENARIOS.values():
    app.command(_scenario.name, help=_scenario.in_a_line)(_command(_scenario))


def _show_line(result: StoryResult) -> None:
    """One story in a line: how many of its promises and laws held, and its digest."""
    promises = [*result.expected.values(), *result.laws.values()]
    mark = "[green]✓[/]" if result.holds else "[bold red]✗[/]"
    width = max(map(len, SCENARIOS))
    held = f"{sum(promises)} of {len(promises)} held"
    stdout().print(f"{mark} {result.name:{width}}  {held}  {result.digest[:16]}", soft_wrap=True)


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
