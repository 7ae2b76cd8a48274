"""The mirror: contract and model are the same text in two languages, so that whoever can read one can read both.

Same functions in the same order with the same parameters, same sections, same beats; same errors, events and structs.
What differs stands in the lists below, each with its reason.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from perpkit.abi.artifacts import Param, artifact_names, load_artifact, snake_case
from perpkit.model import errors, events, types

HOME = Path(__file__).resolve().parents[2]
CONTRACTS, MODEL = HOME / "contracts", HOME / "perpkit" / "model"
BEATS = ("AUTHORIZE", "ACCRUE", "COMPUTE", "APPLY", "VERIFY", "EMIT")

# What only the contract has.
ONLY_SOLIDITY = {
    "FixedMath.sol": {
        "abs": "a builtin of Python",
        "min": "a builtin of Python",
        "max": "a builtin of Python",
    },
    "VaultLedger.sol": {"_insurance": "a cast; Python's ints need none"},
    "Clearinghouse.sol": {
        "deleverage": "a stub that runs the extension's; the model inherits Deleveraging itself",
        "listMarket": "a stub, as above; the model inherits MarketRegistry itself",
        "setMarketParams": "a stub, as above",
        "setMarketPaused": "a stub, as above",
        "announceMarketParams": "a stub, as above",
        "setOrders": "a stub, as above",
        "recordOutage": "a stub, as above",
        "announceDelisting": "a stub, as above; the model inherits MarketDelisting itself",
        "delistMarket": "a stub, as above",
        "closeOut": "a stub, as above",
        "collectFees": "a stub, as above",
        "deliverReports": "a stub, as above",
        "_extend": "the stubs' way into the extension",
    },
    "Orders.sol": {"_bubble": "raises the bytes of a revert again; Python writes raise"},
    "PerpLens.sol": {
        "_simulate": "catches Simulated; the model's simulate returns",
        "_arguments": "unpacks the bytes of a revert",
        "_bubble": "raises the bytes of a revert again",
    },
}
# What only the model has, beside its storage helpers under STORAGE.
ONLY_PYTHON = {
    "orders.py": {
        "multicall": "OpenZeppelin's Multicall",
        "epoch_of": "a public mapping's getter",
        "is_nonce_used": "as above",
        "credit_of": "as above",
    },
    "fixed_math.py": {"ten_to": "Solidity writes 10 ** n, and its compiler knows the type"},
    "margin_vault.py": {
        "multicall": "OpenZeppelin's Multicall",
        "nonces": "OpenZeppelin's Nonces",
    },
    "signed_price_feed.py": {"is_reporter": "a public mapping's getter"},
}
# Parameters that differ: function -> (in Solidity, in Python, why).
OTHER_PARAMETERS: dict[str, tuple[list[str], list[str], str]] = {
    "deposit_with_permit": (["v", "r", "s"], ["signature"], "a Signature stands for v, r, s"),
    "_replace_on_sides": (["state"], ["m"], "frozen states are replaced in their market"),
    "_liquidate": ([], ["sender"], "msg.sender is an argument in Python"),
}
# Sections that only one side has.
ONLY_SECTIONS = {"EXTENSION", "STORAGE", "MULTICALL"}

TWINS = {
    "libraries/FixedMath.sol": "fixed_math.py",
    "libraries/PerpMath.sol": "perp_math.py",
    "VaultLedger.sol": "vault_ledger.py",
    "MarginVault.sol": "margin_vault.py",
    "MarketLedger.sol": "market_ledger.py",
    "Clearinghouse.sol": "clearinghouse.py",
    "Deleveraging.sol": "deleveraging.py",
    "MarketRegistry.sol": "market_registry.py",
    "MarketDelisting.sol": "market_delisting.py",
    "PriceOracle.sol": "price_oracle.py",
    "Orders.sol": "orders.py",
    "SignedPriceFeed.sol": "signed_price_feed.py",
    "LeveragedToken.sol": "leveraged_token.py",
    "periphery/PerpLens.sol": "perp_lens.py",
}


@dataclass
class Function:
    """A function of one source: its name and parameters in snake_case, its beats, and the section that it is in."""

    name: str
    parameters: list[str]
    section: str = ""
    beats: list[str] = field(default_factory=list)


@dataclass
class Source:
    """What a reader sees of a file."""

    functions: list[Function]
    sections: list[str]

    def names(self) -> list[str]:
        return [function.name for function in self.functions]


def snake(name: str) -> str:
    """Of a function or parameter, its leading underscore kept."""
    return "_" * (len(name) - len(name.lstrip("_"))) + snake_case(name)


def read_solidity(text: str) -> Source:
    """Functions, banners and beats of a contract, in their order."""
    found = Source([], [])
    token = re.compile(
        r"^    /\* (?P<section>[A-Z][A-Z ,-]+) \*/$"
        r"|^    function (?P<name>\w+)\((?P<parameters>[^)]*)\)"
        r"|^ +// (?P<beat>[A-Z]+)$",
        re.MULTILINE,
    )
    for match in token.finditer(text):
        if match["section"]:
            found.sections.append(match["section"])
        elif match["name"]:
            parts = [part.split() for part in match["parameters"].split(",") if part.strip()]
            parameters = [snake(part[-1]).rstrip("_") for part in parts if len(part) > 1]
            section = found.sections[-1] if found.sections else ""
            found.functions.append(Function(snake(match["name"]), parameters, section))
        elif match["beat"] in BEATS and found.functions:
            found.functions[-1].beats.append(match["beat"])
    return found


def read_python(text: str) -> Source:
    """The same of a module of the model."""
    lines = text.splitlines()
    found = Source([], [])
    nodes = [
        node
        for parent in ast.walk(ast.parse(text))
        if isinstance(parent, (ast.Module, ast.ClassDef))
        for node in parent.body
        if isinstance(node, ast.FunctionDef)
    ]
    starts = {node.lineno: node for node in nodes}
    for number, line in enumerate(lines, 1):
        banner = re.fullmatch(r"(?:    )?# ([A-Z][A-Z ,-]+)", line)
        beat = re.fullmatch(r" {8,}# ([A-Z]+)", line)
        if banner:
            found.sections.append(banner[1])
        elif number in starts:
            node = starts[number]
            if node.name.startswith("__"):
                continue
            arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            parameters = [argument.rstrip("_") for argument in arguments if argument != "self"]
            section = found.sections[-1] if found.sections else ""
            found.functions.append(Function(node.name, parameters, section))
        elif beat and beat[1] in BEATS:
            found.functions[-1].beats.append(beat[1])
    return found


def solidity(path: str) -> Source:
    """A contract without what only it has."""
    source = read_solidity((CONTRACTS / path).read_text(encoding="utf-8"))
    without = {snake(name) for name in ONLY_SOLIDITY.get(Path(path).name, {})}
    kept = [function for function in source.functions if function.name not in without]
    return Source(kept, [section for section in source.sections if section not in ONLY_SECTIONS])


def python(path: str) -> Source:
    """A module without what only it has."""
    source = read_python((MODEL / path).read_text(encoding="utf-8"))
    without = ONLY_PYTHON.get(path, {})
    kept = [f for f in source.functions if f.name not in without and f.section != "STORAGE"]
    return Source(kept, [section for section in source.sections if section not in ONLY_SECTIONS])


def same_parameters(theirs: Function, ours: Function) -> bool:
    """Whether the parameters are equal, but for `sender` at the end and the listed ones."""
    expected = theirs.parameters
    if ours.name in OTHER_PARAMETERS:
        leaves, enters, _ = OTHER_PARAMETERS[ours.name]
        if leaves and leaves[0] in expected:
            start = expected.index(leaves[0])
            if expected[start : start + len(leaves)] != leaves:
                return False
            expected = [*expected[:start], *enters, *expected[start + len(leaves) :]]
    got = ours.parameters[:-1] if ours.parameters[-1:] == ["sender"] else ours.parameters
    return got == expected


twins = pytest.mark.parametrize(("contract", "module"), TWINS.items(), ids=lambda path: Path(path).stem)


@twins
def test_the_functions_are_the_same_in_the_same_order(contract: str, module: str) -> None:
    """Name by name, camelCase against snake_case."""
    assert python(module).names() == solidity(contract).names()


@twins
def test_the_parameters_have_the_same_names(contract: str, module: str) -> None:
    """Python may add `self` and `sender`, and drops nothing."""
    pairs = zip(solidity(contract).functions, python(module).functions, strict=True)
    different = [
        (theirs.name, theirs.parameters, ours.parameters)
        for theirs, ours in pairs
        if theirs.name != ours.name or not same_parameters(theirs, ours)
    ]
    assert not different


@twins
def test_the_sections_carry_the_same_banners(contract: str, module: str) -> None:
    """/* TRADE */ is # TRADE, and the same functions stand under it."""
    theirs, ours = solidity(contract), python(module)
    assert ours.sections == theirs.sections
    assert [(f.name, f.section) for f in ours.functions] == [(f.name, f.section) for f in theirs.functions]


