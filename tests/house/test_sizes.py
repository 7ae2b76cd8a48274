"""Contracts that are small enough to be deployed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perpkit.abi.artifacts import artifact_names, load_artifact

ABIS = Path(__file__).resolve().parents[2] / "abis"

SIZE_LIMIT = 24_576  # EIP-170, what is on the chain
INIT_LIMIT = 49_152  # EIP-3860, what is sent


def test_there_are_artifacts() -> None:
    """Or the next tests would test nothing."""
    assert {"Clearinghouse", "PerpLens", "PriceOracle", "LiquidityPool"} <= set(artifact_names())


@pytest.mark.parametrize("name", artifact_names())
def test_a_contract_can_be_deployed(name: str) -> None:
    """Its code stays under the limits of every chain."""
    artifact = load_artifact(name)
    assert 0 < len(artifact.deployed_bytecode) < SIZE_LIMIT
    assert len(artifact.bytecode) < INIT_LIMIT


def test_a_feed_of_the_oracle_fits_into_one_slot() -> None:
    """32 bytes, to the last: what every action reads once for each feed."""
    layout = json.loads((ABIS / "PriceOracle.json").read_text(encoding="utf-8"))["storageLayout"]
    assert layout["types"]["t_struct(Feed)_storage"]["numberOfBytes"] == "32"
    assert layout["types"]["t_array(t_struct(Feed)_storage)9_storage"]["numberOfBytes"] == str(9 * 32)


def test_a_signed_feeds_answer_lies_in_one_slot() -> None:
    """Price, time and number together."""
    layout = json.loads((ABIS / "SignedPriceFeed.json").read_text(encoding="utf-8"))["storageLayout"]["storage"]
    slots = {entry["label"]: entry["slot"] for entry in layout}
    assert len({slots[label] for label in ("_answer", "_updatedAt", "_roundId")}) == 1
