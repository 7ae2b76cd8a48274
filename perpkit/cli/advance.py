"""`perpkit advance`: moves a devnet's time, since notices and rebalances take a day."""

from __future__ import annotations

from typing import Annotated

import typer

from perpkit.chain.answers import to_int, to_mapping
from perpkit.chain.errors import RpcError
from perpkit.cli.as_json import print_json
from perpkit.cli.failure import Usage
from perpkit.cli.options import JsonOption, ManifestOption, RpcOption, seconds
from perpkit.cli.output import moment, stdout
from perpkit.cli.session import connect_as

app = typer.Typer()

_BLOCK = "eth_getBlockByNumber"
_YEAR = 365 * 86_400


@app.command("advance")
def advance(
    span: Annotated[int, typer.Argument(metavar="TIME", parser=seconds, help="Such as 90s, 15m, 24h or 1d.")],
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a devnet's time on, and publish every pushed price again so that it stays fresh."""
    if not 0 < span <= _YEAR:
        raise Usage("TIME", f"{span} s", "more than nothing and at most 365d")
    # The publisher's key is known to everybody, so this ends here but on a local chain of this machine.
    acting = connect_as(manifest=manifest, rpc=rpc, role="publisher", keystore=None)
    backend = acting.session.backend
    feeds = [one for one in backend.deployed.values() if one.contract == "PushFeed"]
    answers = [answer for _, answer, *_ in backend.call_many([(one.label, "latest_round_data") for one in feeds])]
    # Where time passes by itself, it is later now than in the newest block.
    pending = to_mapping(_BLOCK, backend.rpc.call(_BLOCK, "pending", False))
    then = to_int(_BLOCK, pending.get("timestamp")) + span
    try:
        backend.rpc.call("evm_setNextBlockTimestamp", then)
    except RpcError as error:
        raise Usage("--rpc", backend.rpc.endpoint, f"a node whose time can be moved ({error.message})") from None
    addresses = tuple(one.address for one in feeds)
    receipt = backend.transact("board", "push", addresses, tuple(answers), sender=acting.trader.address)
    if as_json:
        print_json({"seconds": span, "timestamp": receipt.timestamp, "feeds": len(feeds)})
    else:
        stdout().print(f"it is {moment(receipt.timestamp)}, and {len(feeds)} feeds are fresh")