@twins
def test_every_action_beats_the_same(contract: str, module: str) -> None:
    """Both twins beat AUTHORIZE, ACCRUE, COMPUTE, APPLY, VERIFY, EMIT in the same places."""
    theirs = {f.name: f.beats for f in solidity(contract).functions}
    ours = {f.name: f.beats for f in python(module).functions}
    assert ours == theirs


@twins
def test_the_beats_come_in_order(contract: str, module: str) -> None:
    """No action verifies before it applies."""
    for function in solidity(contract).functions:
        places = [BEATS.index(beat) for beat in function.beats]
        assert places == sorted(places), function.name


def test_the_exceptions_are_still_needed() -> None:
    """An exception whose function is gone, or that has no reason, goes too."""
    for contract, without in ONLY_SOLIDITY.items():
        (path,) = CONTRACTS.rglob(contract)
        names = read_solidity(path.read_text(encoding="utf-8")).names()
        assert {snake(name) for name in without} <= set(names), contract
        assert all(without.values())
    for module, without in ONLY_PYTHON.items():
        assert set(without) <= set(read_python((MODEL / module).read_text(encoding="utf-8")).names()), module
        assert all(without.values())
    written = {name for module in TWINS.values() for name in python(module).names()}
    assert set(OTHER_PARAMETERS) <= written


