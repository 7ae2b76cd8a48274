"""The README tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.anvil
def test_the_example_runs_as_it_stands(tmp_path: Path) -> None:
    """Copied into a file and run: it opens at 4,000.001, and the keeper liquidates one account."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "example.py").write_text(code)
    ended = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert ended.returncode == 0, ended.stderr
    first, second = ended.stdout.splitlines()
    assert first.startswith("4000.001000000000000000 3638.38")
    assert second.startswith("1 ")


def test_every_command_that_it_shows_exists() -> None:
    """Each `perpkit X` of the README is a command."""
    from perpkit.cli.__main__ import COMMANDS

    shown = set(re.findall(r"^perpkit (\w+)", README, re.MULTILINE))
    assert shown <= set(COMMANDS)
    assert {"quote", "devnet", "open", "keeper", "replay", "scenario"} <= shown


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:contracts|perpkit|docs)/[\w./]+)`", README))))
def test_every_file_that_it_names_is_there(path: str) -> None:
    """The reading path leads somewhere."""
    assert (ROOT / path).exists()
