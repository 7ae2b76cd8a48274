"""The one translator between ABI data and the model's types.

Names decide: a struct, an event or a custom error becomes the class of the same name in `perpkit.model`.
Everything is prepared once for each function, event and error. What is built of static values only, which is
nearly all that the market's functions and events carry, is read and written directly, many times faster than
through eth_abi, which does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, cast

from eth_abi.decoding import ContextFramesBytesIO
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.registry import registry

from perpkit.abi.artifacts import (
    Artifact,
    ArtifactError,
    CustomError,
    Event,
    Function,
    Param,
    artifact_names,
    load_artifact,
    snake_case,
)
from perpkit.model import errors, events, types

Convert = Callable[[Any], Any]
Encode = Callable[[Sequence[Any]], bytes]
Decode = Callable[[bytes], Sequence[Any]]
Write = Callable[[Any], bytes]
Read = Callable[[bytes, int], Any]

_WORD = 32
_TWO_256 = 1 << 256
_ARRAY = re.compile(r"^(?P<item>.*)\[\d*\]$")
_NUMBER = re.compile(r"^(?P<sign>u?)int(?P<bits>\d+)$")
_BYTES_N = re.compile(r"^bytes(?P<size>\d+)$")

# What the compiler itself reverts with.
_MESSAGE, _CODE = Param("message", "string", "string"), Param("code", "uint256", "uint256")
_BUILT_IN = (
    CustomError("Reverted", "Error(string)", bytes.fromhex("08c379a0"), (_MESSAGE,)),
    CustomError("Panic", "Panic(uint256)", bytes.fromhex("4e487b71"), (_CODE,)),
)


class CodecError(ValueError):
    """Data or arguments that do not fit the ABI, or a model type that does not."""


class _Irregular(Exception):
    """The direct way does not take this value; eth_abi decides about it."""


# ------------------------------------------------------------------ structs and arrays


def _item(param: Param) -> Param | None:
    """What an array is made of."""
    array = _ARRAY.match(param.type)
    if array is None:
        return None
    internal = param.internal_type[: param.internal_type.rfind("[")]
    return Param(param.name, array["item"], internal, param.components)


@cache
def _struct_class(param: Param) -> Callable[..., Any]:
    """The model's dataclass for a tuple, whose fields must be the struct's in the same order."""
    name = param.struct
    found = getattr(types, name, None) if name else None
    if found is None or not is_dataclass(found):
        raise CodecError(f"perpkit.model.types has no dataclass for the struct {name or param.type}.")
    _same_fields(found, param.components)
    return found  # type: ignore[return-value]  # is_dataclass narrows to instances as well


def _same_fields(model: Any, params: Sequence[Param]) -> None:
    """Values are passed by position, so a renamed or moved field would silently swap them."""
    has, needs = [field.name for field in fields(model)], [param.name for param in params]
    if has != needs:
        ours, theirs = ", ".join(has), ", ".join(needs)
        raise CodecError(f"The model's {model.__name__} has the fields {ours}, but the contract's has {theirs}.")


def _from_abi(param: Param) -> Convert | None:
    """Turns what eth_abi decoded into the model's value; None where it is that already."""
    item = _item(param)
    if item is not None:
        inner = _from_abi(item)
        return None if inner is None else lambda values: tuple(map(inner, values))
    if not param.components:
        return None
    build, parts = _struct_class(param), _convert_all(param.components, _from_abi)
    return (lambda values: build(*values)) if parts is None else (lambda values: build(*parts(values)))


def _to_abi(param: Param) -> Convert | None:
    """Turns a model's value into what eth_abi encodes; None where it is that already."""
    item = _item(param)
    if item is not None:
        inner = _to_abi(item)
        return None if inner is None else lambda values: tuple(map(inner, values))
    if not param.components:
        return None
    names, parts = [component.name for component in param.components], _convert_all(param.components, _to_abi)
    pick = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)

    def convert(value: Any) -> Any:
        values = value if isinstance(value, (tuple, list)) else pick(value)
        return values if parts is None else parts(values)

    return convert


