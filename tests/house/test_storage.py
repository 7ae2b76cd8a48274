"""The extension runs on the clearinghouse's storage, so both must mean the same by every slot."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

ABIS = Path(__file__).resolve().parents[2] / "abis"
Layout = dict[str, Any]


def layout(contract: str) -> Layout:
    found: Layout = json.loads((ABIS / f"{contract}.json").read_text(encoding="utf-8"))["storageLayout"]
    return found


def is_prefix(extension: Layout, house: Layout) -> bool:
    """Whether every variable of the extension lies where the clearinghouse has it, and is made of the same."""
    storage, types = extension["storage"], extension["types"]
    return bool(
        storage == house["storage"][: len(storage)] and all(house["types"].get(name) == types[name] for name in types)
    )


def test_the_extensions_storage_is_the_beginning_of_the_clearinghouses() -> None:
    """Every variable, and every struct that it is made of."""
    assert is_prefix(layout("ClearinghouseExtension"), layout("Clearinghouse"))


def test_the_extension_knows_all_that_the_markets_are_made_of() -> None:
    """Or the test above would compare too little."""
    named = [variable["label"] for variable in layout("ClearinghouseExtension")["storage"]]
    assert {"_owner", "_vault", "_accounts", "_markets", "_positions", "_announcements", "_registered"} <= set(named)


@pytest.mark.parametrize("what", ["a variable between", "a variable moved", "another type", "another struct"])
def test_a_difference_is_found(what: str) -> None:
    """Must-fail twins: what is after the prefix may differ, and nothing within it."""
    extension, house = layout("ClearinghouseExtension"), deepcopy(layout("Clearinghouse"))
    if what == "a variable between":
        house["storage"].insert(3, {"label": "_new", "offset": 0, "slot": "3", "type": "t_bool"})
    elif what == "a variable moved":
        house["storage"][-4]["slot"] = "77"
    elif what == "another type":
        house["storage"][2]["type"] = "t_uint256"
    else:
        market = next(
            name for name in house["types"] if "Market)" in name and "struct" in name and "mapping" not in name
        )
        house["types"][market]["members"].pop()
    assert not is_prefix(extension, house)


def test_what_only_the_clearinghouse_has_comes_after() -> None:
    """Nonces and names of signatures: a variable more at the end is no difference."""
    house = deepcopy(layout("Clearinghouse"))
    house["storage"].append({"label": "_new", "offset": 0, "slot": "99", "type": "t_bool"})
    assert is_prefix(layout("ClearinghouseExtension"), house)
