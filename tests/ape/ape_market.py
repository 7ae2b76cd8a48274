"""The market as ape's accounts deploy and use it, with the model beside it.

The contracts are loaded from abis/ and not compiled by ape, so that what is tested is the very bytecode that perpkit
ships, without a compiler and half a minute of via-IR. (`ape compile` works too, see pyproject.toml.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields, is_dataclass
from typing import Any

import ape
from ape.api import ReceiptAPI, TestAccountAPI
from ape.contracts import ContractContainer, ContractInstance
from ethpm_types import ContractType

from perpkit.abi.artifacts import load_artifact, snake_case
from perpkit.backend import Deployed
from perpkit.local import LocalBackend
from perpkit.market_setup import DEFAULT_SETUP, ROLES, MarketSetup, MarketSpec, push_price, set_up
from perpkit.model.events import Event
from perpkit.model.types import Address


def container(name: str) -> ContractContainer:
    """What ape deploys, from our artifact."""
    artifact = load_artifact(name)
    content = {
        "contractName": name,
        "abi": list(artifact.abi),
        "deploymentBytecode": {"bytecode": "0x" + artifact.bytecode.hex()},
        "runtimeBytecode": {"bytecode": "0x" + artifact.deployed_bytecode.hex()},
    }
    return ContractContainer(ContractType.model_validate(content))


def plain(value: Any) -> Any:
    """Structs of the model and of ape as tuples of what is in them."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(item) for item in astuple(value))
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, Mapping):
        return tuple(plain(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    return value


def camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True)
class Done:
    """One action: what the chain says of it, and what the model says."""

    receipt: ReceiptAPI
    events: tuple[Event, ...]


class ApeMarket:
    """The default market. Whatever is done to it is done to the model too, at the time of the block."""

    def __init__(self, accounts: Iterable[TestAccountAPI], setup: MarketSetup = DEFAULT_SETUP) -> None:
        """Deploys it, contract by contract."""
        self._accounts = {account.address.lower(): account for account in accounts}
        self._contracts: dict[str, ContractInstance] = {}
        # Filled while the contracts come; LocalBackend would take an empty mapping for none.
        self._addresses: dict[str, Address] = {"governor": ROLES["governor"]}
        self.model = LocalBackend(timestamp=ape.chain.blocks.head.timestamp, addresses=self._addresses)
        set_up(self, setup)  # type: ignore[arg-type]  # it has all of a Sandbox that the set-up needs

    @property
    def deployed(self) -> Mapping[str, Deployed]:
        return self.model.deployed

    @property
    def clearinghouse(self) -> ContractInstance:
        return self._contracts["clearinghouse"]

    @property
    def lens(self) -> ContractInstance:
        return self._contracts["lens"]

    def signer(self, role: str) -> TestAccountAPI:
        return self._accounts[ROLES[role]]

    def deploy(self, label: str, contract: str, *args: Any, sender: Address) -> Address:
        instance = self._accounts[sender].deploy(container(contract), *plain(args))
        self._contracts[label] = instance
        self._addresses[label] = instance.address.lower()
        self.model.set_time(ape.chain.blocks.head.timestamp)
        return self.model.deploy(label, contract, *args, sender=sender)

    def transact(self, label: str, function: str, *args: Any, sender: Address) -> Done:
        method = getattr(self._contracts[label], camel_case(function))
        receipt = method(*plain(args), sender=self._accounts[sender])
        self.model.set_time(ape.chain.blocks[receipt.block_number].timestamp)
        return Done(receipt, self.model.transact(label, function, *args, sender=sender).events)

    def act(self, role: str, function: str, *args: Any) -> Done:
        """Something that a role does at the clearinghouse."""
        return self.transact("clearinghouse", function, *args, sender=ROLES[role])

    def set_price(self, spec: MarketSpec, price: int) -> None:
        push_price(self, spec, price)  # type: ignore[arg-type]

    def logged(self, done: Done, name: str) -> list[dict[str, Any]]:
        """The clearinghouse's events of that name, as ape decodes them, in the model's words."""
        found = done.receipt.decode_logs(getattr(self.clearinghouse, name))
        return [{snake_case(key): plain(value) for key, value in log.event_arguments.items()} for log in found]


def modelled(done: Done, name: str) -> list[dict[str, Any]]:
    """The model's events of that name."""
    found = [event for event in done.events if type(event).__name__ == name]
    return [{field.name: plain(getattr(event, field.name)) for field in fields(event)} for event in found]