# ------------------------------------------------------------------ errors, events, structs


def fields_of(model: type) -> list[str]:
    return [one.name for one in dataclasses.fields(model)]


def names_of(params: tuple[Param, ...]) -> list[str]:
    return [param.name for param in params]


def abi_errors() -> dict[str, list[str]]:
    found = {}
    for name in artifact_names():
        for error in load_artifact(name).errors.values():
            found[error.name] = names_of(error.inputs)
    return found


def abi_events() -> dict[str, list[str]]:
    found = {}
    for name in artifact_names():
        for event in load_artifact(name).events.values():
            found[event.name] = names_of(event.inputs)
    return found


def abi_structs() -> dict[str, list[str]]:
    """Every struct that passes through an ABI."""
    found: dict[str, list[str]] = {}

    def visit(param: Param) -> None:
        if param.struct:
            found[param.struct] = names_of(param.components)
        for component in param.components:
            visit(component)

    for name in artifact_names():
        artifact = load_artifact(name)
        rows = [artifact.constructor, *(event.inputs for event in artifact.events.values())]
        rows += [row for function in artifact.functions.values() for row in (function.inputs, function.outputs)]
        for row in rows:
            for param in row:
                visit(param)
    return found


# Errors of OpenZeppelin's that nothing here can raise, and events that only say what a getter says.
UNMODELLED_ERRORS = {
    "ECDSAInvalidSignature": "recovery is tried, and a failure becomes InvalidSignature",
    "ECDSAInvalidSignatureLength": "as above",
    "ECDSAInvalidSignatureS": "as above",
    "InvalidShortString": "names are short",
    "StringTooLong": "names are short",
    "InsufficientBalance": "no ether is sent",
}
UNMODELLED_EVENTS = {
    "EIP712DomainChanged": "the domain never changes",
    "OwnershipTransferred": "governing changes hands outside the market",
    "OwnershipTransferStarted": "as above",
}
# What the compiler raises, and what nobody knows.
MODEL_ONLY_ERRORS = {"Reverted", "Panic", "UnknownError"}


def test_every_error_has_a_twin_with_the_same_arguments() -> None:
    """Names, arguments and order are equal."""
    for name, arguments in abi_errors().items():
        if name in UNMODELLED_ERRORS:
            continue
        twin = getattr(errors, name)
        assert [argument.partition(":")[0] for argument in twin.arguments] == arguments, name


def test_every_event_has_a_twin_with_the_same_arguments() -> None:
    """Names, arguments and order are equal."""
    for name, arguments in abi_events().items():
        if name not in UNMODELLED_EVENTS:
            assert fields_of(getattr(events, name)) == arguments, name


def test_every_struct_has_a_twin_with_the_same_fields() -> None:
    """Names, fields and order are equal."""
    structs = abi_structs()
    assert {"Vault", "Position", "MarketParams", "MarketState", "AccountView"} <= set(structs)
    for name, members in structs.items():
        assert fields_of(getattr(types, name)) == members, name


def test_the_model_invents_no_error_and_no_event() -> None:
    """What the model can raise or say, some contract can too; groups of errors are not raised themselves."""
    raised = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.PerpError) and not value.__subclasses__()
    }
    said = {
        name for name, value in vars(events).items() if inspect.isclass(value) and value.__module__ == events.__name__
    }
    assert raised - MODEL_ONLY_ERRORS <= set(abi_errors())
    assert said - {"Event"} <= set(abi_events())


def test_what_is_not_modelled_is_in_some_abi() -> None:
    """An exception for an error or event that no contract has goes."""
    assert set(UNMODELLED_ERRORS) <= set(abi_errors())
    assert set(UNMODELLED_EVENTS) <= set(abi_events())


# ------------------------------------------------------------------ the reader itself


def test_the_readers_see_the_same_in_both_languages() -> None:
    """A must-fail twin: a renamed parameter, a moved function and a lost beat are all seen."""
    contract = (
        "    /* MONEY */\n    function payOut(uint256 account, address to)\n        external\n    {\n"
        "        // AUTHORIZE\n        // EMIT\n    }\n    function _add(uint256 a) internal {}\n"
    )
    module = (
        "class A:\n    # MONEY\n\n    @external\n"
        "    def pay_out(self, account: int, to: str, *, sender: str) -> None:\n"
        "        # AUTHORIZE\n        pass\n\n        # EMIT\n\n    def _add(self, a: int) -> None:\n        pass\n"
    )
    theirs, ours = read_solidity(contract), read_python(module)
    assert theirs == ours
    assert read_python(module.replace("to: str", "payee: str")) != theirs
    assert read_python(module.replace("        # EMIT\n", "")) != theirs
    assert read_python(module.replace("MONEY", "CASH")) != theirs
