"""A replay as a page with pictures."""

from __future__ import annotations

from perpkit.replay import ReplayResult
from perpkit.report import LiquidationMark, MarketSeries, Report, VaultSeries, dollars_text


def report_of(result: ReplayResult, *, title: str) -> Report:
    """What `perpkit.report` draws of a replay."""
    config = result.config
    subtitle = (
        f"{config.accounts} accounts, seed {config.seed}, {len(result.frames):,} candles, backend {result.backend}"
    )
    return Report(
        title=title,
        subtitle=subtitle,
        facts=facts_of(result),
        laws=result.laws,
        digest=result.digest,
        markets=tuple(_market(result, market) for market in range(len(result.symbols))),
        vault=_vault(result),
    )


def facts_of(result: ReplayResult) -> tuple[tuple[str, str], ...]:
    """The table at the end, for page and terminal alike."""
    tally = result.tally
    start, low, end = result.insurance_path
    refusals = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.refusals.items())) or "none"
    return (
        ("Prices brought", f"{tally.ticks:,}"),
        ("Trades", f"{tally.trades:,}"),
        ("Liquidations", f"{tally.full:,} full, {tally.partial:,} partial"),
        ("Penalties", dollars_text(tally.penalties)),
        ("Keeper rewards", dollars_text(tally.rewards)),
        ("Trading fees", dollars_text(tally.fees)),
        ("Insurance fund", f"{dollars_text(start)} → {dollars_text(end)}, lowest {dollars_text(low)}"),
        ("Bad debt", f"{dollars_text(tally.bad_debt)}, {dollars_text(tally.covered)} of it covered by the fund"),
        ("Deficit", f"at most {dollars_text(tally.peak_deficit)}, {dollars_text(result.deficit)} at the end"),
        ("Auto-deleveraged", f"{tally.deleveraged:,} positions, {dollars_text(tally.haircut)} of profit taken"),
        ("Funding", f"{dollars_text(tally.funding_paid)} paid, {dollars_text(tally.funding_received)} received"),
        ("Pool result", dollars_text(result.pool_result)),
        ("Refused actions", refusals),
    )


def _market(result: ReplayResult, market: int) -> MarketSeries:
    frames = result.frames
    map_time, map_price, entries = result.liquidation_maps[market]
    return MarketSeries(
        symbol=result.symbols[market],
        times=tuple(frame.time for frame in frames),
        prices=tuple(frame.prices[market] for frame in frames),
        long_open_interest=tuple(frame.open_interest[market][0] for frame in frames),
        short_open_interest=tuple(frame.open_interest[market][1] for frame in frames),
        liquidations=tuple(
            LiquidationMark(point.time, point.price, "long" if point.long else "short", point.partial, point.notional)
            for point in result.liquidation_points
            if point.market == market
        ),
        liquidation_map=entries,
        map_time=map_time,
        map_price=map_price,
    )


def _vault(result: ReplayResult) -> VaultSeries:
    frames = result.frames
    return VaultSeries(
        times=tuple(frame.time for frame in frames),
        insurance=tuple(frame.insurance for frame in frames),
        pool=tuple(frame.pool for frame in frames),
        deficit=tuple(frame.deficit for frame in frames),
    )
