"""Liquidity providers run for the door: the pool's reserve for open interest is what nobody can take.

Three providers of a million each back a long of 250 ETH. The pool backs a skew up to 80 % of its cash, so a skew worth
a million at 4,000 keeps `1,000,000 / 0.8 = 1,250,000` in it.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from perpkit.backend import Sandbox
from perpkit.market_setup import DEFAULT_SETUP, DOLLAR, ROLES, UNIT
from perpkit.model.errors import PoolReserveExceeded
from perpkit.model.test_usd import UINT256_MAX
from perpkit.picture import MONEY, Panel, Series
from perpkit.scenarios.parameters import Seed
from perpkit.scenarios.pictures import over_steps, price_panel
from perpkit.scenarios.story import Stage, StoryResult

NAME = "bank_run"
IN_A_LINE = "Liquidity providers leave up to the reserve, are refused one quantum later, and get out when traders do."

MILLION = 1_000_000 * DOLLAR
RESERVE = 1_250_000 * DOLLAR
# Raw {usd, 1e36} in one quantum of a token of 6 decimals.
QUANTUM = UNIT * UNIT // DOLLAR
# So many shares are worth about a million dollars; 12 decimals.
SHARES = MILLION * 10**6


class BankStage(Stage):
    """A stage that notes beside the ledger what must stay in the pool, and what a share is worth. {quanta}"""

    def __init__(self, sandbox: Sandbox, pool: int) -> None:
        self.reserves: list[int] = []
        self.values: list[int | None] = []
        super().__init__(sandbox, replace(DEFAULT_SETUP, pool=pool))

    def tell(self, words: str) -> None:
        super().tell(words)
        state, mark = self.watchman.book.markets[0].state, self.prices[0]
        backed = abs(state.long_oi - state.short_oi) * mark // QUANTUM
        self.reserves.append(backed * 10 // 8)
        # Shares that nobody holds are worth nothing to anybody.
        held = self.sandbox.call("pool", "total_supply")
        self.values.append(_share_price(self.sandbox) if held else None)


def stakes(seed: int) -> dict[str, int]:
    """What each provider brings {quanta}. A seed draws from 700,000 to a million, so that no one can leave alone."""
    rng = Random(seed)
    roles = ("whale", "operator", "provider")
    return {role: rng.randint(700_000, 1_000_000) * DOLLAR if seed else MILLION for role in roles}


def play(sandbox: Sandbox, *, seed: Seed = 0) -> StoryResult:
    stake = stakes(seed)
    stage = BankStage(sandbox, stake["provider"])
    for role in ("whale", "operator"):
        stage.act(role, "approve", sandbox.deployed["pool"].address, UINT256_MAX, label="token")
        stage.act(role, "deposit", stake[role], ROLES[role], label="pool")
    stage.deposit("trader", 100_000)
    stage.trade("trader", "ETH-USD", milli=250_000)
    each = f"of {', '.join(f'{amount // DOLLAR:,}' for amount in stake.values())}" if seed else "of a million each"
    stage.tell(f"Three providers {each}; a trader is long 250 ETH at 4,000, worth a million.")
    # The fee is 0.05 % of a little more than a million; the pool's share of it 80 %, and the premium paid is its too.
    earned = stage.pool_cash - sum(stake.values())
    stage.expect("the providers have earned 400 by the fee", 400 * DOLLAR <= earned < 401 * DOLLAR)

    whale_first = _out(sandbox, ("whale", "operator"))
    operator_first = _out(sandbox, ("operator", "whale"))
    fair = _share_price(sandbox)
    # Each redemption is rounded down in the pool's favour, by less than a quantum.
    apart = [abs(one - other) for one, other in zip(whale_first, operator_first, strict=True)]
    stage.expect("who leaves first makes no difference to those who stay", max(apart) <= 1)
    stage.expect("leaving takes nothing from those who stay", fair <= whale_first[-1] <= fair + 1)

    shares = _shares(sandbox, "whale")
    stage.act("whale", "redeem", shares, ROLES["whale"], ROLES["whale"], label="pool")
    stage.tell("The first provider takes everything out.")
    whale_took = _tokens(sandbox, "whale")

    # The boundary: what is left after it is 1,250,000 to the quantum.
    free = stage.pool_cash - RESERVE
    error = stage.refused("operator", "withdraw", free + 1, ROLES["operator"], ROLES["operator"], label="pool")
    # 80 % of 1,249,999.999999 are 999,999.999999, rounded down: less than the million that must be backed.
    refused = PoolReserveExceeded(stage.symbols["ETH-USD"], MILLION, MILLION - 1)
    stage.expect("one quantum more than the reserve allows is refused", error == refused)
    stage.act("operator", "withdraw", free, ROLES["operator"], ROLES["operator"], label="pool")
    stage.expect("the reserve itself may be reached", stage.pool_cash == RESERVE)
    stage.tell("The second takes out what is free: one quantum more was refused.")

    stage.price("ETH-USD", 4_100)
    error = stage.refused("provider", "withdraw", 1, ROLES["provider"], ROLES["provider"], label="pool")
    # 250 * 4,100 = 1,025,000 must be backed; 80 % of 1,250,000 less a quantum are 999,999.9999992.
    refused = PoolReserveExceeded(stage.symbols["ETH-USD"], 1_025_000 * DOLLAR, MILLION - 1)
    stage.expect("at 4,100 not one quantum may leave", error == refused)
    stage.tell("ETH rises to 4,100: the long needs more backing, and nobody can leave at all.")

    stage.trade("trader", "ETH-USD", milli=-250_000)
    # 100,000 + 250 * 100, less fees of 500.06 and 205.03, a premium of 125.00 paid and 128.13 received, funding 0.53.
    won = 124_297 * DOLLAR <= stage.view("trader").equity < 124_298 * DOLLAR
    stage.expect("the trader has won its 25,000 but for fees", won)
    stage.tell("The trader closes and takes 25,000 from those who stayed.")

    fair = _share_price(sandbox)
    for role in ("operator", "provider"):
        shares = _shares(sandbox, role)
        stage.act(role, "redeem", shares, ROLES[role], ROLES[role], label="pool")
    stage.tell("With no open interest the rest leave.")
    # Each redemption leaves less than a quantum behind, and the virtual shares own a millionth of a dollar's worth.
    stage.expect("the pool is empty but for a few quanta", 0 <= stage.pool_cash <= 4)
    stage.expect("a share was worth what it was worth before", fair < SHARES)
    # Roles had a million more each: the whale put it in, the provider kept it beside.
    stage.expect("who left before the rise lost nothing", whale_took > MILLION)
    stage.expect("who stayed paid for the rise", _tokens(sandbox, "provider") - MILLION < stake["provider"])
    cash = Series("cash", tuple(step.pool for step in stage.steps))
    reserve = Series("what must stay", tuple(stage.reserves))
    share = Series("a share", tuple(stage.values))
    picture = over_steps(
        "What is in the pool, and what nobody can take",
        "The pool sinks to its reserve and no further, until the trader has closed.",
        stage.steps,
        Panel("In the pool", MONEY, (cash, reserve)),
        Panel("Worth of shares that cost a million", MONEY, (share,)),
        price_panel(stage.steps),
    )
    return stage.end(NAME, picture)


def _out(sandbox: Sandbox, order: tuple[str, str]) -> tuple[int, ...]:
    """What two providers hold when both redeemed half of their shares in that order, and the share price then."""
    with sandbox.rolled_back():
        for role in order:
            shares = _shares(sandbox, role) // 2
            sandbox.transact("pool", "redeem", shares, ROLES[role], ROLES[role], sender=ROLES[role])
        return (*(_tokens(sandbox, role) for role in sorted(order)), _share_price(sandbox))


def _share_price(sandbox: Sandbox) -> int:
    """What a million dollars' first shares are worth now, in quanta."""
    value: int = sandbox.call("pool", "convert_to_assets", SHARES)
    return value


def _shares(sandbox: Sandbox, role: str) -> int:
    value: int = sandbox.call("pool", "balance_of", ROLES[role])
    return value


def _tokens(sandbox: Sandbox, role: str) -> int:
    value: int = sandbox.call("token", "balance_of", ROLES[role])
    return value
