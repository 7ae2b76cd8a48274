"""docs/protocol.md names functions; each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from perpkit.abi.artifacts import load_artifact, snake_case

HOME = Path(__file__).resolve().parents[2]
PAGE = (HOME / "docs" / "protocol.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([A-Z]\w+)\.(\w+)`", PAGE)))
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("| feature", "| ---"))
]
PARAMETERS = re.findall(r"`([a-z]\w+)`", PAGE)


def test_the_page_names_functions() -> None:
    """Or the next test would have nothing to look for."""
    assert len(NAMED) > 40 and len(ROWS) > 60


@pytest.mark.parametrize(("contract", "function"), NAMED, ids=[".".join(pair) for pair in NAMED])
def test_a_named_function_exists(contract: str, function: str) -> None:
    """In the contract's ABI, or, of a library, in its source."""
    if contract == "PerpMath":
        source = (HOME / "contracts" / "libraries" / "PerpMath.sol").read_text(encoding="utf-8")
        assert f"function {function}(" in source
    else:
        functions = {name.partition("(")[0] for name in load_artifact(contract).functions}
        assert snake_case(function) in {snake_case(name) for name in functions}


def test_every_row_says_yes_or_no_and_why() -> None:
    """A yes names something, a no gives a reason."""
    for row in ROWS:
        _, who, here = row
        assert who
        assert here.startswith(("yes", "no: ")), row
        assert len(here) > 15, row


def test_named_parameters_are_parameters() -> None:
    """`minDelay` and the like are fields of a struct or constants of an interface."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (HOME / "contracts" / "interfaces").glob("*.sol"))
    for name in PARAMETERS:
        assert name in sources, name
