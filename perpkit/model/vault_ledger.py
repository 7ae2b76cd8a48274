"""The twin of `VaultLedger.sol`: the books of the house's money, shared by all actions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from perpkit.model.contract import Mapping, Ownable, World
from perpkit.model.errors import NotAuthorized, UnsupportedDecimals
from perpkit.model.fixed_math import ten_to, to_money
from perpkit.model.test_usd import TestUSD
from perpkit.model.types import ZERO_ADDRESS, Address, Vault, owner_of


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account's settled collateral, and the markets in which it has positions, in the order they are kept."""

    collateral: int = 0
    markets: tuple[int, ...] = ()


class VaultLedger(Ownable, ABC):
    def __init__(self, world: World, address: Address, token: TestUSD, owner: Address) -> None:
        super().__init__(world, address, owner)
        if token.decimals < 6 or token.decimals > 18:
            raise UnsupportedDecimals(token.decimals)
        self.token = token
        self.quantum = ten_to(36 - token.decimals)
        self.pool = ZERO_ADDRESS
        self._vault = Vault(0, 0, 0, 0, 0, 0)
        self._accounts: Mapping[int, AccountState] = Mapping(world, AccountState())
        self._operators: Mapping[tuple[Address, Address], bool] = Mapping(world, False)
        self._simulating = False

    def _authorize(self, account: int, sender: Address) -> None:
        owner = owner_of(account)
        if sender == owner or self._operators[owner, sender] or self._simulating:
            return
        raise NotAuthorized(account, sender)

    @abstractmethod
    def _verify_initial_margin(self, account: int) -> None:
        """Refuses an account whose equity is below its initial margin; needs no price when it has no position."""

    @abstractmethod
    def _verify_pool_reserve(self) -> None:
        """Refuses a pool that cannot back the skew of every market."""

    # STORAGE

    def _set_collateral(self, account: int, collateral: int) -> None:
        self._accounts[account] = replace(self._accounts[account], collateral=to_money(collateral))

    def _update_vault(self, **changes: int) -> None:
        self._vault = replace(self._vault, **changes)

    def _next_sequence(self) -> int:
        self._update_vault(sequence=self._vault.sequence + 1)
        return self._vault.sequence
