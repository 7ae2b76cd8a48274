"""What others install: a wheel that carries the contracts, and the link of an editable install."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
LOAD = """
import sys
sys.path.insert(0, sys.argv[1])
import perpkit
from perpkit.abi.artifacts import artifact_names, load_artifact
from perpkit.model.perp_math import __name__ as model
print(perpkit.__file__)
print(len(load_artifact("Clearinghouse").bytecode), *artifact_names())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (HOME / "pyproject.toml").is_file(), reason="only a checkout can be built"),
]


def build(folder: Path, target: str) -> Path:
    """A wheel of this checkout, built without asking a registry."""
    pytest.importorskip("hatchling", reason="the ape environment has no hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = folder.glob("*.whl")
    return wheel


def load_from(path: Path, elsewhere: Path) -> list[str]:
    """What a Python that finds perpkit at `path` says about it, asked from another directory."""
    command = [sys.executable, "-I", "-c", LOAD, str(path)]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_wheel_works_without_the_checkout(tmp_path: Path) -> None:
    """Contracts, page templates and types are in it, and an artifact is loaded from it."""
    wheel = build(tmp_path / "dist", "wheel:standard")
    target = tmp_path / "target"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(target)
    assert {"perpkit/_abis/Clearinghouse.json", "perpkit/py.typed", "perpkit/templates/report.html.j2"} <= names
    assert not [name for name in names if not name.startswith(("perpkit/", "perpkit-"))]
    where, loaded = load_from(target, tmp_path)
    assert Path(where).is_relative_to(target)
    contracts = {file.stem for file in (HOME / "abis").glob("*.json")}
    assert set(loaded.split()[1:]) == contracts


def test_an_editable_install_reads_the_checkout(tmp_path: Path) -> None:
    """Its link leads here, where artifacts come from abis/."""
    wheel = build(tmp_path / "dist", "wheel:editable")
    with zipfile.ZipFile(wheel) as archive:
        [link] = [name for name in archive.namelist() if name.endswith(".pth")]
        path = Path(archive.read(link).decode().strip())
    assert path.samefile(HOME)
    where, loaded = load_from(path, tmp_path)
    assert Path(where).is_relative_to(HOME) and "Clearinghouse" in loaded
