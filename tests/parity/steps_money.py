"""Steps that move money: of accounts, of the pool, by operators."""

from __future__ import annotations

from collections.abc import Iterable

from parity.sides import Call, Sides
from parity.signatures import OperatorSignature, Permit
from parity.situations import HOUR
from perpkit.market_setup import ROLES
from perpkit.model.errors import PerpError
from perpkit.model.test_usd import UINT256_MAX
from perpkit.model.types import owner_of


class MoneySteps(Sides):
    """A `plan_` function says which calls a step is, in the state of now."""

    # ---- money

    def plan_deposit(self, who: str, index: int, amount: int) -> Iterable[Call]:
        account = self.account(index)
        return [Call("clearinghouse", "deposit", (account, self.money(amount)), self.actor(who, account))]

    def plan_permit(self, who: str, index: int, amount: int, variant: str) -> Iterable[Call]:
        """`variant` is good, wrong signer, expired, or used first by somebody else."""
        account, value = self.account(index), self.money(amount)
        sender = self.actor(who, account)
        if sender not in ROLES.values():
            return []
        spender = self.addresses["clearinghouse"]
        deadline = self.revm.timestamp + (-1 if variant == "expired" else HOUR)
        signer = ROLES["outsider"] if variant == "wrong signer" else sender
        permit = Permit(signer, sender, spender, value, self.token.nonces(sender), deadline)
        used = Call("token", "permit", (sender, spender, value, deadline, permit), ROLES["outsider"])
        deposit = Call("clearinghouse", "deposit_with_permit", (account, value, deadline, permit), sender)
        return [used, deposit] if variant in ("used", "expired") else [deposit]

    def plan_withdraw(self, who: str, index: int, permille: int, to: str) -> Iterable[Call]:
        account = self.account(index)
        try:
            free = self.lens.account(account).withdrawable
        except PerpError:
            free = self.house.collateral_of(account)
        amount = 2**100 if permille == 9999 else self._share(free, permille)
        payee = owner_of(account) if to == "owner" else self.address(to)
        return [Call("clearinghouse", "withdraw", (account, amount, payee), self.actor(who, account))]

    def plan_transfer(self, who: str, index: int, to: int, permille: int) -> Iterable[Call]:
        account = self.account(index)
        amount = self._share(self.house.collateral_of(account), permille)
        return [Call("clearinghouse", "transfer", (account, self.account(to), amount), self.actor(who, account))]

    def plan_fund_insurance(self, who: str, amount: int) -> Iterable[Call]:
        return [Call("clearinghouse", "fund_insurance", (self.money(amount),), self.address(who))]

    def plan_skim(self, who: str) -> Iterable[Call]:
        return [Call("clearinghouse", "skim", (), self.address(who))]

    def plan_send(self, who: str, to: str, amount: int) -> Iterable[Call]:
        """Tokens sent from wallet to wallet, past `deposit`."""
        return [Call("token", "transfer", (self.address(to), self.money(amount)), self.address(who))]

    def plan_mint(self, who: str, amount: int) -> Iterable[Call]:
        return [Call("token", "mint", (self.address(who), self.money(amount)), self.address(who))]

    def plan_approve(self, who: str, spender: str, amount: int) -> Iterable[Call]:
        value = UINT256_MAX if amount < 0 else self.money(amount)
        return [Call("token", "approve", (self.address(spender), value), self.address(who))]

    def plan_withdraw_treasury(self, who: str, to: str, permille: int) -> Iterable[Call]:
        amount = self._share(self.house.vault().treasury, permille)
        return [Call("clearinghouse", "withdraw_treasury", (self.address(to), amount), self.address(who))]

    def plan_collect_fees(self, who: str, market: int) -> Iterable[Call]:
        return [Call("clearinghouse", "collect_fees", (market,), self.address(who))]

    # ---- pool

    def plan_pool_deposit(self, who: str, amount: int, receiver: str) -> Iterable[Call]:
        return [Call("pool", "deposit", (self.money(amount), self.address(receiver)), self.address(who))]

    def plan_pool_mint(self, who: str, amount: int, receiver: str) -> Iterable[Call]:
        shares = min(self.money(amount) * 10**6, UINT256_MAX)
        return [Call("pool", "mint", (shares, self.address(receiver)), self.address(who))]

    def plan_pool_withdraw(self, who: str, owner: str, receiver: str, permille: int) -> Iterable[Call]:
        """A share of what the owner's shares are worth, as far as the pool's reserve lets go."""
        try:
            worth = self.pool.preview_redeem(self.pool.balance_of(self.address(owner)))
        except PerpError:
            worth = 10**9
        amount = self._share(worth, permille)
        return [Call("pool", "withdraw", (amount, self.address(receiver), self.address(owner)), self.address(who))]

    def plan_pool_redeem(self, who: str, owner: str, receiver: str, permille: int) -> Iterable[Call]:
        shares = self._share(self.pool.balance_of(self.address(owner)), permille)
        return [Call("pool", "redeem", (shares, self.address(receiver), self.address(owner)), self.address(who))]

    def plan_pool_approve(self, who: str, spender: str, permille: int) -> Iterable[Call]:
        shares = UINT256_MAX if permille == 9999 else self._share(self.pool.balance_of(self.address(who)), permille)
        return [Call("pool", "approve", (self.address(spender), shares), self.address(who))]

    def plan_pool_transfer(self, who: str, to: str, permille: int) -> Iterable[Call]:
        shares = self._share(self.pool.balance_of(self.address(who)), permille)
        return [Call("pool", "transfer", (self.address(to), shares), self.address(who))]

    def plan_not_the_pool(self, who: str, amount: int) -> Iterable[Call]:
        """Somebody who is not the pool calls what only the pool may."""
        sender, value = self.address(who), self.money(amount)
        return [
            Call("clearinghouse", "deposit_pool", (value,), sender),
            Call("clearinghouse", "withdraw_pool", (value, sender), sender),
            Call("clearinghouse", "set_pool", (sender,), sender),
        ]

    def plan_pool_quotes(self, amount: int) -> Iterable[Call]:
        value = min(self.money(amount), 2**128)
        shares = value * 10**6
        return [
            Call("pool", "total_assets", reads=True),
            Call("pool", "preview_deposit", (value,), reads=True),
            Call("pool", "preview_mint", (shares,), reads=True),
            Call("pool", "preview_withdraw", (value,), reads=True),
            Call("pool", "preview_redeem", (shares,), reads=True),
        ]

    # ---- operators

    def plan_set_operator(self, who: str, operator: str, approved: bool) -> Iterable[Call]:
        return [Call("clearinghouse", "set_operator", (self.address(operator), approved), self.address(who))]

    def plan_sign_operator(self, who: str, owner: str, operator: str, approved: bool, variant: str) -> Iterable[Call]:
        """`variant` is good, wrong signer, other nonce, replayed, expired or torn."""
        address = self.address(owner)
        deadline = self.revm.timestamp - (1 if variant == "expired" else 0)
        nonce = self.house.nonces(address) + (1 if variant == "other nonce" else 0)
        signer = self.address("outsider" if variant == "wrong signer" else owner)
        chosen = self.address(operator)
        signature = OperatorSignature(signer, address, chosen, approved, nonce, deadline, variant == "torn")
        args = (address, chosen, approved, deadline, signature)
        call = Call("clearinghouse", "set_operator_by_signature", args, self.address(who))
        return [call, call] if variant == "replayed" else [call]
