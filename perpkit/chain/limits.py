"""What a transaction may cost, whatever a node says."""

from __future__ import annotations

from dataclasses import dataclass

GWEI = 10**9
ETHER = 10**18


@dataclass(frozen=True, slots=True)
class Limits:
    """What one transaction may take, whatever a node says. {wei, gas}"""

    gas: int = 10_000_000
    fee_per_gas: int = 1_000 * GWEI
    fee: int = ETHER // 2
    value: int = ETHER // 10
