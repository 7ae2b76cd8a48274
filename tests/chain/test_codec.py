"""The translator between ABI data and the model's types."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from perpkit.abi.artifacts import (
    ArtifactError,
    CustomError,
    Event,
    artifact_names,
    load_artifact,
    parse_artifact,
    snake_case,
)
from perpkit.abi.codec import (
    CodecError,
    decode_error,
    decode_log,
    decode_result,
    encode_call,
    encode_constructor,
    unmodelled,
)
from perpkit.model import errors, events, types

HOUSE = "Clearinghouse"
ORACLE = "PriceOracle"
FEED = "0x" + "ab" * 20

# What the share and the signature library say by themselves, and is none of the market's business.
FOREIGN = {
    "Approval",
    "Transfer",
    "Deposit",
    "Withdraw",
    "EIP712DomainChanged",
    # OpenZeppelin's, which the market never raises or whose hand-over the model does not know.
    "InsufficientBalance",
    "InvalidShortString",
    "StringTooLong",
    "OwnershipTransferStarted",
    "OwnershipTransferred",
}

INT256 = st.integers(-(2**255), 2**255 - 1)
UINT256 = st.integers(0, 2**256 - 1)
RESULT = st.tuples(INT256, INT256, INT256, INT256, INT256, INT256)


def event_named(name: str) -> Event:
    return next(event for event in load_artifact(HOUSE).events.values() if event.name == name)


def error_named(name: str) -> CustomError:
    return next(error for error in load_artifact(HOUSE).errors.values() if error.name == name)


def revert_data(name: str, *args: Any) -> bytes:
    error = error_named(name)
    return error.selector + encode([param.type for param in error.inputs], args)


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def plain(value: Any) -> Any:
    """A dataclass as the tuple of its values."""
    return tuple(getattr(value, field.name) for field in fields(value))


# ------------------------------------------------------------------ refusals


def test_an_unknown_contract_is_refused_with_the_names_there_are() -> None:
    """Whoever mistypes a contract is told which there are."""
    with pytest.raises(ArtifactError, match=r"contract called Nope; there are: .*Clearinghouse"):
        load_artifact("Nope")


def test_an_unknown_function_is_refused() -> None:
    """A function that the contract lacks is named."""
    with pytest.raises(ArtifactError, match=r"^Clearinghouse has no function nope\.$"):
        encode_call(HOUSE, "nope", ())


def test_two_functions_of_one_name_are_refused() -> None:
    """A name must stand for one function, so overloads are refused when the artifact is read."""
    twice = [
        {"type": "function", "name": "put", "stateMutability": "view", "inputs": [], "outputs": []},
        {"type": "function", "name": "_put", "stateMutability": "view", "inputs": [], "outputs": []},
    ]
    content = {"contractName": "Box", "abi": twice, "bytecode": "0x", "deployedBytecode": "0x"}
    with pytest.raises(ArtifactError, match=r"^Box has two functions called put"):
        parse_artifact(content)


def test_too_few_arguments_are_refused() -> None:
    """The count is checked before anything is encoded."""
    with pytest.raises(CodecError, match=r"^Clearinghouse\.trade takes 4 arguments, not 3\.$"):
        encode_call(HOUSE, "trade", (1, 2, 3))


@pytest.mark.parametrize(
    "args",
    [
        (-1, 1, 1, 1),
        (1, 2**16, 1, 1),
        (1, 1, 2**255, 1),
        (1, 1, -(2**255) - 1, 1),
        (1, True, 1, 1),
        (1, 1.0, 1, 1),
        (1, "1", 1, 1),
        (1, None, 1, 1),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(args: tuple[Any, ...]) -> None:
    """Nothing is truncated, wrapped or guessed."""
    with pytest.raises(CodecError, match=r"^Clearinghouse\.trade cannot encode its arguments"):
        encode_call(HOUSE, "trade", args)


@pytest.mark.parametrize("address", ["0x", "0x12", "ab" * 21, "0x" + "ab " * 13 + "c", "0x" + "zz" * 20, 5, None])
def test_an_address_that_is_none_is_refused(address: Any) -> None:
    """An address is 20 bytes in hex."""
    with pytest.raises(CodecError, match=r"cannot encode its arguments"):
        encode_call(HOUSE, "set_operator", (address, True))


def test_a_struct_of_another_kind_is_refused() -> None:
    """A function that takes a configuration does not take a position."""
    with pytest.raises(CodecError, match=r"cannot encode its arguments"):
        encode_call(ORACLE, "set_feeds", (1, types.Position(1, 2, 3, 4)))


def test_a_struct_with_too_few_values_is_refused() -> None:
    """A plain tuple must have as many values as the struct has fields."""
    with pytest.raises(CodecError):
        encode_call(ORACLE, "set_feeds", (1, (1, 2)))


def test_an_empty_result_is_refused() -> None:
    """A call to an address without code returns nothing, which must not pass for zero."""
    with pytest.raises(CodecError, match=r"returned nothing: there may be no contract"):
        decode_result(HOUSE, "position_of", b"")


@pytest.mark.parametrize("function", ["trade", "markets_of"])
def test_a_result_that_is_cut_short_is_refused(function: str) -> None:
    """Missing bytes are not read as zeros."""
    with pytest.raises(CodecError, match=r"does not match its ABI"):
        decode_result(HOUSE, function, b"\x01" * 31)


def test_a_result_out_of_its_types_range_is_refused() -> None:
    """A word that is no int128 is not read as one."""
    with pytest.raises(CodecError, match=r"does not match its ABI"):
        decode_result(HOUSE, "position_of", word(2**127) + word(0) + word(0))


def test_a_log_with_too_few_topics_is_refused() -> None:
    """A log whose indexed values are missing is not one of ours."""
    with pytest.raises(CodecError, match=r"has 1 topics instead of 3"):
        decode_log(HOUSE, [event_named("Traded").topic0], b"")


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("solidity", "python"),
    [
        ("priceLimit", "price_limit"),
        ("longOi", "long_oi"),
        ("_pool", "pool"),
        ("from", "from_"),
        ("from_", "from_"),
        ("DOMAIN_SEPARATOR", "DOMAIN_SEPARATOR"),
        ("eip712Domain", "eip712_domain"),
        ("ERC20Permit", "erc20_permit"),
    ],
)
def test_names_become_snake_case(solidity: str, python: str) -> None:
    """Names differ in nothing but how words are joined."""
    assert snake_case(solidity) == python


# ------------------------------------------------------------------ calls


@given(UINT256, st.integers(0, 2**16 - 1), INT256, INT256)
def test_a_call_is_encoded_as_eth_abi_would(account: int, market: int, delta: int, limit: int) -> None:
    """The direct way and eth_abi agree on every byte."""
    expected = encode(["uint256", "uint16", "int256", "int256"], [account, market, delta, limit])
    selector = load_artifact(HOUSE).function("trade").selector
    assert encode_call(HOUSE, "trade", (account, market, delta, limit)) == selector + expected


def test_addresses_are_encoded_in_lower_and_mixed_case() -> None:
    """Both spellings of an address are the same address."""
    lower = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
    mixed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert encode_call(HOUSE, "set_operator", (lower, True)) == encode_call(HOUSE, "set_operator", (mixed, True))


def test_a_struct_is_encoded_from_the_dataclass_and_from_a_tuple() -> None:
    """The model's type and its bare values give the same calldata."""
    config = types.OracleConfig(3600, 10**16, 2, (FEED,))
    assert encode_call(ORACLE, "set_feeds", (1, config)) == encode_call(ORACLE, "set_feeds", (1, plain(config)))


