"""Who may import whom: `model <- backend <- {local, revm, chain} <- client <- keeper <- scenarios, devnet <- cli`.

Every room names the rooms that it imports from. An arrow that is not in this table is refused, and so is a module that
has no room. What a room may import is a decision; write the reason down in docs/decisions.md when the table changes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "perpkit"

# Leaves: they import no other room.
#   candles  reads price files            picture  names what is drawn
# `report` draws and knows nothing of markets. `market_setup` puts a market on any sandbox; `state` and `population`
# belong to the replay.
ROOMS: dict[str, set[str]] = {
    "model": set(),
    "backend": {"model"},
    "abi": {"model"},
    "candles": set(),
    "picture": set(),
    "report": {"picture"},
    "market_setup": {"backend", "model"},
    "local": {"backend", "model"},
    "revm": {"abi", "backend", "model"},
    "chain": {"abi", "backend", "market_setup", "model"},
    "client": {"backend", "local", "market_setup", "model"},  # `quote` asks the model, offline
    "keeper": {"backend", "client", "model"},
    "indexer": {"backend", "client", "model"},
    "state": {"backend", "market_setup", "model"},
    "population": {"backend", "market_setup", "model"},
    "devnet": {"abi", "backend", "chain", "client", "keeper", "local", "market_setup", "model", "revm"},
    "replay": {"backend", "candles", "client", "keeper", "market_setup", "model", "population", "state"},
    "replay_report": {"backend", "market_setup", "model", "replay", "report"},
    "scenarios": {
        *("backend", "candles", "client", "keeper", "market_setup", "model", "picture", "population", "replay"),
        "state",
    },
    "story_report": {"report", "scenarios"},
    "testing": {
        *("abi", "backend", "chain", "client", "devnet", "keeper", "local", "market_setup", "model", "revm"),
        *("replay", "scenarios", "state"),
    },
}
ROOMS["cli"] = set(ROOMS)

# Libraries with one home. `abi` reads ABI data with eth_abi and eth_utils and knows no chain.
HOMES = {
    "web3": ("chain",),
    "eth_account": ("chain",),
    "pyrevm": ("revm",),
    "pydantic": ("chain.manifest", "chain.ticket", "chain.config", "config", "cli", "devnet"),
    "pydantic_settings": ("chain.config", "config", "cli", "devnet"),
    "typer": ("cli",),
    "matplotlib": ("report",),
    "jinja2": ("report",),
}


@dataclass(frozen=True)
class Import:
    """`module` imports `target`, both without the package's name."""

    module: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"perpkit/{self.module.replace('.', '/')}.py:{self.line} imports {self.target}"


def room(module: str) -> str:
    return module.split(".")[0]


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imported_names(file: Path) -> Iterator[tuple[str, int]]:
    """Every absolute module name that the file imports, wherever in it; ruff bans relative ones."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "perpkit":
                yield from ((f"perpkit.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def imports() -> list[Import]:
    return [
        Import(module_of(file), name, line)
        for file in sorted(PACKAGE.rglob("*.py"))
        for name, line in imported_names(file)
    ]


def ours() -> list[Import]:
    return [
        Import(found.module, found.target.removeprefix("perpkit."), found.line)
        for found in imports()
        if found.target.startswith("perpkit.")
    ]


def test_every_module_has_a_room() -> None:
    """A new module is placed in the table before it is imported."""
    rooms = {room(module_of(file)) for file in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms <= set(ROOMS), sorted(rooms - set(ROOMS))


def test_no_arrow_points_the_wrong_way() -> None:
    """Each import goes to the same room or to one that the table allows."""
    wrong = [
        str(found)
        for found in ours()
        if room(found.module) != room(found.target) and room(found.target) not in ROOMS.get(room(found.module), set())
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_has_no_circle() -> None:
    """Rooms can be put in an order in which each imports only from earlier ones."""
    left = {name: set(targets) for name, targets in ROOMS.items()}
    while left:
        free = [name for name, targets in left.items() if not targets & set(left)]
        assert free, f"these import each other in a circle: {sorted(left)}"
        for name in free:
            del left[name]


def test_the_model_needs_the_standard_library_only() -> None:
    """It runs anywhere that Python does."""
    foreign = [
        str(found)
        for found in imports()
        if room(found.module) == "model" and found.target.split(".")[0] not in {"perpkit", *sys.stdlib_module_names}
    ]
    assert not foreign, "\n".join(foreign)


@pytest.mark.parametrize(("library", "homes"), HOMES.items())
def test_a_library_stays_at_home(library: str, homes: tuple[str, ...]) -> None:
    """What depends on a library that may change is in one place."""
    strays = [
        str(found)
        for found in imports()
        if found.target.split(".")[0] == library
        and not any(found.module == home or found.module.startswith(home + ".") for home in homes)
    ]
    assert not strays, "\n".join(strays)


def test_the_chain_sets_no_market_up() -> None:
    """Connecting to a market that stands needs its roles and specs, and none of the functions that build one."""
    allowed = {"ROLES", "MarketSpec", "feed_labels"}
    strays = []
    for file in sorted((PACKAGE / "chain").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "perpkit.market_setup":
                strays += [f"chain/{file.name} takes {name.name}" for name in node.names if name.name not in allowed]
    assert not strays, "\n".join(strays)
