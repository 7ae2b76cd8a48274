"""The liquidity pool as a share: what it is worth, who may enter and leave, and that nobody inflates it."""

from __future__ import annotations

import pytest
from expect import balances, laws_hold, moves, refuses
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from misfortune import put_pool_into_the_red
from roles import ETH, MARKETS, START, House, address, allow_everything, dollars, units

from perpkit.backend import Sandbox
from perpkit.local import LocalBackend
from perpkit.market_setup import deploy_contracts, list_market
from perpkit.model.errors import (
    ERC20InsufficientAllowance,
    ERC20InsufficientBalance,
    ERC4626ExceededMaxDeposit,
    ERC4626ExceededMaxMint,
    ERC4626ExceededMaxRedeem,
    ERC4626ExceededMaxWithdraw,
    PoolReserveExceeded,
    StalePrice,
    WorthlessShares,
    ZeroAmount,
)
from perpkit.model.fixed_math import MONEY_MAX

# 20,000,000 dollars of the provider made 20,000,000 * 1e6 * 1e6 shares.
SUPPLY = 20_000_000 * 10**12


def enter(house: House, who: str, assets: int) -> int:
    """Deposits; the shares."""
    return int(house.do("deposit", assets, address(who), by=who, label="pool").value)


def leave(house: House, who: str, shares: int) -> int:
    """Redeems; the assets."""
    return int(house.do("redeem", shares, address(who), address(who), by=who, label="pool").value)


def assets_of(house: House) -> int:
    return int(house.ask("total_assets", label="pool"))


@pytest.fixture
def house(house: House) -> House:
    """Whale and outsider may enter the pool."""
    for who in ("whale", "outsider"):
        allow_everything(house, who)
    return house


# --- refusals


def test_entering_with_nothing_is_refused(house: House) -> None:
    """Zero is no amount."""
    with refuses(house, ZeroAmount()):
        enter(house, "whale", 0)


def test_entering_beyond_the_range_is_refused(house: House) -> None:
    """The most is what the clearinghouse can count."""
    error = ERC4626ExceededMaxDeposit(address("whale"), MONEY_MAX + 1, MONEY_MAX)
    with refuses(house, error):
        enter(house, "whale", MONEY_MAX + 1)
    with refuses(house, ERC4626ExceededMaxMint(address("whale"), 2**128, 2**128 - 1)):
        house.do("mint", 2**128, address("whale"), by="whale", label="pool")


def test_entering_beyond_the_wallet_is_refused(house: House) -> None:
    """The token refuses."""
    with refuses(house, ERC20InsufficientBalance(address("whale"), 10**12, 10**12 + 1)):
        enter(house, "whale", 10**12 + 1)


def test_leaving_with_more_than_one_owns_is_refused(house: House) -> None:
    """By shares and by assets."""
    provider = address("provider")
    with refuses(house, ERC4626ExceededMaxRedeem(provider, SUPPLY + 1, SUPPLY)):
        leave(house, "provider", SUPPLY + 1)
    most = dollars(20_000_000)
    with refuses(house, ERC4626ExceededMaxWithdraw(provider, most + 1, most)):
        house.do("withdraw", most + 1, provider, provider, by="provider", label="pool")


def test_leaving_with_somebody_elses_shares_is_refused(house: House) -> None:
    """Without an allowance."""
    provider, outsider = address("provider"), address("outsider")
    with refuses(house, ERC20InsufficientAllowance(outsider, 0, 10**6)):
        house.do("redeem", 10**6, outsider, provider, by="outsider", label="pool")


def test_leaving_must_keep_the_skew_backed(house: House) -> None:
    """4,000 ETH of skew need 16,000,000, which is 80 % of 20,000,000."""
    house.deposit("whale", dollars(400_000))
    house.trade("whale", ETH, units(4_000))
    # The pool has 20,006,412.80 with its part of the fee; without 10,000 of it 80 % are 15,997,130.24.
    provider = address("provider")
    with refuses(house, PoolReserveExceeded(ETH, 16_000_000_000_000, 15_997_130_240_000)):
        house.do("withdraw", dollars(10_000), provider, provider, by="provider", label="pool")
    house.do("withdraw", 6_412_800_000, provider, provider, by="provider", label="pool")
    with refuses(house, PoolReserveExceeded(ETH, 16_000_000_000_000, 15_999_999_999_999)):
        house.do("withdraw", 1, provider, provider, by="provider", label="pool")


