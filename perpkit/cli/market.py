"""`perpkit market`: governs markets: pauses, parameters, tiers, outages, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from perpkit.cli.as_json import number, plain, print_json
from perpkit.cli.failure import Usage
from perpkit.cli.options import (
    JsonOption,
    KeystoreOption,
    ManifestOption,
    MarketArgument,
    PasswordFileOption,
    RoleOption,
    RpcOption,
    seconds,
)
from perpkit.cli.output import moment, money, percent, price, print_facts, short_address, signed, size
from perpkit.cli.session import Acting, connect, connect_as
from perpkit.cli.trade import sent
from perpkit.client import Governor
from perpkit.client.governor import (
    MARKET_ACTIONS,
    PARAMETERS,
    VAULT_ACTIONS,
    CloseOutReport,
    MarketTerms,
    Notice,
    PauseResult,
    Progress,
    TermsResult,
    TierTerms,
    Unit,
)
from perpkit.model.errors import NotAnnounced

app = typer.Typer()

# Stands in the place of a market where money itself is meant.
VAULT = "vault"

PausedMarketArgument = Annotated[
    str, typer.Argument(metavar="MARKET", help="Such as ETH-USD; or vault, for money that goes in and out.")
]
AnnounceOption = Annotated[bool, typer.Option("--announce", help="Announce it, to be done a day later.")]

Facts = list[tuple[str, str | Text]]


class NotYet(Exception):
    """`what` needs a day's notice in `market`: announced for `effective_at` {s}, zero is not at all. `now` {s}."""

    def __init__(self, market: str, what: str, announce: str, effective_at: int, now: int) -> None:
        super().__init__(market, what, announce, effective_at, now)
        self.market, self.what, self.announce = market, what, announce
        self.effective_at, self.now = effective_at, now

    def __str__(self) -> str:
        if self.effective_at == 0:
            return f"{self.what} in {self.market} needs a day's notice: announce it first ({self.announce})."
        if self.now < self.effective_at:
            return f"{self.what} in {self.market} was announced for {moment(self.effective_at)}; do it then."
        return (
            f"the notice of {moment(self.effective_at)} in {self.market} was used for a day only: announce it again"
            f" ({self.announce})."
        )


@dataclass(frozen=True)
class Governing:
    """A session with somebody to govern for."""

    acting: Acting
    governor: Governor
    as_json: bool

    def say(self, title: str, facts: Facts, found: object) -> None:
        """What was done, with its transaction."""
        done = sent(found)
        if self.as_json:
            print_json({**plain(found), **done})
            return
        if done.get("transaction"):
            facts.append(("transaction", short_address(str(done["transaction"]))))
        print_facts(title, [*facts, ("account", self.acting.name)])

    @property
    def now(self) -> int:
        return self.acting.session.backend.timestamp

    @contextmanager
    def announced(self, market: str, what: str, announce: str) -> Iterator[None]:
        """Says how to announce what the market refuses to do at once."""
        try:
            yield
        except NotAnnounced as error:
            raise NotYet(market, what, announce, error.effective_at, self.now) from None


# PAUSES