def _convert_all(params: Sequence[Param], choose: Callable[[Param], Convert | None]) -> Convert | None:
    converters = [choose(param) for param in params]
    if not any(converters):
        return None

    def convert(values: Sequence[Any]) -> tuple[Any, ...]:
        if len(values) != len(converters):
            raise CodecError(f"A struct of {len(converters)} fields was given {len(values)} values.")
        return tuple(
            value if change is None else change(value) for change, value in zip(converters, values, strict=True)
        )

    return convert


# ------------------------------------------------------------------ the direct way, for static values


def _bounds(kind: str) -> tuple[int, int] | None:
    number = _NUMBER.match(kind)
    if number is None:
        return None
    bits = int(number["bits"])
    return (0, (1 << bits) - 1) if number["sign"] else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _number_reader(low: int, high: int) -> Read:
    signed = low < 0

    def read(data: bytes, at: int) -> int:
        value = int.from_bytes(data[at : at + _WORD], "big", signed=signed)
        if low <= value <= high:
            return value
        raise _Irregular

    return read


def _read_bool(data: bytes, at: int) -> bool:
    value = int.from_bytes(data[at : at + _WORD], "big")
    if value > 1:
        raise _Irregular
    return value == 1


def _read_address(data: bytes, at: int) -> str:
    if any(data[at : at + 12]):
        raise _Irregular
    return "0x" + data[at + 12 : at + _WORD].hex()


def _bytes_reader(size: int) -> Read:
    def read(data: bytes, at: int) -> bytes:
        if any(data[at + size : at + _WORD]):
            raise _Irregular
        return data[at : at + size]

    return read


def _value_reader(kind: str) -> Read | None:
    """Reads one word; None for a type that takes more than that."""
    bounds, sized = _bounds(kind), _BYTES_N.match(kind)
    if bounds is not None:
        return _number_reader(*bounds)
    if sized is not None:
        return _bytes_reader(int(sized["size"]))
    return {"bool": _read_bool, "address": _read_address}.get(kind)


def _reader(param: Param) -> tuple[Read, int] | None:
    """Reads a static value, and how many bytes it takes; None for a type that is or holds a dynamic one."""
    if _item(param) is not None:
        return None
    if not param.components:
        value = _value_reader(param.type)
        return None if value is None else (value, _WORD)
    build, inner = _struct_class(param), _row_reader(param.components)
    if inner is None:
        return None
    row, size = inner
    return (lambda data, at: build(*row(data, at))), size


def _row_reader(params: Sequence[Param]) -> tuple[Callable[[bytes, int], list[Any]], int] | None:
    steps: list[tuple[Read, int]] = []
    size = 0
    for param in params:
        found = _reader(param)
        if found is None:
            return None
        steps.append((found[0], size))
        size += found[1]
    return (lambda data, at: [read(data, at + offset) for read, offset in steps]), size


def _number_writer(low: int, high: int) -> Write:
    def write(value: Any) -> bytes:
        # Not isinstance: True is an int in Python, but not a number in the ABI.
        if type(value) is int and low <= value <= high:
            return (value if value >= 0 else value + _TWO_256).to_bytes(_WORD, "big")
        raise _Irregular

    return write


def _write_bool(value: Any) -> bytes:
    if type(value) is not bool:
        raise _Irregular
    return value.to_bytes(_WORD, "big")


def _write_address(value: Any) -> bytes:
    if type(value) is not str or len(value) != 42 or not value.startswith("0x"):
        raise _Irregular
    try:
        address = bytes.fromhex(value[2:])
    except ValueError:
        raise _Irregular from None
    if len(address) != 20:  # fromhex skips blanks
        raise _Irregular
    return bytes(12) + address


