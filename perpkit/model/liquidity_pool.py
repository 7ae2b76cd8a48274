"""The twin of `LiquidityPool.sol`, and of the ERC-4626 under it: the counterparty of all traders as a share."""

from __future__ import annotations

from perpkit.model.clearinghouse import Clearinghouse
from perpkit.model.contract import World, external
from perpkit.model.errors import (
    ERC4626ExceededMaxDeposit,
    ERC4626ExceededMaxMint,
    ERC4626ExceededMaxRedeem,
    ERC4626ExceededMaxWithdraw,
    WorthlessShares,
)
from perpkit.model.events import Deposit, Withdraw
from perpkit.model.fixed_math import MONEY_MAX, div_floor, mul_div_ceil, mul_div_floor, to_unsigned
from perpkit.model.test_usd import ERC20, UINT256_MAX, TestUSD
from perpkit.model.types import Address

# A first depositor who would inflate the share price loses a million times what a later one could.
DECIMALS_OFFSET = 6
VIRTUAL_SHARES = 10**DECIMALS_OFFSET
MAX_MINT = 2**128 - 1


class LiquidityPool(ERC20):
    def __init__(self, world: World, address: Address, clearinghouse: Clearinghouse, token: TestUSD) -> None:
        super().__init__(world, address, token.decimals + DECIMALS_OFFSET)
        self.clearinghouse = clearinghouse
        self.token = token
        token.approve(clearinghouse.address, UINT256_MAX, sender=address)

    def total_assets(self) -> int:
        return to_unsigned(div_floor(self.clearinghouse.pool_equity(), self.clearinghouse.quantum))

    def asset(self) -> Address:
        return self.token.address

    def max_deposit(self, receiver: Address) -> int:
        return MONEY_MAX

    def max_mint(self, receiver: Address) -> int:
        return MAX_MINT

    def max_withdraw(self, owner: Address) -> int:
        return self.preview_redeem(self.balance_of(owner))

    def max_redeem(self, owner: Address) -> int:
        return self.balance_of(owner)

    def convert_to_shares(self, assets: int) -> int:
        return self.preview_deposit(assets)

    def convert_to_assets(self, shares: int) -> int:
        return self.preview_redeem(shares)

    def preview_deposit(self, assets: int) -> int:
        return mul_div_floor(assets, self.total_supply + VIRTUAL_SHARES, self.total_assets() + 1)

    def preview_mint(self, shares: int) -> int:
        return mul_div_ceil(shares, self.total_assets() + 1, self.total_supply + VIRTUAL_SHARES)

    def preview_withdraw(self, assets: int) -> int:
        return mul_div_ceil(assets, self.total_supply + VIRTUAL_SHARES, self.total_assets() + 1)

    def preview_redeem(self, shares: int) -> int:
        return mul_div_floor(shares, self.total_assets() + 1, self.total_supply + VIRTUAL_SHARES)

    @external
    def deposit(self, assets: int, receiver: Address, *, sender: Address) -> int:
        if assets > MONEY_MAX:
            raise ERC4626ExceededMaxDeposit(receiver, assets, MONEY_MAX)
        shares = self.preview_deposit(assets)
        self._deposit(sender, receiver, assets, shares)
        return shares

    @external
    def mint(self, shares: int, receiver: Address, *, sender: Address) -> int:
        if shares > MAX_MINT:
            raise ERC4626ExceededMaxMint(receiver, shares, MAX_MINT)
        assets = self.preview_mint(shares)
        self._deposit(sender, receiver, assets, shares)
        return assets

    @external
    def withdraw(self, assets: int, receiver: Address, owner: Address, *, sender: Address) -> int:
        max_assets = self.max_withdraw(owner)
        if assets > max_assets:
            raise ERC4626ExceededMaxWithdraw(owner, assets, max_assets)
        shares = self.preview_withdraw(assets)
        self._withdraw(sender, receiver, owner, assets, shares)
        return shares

    @external
    def redeem(self, shares: int, receiver: Address, owner: Address, *, sender: Address) -> int:
        max_shares = self.max_redeem(owner)
        if shares > max_shares:
            raise ERC4626ExceededMaxRedeem(owner, shares, max_shares)
        assets = self.preview_redeem(shares)
        self._withdraw(sender, receiver, owner, assets, shares)
        return assets

    def _deposit(self, caller: Address, receiver: Address, assets: int, shares: int) -> None:
        if self.total_supply > 0 and self.total_assets() == 0:
            raise WorthlessShares()
        self.token.transfer_from(caller, self.address, assets, sender=self.address)
        self.clearinghouse.deposit_pool(assets, sender=self.address)
        self._mint(receiver, shares)
        self.emit(Deposit(caller, receiver, assets, shares))

    def _withdraw(self, caller: Address, receiver: Address, owner: Address, assets: int, shares: int) -> None:
        if caller != owner:
            self._spend_allowance(owner, caller, shares)
        self._burn(owner, shares)
        self.clearinghouse.withdraw_pool(assets, receiver, sender=self.address)
        self.emit(Withdraw(caller, receiver, owner, assets, shares))
