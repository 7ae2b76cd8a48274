"""The locks pin everything and name no place; nor does any other file."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from perpkit.devnet.find_node import ANVIL_VERSION

HOME = Path(__file__).resolve().parents[2]
LOCKS = ("main.txt", "ape.txt")
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(\[[a-z0-9,_-]+\])?==([^ ;]+)", re.IGNORECASE)

# Built from parts, or this file would be the first to break the rule.
FOLDERS = ("ro" + "ot", "ho" + "me", "wo" + "rk", "t" + "mp", "op" + "t", "Us" + "ers")
MACHINE_PATHS = [f"/{folder}/" for folder in FOLDERS]
REGISTRIES = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com"]
PLACES = re.compile(
    r"(?<![\w.~/$})-])(?:" + "|".join(MACHINE_PATHS) + ")|" + "|".join(re.escape(host) for host in REGISTRIES)
)


def tracked() -> list[Path]:
    """The files of the repository, those to be committed included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=HOME, capture_output=True, text=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only a git checkout knows which files are the project's")
    return [file for name in done.stdout.split("\0") if name and (file := HOME / name).is_file()]


def test_no_file_names_a_place() -> None:
    """Neither a directory of somebody's machine nor a registry."""
    found = []
    for file in tracked():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if PLACES.search(line):
                found.append(f"{file.relative_to(HOME)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_versions_with_hashes(name: str) -> None:
    """Every requirement has one version and at least one hash, and there is nothing else."""
    text = (HOME / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines
    loose = [line[:80] for line in lines if not PINNED.match(line) or "--hash=sha256:" not in line]
    assert not loose


def test_one_lock_has_web3_8_and_the_other_ape() -> None:
    """Two environments, because ape and web3 8 cannot share one."""
    versions = {}
    for name in LOCKS:
        text = (HOME / "requirements" / name).read_text(encoding="utf-8")
        versions[name] = {match[1]: match[3] for line in text.splitlines() if (match := PINNED.match(line))}
    assert versions["main.txt"]["web3"].startswith("8.") and "eth-ape" not in versions["main.txt"]
    assert versions["ape.txt"]["web3"].startswith("7.") and "eth-ape" in versions["ape.txt"]


def test_the_toolchain_is_pinned_by_content() -> None:
    """npm's lock has exact versions, a hash for each, and no address; it names the Anvil that find_anvil installs."""
    listed = json.loads((HOME / "package.json").read_text(encoding="utf-8"))
    wanted = {**listed["devDependencies"], **listed["optionalDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    assert {version for name, version in wanted.items() if "anvil" in name} == {ANVIL_VERSION}
    packages = json.loads((HOME / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    locked = {name.removeprefix("node_modules/"): package for name, package in packages.items() if name}
    assert wanted.items() <= {(name, package["version"]) for name, package in locked.items()}
    assert all("integrity" in package and "resolved" not in package for package in locked.values())
