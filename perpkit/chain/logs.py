"""What a chain's contracts said, as events of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perpkit.abi.codec import decode_log
from perpkit.backend import Deployed, TimedEvent
from perpkit.chain.errors import RpcError
from perpkit.chain.json_rpc import JsonRpc
from perpkit.model.events import Event
from perpkit.model.types import Address


def decode(log: Mapping[str, Any], contracts: Mapping[Address, Deployed]) -> Event | None:
    """The event of a log, if it is of one of the market's contracts."""
    deployed = contracts.get(str(log["address"]).lower())
    if deployed is None:
        return None
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    return decode_log(deployed.contract, topics, bytes.fromhex(log["data"][2:]))


def events_since(
    rpc: JsonRpc, contracts: Mapping[Address, Deployed], cursor: int
) -> tuple[tuple[TimedEvent, ...], int]:
    """All events from block `cursor` on, and the block after the last of them; where nothing was said, the cursor
    stays."""
    wanted = {"fromBlock": hex(cursor), "toBlock": "latest", "address": list(contracts)}
    try:
        logs = rpc.call("eth_getLogs", wanted)
    except RpcError as error:
        if "OutOfRange" in error.message:  # the cursor's block is not mined yet
            return (), cursor
        raise
    times = _times(rpc, logs)
    events = tuple((times[log["blockNumber"]], event) for log in logs if (event := decode(log, contracts)))
    return events, int(logs[-1]["blockNumber"], 16) + 1 if logs else cursor


def _times(rpc: JsonRpc, logs: list[dict[str, Any]]) -> dict[str, int]:
    """The time of each log's block; nodes that do not say it in the log are asked for the block."""
    times: dict[str, int] = {}
    for log in logs:
        block = log["blockNumber"]
        if block not in times:
            stamp = log.get("blockTimestamp") or rpc.call("eth_getBlockByNumber", block, False)["timestamp"]
            times[block] = int(stamp, 16)
    return times
