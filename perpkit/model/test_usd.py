"""The twin of `TestUSD.sol`, and of the ERC-20 under it."""

from __future__ import annotations

from perpkit.model.contract import Contract, Mapping, World, external
from perpkit.model.errors import (
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    ERC20InvalidReceiver,
    ERC2612ExpiredSignature,
    ERC2612InvalidSigner,
    Panic,
)
from perpkit.model.events import Approval, Transfer
from perpkit.model.types import ZERO_ADDRESS, Address, Signature

UINT256_MAX = 2**256 - 1


class ERC20(Contract):
    """The twin of OpenZeppelin's ERC20."""

    def __init__(self, world: World, address: Address, decimals: int) -> None:
        super().__init__(world, address)
        self.decimals = decimals
        self.total_supply = 0
        self._balances: Mapping[Address, int] = Mapping(world, 0)
        self._allowances: Mapping[tuple[Address, Address], int] = Mapping(world, 0)

    def balance_of(self, account: Address) -> int:
        return self._balances[account]

    def allowance(self, owner: Address, spender: Address) -> int:
        return self._allowances[owner, spender]

    @external
    def transfer(self, to: Address, value: int, *, sender: Address) -> bool:
        self._transfer(sender, to, value)
        return True

    @external
    def approve(self, spender: Address, value: int, *, sender: Address) -> bool:
        self._approve(sender, spender, value)
        return True

    @external
    def transfer_from(self, from_: Address, to: Address, value: int, *, sender: Address) -> bool:
        self._spend_allowance(from_, sender, value)
        self._transfer(from_, to, value)
        return True

    def _transfer(self, from_: Address, to: Address, value: int) -> None:
        if to == ZERO_ADDRESS:
            raise ERC20InvalidReceiver(to)
        balance = self._balances[from_]
        if balance < value:
            raise ERC20InsufficientBalance(from_, balance, value)
        self._balances[from_] = balance - value
        self._balances[to] += value
        self.emit(Transfer(from_, to, value))

    def _mint(self, to: Address, value: int) -> None:
        if to == ZERO_ADDRESS:
            raise ERC20InvalidReceiver(to)
        if self.total_supply + value > UINT256_MAX:
            raise Panic(0x11)
        self.total_supply += value
        self._balances[to] += value
        self.emit(Transfer(ZERO_ADDRESS, to, value))

    def _burn(self, from_: Address, value: int) -> None:
        balance = self._balances[from_]
        if balance < value:
            raise ERC20InsufficientBalance(from_, balance, value)
        self._balances[from_] = balance - value
        self.total_supply -= value
        self.emit(Transfer(from_, ZERO_ADDRESS, value))

    def _approve(self, owner: Address, spender: Address, value: int) -> None:
        self._allowances[owner, spender] = value
        self.emit(Approval(owner, spender, value))

    def _spend_allowance(self, owner: Address, spender: Address, value: int) -> None:
        allowance = self._allowances[owner, spender]
        if allowance == UINT256_MAX:
            return
        if allowance < value:
            raise ERC20InsufficientAllowance(spender, allowance, value)
        self._allowances[owner, spender] = allowance - value


class TestUSD(ERC20):
    """A dollar with the decimals of USDC, a permit and an open mint. Worth nothing, by design."""

    __test__ = False  # pytest takes the name for a test class

    def __init__(self, world: World, address: Address, decimals: int = 6) -> None:
        super().__init__(world, address, decimals)
        self._nonces: Mapping[Address, int] = Mapping(world, 0)

    @external
    def mint(self, to: Address, amount: int, *, sender: Address) -> None:
        """Gives anyone any amount."""
        self._mint(to, amount)

    def nonces(self, owner: Address) -> int:
        return self._nonces[owner]

    @external
    def permit(
        self,
        owner: Address,
        spender: Address,
        value: int,
        deadline: int,
        signature: Signature,
        *,
        sender: Address,
    ) -> None:
        """The signature stands for `v, r, s`."""
        if self.world.timestamp > deadline:
            raise ERC2612ExpiredSignature(deadline)
        nonce = self._nonces[owner]
        self._nonces[owner] = nonce + 1
        if signature != Signature(owner, ("Permit", owner, spender, value, nonce, deadline)):
            raise ERC2612InvalidSigner(signature.signer, owner)
        self._approve(owner, spender, value)