def test_a_share_without_a_price_is_not_dealt_in(house: House) -> None:
    """With positions open and no fresh price, nobody enters or leaves."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(1))
    house.wait(3_601, refresh=False)
    with refuses(house, StalePrice(ETH, 0, 2)):
        enter(house, "whale", dollars(1))
    with refuses(house, StalePrice(ETH, 0, 2)):
        leave(house, "provider", 10**12)


def test_worthless_shares_are_not_issued(house: House) -> None:
    """A pool that owes more than it has sells nothing, and pays nothing."""
    put_pool_into_the_red(house)
    assert assets_of(house) == 0
    with refuses(house, WorthlessShares()):
        enter(house, "outsider", dollars(1))
    provider = address("provider")
    with refuses(house, ERC4626ExceededMaxWithdraw(provider, 1, 0)):
        house.do("withdraw", 1, provider, provider, by="provider", label="pool")
    with refuses(house, ZeroAmount()):
        leave(house, "provider", SUPPLY)


# --- success


def test_a_dollar_buys_a_dollars_worth_of_shares(house: House) -> None:
    """At the start a quantum is a million shares."""
    with moves(house, {"wallet:whale": -1_000_000, "pool": 1_000_000}):
        assert enter(house, "whale", dollars(1)) == 10**12
    with moves(house, {"wallet:whale": 1_000_000, "pool": -1_000_000}):
        assert leave(house, "whale", 10**12) == 1_000_000


def test_minting_shares_rounds_their_price_up(house: House) -> None:
    """One share costs a whole quantum."""
    with moves(house, {"wallet:whale": -1, "pool": 1}):
        assert house.do("mint", 1, address("whale"), by="whale", label="pool").value == 1


def test_withdrawing_assets_rounds_the_shares_up(house: House) -> None:
    """After a fee a quantum is worth less than a million shares, and one more is burnt for the part of one."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.close("trader", ETH)
    provider = address("provider")
    burnt = house.do("withdraw", 1, provider, provider, by="provider", label="pool").value
    # 16.00008 and 6.400032 dollars of fees: 1e18 / 1,000,001.12... = 999,998.88, rounded up.
    assert burnt == 999_999


def test_what_traders_win_the_share_loses(house: House) -> None:
    """Unrealised profit counts at once: 10 * (4,100 - 4,000.02), less the fee's 16.00008."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    house.set_price(ETH, 4_100)
    assert assets_of(house) == 20_000_000_000_000 - 999_800_000 + 16_000_080
    with house.rolled_back() as copy:
        copy.settle("trader", ETH)
        assert assets_of(copy) == assets_of(house)


def test_who_enters_late_pays_for_the_gains_of_the_early(house: House) -> None:
    """After traders lost 10 % of the pool a dollar buys fewer shares, and a round trip gains nothing."""
    house.deposit("whale", dollars(900_000))
    house.trade("whale", ETH, units(4_000))
    house.set_price(ETH, 3_800)
    shares = enter(house, "outsider", dollars(1_000))
    assert shares < 10**15
    assert leave(house, "outsider", shares) <= dollars(1_000)


def test_a_donation_changes_no_share(house: House) -> None:
    """Tokens sent past the door are the insurance fund's."""
    before = assets_of(house)
    house.donate(dollars(1_000))
    assert assets_of(house) == before
    house.skim()
    assert assets_of(house) == before


