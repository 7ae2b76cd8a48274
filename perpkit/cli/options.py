"""Options that many commands share, and how their values are read."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from perpkit.cli.failure import Usage

# Nothing here lasts longer than a few hundred years.
_SPAN = re.compile(r"(?P<number>[0-9]{1,10})(?P<unit>[smhd]?)")


def decimal(text: str) -> Decimal:
    """A number that a person wrote, exactly."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise typer.BadParameter(f"{text!r} is not a number.") from None
    if not value.is_finite():
        raise typer.BadParameter(f"{text!r} is not a finite number.")
    return value


def seconds(text: str) -> int:
    """A time span that a person wrote: 90, 90s, 15m, 24h or 1d."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time; write 90, 90s, 15m, 24h or 1d.")
    return int(found["number"]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[found["unit"]]


def check_folder(report: Path | None) -> None:
    """Refuses before anything runs what no page could be written into."""
    if report is not None and report.exists() and not report.is_dir():
        raise Usage("--report", report, "a folder")


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ManifestOption = Annotated[
    Path | None,
    typer.Option("--manifest", envvar="PERPKIT_MANIFEST", help="The devnet's manifest [.perpkit/manifest.json]."),
]
RpcOption = Annotated[
    str | None, typer.Option("--rpc", envvar="PERPKIT_RPC", help="Another JSON-RPC URL than the manifest's.")
]
RoleOption = Annotated[str | None, typer.Option("--as", help="The devnet's role that acts [trader].")]
KeystoreOption = Annotated[
    Path | None,
    typer.Option("--keystore", help="A key file that acts; or put a key in the variable PERPKIT_KEY."),
]
MarketArgument = Annotated[str, typer.Argument(metavar="MARKET", help="Such as ETH-USD.")]
SideArgument = Annotated[str, typer.Argument(metavar="SIDE", help="long or short.")]
PasswordFileOption = Annotated[
    Path | None, typer.Option("--password-file", help="Where the key file's password stands, instead of asking.")
]
IsolatedOption = Annotated[
    bool | None, typer.Option("--isolated/--cross", help="Which position, when there are both.", show_default=False)
]
AcceptablePriceOption = Annotated[
    Decimal | None,
    typer.Option("--acceptable-price", parser=decimal, metavar="USD", help="The worst price at which it may fill."),
]
SlippageOption = Annotated[
    Decimal | None,
    typer.Option("--slippage", parser=decimal, metavar="RATIO", help="The same as a part of the mark price [0.005]."),
]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Say what would happen, and do nothing.")]
ExpiryOption = Annotated[
    int | None, typer.Option("--expiry", metavar="SECOND", help="The last second (Unix time) in which it may fill.")
]
ExpiresInOption = Annotated[
    int | None, typer.Option("--expires-in", min=1, max=2**32, metavar="SECONDS", help="The same, from now on.")
]
ExecutionFeeOption = Annotated[
    Decimal | None,
    typer.Option(
        "--execution-fee", parser=decimal, metavar="ETH", help="For whoever executes an order, for each [the least]."
    ),
]
