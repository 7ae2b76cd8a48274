"""Governing for people, on the model and on the bytecode: refusals first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from roles import BTC, DAY, ETH, HOUR, START, House, address, dollars, units

from perpkit.client import Governor
from perpkit.client.errors import BadAddress, BadChoice, NoSuchMarket, NotANumber, TooPrecise
from perpkit.client.governor import PARAMETERS
from perpkit.model.errors import (
    Delisted,
    InvalidParameter,
    MarketActionPaused,
    NotAnnounced,
    NothingToRecord,
    OwnableUnauthorizedAccount,
    Paused,
    PriceHalted,
)
from perpkit.model.market_ledger import GRACE_PERIOD
from perpkit.model.types import MarketParams

D = Decimal


@pytest.fixture
def governor(house: House) -> Governor:
    return Governor(house.sandbox, address("governor"))


# WHAT IS REFUSED


@pytest.mark.parametrize(
    ("changes", "refusal", "sentence"),
    [
        ({"leverage": 5}, BadChoice, "parameter is 'leverage'; it must be one of: imr, mmr"),
        ({"mmr": "much"}, NotANumber, "mmr is 'much', which is no number"),
        ({"mmr": 0.01}, TypeError, "mmr is the float"),
        ({"mmr": -1}, BadChoice, "mmr is '-1'; it must be one of: a number from 0 to 18.4"),
        ({"mmr": 19}, BadChoice, "a number from 0 to 18.4"),
        ({"min_notional": "0.0000001"}, TooPrecise, "keeps 6 digits"),
        ({"min_delay": 256}, BadChoice, "a number from 0 to 255"),
        ({"min_delay": "1.5"}, TooPrecise, "keeps 0 digits"),
        ({"funding_interval": 2**24}, BadChoice, "a number from 0 to 16777215"),
        ({"skew_scale": 10**12}, BadChoice, "a number from 0 to 79228162514.2"),
    ],
)
def test_senseless_parameters_are_refused_before_anything_is_sent(
    governor: Governor, changes: dict[str, Any], refusal: type[Exception], sentence: str
) -> None:
    """With a sentence that names the value and what would do."""
    with pytest.raises(refusal, match=sentence):
        governor.with_params("ETH-USD", **changes)


def test_every_parameter_of_a_market_has_a_unit() -> None:
    """A new one is not forgotten here."""
    assert PARAMETERS.keys() == set(MarketParams.__dataclass_fields__)


@pytest.mark.parametrize(
    "act",
    [
        lambda g, m: g.terms(m),
        lambda g, m: g.pause(m, "trade"),
        lambda g, m: g.halt(m),
        lambda g, m: g.record_outage(m),
        lambda g, m: g.delist(m),
        lambda g, m: g.close_out(m),
    ],
)
def test_an_unknown_market_is_refused_with_the_known_ones(governor: Governor, act: Any) -> None:
    """So that a typo mends itself."""
    with pytest.raises(NoSuchMarket, match="ETH-USD, BTC-USD, SOL-USD"):
        act(governor, "DOGE-USD")


def test_unknown_actions_are_refused_with_the_known_ones(governor: Governor) -> None:
    """A market's are not the vault's."""
    with pytest.raises(BadChoice, match="trade, increase, settle, liquidate, deleverage"):
        governor.pause("ETH-USD", "withdraw")
    with pytest.raises(BadChoice, match="deposit, withdraw, pool-deposit, pool-withdraw"):
        governor.pause_vault("trade")


def test_nobody_governs_but_the_owner(house: House) -> None:
    """The contracts' own error; recording an outage and closing out are everybody's."""
    with pytest.raises(BadAddress):
        Governor(house.sandbox, "governor")
    outsider = Governor(house.sandbox, address("outsider"))
    terms = outsider.with_params("ETH-USD", taker_fee=0)
    for act in (
        lambda: outsider.pause("ETH-USD", "trade"),
        lambda: outsider.pause_vault("deposit"),
        lambda: outsider.halt("ETH-USD"),
        lambda: outsider.notice(terms),
        lambda: outsider.set_terms(terms),
        lambda: outsider.announce_terms(terms),
        lambda: outsider.announce_delisting("ETH-USD"),
        lambda: outsider.delist("ETH-USD"),
    ):
        with pytest.raises(OwnableUnauthorizedAccount):
            act()
    with pytest.raises(NothingToRecord):
        outsider.record_outage("ETH-USD")
    with pytest.raises(Delisted):
        outsider.close_out("ETH-USD")


def test_a_parameter_out_of_its_bounds_says_what_they_are(governor: Governor) -> None:
    """The contract names the parameter, the sentence what it may be."""
    terms = governor.with_params("ETH-USD", taker_fee="0.11")
    with pytest.raises(InvalidParameter, match="takerFee is out of its bounds: it must be at most 10 %"):
        governor.notice(terms)


# PAUSES AND PRICES


def test_pauses_add_up_and_are_taken_back_one_by_one(house: House, governor: Governor) -> None:
    """Or all at once; after liquidations were paused there is a grace period of 900 s."""
    assert governor.pause("ETH-USD", "trade").paused == ("trade",)
    assert governor.pause("ETH-USD", "liquidate", "settle").paused == ("trade", "settle", "liquidate")
    house.deposit("trader", dollars(1_000))
    with pytest.raises(MarketActionPaused):
        house.trade("trader", ETH, units(1))
    found = governor.resume("ETH-USD", "settle", "trade")
    assert (found.paused, found.grace_until) == (("liquidate",), None)
    found = governor.resume("ETH-USD")
    assert (found.paused, found.grace_until) == ((), START + 900)
    assert governor.paused("ETH-USD") == ()
    house.wait(900)
    house.trade("trader", ETH, units(1))


def test_the_vault_pauses_money(house: House, governor: Governor) -> None:
    """In and out, of accounts and of the pool."""
    assert governor.pause_vault("withdraw").paused == ("withdraw",)
    found = governor.pause_vault("deposit")
    assert (found.market, found.paused) == (None, ("deposit", "withdraw"))
    with pytest.raises(Paused):
        house.deposit("trader", dollars(1))
    assert governor.resume_vault("deposit").paused == ("withdraw",)
    assert governor.resume_vault().paused == ()


def test_an_outage_is_recorded_when_it_begins_and_when_it_ends(house: House, governor: Governor) -> None:
    """A halted price is a missing one."""
    assert governor.halt("ETH-USD").halted
    with pytest.raises(PriceHalted):
        governor.reader.price("ETH-USD")
    found = governor.record_outage("ETH-USD")
    assert (found.priced, found.grace_until) == (False, None)
    with pytest.raises(NothingToRecord):
        governor.record_outage("ETH-USD")
    house.wait(GRACE_PERIOD)
    assert not governor.halt("ETH-USD", halted=False).halted
    found = governor.record_outage("ETH-USD")
    assert (found.priced, found.grace_until) == (True, START + 2 * GRACE_PERIOD)


# TERMS


def test_terms_read_in_decimals(governor: Governor) -> None:
    """Ratios as parts of one, money in dollars, sizes in the base asset."""
    terms = governor.terms("ETH-USD")
    assert (terms.params["imr"], terms.params["min_notional"], terms.params["funding_interval"]) == (
        D("0.02"),
        D(100),
        D(8 * HOUR),
    )
    assert terms.params["skew_scale"] == D(1_000_000) and terms.tiers == ()


def test_what_hurts_nobody_is_set_at_once(house: House, governor: Governor) -> None:
    """A fee, or a lower maintenance margin."""
    terms = governor.with_params("ETH-USD", taker_fee="0.0006", mmr="0.009", min_notional=60)
    assert not governor.notice(terms).needed
    assert governor.set_terms(terms).effective_at is None
    params = house.params(ETH)
    assert (params.taker_fee, params.mmr, params.min_notional) == (units("6/10000"), units("9/1000"), dollars(60))
    assert governor.terms("ETH-USD") == terms


@pytest.mark.parametrize("changes", [{"mmr": "0.015"}, {"min_delay": 5}, {}])
def test_what_could_hurt_somebody_waits_a_day(house: House, governor: Governor, changes: dict[str, Any]) -> None:
    """A higher maintenance margin, by itself or by a tier, or a delay: announced for a day later, and for a day."""
    tiers = () if changes else ((500, "0.04", "0.02"), (1_000, "0.08", "0.04"))
    terms = governor.with_params("ETH-USD", **changes) if changes else governor.with_tiers("ETH-USD", *tiers)
    notice = governor.notice(terms)
    assert (notice.needed, notice.effective_at) == (True, 0)
    with pytest.raises(NotAnnounced):
        governor.set_terms(terms)
    assert governor.announce_terms(terms).effective_at == START + DAY
    assert governor.notice(terms).effective_at == START + DAY
    house.wait(DAY)
    assert not governor.notice(terms).needed
    governor.set_terms(terms)
    assert governor.terms("ETH-USD") == terms
    assert [tier.min_size for tier in terms.tiers] == [D(size) for size, _, _ in tiers]


# THE END OF A MARKET


def test_a_market_ends_a_day_after_it_was_announced(house: House, governor: Governor) -> None:
    """At the mark price of then; nobody governs it after that."""
    with pytest.raises(NotAnnounced):
        governor.delist("ETH-USD")
    assert governor.announce_delisting("ETH-USD").effective_at == START + DAY
    house.wait(DAY)
    house.set_price(ETH, 4_100)
    found = governor.delist("ETH-USD")
    assert (found.price, found.effective_at) == (D(4_100), None)
    with pytest.raises(Delisted):
        governor.pause("ETH-USD", "trade")
    assert governor.close_out("ETH-USD").closed == ()


@pytest.mark.parametrize("batch", [1, 2, 40])
def test_everybody_is_closed_out_whatever_the_order(house: House, governor: Governor, batch: int) -> None:
    """Two winners and two losers: in small batches the winners wait for a second round. A position in another market
    stays."""
    for name, delta in (("trader", 1), ("whale", -2), ("counterparty", 3), ("outsider/1", -1)):
        owner = name.partition("/")[0]
        house.deposit(name, dollars(5_000), by=owner)
        house.trade(name, ETH, units(delta))
    house.trade("trader", BTC, units("1/100"))
    governor.announce_delisting("ETH-USD")
    house.wait(DAY)
    house.set_price(ETH, 4_200)
    governor.delist("ETH-USD")

    seen: list[tuple[int, int]] = []
    outsider = Governor(house.sandbox, address("outsider"))
    found = outsider.close_out("ETH-USD", batch=batch, progress=lambda done, total: seen.append((done, total)))

    assert (len(found.closed), found.left, seen[-1]) == (4, 0, (4, 4))
    # Four in the first round, at one each; the two losers are gone, so at most two winners are left for the second.
    assert found.transactions == len(seen) <= {1: 6, 2: 3, 40: 1}[batch]
    paid = {one.owner: one.paid for one in found.closed}
    assert paid[address("trader")] > 190 and paid[address("counterparty")] > 570
    assert paid[address("whale")] < -390 and paid[address("outsider")] < -190
    assert all(one.claim == one.paid and one.bad_debt == 0 for one in found.closed)
    state = house.state(ETH)
    assert state.long_oi == state.short_oi == 0
    assert house.position("trader", BTC).size == units("1/100")
    assert outsider.close_out("ETH-USD").closed == ()
