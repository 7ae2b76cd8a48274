"""Keys: what is refused, where they come from, and that they never show."""

from __future__ import annotations

import base64
import getpass
import io
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from live import LyingNode, Market

from perpkit.chain.connection import ChainBackend
from perpkit.chain.errors import BadKey, ChainError, DevKeyRefused, ExposedKeyFile, NoKey, WrongSender
from perpkit.chain.keys import (
    Secret,
    check_dev_key,
    is_loopback,
    signer_from_environment,
    signer_from_key,
    signer_from_keystore,
    signer_from_role,
    write_keystore,
)
from perpkit.market_setup import ROLES
from perpkit.model.errors import PerpError

# Made for these tests; it guards nothing.
CANARY = "0x" + bytes(range(101, 133)).hex()
FAST = 2


def shapes(key: str) -> list[str]:
    """Every form in which a key might show."""
    raw = bytes.fromhex(key[2:])
    return [
        key[2:],
        key[2:].upper(),
        str(int(key, 16)),
        repr(raw)[2:-1],
        base64.b64encode(raw).decode(),
        str(list(raw)),
    ]


def stored(folder: Path, *, password: str = "open sesame") -> Path:
    """A keystore that opens fast."""
    return write_keystore(folder / "key.json", signer_from_key(CANARY), password=password, iterations=FAST)


# REFUSALS


@pytest.mark.parametrize("key", ["", "0x", "12", CANARY + "00", CANARY[:-1], "zz" * 32, "0" * 64, "f" * 64, " "])
def test_what_is_no_key_is_refused_and_not_repeated(key: str) -> None:
    """Neither in the sentence nor in the variables of the traceback, where eth-account would keep it."""
    secret = Secret(key)
    del key
    with pytest.raises(BadKey) as refusal:
        signer_from_key(secret)
    assert refusal.value.__context__ is None
    told = "".join(traceback.TracebackException.from_exception(refusal.value, capture_locals=True).format())
    assert len(secret.reveal()) < 10 or secret.reveal() not in told


def test_a_wrong_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none is no refusal: one reads without a key."""
    monkeypatch.setenv("PERPKIT_KEY", CANARY[:-2])
    with pytest.raises(BadKey, match="PERPKIT_KEY") as refusal:
        signer_from_environment()
    assert CANARY[2:-2] not in str(refusal.value)
    monkeypatch.setenv("PERPKIT_KEY", "")
    assert signer_from_environment() is None


@pytest.mark.parametrize("role", ["nobody", -1, 20, 10**9])
def test_a_role_that_does_not_exist_is_refused(role: Any) -> None:
    """With those that there are."""
    with pytest.raises(BadKey, match=r"the roles are governor|from 0 to 19"):
        signer_from_role(role)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_a_keystore_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """And so is a password that they may."""
    place = stored(tmp_path)
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    secret.chmod(mode)
    with pytest.raises(ExposedKeyFile, match=f"mode {mode:04o}.*chmod 600"):
        signer_from_keystore(place, password_file=secret)
    place.chmod(mode)
    with pytest.raises(ExposedKeyFile):
        signer_from_keystore(place, password_file=secret)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "not json", '{"crypto": 1, "version": 3}'])
def test_what_is_no_keystore_is_refused(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the same words as a wrong password."""
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "open sesame")
    place = tmp_path / "key.json"
    place.touch(mode=0o600)
    place.write_text(text)
    with pytest.raises(BadKey, match="does not open with this password, or is no keystore"):
        signer_from_keystore(place)
    with pytest.raises(BadKey, match="cannot be read"):
        signer_from_keystore(tmp_path / "none.json")


def test_a_wrong_password_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not repeated."""
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "open barley")
    with pytest.raises(BadKey, match="does not open") as refusal:
        signer_from_keystore(stored(tmp_path))
    assert "barley" not in str(refusal.value)


@pytest.mark.parametrize("number", range(20))
def test_every_known_key_is_refused_where_value_may_be(number: int) -> None:
    """On another chain, and on another machine's node."""
    address = signer_from_role(number).address
    check_dev_key(address, chain_id=31337, host="127.0.0.1")
    check_dev_key(address, chain_id=1337, host="localhost")
    for chain_id, host in ((1, "127.0.0.1"), (31337, "node.example"), (31337, "192.168.0.7"), (8453, "localhost")):
        with pytest.raises(DevKeyRefused, match="Everybody knows the key"):
            check_dev_key(address, chain_id=chain_id, host=host)