def test_an_allowance_lets_somebody_else_leave_for_the_owner(house: House) -> None:
    """And is used up by it."""
    house.do("approve", address("outsider"), 10**12, by="provider", label="pool")
    provider, outsider = address("provider"), address("outsider")
    with moves(house, {"wallet:outsider": 1_000_000, "pool": -1_000_000}):
        house.do("redeem", 10**12, outsider, provider, by="outsider", label="pool")
    with refuses(house, ERC20InsufficientAllowance(outsider, 0, 1_000_000)):
        house.do("redeem", 1_000_000, outsider, provider, by="outsider", label="pool")


def test_previews_are_what_happens(house: House) -> None:
    """All four, after a trade has made the numbers crooked."""
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units("1.234567"))
    house.set_price(ETH, "4012.34567")
    whale = address("whale")
    for function, amount, receivers in (
        ("deposit", 123_456_789, (whale,)),
        ("mint", 987_654_321_012_345, (whale,)),
        ("withdraw", 11_222_333, (whale, whale)),
        ("redeem", 33_222_111_000, (whale, whale)),
    ):
        promised = house.ask(f"preview_{function}", amount, label="pool")
        assert house.do(function, amount, *receivers, by="whale", label="pool").value == promised
    laws_hold(house)


@seed(20250405)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(assets=st.integers(100, dollars(500_000)), price=st.integers(350_000, 420_000), parts=st.integers(1, 4))
def test_entering_and_leaving_never_gains(house: House, assets: int, price: int, parts: int) -> None:
    """In one piece, out in several, at any worth of the share (seed 20250405)."""
    with house.rolled_back() as copy:
        copy.deposit("trader", dollars(100_000))
        copy.trade("trader", ETH, units("100.0000001"))
        copy.set_price(ETH, str(price / 100))
        shares = enter(copy, "whale", assets)
        out = sum(leave(copy, "whale", shares // parts) for _ in range(parts))
        assert out <= assets


# --- the first depositor


def fresh_house(backend: str) -> House:
    """A house with the ETH market and an empty pool, on a backend of its own."""
    sandbox: Sandbox
    if backend == "model":
        sandbox = LocalBackend(timestamp=START)
    else:
        from perpkit.revm import RevmBackend

        sandbox = RevmBackend(timestamp=START)
    deploy_contracts(sandbox)
    list_market(sandbox, ETH, MARKETS[ETH])
    return House(sandbox, specs=MARKETS[:1])


def test_the_first_depositor_cannot_inflate_the_share(house: House) -> None:
    """A fresh house: the attacker owns the only quantum, donates 5,000 dollars, and the next depositor loses none."""
    fresh = fresh_house(house.sandbox.name)
    for who in ("outsider", "trader"):
        fresh.mint(who, dollars(1_000_000))
        allow_everything(fresh, who)
    assert enter(fresh, "outsider", 1) == 10**6
    fresh.donate(dollars(5_000), by="outsider")
    assert assets_of(fresh) == 1
    shares = enter(fresh, "trader", dollars(10_000))
    assert shares == 10**16
    assert leave(fresh, "trader", shares) == dollars(10_000)
    assert leave(fresh, "outsider", 10**6) == 1
    balances(fresh, {"pool": 0})


def test_the_first_depositor_cannot_inflate_the_share_with_fees_either(house: House) -> None:
    """Fees do reach the pool: the attacker, its only owner, pays a fifth of its worth, and a victim loses less than a
    millionth."""
    fresh = fresh_house(house.sandbox.name)
    for who in ("outsider", "trader"):
        fresh.mint(who, dollars(1_000_000))
        allow_everything(fresh, who)
    # The least pool that backs the least position of 100 dollars: 125.
    enter(fresh, "outsider", dollars(126))
    fresh.deposit("outsider", dollars(10_000))
    for _ in range(400):
        fresh.trade("outsider", ETH, units("0.025"))
        fresh.trade("outsider", ETH, -units("0.025"))
    # Each round pays 80 % of 0.05 + 0.02 dollars: 0.056 * 400 = 22.40.
    assert fresh.vault().pool > dollars(148)
    shares = enter(fresh, "trader", dollars(10_000))
    lost = dollars(10_000) - leave(fresh, "trader", shares)
    assert 0 <= lost <= 1
    laws_hold(fresh)
