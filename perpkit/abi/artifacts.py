"""Compiled contracts as Python reads them: what is looked up by name, topic or selector, and the bytecode."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_utils.crypto import keccak

AbiItem = Mapping[str, Any]

# Two boundaries: before a word that starts in the middle (maxOpen), and after an acronym (ERC20Permit).
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class ArtifactError(LookupError):
    """An artifact, or a name within one, that does not exist."""


def snake_case(name: str) -> str:
    """A Solidity name as Python writes it: `longOi` is `long_oi`, `_pool` is `pool`, `from` is `from_`.

    A constant keeps its capitals as it would in Python, so that `TRADE` and `trade` stay apart.
    """
    bare = name.lstrip("_.")
    plain = bare if bare.isupper() else _WORDS.sub("_", bare).lower()
    return f"{plain}_" if keyword.iskeyword(plain) else plain


@dataclass(frozen=True, slots=True)
class Param:
    """One input or output; `type` is canonical, so that a tuple is written out as `(uint256,int256)`."""

    name: str
    type: str
    internal_type: str
    components: tuple[Param, ...] = ()
    indexed: bool = False

    @property
    def struct(self) -> str | None:
        """The bare name of the struct behind a tuple: `Position` of `struct IClearinghouse.Position[]`."""
        if not self.internal_type.startswith("struct "):
            return None
        return self.internal_type.removeprefix("struct ").split("[")[0].rsplit(".")[-1]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a contract; `name` is snake_case, `signature` is Solidity's."""

    name: str
    signature: str
    selector: bytes
    inputs: tuple[Param, ...]
    outputs: tuple[Param, ...]
    mutability: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a contract."""

    name: str
    signature: str
    topic0: bytes
    inputs: tuple[Param, ...]


@dataclass(frozen=True, slots=True)
class CustomError:
    """A custom error that a contract can revert with."""

    name: str
    signature: str
    selector: bytes
    inputs: tuple[Param, ...]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract."""

    name: str
    abi: tuple[AbiItem, ...]
    bytecode: bytes
    deployed_bytecode: bytes
    constructor: tuple[Param, ...]
    functions: Mapping[str, Function]
    events: Mapping[bytes, Event]
    errors: Mapping[bytes, CustomError]

    def function(self, name: str) -> Function:
        """The function called `name` in snake_case."""
        try:
            return self.functions[name]
        except KeyError:
            raise ArtifactError(f"{self.name} has no function {name}.") from None


# ------------------------------------------------------------------ reading


def _param(item: Mapping[str, Any]) -> Param:
    components = tuple(_param(component) for component in item.get("components", ()))
    kind = str(item["type"])
    if kind.startswith("tuple"):
        kind = f"({','.join(component.type for component in components)}){kind.removeprefix('tuple')}"
    internal = str(item.get("internalType", item["type"]))
    return Param(snake_case(item["name"]), kind, internal, components, bool(item.get("indexed", False)))


def _params(item: AbiItem, key: str) -> tuple[Param, ...]:
    return tuple(_param(part) for part in item.get(key, ()))


def _signature(item: AbiItem) -> str:
    return f"{item['name']}({','.join(param.type for param in _params(item, 'inputs'))})"


def _function(item: AbiItem) -> Function:
    signature = _signature(item)
    return Function(
        name=snake_case(item["name"]),
        signature=signature,
        selector=keccak(text=signature)[:4],
        inputs=_params(item, "inputs"),
        outputs=_params(item, "outputs"),
        mutability=item["stateMutability"],
    )


def _event(item: AbiItem) -> Event:
    signature = _signature(item)
    return Event(item["name"], signature, keccak(text=signature), _params(item, "inputs"))


def _error(item: AbiItem) -> CustomError:
    signature = _signature(item)
    return CustomError(item["name"], signature, keccak(text=signature)[:4], _params(item, "inputs"))


def _functions(name: str, items: list[AbiItem]) -> Mapping[str, Function]:
    found: dict[str, Function] = {}
    for function in map(_function, items):
        if function.name in found:
            raise ArtifactError(f"{name} has two functions called {function.name}, but names must be unique.")
        found[function.name] = function
    return MappingProxyType(found)


def parse_artifact(content: Mapping[str, Any]) -> Artifact:
    """An artifact from the JSON that `scripts/build_abis.py` wrote."""
    name, abi = content["contractName"], tuple(content["abi"])
    by_type: dict[str, list[AbiItem]] = {"constructor": [], "function": [], "event": [], "error": []}
    for item in abi:
        by_type.setdefault(item["type"], []).append(item)
    return Artifact(
        name=name,
        abi=abi,
        bytecode=bytes.fromhex(content["bytecode"].removeprefix("0x")),
        deployed_bytecode=bytes.fromhex(content["deployedBytecode"].removeprefix("0x")),
        constructor=_params(by_type["constructor"][0], "inputs") if by_type["constructor"] else (),
        functions=_functions(name, by_type["function"]),
        events=MappingProxyType({event.topic0: event for event in map(_event, by_type["event"])}),
        errors=MappingProxyType({error.selector: error for error in map(_error, by_type["error"])}),
    )


# ------------------------------------------------------------------ finding


def _folder() -> Path:
    """A wheel carries the artifacts as package data; a checkout keeps them beside the package."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_abis"
    return packaged if packaged.is_dir() else package.parent / "abis"


@cache
def artifact_names() -> tuple[str, ...]:
    """The names of all contracts that have an artifact."""
    folder = _folder()
    if not folder.is_dir():
        return ()
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".json")))


@cache
def load_artifact(name: str) -> Artifact:
    """The artifact of the contract `name`."""
    if name not in artifact_names():
        known = ", ".join(artifact_names()) or "none, since none were built"
        raise ArtifactError(f"There is no artifact of a contract called {name}; there are: {known}.")
    return parse_artifact(json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8")))
