"""The manifest: what is no manifest, then what one is."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from live import Market

from perpkit.chain.connection import ChainBackend
from perpkit.chain.errors import BadManifest, ManifestMismatch, ManifestNotFound, WrongChain
from perpkit.chain.manifest import Manifest, default_path

CANARY = "5" * 64


def content() -> dict[str, Any]:
    return {
        "format": 1,
        "chain_id": 31337,
        "rpc_url": "http://127.0.0.1:8545",
        "contracts": {"token": {"contract": "TestUSD", "address": "0x" + "Ab" * 20}},
        "fingerprint": "0" * 64,
    }


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """In one sentence with the path."""
    with pytest.raises(ManifestNotFound, match=r"There is no manifest at .*none\.json; start a devnet"):
        Manifest.read(tmp_path / "none.json")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00", "{'a': 1}"])
def test_broken_json_is_refused(tmp_path: Path, text: str) -> None:
    """With its path."""
    place = tmp_path / "manifest.json"
    place.write_text(text)
    with pytest.raises(BadManifest, match=r"manifest\.json is no manifest that can be used: it is not JSON"):
        Manifest.read(place)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 2}, "its format is not 1"),
        ({"chain_id": "one"}, "chain_id: "),
        ({"chain_id": 0}, "chain_id: "),
        ({"contracts": {"token": {"contract": "TestUSD", "address": "0x12"}}}, "contracts.token.address: "),
        ({"fingerprint": "short"}, "fingerprint: "),
        ({"unknown": 1}, "unknown: "),
        ({"roles": {"trader": CANARY}}, "roles.trader: "),
        ({"contracts": None}, "contracts: "),
    ],
)
def test_wrong_fields_are_named(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    """But never what stands in them, which may be a key in the wrong place."""
    place = tmp_path / "manifest.json"
    place.write_text(json.dumps({**content(), **changes}))
    with pytest.raises(BadManifest) as refusal:
        Manifest.read(place)
    assert sentence in str(refusal.value) and CANARY not in str(refusal.value)


@pytest.mark.parametrize("whole", ["null", "[]", "3", '"text"'])
def test_what_is_no_object_is_refused(tmp_path: Path, whole: str) -> None:
    """JSON as it may be."""
    place = tmp_path / "manifest.json"
    place.write_text(whole)
    with pytest.raises(BadManifest):
        Manifest.read(place)


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    """Nor is what cannot be read."""
    with pytest.raises(BadManifest, match="cannot be read"):
        Manifest.read(tmp_path)


def test_a_manifest_of_another_chain_is_refused(market: Market) -> None:
    """With both chain ids."""
    other = market.manifest.model_copy(update={"chain_id": 1337})
    with pytest.raises(WrongChain, match="serves chain id 31337, but the manifest is of 1337"):
        ChainBackend.connect(other)


def test_a_manifest_of_another_deployment_is_refused(market: Market) -> None:
    """Whether the code is another, the address is another, or there is nothing."""
    changed = market.manifest.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(ManifestMismatch, match="the code is another"):
        ChainBackend.connect(changed)
    market.sandbox.rpc.call("anvil_setCode", market.house.at("lens"), "0x6001")
    with pytest.raises(ManifestMismatch, match="the code is another"):
        market.connect()
    market.sandbox.rpc.call("anvil_setCode", market.house.at("lens"), "0x")
    with pytest.raises(ManifestMismatch, match="there is no code for lens"):
        market.connect()


def test_a_manifest_is_written_whole_and_read_back(tmp_path: Path, market: Market) -> None:
    """Sorted, in its folder, and without anything left beside it."""
    place = market.manifest.write(tmp_path / "new" / "manifest.json")
    assert Manifest.read(place) == market.manifest
    assert [file.name for file in place.parent.iterdir()] == ["manifest.json"]
    keys = list(json.loads(place.read_text()))
    assert keys == sorted(keys)
    assert stat.S_IMODE(place.stat().st_mode) & 0o600 == 0o600


def test_a_manifest_knows_its_contracts(tmp_path: Path) -> None:
    """Addresses in lowercase, as the ledger has them."""
    [token] = Manifest(**content()).deployed()
    assert (token.label, token.contract, token.address) == ("token", "TestUSD", "0x" + "ab" * 20)


def test_the_default_place_is_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or is in the current directory."""
    monkeypatch.delenv("PERPKIT_MANIFEST", raising=False)
    assert default_path() == Path(".perpkit") / "manifest.json"
    monkeypatch.setenv("PERPKIT_MANIFEST", "elsewhere.json")
    assert default_path() == Path("elsewhere.json")


def test_a_fingerprint_depends_on_all_that_matters(market: Market) -> None:
    """Code, addresses and labels; not on the order in which they stand."""
    known = market.manifest
    assert known.fingerprint_of(market.code) == known.fingerprint
    assert known.fingerprint_of(lambda address: market.code(address) + b"\0") != known.fingerprint
    turned = known.model_copy(update={"contracts": dict(reversed(known.contracts.items()))})
    assert turned.fingerprint_of(market.code) == known.fingerprint
