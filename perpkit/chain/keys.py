"""Where a key comes from: the environment, a keystore file, or, on a local chain, a role whose key everybody knows.

A key is never shown: not in a `repr`, a message, a log, nor in the variables of a traceback of this file.
"""

from __future__ import annotations

import getpass
import ipaddress
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perpkit.backend import LOCAL_CHAIN_IDS as LOCAL_CHAIN_IDS
from perpkit.chain.errors import BadKey, DevKeyRefused, ExposedKeyFile
from perpkit.market_setup import ROLES
from perpkit.model.types import Address

# eth-account takes a second to import, and who only reads needs no key.
if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

VARIABLE = "PERPKIT_KEY"
TEST_MNEMONIC = "test test test test test test test test test test test junk"

_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")

# The accounts 0 to 19 of the mnemonic, which local nodes fund.
DEV_ADDRESSES: tuple[Address, ...] = (
    *ROLES.values(),
    "0xbcd4042de499d14e55001ccbb24a551f3b954096",
    "0x71be63f3384f5fb98995898a86b02fb2426c5788",
    "0xfabb0ac9d68b0b445fb7357272ff202c5651694a",
    "0x1cbd3b2770909d4e10f157cabc84c7264073c9ec",
    "0xdf3e18d64bc6a983f673ab319ccae4f1a57c7097",
    "0xcd3b766ccdd6ae721141f452c550ca635964ce71",
    "0x2546bcd3c84621e976d8185a91a922ae77ecec30",
    "0xbda5747bfd65f08deb54cb465eb87d40e51b197e",
    "0xdd2fd4581271e230360230f9337d5c0430bf44c0",
    "0x8626f6940e2eb28930efb4cef49b2d1f2c9c1199",
)


class Secret:
    """A text that is not shown by accident."""

    __slots__ = ("_reveal",)

    def __init__(self, text: str) -> None:
        self._reveal: Callable[[], str] = lambda: text

    def reveal(self) -> str:
        return self._reveal()

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")


def signer_from_key(key: str | Secret) -> LocalAccount:
    """The account of a private key of 32 bytes in hexadecimal."""
    secret = key if isinstance(key, Secret) else Secret(key)
    del key
    signer = _try(lambda: _account(secret.reveal()))
    if signer is None:
        raise BadKey("a key is 64 hexadecimal digits, with or without 0x")
    return signer


def signer_from_environment(variable: str = VARIABLE) -> LocalAccount | None:
    """The account of the key in an environment variable; None when there is none."""
    if not os.environ.get(variable):
        return None
    signer = _try(lambda: _account(os.environ[variable]))
    if signer is None:
        raise BadKey(f"what is in {variable} is not 64 hexadecimal digits, with or without 0x")
    return signer


def signer_from_role(role: str | int) -> LocalAccount:
    """The account of a role of the devnet, or of a number of the test mnemonic; for local chains only."""
    names = list(ROLES)
    if isinstance(role, str) and role not in names:
        raise BadKey(f"there is no role {role!r:.40}; the roles are {', '.join(names)}")
    number = names.index(role) if isinstance(role, str) else role
    if not 0 <= number < len(DEV_ADDRESSES):
        raise BadKey(f"there is no test account {number}; they run from 0 to {len(DEV_ADDRESSES) - 1}")
    from eth_account import Account

    class TestAccounts(Account):
        """eth-account with mnemonics allowed, for this class alone."""

    TestAccounts.enable_unaudited_hdwallet_features()
    account: LocalAccount = TestAccounts.from_mnemonic(TEST_MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
    return account


def signer_from_keystore(
    path: str | os.PathLike[str], *, password_file: str | os.PathLike[str] | None = None
) -> LocalAccount:
    """The account of a keystore (V3). The password is asked for, or stands in a file; both files must be one's own."""
    place = Path(path)
    text = _read_private(place)
    if password_file is None:
        password = Secret(getpass.getpass(f"Password of {place.name}: "))
    else:
        password = Secret(_read_private(Path(password_file)).reveal().rstrip("\r\n"))
    from eth_account import Account

    signer = _try(lambda: Account.from_key(Account.decrypt(json.loads(text.reveal()), password.reveal())))
    if signer is None:
        raise BadKey(f"the keystore {place} does not open with this password, or is no keystore")
    return signer


def write_keystore(
    path: str | os.PathLike[str], signer: LocalAccount, *, password: str | Secret, iterations: int | None = None
) -> Path:
    """Writes a keystore that only its owner may read, whole or not at all."""
    place = Path(path)
    secret = password if isinstance(password, Secret) else Secret(password)
    del password
    from eth_account import Account

    content = json.dumps(Account.encrypt(signer.key, secret.reveal(), iterations=iterations))
    # mkstemp gives the file to its owner alone.
    handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(temporary, place)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return place


def check_dev_key(address: Address, *, chain_id: int, host: str) -> None:
    """Refuses a key that everybody knows, but on a local chain of this machine."""
    if address.lower() not in DEV_ADDRESSES:
        return
    if chain_id not in LOCAL_CHAIN_IDS or not is_loopback(host):
        raise DevKeyRefused(address.lower(), chain_id, host)


def is_loopback(host: str) -> bool:
    """Whether a host can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _read_private(path: Path) -> Secret:
    """What stands in a file; refused when others may read it."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise ExposedKeyFile(str(path), mode)
            return Secret(file.read())
    except OSError as error:
        raise BadKey(f"{path} cannot be read ({type(error).__name__})") from None
    except UnicodeDecodeError:
        pass
    raise BadKey(f"{path} is not text")


def _account(key: str) -> LocalAccount:
    # eth-account would take an odd number of digits too, and make another key of them.
    if not _KEY.fullmatch(key.strip()):
        raise ValueError
    from eth_account import Account

    account: LocalAccount = Account.from_key(key.strip())
    return account


def _try(make: Callable[[], Any]) -> LocalAccount | None:
    """What `make` makes, or None: an exception of eth-account would keep the key in its traceback."""
    try:
        account: LocalAccount = make()
    except Exception:
        return None
    return account