def test_a_constructor_is_the_bytecode_followed_by_its_arguments() -> None:
    """What deploys a contract starts with its bytecode."""
    artifact = load_artifact(ORACLE)
    zero = {"address": FEED, "bool": False}
    args = [zero.get(param.type, 0) for param in artifact.constructor]
    tail = encode([param.type for param in artifact.constructor], args)
    assert encode_constructor(ORACLE, args) == artifact.bytecode + tail


# ------------------------------------------------------------------ results


@given(RESULT)
def test_a_struct_comes_back_as_the_models_dataclass(result: tuple[int, ...]) -> None:
    """A trade's result is a TradeResult with its values in order."""
    data = encode(["int256"] * 6, result)
    decoded = decode_result(HOUSE, "trade", data)
    assert isinstance(decoded, types.TradeResult) and plain(decoded) == result


def test_a_dynamic_struct_comes_back_with_its_list_as_a_tuple() -> None:
    """Frozen types hold no lists."""
    config = types.OracleConfig(3600, 10**16, 2, (FEED, FEED))
    data = encode(["(uint32,uint64,uint8,address[])"], [plain(config)])
    assert decode_result(ORACLE, "config_of", data) == config


@given(st.lists(RESULT, max_size=4))
def test_a_list_of_structs_comes_back_as_a_tuple_of_dataclasses(rows: list[tuple[int, ...]]) -> None:
    """Each winner's result is a DeleverageResult."""
    data = encode(["(int256,int256,int256,int256,int256,int256,int256,int256)[]"], [[(*row, 7, 8) for row in rows]])
    expected = tuple(types.DeleverageResult(*row, 7, 8) for row in rows)
    assert decode_result(HOUSE, "deleverage", data) == expected