@app.command("pause")
def pause(
    market: PausedMarketArgument,
    actions: Annotated[
        list[str],
        typer.Argument(metavar="ACTION...", help=f"{', '.join(MARKET_ACTIONS)}; of vault {', '.join(VAULT_ACTIONS)}."),
    ],
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause actions, besides those that are paused already; acts as the role governor unless told."""
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    governor = governing.governor
    found = governor.pause_vault(*actions) if market == VAULT else governor.pause(market, *actions)
    _say_paused(governing, market, found)


@app.command("resume")
def resume(
    market: PausedMarketArgument,
    actions: Annotated[
        list[str] | None, typer.Argument(metavar="[ACTION]...", help="As in pause; all when none is named.")
    ] = None,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let paused actions go on; acts as the role governor unless told."""
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    governor, named = governing.governor, actions or ()
    found = governor.resume_vault(*named) if market == VAULT else governor.resume(market, *named)
    _say_paused(governing, market, found)


def _say_paused(governing: Governing, market: str, found: PauseResult) -> None:
    facts: Facts = [("paused", ", ".join(found.paused) or "nothing")]
    if found.grace_until is not None and found.grace_until > found.timestamp:
        facts.append(("in grace until", moment(found.grace_until)))
    governing.say(market, facts, found)


@app.command("halt")
def halt(
    market: MarketArgument,
    lift: Annotated[bool, typer.Option("--lift", help="Let the price go on.")] = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Halt a market's price, so that nothing is done by it; acts as the role governor unless told."""
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    found = governing.governor.halt(market, halted=not lift)
    governing.say(f"the price of {market} {'is halted' if found.halted else 'goes on'}", [], found)


@app.command("outage")
def outage(
    market: MarketArgument,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record that a market's price is missing, or that it is back; acts as the role governor, though anybody may."""
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    found = governing.governor.record_outage(market)
    until = "the price is back" if found.grace_until is None else moment(found.grace_until)
    facts: Facts = [("in grace until", until)]
    governing.say(f"the price of {market} is {'back' if found.priced else 'missing'}", facts, found)


# TERMS


@app.command("params")
def params(
    market: MarketArgument,
    imr: Annotated[str | None, typer.Option(metavar="RATIO", help="Initial margin ratio, such as 2% or 0.02.")] = None,
    mmr: Annotated[str | None, typer.Option(metavar="RATIO", help="Maintenance margin ratio.")] = None,
    taker_fee: Annotated[str | None, typer.Option(metavar="RATIO", help="On what enlarges the skew.")] = None,
    maker_fee: Annotated[str | None, typer.Option(metavar="RATIO", help="On what reduces the skew.")] = None,
    max_funding_rate: Annotated[str | None, typer.Option(metavar="RATIO", help="Per funding interval.")] = None,
    funding_interval: Annotated[str | None, typer.Option(metavar="TIME", help="Such as 8h.")] = None,
    skew_scale: Annotated[str | None, typer.Option(metavar="BASE", help="The skew whose premium is 100 %.")] = None,
    max_open_interest: Annotated[str | None, typer.Option(metavar="BASE", help="Of each side.")] = None,
    min_notional: Annotated[str | None, typer.Option(metavar="USD", help="The least position.")] = None,
    min_delay: Annotated[str | None, typer.Option(metavar="TIME", help="Above 0 only orders trade.")] = None,
    penalty_rate: Annotated[str | None, typer.Option(metavar="RATIO", help="Of a liquidation's notional.")] = None,
    keeper_share: Annotated[str | None, typer.Option(metavar="RATIO", help="Of the penalty.")] = None,
    min_keeper_reward: Annotated[str | None, typer.Option(metavar="USD", help="As far as the penalty goes.")] = None,
    insurance_share: Annotated[str | None, typer.Option(metavar="RATIO", help="Of a fee.")] = None,
    protocol_share: Annotated[str | None, typer.Option(metavar="RATIO", help="Of a fee.")] = None,
    pool_reserve_factor: Annotated[str | None, typer.Option(metavar="RATIO", help="Of the pool, for the skew.")] = None,
    adl_pnl_factor: Annotated[str | None, typer.Option(metavar="RATIO", help="Profit that may be deleveraged.")] = None,
    announce: AnnounceOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the named parameters of a market, or show all; acts as the role governor unless told.

    What raises a maintenance margin, or the delay, needs a day's notice: --announce, and a day later the same without.
    """
    given = locals()
    changes = {name: _value(name, given[name]) for name in PARAMETERS if given[name] is not None}
    if not changes:
        _no_announcement(announce)
        return _show(Governor(connect(manifest=manifest, rpc=rpc).backend, _NOBODY).terms(market), as_json)
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    before = governing.governor.terms(market)
    terms = governing.governor.with_params(market, **changes)
    facts: Facts = [
        (name, f"{_shown(name, before.params[name])} → {_shown(name, terms.params[name])}") for name in changes
    ]
    _govern(governing, terms, announce, "parameters", facts)


@app.command("tiers")
def tiers(
    market: MarketArgument,
    tier: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SIZE:IMR:MMR]...", help="Such as 500:4%:2%, in ascending order; up to three."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="No tiers: one pair of ratios for every size.")] = False,
    announce: AnnounceOption = False,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the risk tiers above a market's own ratios, or show them; acts as the role governor unless told.

    What raises a maintenance margin needs a day's notice: --announce, and a day later the same without.
    """
    if tier and none:
        raise Usage("--none", "given", "either tiers or --none")
    wanted = [_tier(text) for text in tier or ()]
    if not wanted and not none:
        _no_announcement(announce)
        return _show(Governor(connect(manifest=manifest, rpc=rpc).backend, _NOBODY).terms(market), as_json, tiers=True)
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    terms = governing.governor.with_tiers(market, *wanted)
    facts: Facts = [_tier_fact(one) for one in terms.tiers] or [("tiers", "none")]
    _govern(governing, terms, announce, "tiers", facts)


# Whoever only looks governs for nobody.
_NOBODY = "0x" + "0" * 40


def _no_announcement(announce: bool) -> None:
    if announce:
        raise Usage("--announce", "given alone", "what is to be announced beside it")


def _govern(governing: Governing, terms: MarketTerms, announce: bool, what: str, facts: Facts) -> None:
    """Sets terms or announces them, and says whether that was needed."""
    governor, market = governing.governor, terms.market
    notice: Notice = governor.notice(terms)
    if announce and not notice.needed:
        raise Usage("--announce", "given", f"nothing: these {what} of {market} may be set at once")
    if announce:
        found: TermsResult = governor.announce_terms(terms)
        assert found.effective_at is not None
        until = moment(found.effective_at + (found.effective_at - found.timestamp))
        facts += [("may be set from", moment(found.effective_at)), ("until", until)]
        title = f"announced {what} of {market}"
    else:
        with governing.announced(market, f"raising a margin or delay by these {what}", "the same with --announce"):
            found = governor.set_terms(terms)
        title = f"set {what} of {market}"
    governing.say(title, facts, found)


def _show(terms: MarketTerms, as_json: bool, *, tiers: bool = False) -> None:
    if as_json:
        print_json(terms)
        return
    facts: Facts = [] if tiers else [(name, _shown(name, value)) for name, value in terms.params.items()]
    facts += [_tier_fact(TierTerms(min_size=Decimal(0), imr=terms.params["imr"], mmr=terms.params["mmr"]))]
    facts += [_tier_fact(tier) for tier in terms.tiers]
    print_facts(f"{'Risk tiers' if tiers else 'Parameters'} of {terms.market}", facts)


def _tier_fact(tier: TierTerms) -> tuple[str, str]:
    return f"from {size(tier.min_size)} on", f"initial {percent(tier.imr)}, maintenance {percent(tier.mmr)}"


def _shown(name: str, value: Decimal) -> str:
    unit, _ = PARAMETERS[name]
    if unit is Unit.RATIO:
        return f"{number(value * 100)} %"
    words = {Unit.BASE: "base", Unit.DOLLARS: "dollars", Unit.SECONDS: "s"}
    return f"{number(value)} {words[unit]}"


def _value(name: str, text: str) -> Decimal | int:
    """A parameter that a person wrote."""
    option = "--" + name.replace("_", "-")
    unit, _ = PARAMETERS[name]
    if unit is Unit.SECONDS:
        return seconds(text)
    return _ratio(option, text) if unit is Unit.RATIO else _number(option, text)


def _tier(text: str) -> tuple[Decimal, Decimal, Decimal]:
    parts = text.split(":")
    if len(parts) != 3:
        raise Usage("TIER", repr(text), "SIZE:IMR:MMR, such as 500:4%:2%")
    return _number("SIZE", parts[0]), _ratio("IMR", parts[1]), _ratio("MMR", parts[2])


def _ratio(name: str, text: str) -> Decimal:
    """A ratio such as 1.5% or 0.015."""
    bare = text.strip().removesuffix("%")
    value = _number(name, bare.strip())
    return value if bare == text.strip() else value.scaleb(-2)


def _number(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite():
        raise Usage(name, repr(text), "a number")
    return value


# THE END OF A MARKET


@app.command("announce")
def announce_delisting(
    market: MarketArgument,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Announce that a market will be delisted, a day later at the earliest; acts as the role governor unless told."""
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    found = governing.governor.announce_delisting(market)
    assert found.effective_at is not None
    facts: Facts = [("may be delisted from", moment(found.effective_at))]
    governing.say(f"announced the end of {market}", facts, found)


@app.command("delist")
def delist(
    market: MarketArgument,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a market at its mark price now, a day after it was announced; acts as the role governor unless told."""
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    with governing.announced(market, "delisting", f"perpkit market announce {market}"):
        found = governing.governor.delist(market)
    facts: Facts = [("final price", price(found.price)), ("next", f"perpkit market close-out {market}")]
    governing.say(f"delisted {market}", facts, found)


@app.command("close-out")
def close_out(
    market: MarketArgument,
    batch: Annotated[int, typer.Option(min=1, max=100, help="Positions in one transaction.")] = 40,
    role: RoleOption = None,
    keystore: KeystoreOption = None,
    password_file: PasswordFileOption = None,
    manifest: ManifestOption = None,
    rpc: RpcOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay everybody out of a delisted market; acts as the role governor, though anybody may.

    Who is in it is read from events. Whoever owes pays first, and winners when nobody else is left.
    """
    governing = _governing(manifest, rpc, role, keystore, password_file, as_json)
    with _progress(f"closing {market} out") as progress:
        found = governing.governor.close_out(market, batch=batch, progress=progress)
    if as_json:
        print_json(found)
    else:
        _say_closed_out(governing, found)


def _say_closed_out(governing: Governing, found: CloseOutReport) -> None:
    paid, bad_debt = sum(one.paid for one in found.closed), sum(one.bad_debt for one in found.closed)
    short = sum(one.claim - one.paid for one in found.closed)
    facts: Facts = [
        ("positions closed", str(len(found.closed))),
        ("paid to them", signed(money(Decimal(paid)))),
        ("owed to winners and not there", money(Decimal(short))),
        ("bad debt", money(Decimal(bad_debt))),
        ("transactions", str(found.transactions)),
        ("account", governing.acting.name),
    ]
    if found.left:
        facts.append(("positions left", str(found.left)))
    print_facts(f"closed {found.market} out", facts)


@contextmanager
def _progress(words: str) -> Iterator[Progress]:
    """Shows on stderr how far one is: in place on a terminal, and not at all elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    with console.status(f"{words} …") as status:
        yield lambda done, total: status.update(f"{words}: {done} of {total} …")


def _governing(
    manifest: Path | None,
    rpc: str | None,
    role: str | None,
    keystore: Path | None,
    password_file: Path | None,
    as_json: bool,
) -> Governing:
    acting = connect_as(
        manifest=manifest,
        rpc=rpc,
        role=role,
        keystore=keystore,
        password_file=password_file,
        default_role="governor",
    )
    return Governing(acting, Governor(acting.session.backend, acting.trader.address), as_json)