def _write_bytes32(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != _WORD:
        raise _Irregular
    return value


def _writer(param: Param) -> Write | None:
    bounds = _bounds(param.type)
    if bounds is not None:
        return _number_writer(*bounds)
    writers: dict[str, Write] = {
        "bool": _write_bool,
        "address": _write_address,
        "bytes32": _write_bytes32,
    }
    return writers.get(param.type)


# ------------------------------------------------------------------ rows of parameters


def _tuple_type(params: Sequence[Param]) -> str:
    return f"({','.join(param.type for param in params)})"


def _slow_encoder(params: Sequence[Param]) -> Encode:
    encode = cast(Encode, registry.get_encoder(_tuple_type(params)))
    convert = _convert_all(params, _to_abi) or tuple
    return lambda args: encode(convert(args))


def _fast_encoder(params: Sequence[Param]) -> Encode | None:
    writers = [_writer(param) for param in params]
    if None in writers:
        return None
    known: list[Write] = [writer for writer in writers if writer is not None]
    return lambda args: b"".join([write(value) for write, value in zip(known, args, strict=True)])


def _encoder(params: Sequence[Param], what: str) -> Encode:
    """Encodes arguments; `what` names the callee in messages."""
    count = len(params)
    slow = _slow_encoder(params) if params else lambda args: b""
    fast = _fast_encoder(params)

    def encode(args: Sequence[Any]) -> bytes:
        if len(args) != count:
            raise CodecError(f"{what} takes {count} arguments, not {len(args)}.")
        if fast is not None:
            try:
                return fast(args)
            except _Irregular:
                pass
        try:
            return slow(args)
        except (EncodingError, AttributeError, TypeError) as error:
            raise CodecError(f"{what} cannot encode its arguments: {error}") from error

    return encode


def _slow_decoder(params: Sequence[Param]) -> Decode:
    decode = cast(Convert, registry.get_decoder(_tuple_type(params), strict=False))
    stream: Convert = ContextFramesBytesIO
    convert = _convert_all(params, _from_abi) or tuple
    return lambda data: convert(decode(stream(data)))


def _decoder(params: Sequence[Param], what: str) -> Decode:
    """Decodes a row of values; `what` names the data in messages."""
    if not params:
        return lambda data: ()
    slow, row = _slow_decoder(params), _row_reader(params)

    def decode_slowly(data: bytes) -> Sequence[Any]:
        try:
            return slow(data)
        except (DecodingError, OverflowError, UnicodeDecodeError) as error:
            raise CodecError(f"{what} does not match its ABI: {error}") from error

    if row is None:
        return decode_slowly
    read, size = row

    def decode(data: bytes) -> Sequence[Any]:
        if len(data) < size:
            return decode_slowly(data)
        try:
            return read(data, 0)
        except _Irregular:
            return decode_slowly(data)

    return decode


# ------------------------------------------------------------------ functions


@dataclass(frozen=True, slots=True)
class _Call:
    selector: bytes
    encode: Encode
    decode: Decode
    outputs: int


@cache
def _call(contract: str, function: str) -> _Call:
    found: Function = load_artifact(contract).function(function)
    name = f"{contract}.{function}"
    return _Call(
        selector=found.selector,
        encode=_encoder(found.inputs, name),
        decode=_decoder(found.outputs, f"What {name} returned"),
        outputs=len(found.outputs),
    )


def encode_call(contract: str, function: str, args: Sequence[Any]) -> bytes:
    """The calldata of a function, which is named in snake_case."""
    call = _call(contract, function)
    return call.selector + call.encode(args)


def decode_result(contract: str, function: str, data: bytes) -> Any:
    """What a function returned: None, one value, or a tuple of several."""
    call = _call(contract, function)
    if call.outputs == 0:
        return None
    if not data:
        raise CodecError(f"{contract}.{function} returned nothing: there may be no contract at that address.")
    values = call.decode(bytes(data))
    return values[0] if call.outputs == 1 else tuple(values)


@cache
def _constructor(contract: str) -> tuple[bytes, Encode]:
    artifact = load_artifact(contract)
    return artifact.bytecode, _encoder(artifact.constructor, f"The constructor of {contract}")


def encode_constructor(contract: str, args: Sequence[Any]) -> bytes:
    """The code that deploys a contract: its bytecode followed by its arguments."""
    bytecode, encode = _constructor(contract)
    return bytecode + encode(args)


# ------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True)
class _Log:
    build: Callable[..., Any]
    topics: tuple[Read, ...]
    decode: Decode
    order: tuple[int, ...] | None


def _topic_reader(param: Param) -> Read:
    """An indexed value that does not fit into a word is only there as its hash."""
    fits = _item(param) is None and not param.components
    reader = _value_reader(param.type) if fits else None
    return reader or (lambda data, at: data)


def _log(event: Event) -> _Log | None:
    """None when the model has no event of that name, as for those that it leaves to the token."""
    model = getattr(events, event.name, None)
    if model is None:
        return None
    _same_fields(model, event.inputs)
    indexed = [index for index, param in enumerate(event.inputs) if param.indexed]
    plain = [index for index, param in enumerate(event.inputs) if not param.indexed]
    merged = indexed + plain  # the parameter that each decoded value belongs to
    return _Log(
        build=model,
        topics=tuple(_topic_reader(event.inputs[index]) for index in indexed),
        decode=_decoder([event.inputs[index] for index in plain], f"The data of the event {event.name}"),
        order=None if merged == sorted(merged) else tuple(map(merged.index, range(len(merged)))),
    )


@cache
def _logs(contract: str) -> Mapping[bytes, _Log]:
    known = load_artifact(contract).events
    built = {topic0: _log(event) for topic0, event in known.items()}
    return {topic0: log for topic0, log in built.items() if log is not None}


def decode_log(contract: str, topics: Sequence[bytes], data: bytes) -> Any | None:
    """The model's event of a log that `contract` emitted; None when the model does not know it."""
    log = _logs(contract).get(bytes(topics[0])) if topics else None
    if log is None:
        return None
    if len(topics) != len(log.topics) + 1:
        raise CodecError(f"A log of {contract} has {len(topics)} topics instead of {len(log.topics) + 1}.")
    try:
        values = [read(bytes(topic), 0) for read, topic in zip(log.topics, topics[1:], strict=True)]
    except _Irregular:
        raise CodecError(f"A log of {contract} has a topic that does not match its ABI.") from None
    values.extend(log.decode(bytes(data)))
    return log.build(*values) if log.order is None else log.build(*[values[index] for index in log.order])


# ------------------------------------------------------------------ errors


@cache
def _errors() -> Mapping[bytes, tuple[Callable[..., Exception], Decode]]:
    """Every custom error of every contract, since a revert may come from any contract that was called."""
    known: dict[bytes, CustomError] = {error.selector: error for error in _BUILT_IN}
    for artifact in map(load_artifact, artifact_names()):
        known.update(artifact.errors)
    found = {}
    for selector, error in known.items():
        model = getattr(errors, error.name, None)
        if model is not None:
            found[selector] = (model, _decoder(error.inputs, f"The data of the error {error.name}"))
    return found


def decode_error(data: bytes) -> Exception:
    """The model's error of what a call reverted with."""
    data = bytes(data)
    if not data:
        return errors.Reverted("")
    known = _errors().get(data[:4])
    if known is None:
        return errors.UnknownError(data[:4], data)
    build, decode = known
    try:
        return build(*decode(data[4:]))
    except CodecError:
        return errors.UnknownError(data[:4], data)


# ------------------------------------------------------------------ what the model lacks


def unmodelled(contract: str) -> tuple[str, ...]:
    """The events and errors of a contract for which the model has no class."""
    artifact: Artifact = load_artifact(contract)
    lost = [event.name for event in artifact.events.values() if not hasattr(events, event.name)]
    lost += [error.name for error in artifact.errors.values() if not hasattr(errors, error.name)]
    return tuple(sorted(lost))


__all__ = [
    "ArtifactError",
    "CodecError",
    "decode_error",
    "decode_log",
    "decode_result",
    "encode_call",
    "encode_constructor",
    "snake_case",
    "unmodelled",
]
