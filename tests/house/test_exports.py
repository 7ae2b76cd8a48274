"""What the package shows to the world: `__all__`, types, and no surprises."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "perpkit"
PUBLIC = ("perpkit.client",)


def module_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def with_exports() -> list[str]:
    """Every module that has an `__all__`, without importing any."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and any(getattr(name, "id", None) == "__all__" for name in node.targets):
                found.append(module_name(file))
    return found


def reading_order(name: str) -> tuple[int, str]:
    """CONSTANTS first, then Classes, then functions."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name


def test_public_packages_say_what_is_public() -> None:
    """An import from one of them is a promise."""
    assert set(PUBLIC) <= set(with_exports())


@pytest.mark.parametrize("name", with_exports())
def test_exports_are_sorted_and_there(name: str) -> None:
    """Each once, in reading order, and importable."""
    module = importlib.import_module(name)
    assert module.__all__ == sorted(set(module.__all__), key=reading_order)
    missing = [export for export in module.__all__ if not hasattr(module, export)]
    assert not missing


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_is_explained(name: str) -> None:
    """Each class and function has a docstring of its own."""
    module = importlib.import_module(name)
    exports = [getattr(module, export) for export in module.__all__]
    silent = [export.__name__ for export in exports if callable(export) and not (export.__doc__ or "").strip()]
    assert not silent


def test_the_package_ships_its_types() -> None:
    """Type checkers of others read our annotations."""
    assert (PACKAGE / "py.typed").is_file()
