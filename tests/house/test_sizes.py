"""Contracts that are small enough to be deployed."""

from __future__ import annotations

import pytest

from perpkit.abi.artifacts import artifact_names, load_artifact

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
