"""The keys of the roles: those of the mnemonic that every local node funds, and that everybody knows."""

from __future__ import annotations

from functools import cache

from eth_account import Account

from perpkit.market_setup import ROLES
from perpkit.model.types import Address

MNEMONIC = "test test test test test test test test test test test junk"


@cache
def key_of(address: Address) -> str:
    """The private key of a role's address."""
    Account.enable_unaudited_hdwallet_features()
    index = list(ROLES.values()).index(address)
    account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    assert account.address.lower() == address
    return str(account.key.hex())
