"""The twin of `MarginVault.sol`: the only file that touches the token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from perpkit.model.contract import Mapping, World, external
from perpkit.model.errors import (
    InsufficientCollateral,
    InsufficientTreasury,
    InvalidSignature,
    InvalidTransfer,
    NotPool,
    OperatorMayOnlyPayOwner,
    Paused,
    PerpError,
    PoolInsolvent,
    SignatureExpired,
    ZeroAmount,
)
from perpkit.model.events import (
    Deposited,
    InsuranceFunded,
    OperatorSet,
    PoolDeposited,
    PoolSet,
    PoolWithdrawn,
    Skimmed,
    Transferred,
    TreasuryWithdrawn,
    VaultPaused,
    Withdrawn,
)
from perpkit.model.fixed_math import to_amount, to_money
from perpkit.model.test_usd import TestUSD
from perpkit.model.types import ZERO_ADDRESS, Address, Signature, Vault, owner_of
from perpkit.model.vault_ledger import VaultLedger

DEPOSIT = 1
WITHDRAW = 2
POOL_DEPOSIT = 4
POOL_WITHDRAW = 8


class MarginVault(VaultLedger):
    def __init__(self, world: World, address: Address, token: TestUSD, owner: Address) -> None:
        super().__init__(world, address, token, owner)
        self._nonces: Mapping[Address, int] = Mapping(world, 0)

    # COLLATERAL

    @external
    def deposit(self, account: int, amount: int, *, sender: Address) -> None:
        self._deposit(account, amount, sender)

    @external
    def deposit_with_permit(
        self, account: int, amount: int, deadline: int, signature: Signature, *, sender: Address
    ) -> None:
        # Whoever saw the permit may have used it first; then the allowance stands and the deposit goes through.
        with suppress(PerpError):
            self.token.permit(sender, self.address, amount, deadline, signature, sender=self.address)
        self._deposit(account, amount, sender)

    @external
    def withdraw(self, account: int, amount: int, to: Address, *, sender: Address) -> None:
        # AUTHORIZE
        self._require_active(WITHDRAW)
        self._authorize(account, sender)
        self._authorize_payment(account, to, sender)
        money = self._require_amount(amount)

        # COMPUTE
        collateral = self._accounts[account].collateral
        if money > collateral:
            raise InsufficientCollateral(account, collateral, money)

        # APPLY
        self._set_collateral(account, collateral - money)
        self._update_vault(booked=self._vault.booked - amount)

        # VERIFY
        if self._vault.pool < 0:
            raise PoolInsolvent(self._vault.pool)
        self._verify_initial_margin(account)

        # EMIT
        self.emit(Withdrawn(account, to, self._next_sequence(), amount, collateral - money))
        self.token.transfer(to, amount, sender=self.address)

    @external
    def transfer(self, from_: int, to: int, amount: int, *, sender: Address) -> None:
        # AUTHORIZE
        self._require_active(WITHDRAW)
        self._authorize(from_, sender)
        if from_ == to or from_ >> 96 != to >> 96:
            raise InvalidTransfer(from_, to)
        money = self._require_amount(amount)

        # COMPUTE
        collateral = self._accounts[from_].collateral
        if money > collateral:
            raise InsufficientCollateral(from_, collateral, money)

        # APPLY
        self._set_collateral(from_, collateral - money)
        self._set_collateral(to, self._accounts[to].collateral + money)

        # VERIFY
        self._verify_initial_margin(from_)

        # EMIT
        to_collateral = self._accounts[to].collateral
        self.emit(Transferred(from_, to, self._next_sequence(), amount, collateral - money, to_collateral))

    # INSURANCE FUND AND TREASURY

    @external
    def fund_insurance(self, amount: int, *, sender: Address) -> None:
        # AUTHORIZE
        money = self._require_amount(amount)

        # APPLY
        self._update_vault(insurance=to_money(self._vault.insurance + money))
        self._receive(amount, sender)

        # EMIT
        self.emit(InsuranceFunded(sender, self._next_sequence(), amount, self._vault.insurance))

    @external
    def skim(self, *, sender: Address) -> int:
        # COMPUTE
        amount = self.token.balance_of(self.address) - self._vault.booked
        money = self._require_amount(amount)

        # APPLY
        self._update_vault(insurance=to_money(self._vault.insurance + money), booked=self._vault.booked + amount)

        # EMIT
        self.emit(Skimmed(sender, self._next_sequence(), amount, self._vault.insurance))
        return amount

    @external
    def withdraw_treasury(self, to: Address, amount: int, *, sender: Address) -> None:
        # AUTHORIZE
        self.only_owner(sender)
        self._require_amount(amount)
        if amount > self._vault.treasury:
            raise InsufficientTreasury(self._vault.treasury, amount)

        # APPLY
        self._update_vault(treasury=self._vault.treasury - amount, booked=self._vault.booked - amount)

        # EMIT
        self.emit(TreasuryWithdrawn(to, self._next_sequence(), amount, self._vault.treasury))
        self.token.transfer(to, amount, sender=self.address)

    # LIQUIDITY POOL

    @external
    def deposit_pool(self, amount: int, *, sender: Address) -> None:
        # AUTHORIZE
        self._require_active(POOL_DEPOSIT)
        if sender != self.pool:
            raise NotPool(sender)
        money = self._require_amount(amount)

        # APPLY
        self._update_vault(pool=to_money(self._vault.pool + money))
        self._receive(amount, sender)

        # EMIT
        self.emit(PoolDeposited(self._next_sequence(), amount, self._vault.pool))

    @external
    def withdraw_pool(self, amount: int, to: Address, *, sender: Address) -> None:
        # AUTHORIZE
        self._require_active(POOL_WITHDRAW)
        if sender != self.pool:
            raise NotPool(sender)
        money = self._require_amount(amount)

        # APPLY
        self._update_vault(pool=to_money(self._vault.pool - money))
        if self._vault.pool < 0:
            raise PoolInsolvent(self._vault.pool)
        self._update_vault(booked=self._vault.booked - amount)

        # VERIFY
        self._verify_pool_reserve()

        # EMIT
        self.emit(PoolWithdrawn(to, self._next_sequence(), amount, self._vault.pool))
        self.token.transfer(to, amount, sender=self.address)

    @external
    def set_pool(self, pool: Address, *, sender: Address) -> None:
        self.only_owner(sender)
        if self.pool != ZERO_ADDRESS:
            raise NotPool(pool)
        self.pool = pool
        self.emit(PoolSet(pool))

    # OPERATORS

    @external
    def set_operator(self, operator: Address, approved: bool, *, sender: Address) -> None:
        self._operators[sender, operator] = approved
        self.emit(OperatorSet(sender, operator, approved))

    @external
    def set_operator_by_signature(
        self,
        owner: Address,
        operator: Address,
        approved: bool,
        deadline: int,
        signature: Signature,
        *,
        sender: Address,
    ) -> None:
        if self.world.timestamp > deadline:
            raise SignatureExpired(deadline)
        nonce = self._nonces[owner]
        self._nonces[owner] = nonce + 1
        if signature != Signature(owner, ("SetOperator", owner, operator, approved, nonce, deadline)):
            raise InvalidSignature(owner)
        self._operators[owner, operator] = approved
        self.emit(OperatorSet(owner, operator, approved))

    # PAUSE

    @external
    def set_vault_paused(self, bits: int, *, sender: Address) -> None:
        self.only_owner(sender)
        self._update_vault(paused=bits)
        self.emit(VaultPaused(bits))

    # MULTICALL

    @external
    def multicall(self, data: Sequence[tuple[str, tuple[Any, ...]]], *, sender: Address) -> tuple[Any, ...]:
        """Several actions in one: each is the name of a function and its arguments."""
        results = []
        for function, args in data:
            action: Callable[..., Any] = getattr(self, function)
            results.append(action(*args, sender=sender))
        return tuple(results)

    # VIEWS

    def vault(self) -> Vault:
        return self._vault

    def collateral_of(self, account: int) -> int:
        return self._accounts[account].collateral

    def is_operator(self, owner: Address, operator: Address) -> bool:
        return self._operators[owner, operator]

    def nonces(self, owner: Address) -> int:
        return self._nonces[owner]

    # INTERNAL

    def _deposit(self, account: int, amount: int, sender: Address) -> None:
        # AUTHORIZE
        self._require_active(DEPOSIT)
        money = self._require_amount(amount)

        # APPLY
        collateral = self._accounts[account].collateral + money
        self._set_collateral(account, collateral)
        self._receive(amount, sender)

        # EMIT
        self.emit(Deposited(account, sender, self._next_sequence(), amount, collateral))

    def _receive(self, amount: int, sender: Address) -> None:
        self._update_vault(booked=self._vault.booked + amount)
        self.token.transfer_from(sender, self.address, amount, sender=self.address)

    def _require_amount(self, amount: int) -> int:
        money = to_amount(amount)
        if money == 0:
            raise ZeroAmount()
        return money

    def _require_active(self, bit: int) -> None:
        if self._vault.paused & bit != 0:
            raise Paused(bit)

    def _authorize_payment(self, account: int, to: Address, sender: Address) -> None:
        owner = owner_of(account)
        if sender != owner and to != owner and not self._simulating:
            raise OperatorMayOnlyPayOwner(owner, to)