def test_a_known_key_is_refused_at_connect(liar: LyingNode, market: Market) -> None:
    """Before anything is sent, when the node serves a chain that may hold value."""
    liar.says("eth_chainId", "0x1")
    manifest = market.manifest.model_copy(update={"chain_id": 1})
    with pytest.raises(DevKeyRefused):
        market.connect("trader", manifest=manifest, rpc_url=liar.url)
    assert "eth_sendRawTransaction" not in liar.asked
    assert market.connect(manifest=manifest, rpc_url=liar.url, key=CANARY).address


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LOCALHOST", True),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_only_this_machine_is_this_machine(host: str, local: bool) -> None:
    """A name that only begins so is another."""
    assert is_loopback(host) is local


def test_a_reader_sends_nothing(market: Market) -> None:
    """And is told how to get a key."""
    backend = market.connect()
    assert not backend.has_key
    with pytest.raises(NoKey, match=r"token\.mint is a transaction and needs a key.*key= or signer="):
        backend.transact("token", "mint", ROLES["trader"], 1, sender=ROLES["trader"])
    with pytest.raises(NoKey):
        _ = backend.address


def test_a_key_signs_for_nobody_else(market: Market) -> None:
    """Naming another sender is refused, not ignored."""
    backend = market.connect("trader")
    with pytest.raises(WrongSender):
        backend.transact("token", "mint", ROLES["trader"], 1, sender=ROLES["whale"])


def test_a_key_and_a_signer_are_one_too_many(market: Market) -> None:
    """They might differ."""
    with pytest.raises(BadKey, match="give one of them"):
        market.connect("trader", key=CANARY)


# SOURCES


def test_a_keystore_is_for_its_owner_alone(tmp_path: Path) -> None:
    """And opens with its password, from a file or a prompt."""
    place = stored(tmp_path)
    assert place.stat().st_mode & 0o777 == 0o600
    assert CANARY[2:] not in place.read_text()
    secret = tmp_path / "password"
    secret.touch(mode=0o600)
    secret.write_text("open sesame\n")
    assert signer_from_keystore(place, password_file=secret).address == Account.from_key(CANARY).address
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["key.json", "password"]


def test_roles_are_the_accounts_of_the_test_mnemonic() -> None:
    """All ten of them, by name or number."""
    for number, (role, address) in enumerate(ROLES.items()):
        assert signer_from_role(role).address.lower() == address == signer_from_role(number).address.lower()


# THE CANARY


def test_a_key_never_shows(liar: LyingNode, market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in any repr, message, log, pickle or traceback of all that may go wrong, in any form."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    seen: list[str] = []
    try:
        backend = market.connect(rpc_url=liar.url, key=Secret(CANARY))
        market.sandbox.rpc.call("anvil_setBalance", backend.address, hex(10**20))
        seen += [repr(backend), str(vars(backend)), repr(backend._transactions), str(vars(backend._transactions))]
        seen += [repr(backend.w3), repr(backend.w3.provider), repr(Secret(CANARY)), f"{Secret(CANARY)}"]
        backend.transact("token", "mint", backend.address, 1)
        seen += _failures(liar, backend)
        with pytest.raises(TypeError):
            pickle.dumps(Secret(CANARY))
    finally:
        logging.getLogger().removeHandler(handler)
    seen.append(log.getvalue())
    everything = "\n".join(seen)
    assert len(everything) > 10_000
    for shape in shapes(CANARY):
        assert shape not in everything


def _failures(liar: LyingNode, backend: ChainBackend) -> list[str]:
    """Tracebacks, variables included, of whatever can be provoked."""
    told = []
    lies: list[tuple[str, Any]] = [
        ("eth_sendRawTransaction", None),
        ("eth_chainId", "0x5"),
        ("eth_getTransactionCount", "nonsense"),
        ("eth_estimateGas", hex(10**9)),
        ("eth_getTransactionReceipt", {}),
        ("eth_call", "0xzz"),
    ]
    for method, lie in lies:
        liar.twists.clear()
        liar.says(method, lie)
        told.append(_traceback(lambda: backend.transact("token", "mint", backend.address, 1)))
        told.append(_traceback(lambda: backend.call("token", "decimals")))
    liar.twists.clear()
    told.append(_traceback(lambda: backend.transact("token", "transfer", backend.address, 10**30)))
    told.append(_traceback(lambda: signer_from_key(CANARY + "zz")))
    told.append(_traceback(lambda: ChainBackend.connect("none.json", key=CANARY)))
    return told


def _traceback(action: Any) -> str:
    try:
        action()
    except (ChainError, PerpError) as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(shown.format()) + repr(error) + str(error)
    return ""
