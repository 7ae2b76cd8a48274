"""The same candles and the same seed end in the same state on every backend."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from perpkit.candles import Candle, crash_candles, read_candles
from perpkit.devnet.sandboxes import open_sandbox
from perpkit.replay import Replay, ReplayConfig, ReplayError, ReplayResult, path_of, sandbox_start

START = 1_700_000_000
REAL = Path(__file__).parents[3] / "shared" / "data"
SYMBOLS = ("ETH-USD", "BTC-USD", "SOL-USD")


def run(config: ReplayConfig, backend: str) -> ReplayResult:
    with open_sandbox(backend, timestamp=sandbox_start(config)) as sandbox:
        return Replay(sandbox, config).run()


def crash(seed: int, *, candles: int = 40, fall: int = 30, **prices: int) -> Mapping[str, tuple[Candle, ...]]:
    prices = prices or {"ETH-USD": 4_000, "BTC-USD": 100_000, "SOL-USD": 200}
    return {
        symbol: crash_candles(
            seed=seed + number,
            start_price=Decimal(price),
            candles=candles,
            start_time=START,
            fall_percent=fall,
        )
        for number, (symbol, price) in enumerate(prices.items())
    }


def gap(percent: int) -> Mapping[str, tuple[Candle, ...]]:
    """Calm, then one candle that ends `percent` of where it began, then calm."""
    series = {}
    for symbol, calm in crash(1, fall=2).items():
        last = calm[-1]
        to = last.close // 10**10 * percent // 100 * 10**10
        fall = Candle(last.time + 300, last.close, max(to, last.close), min(to, last.close), to)
        after = [Candle(fall.time + 300 * (i + 1), to, to, to, to) for i in range(5)]
        series[symbol] = (*calm, fall, *after)
    return series


def real_candles(first: int, last: int) -> Mapping[str, tuple[Candle, ...]]:
    if not REAL.is_dir():
        pytest.skip("the real candles are not here")
    found = {symbol: next(REAL.glob(f"{symbol[:3].lower()}-usd*.csv")) for symbol in SYMBOLS}
    return {symbol: read_candles(path)[first:last] for symbol, path in found.items()}


def test_a_replay_without_candles_is_refused() -> None:
    """There is nothing to replay."""
    with pytest.raises(ReplayError, match="no candles were given; name at least one market"):
        ReplayConfig({})


@pytest.mark.parametrize("accounts", [0, -1, 10_001])
def test_a_replay_with_too_few_or_too_many_accounts_is_refused(accounts: int) -> None:
    """The sentence names the number and the bounds."""
    with pytest.raises(ReplayError, match=f"{accounts} accounts cannot be replayed; choose between 1 and 10,000"):
        ReplayConfig(crash(1), accounts=accounts)


def test_a_candle_is_visited_at_its_open_both_extremes_and_its_close() -> None:
    """A rising candle dips first, a falling one rises first."""
    assert path_of(Candle(0, 10, 14, 8, 12)) == (10, 8, 14, 12)
    assert path_of(Candle(0, 12, 14, 8, 10)) == (12, 14, 8, 10)


@pytest.mark.parametrize(("seed", "accounts"), [(1, 60), (2, 7), (3, 1), (4, 130)])
def test_model_and_bytecode_end_in_the_same_state(seed: int, accounts: int) -> None:
    """Digest, laws and every count are the same for other seeds and sizes."""
    config = ReplayConfig(crash(seed), accounts=accounts, seed=seed)
    model, revm = run(config, "model"), run(config, "revm")

    assert all(model.laws.values()), model.laws
    assert model.summary() | {"backend": ""} == revm.summary() | {"backend": ""}


def test_a_chain_ends_in_the_same_state_too() -> None:
    """The crash on a real node: same digest, liquidations and laws."""
    config = ReplayConfig(crash(5, candles=25), accounts=30, seed=5)
    model, anvil = run(config, "model"), run(config, "anvil")

    assert model.tally.full + model.tally.partial > 0
    assert model.summary() | {"backend": ""} == anvil.summary() | {"backend": ""}


@pytest.mark.parametrize("percent", [70, 130])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_gap_of_thirty_percent_ends_in_insurance_deficit_and_deleveraging(percent: int, seed: int) -> None:
    """Not in an exception: the fund is emptied, winners give up profit, and every law holds."""
    result = run(ReplayConfig(gap(percent), accounts=60, seed=seed), "model")
    start, low, _ = result.insurance_path

    assert all(result.laws.values()), result.laws
    assert low < start // 10
    assert result.tally.bad_debt > result.tally.covered > 0
    assert result.tally.peak_deficit > 0
    assert result.tally.deleveraged > 0
    assert result.tally.haircut > 0
    assert not [name for name in result.tally.refusals if name.startswith("keeper")]


def test_a_gap_is_the_same_on_bytecode() -> None:
    """Insurance, deficit and deleveraging too are the twins' common ground."""
    config = ReplayConfig(gap(70), accounts=60, seed=3)

    assert run(config, "model").digest == run(config, "revm").digest


@pytest.mark.parametrize("price", ["0.00001234", "0.5", "250000"])
def test_a_market_that_nobody_prepared_is_scaled_to_its_price(price: str) -> None:
    """Any symbol and any price level that feeds can carry."""
    series = crash_candles(seed=9, start_price=Decimal(price), candles=40, start_time=START, fall_percent=40)
    config = ReplayConfig({"MEME-USD": series}, accounts=20, seed=9)
    model, revm = run(config, "model"), run(config, "revm")

    assert all(model.laws.values()), model.laws
    assert model.tally.trades > 0
    assert model.digest == revm.digest


def test_markets_may_begin_and_pause_at_different_times() -> None:
    """A market without a candle keeps its price; the others go on."""
    series = dict(crash(6))
    series["BTC-USD"] = series["BTC-USD"][10:20] + series["BTC-USD"][30:]
    config = ReplayConfig(series, accounts=20, seed=6)

    assert all(run(config, "model").laws.values())


def test_progress_is_told_candle_by_candle() -> None:
    """What a progress bar needs."""
    told: list[tuple[int, int]] = []
    config = ReplayConfig(crash(1, candles=12), accounts=2)
    with open_sandbox("model", timestamp=sandbox_start(config)) as sandbox:
        Replay(sandbox, config).run(lambda done, total: told.append((done, total)))

    assert told == [(n, 12) for n in range(1, 13)]


def test_the_real_candles_end_in_the_same_state_on_model_and_bytecode() -> None:
    """Five days of April 2025, three markets, 1,440 candles each, with every law watched."""
    config = ReplayConfig(real_candles(0, 1440), accounts=60, seed=7)
    model, revm = run(config, "model"), run(config, "revm")

    assert model.tally.ticks == 4 * 1440
    assert model.tally.full > 0 and model.tally.partial > 0
    assert all(model.laws.values()), model.laws
    assert model.summary() | {"backend": ""} == revm.summary() | {"backend": ""}


def test_the_worst_hours_of_the_real_candles_are_the_same_on_a_chain() -> None:
    """The fall of the 6th and 7th of April 2025 on a real node."""
    config = ReplayConfig(real_candles(560, 680), accounts=40, seed=11)
    model, anvil = run(config, "model"), run(config, "anvil")

    assert model.tally.full + model.tally.partial > 0
    assert all(anvil.laws.values()), anvil.laws
    assert model.summary() | {"backend": ""} == anvil.summary() | {"backend": ""}
