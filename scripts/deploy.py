"""Deploy the whole market to a local chain: contracts, three markets, pool, insurance and leveraged tokens; and write
its manifest.

ape run deploy --network ethereum:local:foundry        through ape, on the node that it starts or finds
python scripts/deploy.py --rpc http://127.0.0.1:8545   on an Anvil that runs already

The accounts are those of the public test mnemonic. A chain that is not a local one is refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from perpkit.chain.errors import ChainError
from perpkit.chain.manifest import Manifest
from perpkit.chain.sandbox import ChainSandbox
from perpkit.devnet.errors import DevnetError
from perpkit.devnet.find_node import find_anvil
from perpkit.market_setup import DEFAULT_SETUP, ROLES, deploy_leveraged_tokens, set_up

# Not the devnet's own manifest, which clients read when none is named.
MANIFEST = Path(".perpkit") / "deployment.json"


def deploy(url: str, manifest: Path) -> Manifest:
    """Puts the market on the chain behind `url` and writes the manifest."""
    sandbox = ChainSandbox(url)
    try:
        set_up(sandbox)
        tokens = deploy_leveraged_tokens(sandbox, DEFAULT_SETUP.markets)
    finally:
        # The node is somebody else's: its clock runs again, and it takes no more transactions without a key.
        sandbox.rpc.call("anvil_removeBlockTimestampInterval")
        sandbox.rpc.call("anvil_autoImpersonateAccount", False)

    def get_code(address: str) -> bytes:
        return bytes.fromhex(str(sandbox.rpc.call("eth_getCode", address, "latest")).removeprefix("0x"))

    made = Manifest.of(
        sandbox.deployed.values(),
        chain_id=int(sandbox.rpc.call("eth_chainId"), 16),
        rpc_url=url,
        get_code=get_code,
        markets=DEFAULT_SETUP.markets,
        leveraged_tokens=tokens,
        roles=ROLES,
    )
    made.write(manifest)
    return made


def show(made: Manifest, manifest: Path) -> None:
    """The contracts, the feeds left out."""
    for label, entry in made.contracts.items():
        if not label.startswith("feed:"):
            print(f"{label:<14} {entry.address}")
    print(f"Deployed {', '.join(market.symbol for market in made.markets)}; wrote {manifest}.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Deploy the whole market to a local chain.")
    parser.add_argument("--rpc", default="http://127.0.0.1:8545", help="the node's JSON-RPC URL")
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="where the addresses are written")
    args = parser.parse_args()
    try:
        show(deploy(args.rpc, args.manifest), args.manifest)
    except ChainError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def offer_anvil() -> None:
    """ape-foundry starts the `anvil` that it finds on PATH."""
    try:
        os.environ["PATH"] = os.pathsep.join([str(find_anvil().parent), os.environ.get("PATH", "")])
    except DevnetError as error:
        print(error, file=sys.stderr)  # ape may still find a node that runs already


if __name__ == "__main__":
    sys.exit(main())

try:
    import click
    from ape.cli import ConnectedProviderCommand
except ImportError:
    pass
else:
    offer_anvil()

    @click.command(cls=ConnectedProviderCommand)
    @click.option("--manifest", type=click.Path(path_type=Path), default=MANIFEST, show_default=True)
    def cli(provider: Any, manifest: Path) -> None:
        """Deploy the whole market to the connected local chain."""
        url = getattr(provider, "http_uri", None)
        if not isinstance(url, str):
            raise click.ClickException(f"{provider.name} has no JSON-RPC URL: take --network ethereum:local:foundry.")
        try:
            show(deploy(url, manifest), manifest)
        except ChainError as error:
            raise click.ClickException(str(error)) from None
