"""Only FixedMath divides, in Solidity as in Python: every division says there where it rounds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
SOLIDITY = sorted((HOME / "contracts").rglob("*.sol"))
PYTHON = sorted((HOME / "perpkit" / "model").rglob("*.py"))
DIVIDERS = {"FixedMath.sol", "fixed_math.py"}

# What is no code: comments, strings and the lines that only name files or compilers.
NO_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"[^"\n]*"|^\s*(?:import\b[^;]*|pragma\b[^;]*);', re.DOTALL | re.MULTILINE)
DIVISIONS_IN_ASSEMBLY = re.compile(r"\b(?:s?div|s?mod|addmod|mulmod)\s*\(")


def solidity_divisions(source: str) -> Iterator[int]:
    """The lines on which Solidity divides."""
    code = NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), source)
    for number, line in enumerate(code.splitlines(), 1):
        if "/" in line or "%" in line or DIVISIONS_IN_ASSEMBLY.search(line):
            yield number


def python_divisions(source: str) -> Iterator[int]:
    """The lines on which Python divides numbers; `%` on a text would be one too, and nobody here formats so."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod)):
            yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("divmod", "round"):
            yield node.lineno


@pytest.mark.parametrize("path", SOLIDITY, ids=lambda path: path.name)
def test_no_contract_divides_by_itself(path: Path) -> None:
    """Outside FixedMath.sol there is no `/` and no `%`."""
    if path.name not in DIVIDERS:
        assert not list(solidity_divisions(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_no_module_of_the_model_divides_by_itself(path: Path) -> None:
    """Outside fixed_math.py there is no `/`, no `//` and no `%`."""
    if path.name not in DIVIDERS:
        assert not list(python_divisions(path.read_text(encoding="utf-8")))


def test_the_dividers_do_divide() -> None:
    """A must-fail twin: the two files that may divide are found to do so."""
    dividers = [path for path in (*SOLIDITY, *PYTHON) if path.name in DIVIDERS]
    assert len(dividers) == 2
    for path in dividers:
        find = solidity_divisions if path.suffix == ".sol" else python_divisions
        assert list(find(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("a = b / c;", [1]),
        ("a = b % c; // not", [1]),
        ("// b / c\n/* d / e\n f % g */\na = 1;", []),
        ('import {A} from "./a/b.sol";\nrevert("50 % / 2");', []),
        ("assembly { a := sdiv(b, c) }", [1]),
        ("x = 1;\n\ny /= 2;", [3]),
    ],
)
def test_divisions_in_solidity_are_seen(source: str, lines: list[int]) -> None:
    """Comments, texts and imports may hold a slash; code may not."""
    assert list(solidity_divisions(source)) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("a = b // c", [1]),
        ("a = b / c", [1]),
        ("\na %= 2", [2]),
        ("divmod(a, b)", [1]),
        ("# a // b\n'c / d'\nf'{e}'", []),
    ],
)
def test_divisions_in_python_are_seen(source: str, lines: list[int]) -> None:
    """Operators count, comments and texts do not."""
    assert list(python_divisions(source)) == lines
