"""Build the checked-in artifacts: `abis/<Contract>.json`, one for each concrete contract.

python scripts/build_abis.py                  compile (with via-IR) and write what changed
python scripts/build_abis.py --check          exit 1 naming the first artifact that a rebuild would change
python scripts/build_abis.py --check --quick  the same by the hash of the sources and settings, no compiler
python scripts/build_abis.py --sizes          deployed sizes against the EIP-170 limit; writes nothing
python scripts/build_abis.py --only-fast      compile without via-IR for its messages; writes nothing
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HOME = Path(__file__).resolve().parent.parent
COMPILER = HOME / "scripts" / "compile.cjs"
SIZE_LIMIT = 24_576  # EIP-170
LEFT_OUT = ("contracts/interfaces/", "contracts/libraries/")
TOOLS = ("solc", "@openzeppelin/contracts")

# AST ids count every node of every source, so an unrelated edit would change them. Array lengths stay.
AST_ID = re.compile(r"(t_(?:struct|contract|enum|userDefinedValueType)\([^()]*\))\d+")

console = Console(stderr=True)


class BuildError(Exception):
    """Something a person has to put right before artifacts can be built."""


# ------------------------------------------------------------------ sources and their hash


def settings() -> dict[str, Any]:
    """The compiler settings, read from compile.cjs so that they are stated once."""
    text = COMPILER.read_text(encoding="utf-8")
    block = re.search(r"/\* settings-begin \*/(.*?)/\* settings-end \*/", text, re.DOTALL)
    if block is None:
        raise BuildError("compile.cjs has lost the markers around its settings.")
    found: dict[str, Any] = json.loads(block.group(1))
    return found


def tool_versions() -> dict[str, str]:
    """The pinned compiler and contract library, which shape the bytecode as much as the sources do."""
    pinned = json.loads((HOME / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    return {name: pinned[name] for name in TOOLS}


def source_hash(root: Path) -> str:
    """One hash over all contract sources, the settings and the tool versions."""
    files = sorted((root / "contracts").rglob("*.sol"))
    sources = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}
    whole = {"settings": settings(), "sources": sources, "tools": tool_versions()}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


# ------------------------------------------------------------------ compiling


def run_compiler(root: Path, *flags: str) -> str:
    """Run compile.cjs, show its messages, and return what it wrote to stdout."""
    if shutil.which("node") is None:
        raise BuildError("The compiler needs node, which is not on the PATH.")
    missing = [name for name in TOOLS if not (HOME / "node_modules" / name).is_dir()]
    if missing:
        raise BuildError(f"The package {missing[0]} is not installed: run npm ci first.")
    with console.status("Compiling the contracts (this can take a minute) …"):
        done = subprocess.run(
            ["node", str(COMPILER), "--root", str(root), *flags],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        raise BuildError("The contracts do not compile.")
    return done.stdout


def concrete(output: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Contracts that can be deployed, by name."""
    found: dict[str, dict[str, Any]] = {}
    for source, contracts in output["contracts"].items():
        if source.startswith(LEFT_OUT):
            continue
        for name, contract in contracts.items():
            if not contract["evm"]["bytecode"]["object"]:
                continue
            if name in found:
                raise BuildError(f"Two contracts are called {name}, but artifacts are named by contract.")
            found[name] = contract
    return found


# ------------------------------------------------------------------ artifacts


def plain_type(name: str) -> str:
    """A storage type's name without AST ids."""
    previous = ""
    while previous != name:
        previous, name = name, AST_ID.sub(r"\1", name)
    return name


