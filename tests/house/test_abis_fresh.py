"""The checked-in artifacts are what the contracts compile to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]
SCRIPT = HOME / "scripts" / "build_abis.py"
CAN_COMPILE = shutil.which("node") is not None and (HOME / "node_modules" / "solc").is_dir()

pytestmark = pytest.mark.skipif(
    not (HOME / "package.json").is_file(), reason="only a checkout holds what artifacts are built from"
)


def build_abis(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *flags]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_an_artifact_of_other_sources_is_refused(tmp_path: Path) -> None:
    """The quick check names an artifact that was built from other sources."""
    shutil.copytree(HOME / "contracts", tmp_path / "contracts")
    shutil.copytree(HOME / "abis", tmp_path / "abis")
    (tmp_path / "contracts" / "PriceOracle.sol").write_text("// changed\n", encoding="utf-8")
    done = build_abis("--check", "--quick", "--root", str(tmp_path))
    assert done.returncode == 1
    assert "was built from other sources: run python scripts/build_abis.py." in done.stderr


def test_missing_artifacts_are_refused(tmp_path: Path) -> None:
    """An empty folder is not up to date."""
    shutil.copytree(HOME / "contracts", tmp_path / "contracts")
    done = build_abis("--check", "--quick", "--root", str(tmp_path))
    assert done.returncode == 1 and "abis/ holds no artifacts" in done.stderr


def test_the_artifacts_carry_the_hash_of_the_sources() -> None:
    """Nobody changed a contract or a setting without building the artifacts."""
    done = build_abis("--check", "--quick")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not CAN_COMPILE, reason="needs node and the packages that npm ci installs")
@pytest.mark.slow
def test_the_artifacts_equal_a_rebuild() -> None:
    """The very same bytes come out of the compiler again."""
    done = build_abis("--check")
    assert done.returncode == 0, done.stderr
