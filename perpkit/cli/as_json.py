"""Values as JSON, for programs. Free of rich, because an error's JSON must not wait for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

_SAFE_INTEGER = 2**53
# They repeat what stands beside them, as the ledger's integers, for Python only.
_LEFT_OUT = frozenset(
    {"raw", "preview", "receipt", "approval", "return_receipt", "operator_approval", "margin_receipt"}
)


def print_json(value: Any) -> None:
    """One line of JSON on stdout, at once."""
    print(json.dumps(plain(value), ensure_ascii=False), flush=True)


def plain(value: Any) -> Any:
    """A value as JSON knows it: decimals as strings in plain notation, and integers that outgrow JSON too."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < _SAFE_INTEGER else str(value)
    if isinstance(value, Decimal):
        return number(value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value) if field.name not in _LEFT_OUT]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def number(value: Decimal) -> str:
    """A decimal as it is: no exponent, no zeros at its end."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
