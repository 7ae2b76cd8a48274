"""The deployment script, on the node that ape runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from perpkit.chain.manifest import Manifest

HOME = Path(__file__).resolve().parents[2]


def deploy(url: str, manifest: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HOME / "scripts" / "deploy.py"), "--rpc", url, "--manifest", str(manifest)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_node_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """And no manifest."""
    manifest = tmp_path / "manifest.json"
    done = deploy("http://127.0.0.1:1", manifest)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and not manifest.exists()


def test_the_script_writes_a_manifest_that_fits_the_chain(chain: Any, tmp_path: Path) -> None:
    """Its fingerprint is that of the code that ape reads at its addresses."""
    manifest = tmp_path / "manifest.json"
    done = deploy(chain.provider.http_uri, manifest)
    assert done.returncode == 0, done.stderr
    made = Manifest.read(manifest)
    assert [market.symbol for market in made.markets] == ["ETH-USD", "BTC-USD", "SOL-USD"]
    assert made.contracts["orders"].contract == "Orders"
    assert [token.symbol for token in made.leveraged_tokens] == ["ETH3L", "ETH3S"]
    get_code = chain.provider.get_code
    assert made.fingerprint == made.fingerprint_of(lambda address: bytes(get_code(to_checksum_address(address))))