def test_several_values_come_back_as_a_tuple() -> None:
    """Equity and both margins are three plain numbers."""
    assert decode_result(HOUSE, "margin_of", encode(["int256"] * 3, [-1, 2, 3])) == (-1, 2, 3)


def test_a_function_without_results_gives_none() -> None:
    """There is nothing to decode."""
    assert decode_result(HOUSE, "set_operator", b"") is None


def test_an_address_comes_back_in_lower_case() -> None:
    """Addresses compare as strings."""
    assert decode_result(ORACLE, "owner", bytes(12) + bytes.fromhex("AB" * 20)) == FEED


# ------------------------------------------------------------------ events


def test_an_unknown_log_gives_none() -> None:
    """Logs of others are passed over."""
    assert decode_log(HOUSE, [b"\x07" * 32], b"") is None
    assert decode_log(HOUSE, [], b"") is None


@given(UINT256, RESULT, st.integers(-(2**103), 2**103 - 1), INT256)
def test_a_log_becomes_the_models_event(account: int, result: tuple[int, ...], size: int, cost: int) -> None:
    """Indexed values come from the topics, the others from the data, each into its own field."""
    event = event_named("Traded")
    position, balances = (size, 5, 7, cost), (-1, -2, 3, 4)
    data = encode([p.type for p in event.inputs if not p.indexed], [9, 11, result, position, balances])
    assert decode_log(HOUSE, [event.topic0, word(3), word(account)], data) == events.Traded(
        3, account, 9, 11, types.TradeResult(*result), types.Position(*position), types.Balances(*balances)
    )


# ------------------------------------------------------------------ errors


def test_a_custom_error_becomes_the_models_error() -> None:
    """The error's arguments are the exception's, in order."""
    error = decode_error(revert_data("NoPosition", 7, 3))
    assert type(error) is errors.NoPosition
    assert repr(error) == repr(errors.NoPosition(7, 3))


def test_an_error_with_a_text_becomes_the_models_error() -> None:
    """Texts are decoded too."""
    error = decode_error(revert_data("InvalidParameter", "imr"))
    assert repr(error) == repr(errors.InvalidParameter("imr"))


def test_a_require_and_a_panic_become_errors_of_their_own() -> None:
    """What the compiler itself reverts with is told apart from the contracts' errors."""
    message = bytes.fromhex("08c379a0") + encode(["string"], ["no"])
    panic = bytes.fromhex("4e487b71") + encode(["uint256"], [0x11])
    assert repr(decode_error(message)) == repr(errors.Reverted("no"))
    assert repr(decode_error(panic)) == repr(errors.Panic(0x11))


def test_a_revert_without_data_has_an_empty_message() -> None:
    """Nothing is made up."""
    assert repr(decode_error(b"")) == repr(errors.Reverted(""))


def test_unknown_and_garbled_reverts_keep_their_bytes() -> None:
    """What cannot be read is handed on as it is."""
    garbled = error_named("NoPosition").selector + b"\x01"
    for data in (b"\x01\x02\x03\x04\x05", garbled):
        assert repr(decode_error(data)) == repr(errors.UnknownError(data[:4], data))


# ------------------------------------------------------------------ completeness


@pytest.mark.parametrize("contract", [HOUSE, ORACLE, "LiquidityPool"])
def test_the_model_knows_every_event_and_error_of_the_market(contract: str) -> None:
    """Nothing that the market says is lost in translation."""
    assert set(unmodelled(contract)) <= FOREIGN


@pytest.mark.parametrize("contract", artifact_names())
def test_every_function_of_every_contract_can_be_prepared(contract: str) -> None:
    """Each struct has its dataclass with the same fields, and a wrong number of arguments is refused."""
    for name, function in load_artifact(contract).functions.items():
        with pytest.raises(CodecError, match=f"takes {len(function.inputs)} arguments"):
            encode_call(contract, name, [None] * (len(function.inputs) + 1))