def slot(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {key: entry[key] for key in ("label", "offset", "slot")}
    return {**kept, "type": plain_type(entry["type"])}


def type_info(entry: dict[str, Any]) -> dict[str, Any]:
    info: dict[str, Any] = {key: plain_type(value) for key, value in entry.items() if isinstance(value, str)}
    if "members" in entry:
        info["members"] = [slot(member) for member in entry["members"]]
    return info


def storage_layout(layout: dict[str, Any]) -> dict[str, Any]:
    """solc's storage layout in a form that only changes when the layout does."""
    types = {plain_type(name): type_info(entry) for name, entry in (layout.get("types") or {}).items()}
    return {"storage": [slot(entry) for entry in layout.get("storage") or []], "types": types}


def code(contract: dict[str, Any], part: str) -> str:
    text = str(contract["evm"][part]["object"])
    if "__$" in text:
        raise BuildError("A contract needs a linked library, which artifacts do not support.")
    return "0x" + text


def artifact(name: str, contract: dict[str, Any], version: str, digest: str) -> dict[str, Any]:
    return {
        "abi": contract["abi"],
        "bytecode": code(contract, "bytecode"),
        "compiler": {"settings": settings(), "version": version},
        "contractName": name,
        "deployedBytecode": code(contract, "deployedBytecode"),
        "sourceHash": digest,
        "storageLayout": storage_layout(contract["storageLayout"]),
    }


def compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def block(value: Any, indent: str) -> str:
    """A list or mapping with one compact item on each line."""
    if isinstance(value, dict):
        items, ends = [f"{compact(key)}: {compact(value[key])}" for key in sorted(value)], "{}"
    else:
        items, ends = [compact(item) for item in value], "[]"
    if not items:
        return ends
    inner = ",\n".join(f"{indent}  {item}" for item in items)
    return f"{ends[0]}\n{inner}\n{indent}{ends[1]}"


def render(built: dict[str, Any]) -> str:
    """JSON that gives readable diffs: one ABI item, storage slot or type on each line."""
    parts = dict(built)
    layout = parts.pop("storageLayout")
    parts["abi"] = block(parts["abi"], "  ")
    lines = [f"  {compact(k)}: {v if k == 'abi' else compact(v)}" for k, v in sorted(parts.items())]
    inner = ",\n".join(f"    {compact(key)}: {block(value, '    ')}" for key, value in sorted(layout.items()))
    lines.append(f'  "storageLayout": {{\n{inner}\n  }}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def build(root: Path) -> dict[str, str]:
    """The text of every artifact, by file name."""
    digest = source_hash(root)  # before compiling, so an edit made meanwhile shows up as stale
    output = json.loads(run_compiler(root, "--json"))
    texts = {}
    for name, contract in sorted(concrete(output).items()):
        texts[f"{name}.json"] = render(artifact(name, contract, output["version"], digest))
    return texts


# ------------------------------------------------------------------ commands


def existing(root: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((root / "abis").glob("*.json"))}


def write(root: Path) -> None:
    """Write the artifacts that changed and remove those whose contract is gone."""
    wanted, present = build(root), existing(root)
    folder = root / "abis"
    folder.mkdir(exist_ok=True)
    for name in present.keys() - wanted.keys():
        (folder / name).unlink()
        console.print(f"removed abis/{name}")
    for name, text in wanted.items():
        if present.get(name) == text:
            continue
        fresh = folder / f"{name}.new"
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, folder / name)
        console.print(f"wrote abis/{name}")


def check(root: Path) -> None:
    """Compare the artifacts with a full rebuild."""
    wanted, present = build(root), existing(root)
    for name in sorted(wanted.keys() | present.keys()):
        if wanted.get(name) != present.get(name):
            raise BuildError(f"abis/{name} differs from a rebuild: run python scripts/build_abis.py.")


def check_quick(root: Path) -> None:
    """Compare the artifacts' source hash with the sources, without compiling."""
    digest, present = source_hash(root), existing(root)
    if not present:
        raise BuildError("abis/ holds no artifacts: run python scripts/build_abis.py.")
    for name, text in present.items():
        if json.loads(text).get("sourceHash") != digest:
            raise BuildError(f"abis/{name} was built from other sources: run python scripts/build_abis.py.")


def sizes(root: Path) -> None:
    """Print how large each deployed contract is, and fail when one is too large to deploy."""
    table = Table("contract", "bytes", "of the limit", "left")
    measured = {
        name: len(contract["evm"]["deployedBytecode"]["object"]) // 2
        for name, contract in concrete(json.loads(run_compiler(root, "--json"))).items()
    }
    for name, size in sorted(measured.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{size:,}", f"{size / SIZE_LIMIT:.1%}", f"{SIZE_LIMIT - size:,}")
    Console().print(table)
    over = [name for name, size in measured.items() if size > SIZE_LIMIT]
    if over:
        raise BuildError(f"{over[0]} is larger than the {SIZE_LIMIT:,} bytes that can be deployed.")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the contract artifacts in abis/.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="fail when a rebuild would change an artifact")
    mode.add_argument("--sizes", action="store_true", help="print deployed sizes and write nothing")
    mode.add_argument("--only-fast", action="store_true", help="compile without via-IR and write nothing")
    parser.add_argument("--quick", action="store_true", help="with --check: compare the source hash only")
    parser.add_argument("--root", type=Path, default=HOME, help="a directory with a contracts/ folder")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    root = args.root.resolve()
    try:
        if args.check:
            (check_quick if args.quick else check)(root)
        elif args.sizes:
            sizes(root)
        elif args.only_fast:
            sys.stdout.write(run_compiler(root, "--fast"))
        else:
            write(root)
    except BuildError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
