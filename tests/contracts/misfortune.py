"""Situations that are tedious to bring about: an empty insurance fund, a side's deficit, a pool in the red."""

from __future__ import annotations

from roles import BTC, ETH, House, dollars, units


def drain_insurance(house: House) -> None:
    """Spends the whole insurance fund on a doomed account, and takes the ETH market's fees from it too.

    150 BTC with 200,000 dollars: a fall of 10 % costs 1,500,000, of which the fund's 500,000 cover a part. What they do
    not cover stays as a deficit of BTC's long side, and the price comes back.
    """
    house.set_params(ETH, insurance_share=0)
    house.deposit("whale/99", dollars(200_000))
    house.trade("whale/99", BTC, units(150))
    house.set_price(BTC, 90_000)
    house.liquidate("whale/99", BTC, by="operator")
    house.set_price(BTC, 100_000)
    assert house.vault().insurance == 0
    assert house.state(BTC).long_deficit > 0


def make_deficit(house: House) -> None:
    """A long of 10 ETH with 1,000 dollars dies at 3,800 with nobody to cover its debt; three shorts have won.

    Bought at 4,000.02 with a fee of 20.0001: 1,000 - 20.0001 - 2,000.20 = -1,020.2001. The shorts fill against a skew
    of 10, 6 and 3: at 4,000.032 (4 ETH), 4,000.018 (3 ETH) and 4,000.006 (3 ETH).
    """
    drain_insurance(house)
    house.deposit("trader", dollars(1_000))
    house.trade("trader", ETH, units(10))
    for name, margin, size in (("counterparty", 5_000, 4), ("provider", 5_000, 3), ("market_maker", 300, 3)):
        house.deposit(name, dollars(margin))
        house.trade(name, ETH, -units(size))
    house.set_price(ETH, 3_800)
    house.liquidate("trader", ETH)


def put_pool_into_the_red(house: House) -> None:
    """4,000 ETH bought by the whale and settled at 10,000 take more from the pool than it has.

    Fill 4,000 * (1 + 4,000 / 2,000,000) = 4,008: a profit of 4,000 * 5,992 = 23,968,000 against 20,006,412.80.
    """
    house.deposit("whale", dollars(400_000))
    house.trade("whale", ETH, units(4_000))
    house.set_price(ETH, 10_000)
    house.settle("whale", ETH)
    assert house.vault().pool < 0
