"""The manifest: where a market was deployed, as a file. It holds addresses and never a key."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from perpkit.backend import Deployed
from perpkit.chain.errors import BadManifest, ManifestNotFound
from perpkit.market_setup import MarketSpec, feed_labels
from perpkit.model.types import Address, Terms

FORMAT = 1
VARIABLE = "PERPKIT_MANIFEST"
DEFAULT_PATH = Path(".perpkit") / "manifest.json"

GetCode = Callable[[Address], bytes]

HexAddress = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$"), AfterValidator(str.lower)]


class _Part(BaseModel):
    # What was typed into a field may be a key that does not belong there, so no message repeats it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ContractEntry(_Part):
    """A contract: the name of its artifact, and where it is."""

    contract: str
    address: HexAddress


class MarketEntry(_Part):
    """A market: ratios are 1e18 = 100 %, feeds are labels of contracts."""

    id: int = Field(ge=0)
    symbol: str
    imr: int
    mmr: int
    feeds: tuple[str, ...] = ()


class LeveragedTokenEntry(_Part):
    """A leveraged token, whose symbol is its label among the contracts: its market's id, and 1e18 = 1x, negative when
    short."""

    symbol: str
    market: int = Field(ge=0)
    target_leverage: int


class Manifest(_Part):
    """A deployment."""

    format: Literal[1] = 1
    chain_id: int = Field(gt=0)
    rpc_url: str
    contracts: dict[str, ContractEntry]
    markets: tuple[MarketEntry, ...] = ()
    leveraged_tokens: tuple[LeveragedTokenEntry, ...] = ()
    roles: dict[str, HexAddress] = Field(default_factory=dict)
    # Of the code and the addresses, so that the manifest of another deployment is noticed.
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def of(
        cls,
        deployed: Iterable[Deployed],
        *,
        chain_id: int,
        rpc_url: str,
        get_code: GetCode,
        markets: Sequence[MarketSpec] = (),
        leveraged_tokens: Mapping[str, Terms] | None = None,
        roles: Mapping[str, Address] | None = None,
    ) -> Manifest:
        """The manifest of contracts that are on a chain."""
        contracts = tuple(deployed)
        return cls(
            chain_id=chain_id,
            rpc_url=rpc_url,
            contracts={one.label: ContractEntry(contract=one.contract, address=one.address) for one in contracts},
            markets=tuple(
                MarketEntry(id=i, symbol=spec.symbol, imr=spec.params.imr, mmr=spec.params.mmr, feeds=feed_labels(spec))
                for i, spec in enumerate(markets)
            ),
            leveraged_tokens=tuple(
                LeveragedTokenEntry(symbol=symbol, market=terms.market, target_leverage=terms.target_leverage)
                for symbol, terms in (leveraged_tokens or {}).items()
            ),
            roles=dict(roles or {}),
            fingerprint=fingerprint(contracts, get_code),
        )

    @classmethod
    def read(cls, path: str | os.PathLike[str] | None = None) -> Manifest:
        """The manifest in a file; raises `ManifestNotFound` or `BadManifest`."""
        place = Path(path) if path is not None else default_path()
        try:
            text = place.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ManifestNotFound(str(place)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise BadManifest(str(place), f"it cannot be read ({type(error).__name__})") from None
        return _parse(text, str(place))

    def write(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Writes the file, whole or not at all."""
        place = Path(path) if path is not None else default_path()
        place.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return place

    def deployed(self) -> list[Deployed]:
        """The contracts, as the seam has them."""
        return [Deployed(label, entry.contract, entry.address) for label, entry in self.contracts.items()]

    def fingerprint_of(self, get_code: GetCode) -> str:
        """What the fingerprint is on the chain that `get_code` asks for the code at an address."""
        return fingerprint(self.deployed(), get_code)


def fingerprint(deployed: Iterable[Deployed], get_code: GetCode) -> str:
    """SHA-256 over label, contract, address and runtime code of every contract."""
    digest = hashlib.sha256()
    for one in sorted(deployed, key=lambda one: one.label):
        code = get_code(one.address)
        for part in (one.label.encode(), one.contract.encode(), one.address.lower().encode(), code):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def default_path() -> Path:
    """`PERPKIT_MANIFEST`, or `.perpkit/manifest.json` in the current directory."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else DEFAULT_PATH


def _parse(text: str, place: str) -> Manifest:
    try:
        # Not json.loads, which has no bound of its own for how deeply a text is nested.
        content = from_json(text)
    except ValueError as error:
        raise BadManifest(place, f"it is not JSON ({error})") from None
    if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
        raise BadManifest(place, f"its format is not {FORMAT}, the only one that this version reads") from None
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(str(part) for part in one['loc']) or 'the whole'}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        ]
    raise BadManifest(place, "; ".join(wrong[:3]))
