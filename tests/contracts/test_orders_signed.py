"""Signed orders: the owner signs, anyone brings them and pays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from expect import pays, refuses
from hostile import become, deploy_code, keeper_that_rejects, send_raw
from roles import CHAIN_ID, ETH, House, acc, address, closing, dollars, order, units
from signing import order_signature, torn

from perpkit.market_setup import MIN_EXECUTION_FEE as FEE
from perpkit.model.errors import (
    InvalidExecutionFee,
    InvalidOrder,
    InvalidSignature,
    NonceAlreadyUsed,
    NotAuthorized,
    NothingToReduce,
    StaleEpoch,
    WrongChain,
)
from perpkit.model.events import NonceUsed, OrderPlaced
from perpkit.model.types import SignedOrder, account_id

ORDER = SignedOrder(order("trader", units(1)), nonce=0, epoch=0, chain_id=CHAIN_ID)


@pytest.fixture(autouse=True)
def _ready(house: House) -> None:
    """The trader has 1,000 dollars and lets the orders contract act."""
    house.deposit("trader", dollars(1_000))
    house.use_orders("trader")


# --- refusals


def test_another_key_signs_for_nobody(house: House) -> None:
    with refuses(house, InvalidSignature(address("trader"))):
        house.place_signed(ORDER, order_signature(house, ORDER, signer="outsider"))


def test_an_operator_does_not_sign(house: House) -> None:
    """Operators place orders themselves."""
    house.do("set_operator", address("operator"), True, by="trader")
    with refuses(house, InvalidSignature(address("trader"))):
        house.place_signed(ORDER, order_signature(house, ORDER, signer="operator"))


def test_a_torn_signature_is_refused(house: House) -> None:
    with refuses(house, InvalidSignature(address("trader"))):
        house.place_signed(ORDER, torn(order_signature(house, ORDER)))


def test_an_order_that_says_another_chain_is_refused_by_name(house: House) -> None:
    """Signed for chain 1 with the domain of chain 1: a replay."""
    foreign = replace(ORDER, chain_id=1)
    with refuses(house, WrongChain(1, CHAIN_ID)):
        house.place_signed(foreign, order_signature(house, foreign, chain_id=1))


def test_a_domain_of_another_chain_is_another_message(house: House) -> None:
    """The order says this chain, but its signature is one of chain 1."""
    with refuses(house, InvalidSignature(address("trader"))):
        house.place_signed(ORDER, order_signature(house, ORDER, chain_id=1))


def test_a_domain_of_another_contract_is_another_message(house: House) -> None:
    with refuses(house, InvalidSignature(address("trader"))):
        house.place_signed(ORDER, order_signature(house, ORDER, contract=house.at("clearinghouse")))


@pytest.mark.parametrize(
    "changed",
    [
        replace(ORDER, nonce=1),
        replace(ORDER, request=replace(ORDER.request, size=units(2))),
        replace(ORDER, request=replace(ORDER.request, size=-units(1))),
        replace(ORDER, request=replace(ORDER.request, market=1)),
        replace(ORDER, request=replace(ORDER.request, acceptable_price=1)),
        replace(ORDER, request=replace(ORDER.request, reduce_only=True)),
        replace(ORDER, request=replace(ORDER.request, expiry=2**40 - 1)),
        replace(ORDER, request=replace(ORDER.request, kind=1, trigger=units(4_000))),
        replace(ORDER, request=replace(ORDER.request, kind=4, trail=1)),
        replace(ORDER, request=replace(ORDER.request, kind=4, trail=1, trail_is_ratio=True)),
        replace(ORDER, request=replace(ORDER.request, account=acc("trader/1"))),
    ],
)
def test_nothing_in_a_signed_order_can_be_changed(house: House, changed: SignedOrder) -> None:
    """Each field is part of what was signed."""
    with refuses(house, InvalidSignature(address("trader"))):
        house.place_signed(changed, order_signature(house, ORDER))


def test_a_nonce_counts_once(house: House) -> None:
    """Not for the same order, and not for another; executed, cancelled or open."""
    signature = order_signature(house, ORDER)
    house.place_signed(ORDER, signature)
    with refuses(house, NonceAlreadyUsed(acc("trader"), 0)):
        house.place_signed(ORDER, signature)
    other = replace(ORDER, request=order("trader", units(2)))
    with refuses(house, NonceAlreadyUsed(acc("trader"), 0)):
        house.place_signed(other, order_signature(house, other))
    house.execute(1)
    with refuses(house, NonceAlreadyUsed(acc("trader"), 0)):
        house.place_signed(ORDER, signature)


def test_a_stale_epoch_is_refused(house: House) -> None:
    """Signed before everything was cancelled; and one that was signed for an epoch to come."""
    house.cancel_all("trader")
    with refuses(house, StaleEpoch(acc("trader"), 0, 1)):
        house.place_signed(ORDER, order_signature(house, ORDER))
    early = replace(ORDER, epoch=2)
    with refuses(house, StaleEpoch(acc("trader"), 2, 1)):
        house.place_signed(early, order_signature(house, early))
    now = replace(ORDER, epoch=1)
    house.place_signed(now, order_signature(house, now))


def test_a_withdrawn_signature_is_refused(house: House) -> None:
    """The owner spends the nonce; nobody else does, and not twice."""
    with refuses(house, NotAuthorized(acc("trader"), address("outsider"))):
        house.cancel_signed("trader", 0, by="outsider")
    assert house.cancel_signed("trader", 0).events == (NonceUsed(acc("trader"), 0, 0),)
    with refuses(house, NonceAlreadyUsed(acc("trader"), 0)):
        house.cancel_signed("trader", 0)
    with refuses(house, NonceAlreadyUsed(acc("trader"), 0)):
        house.place_signed(ORDER, order_signature(house, ORDER))


def test_a_signed_order_is_checked_like_any_other(house: House) -> None:
    """Fee, fields, position, and the approval of the orders contract; the nonce stays unused."""
    signature = order_signature(house, ORDER)
    with refuses(house, InvalidExecutionFee(FEE - 1, 1, FEE)):
        house.place_signed(ORDER, signature, fee=FEE - 1)
    senseless = replace(ORDER, request=replace(ORDER.request, size=0))
    with refuses(house, InvalidOrder("size")):
        house.place_signed(senseless, order_signature(house, senseless))
    exit = replace(ORDER, request=closing(ORDER.request))
    with refuses(house, NothingToReduce(acc("trader"), ETH)):
        house.place_signed(exit, order_signature(house, exit))
    house.do("set_operator", house.at("orders"), False, by="trader")
    with refuses(house, NotAuthorized(acc("trader"), house.at("orders"))):
        house.place_signed(ORDER, signature)
    assert not house.sandbox.call("orders", "is_nonce_used", acc("trader"), 0)


# --- what is done


def test_anyone_brings_a_signed_order(house: House) -> None:
    """The bringer pays, and has the refund; the owner's ether is untouched."""
    signature = order_signature(house, ORDER)
    with pays(house, {"outsider": -FEE, "orders": FEE}):
        receipt = house.do("place_signed", ORDER, signature, by="outsider", label="orders", value=FEE)
    placed, used = receipt.events
    assert isinstance(placed, OrderPlaced)
    assert (placed.payer, used) == (address("outsider"), NonceUsed(acc("trader"), 0, 1))
    with pays(house, {"outsider": FEE, "orders": -FEE}):
        house.cancel(1)


def test_nonces_need_no_order(house: House) -> None:
    """Nine before three; each account has its own."""
    for signed in (
        replace(ORDER, nonce=9),
        replace(ORDER, nonce=3),
        replace(ORDER, nonce=2**64 - 1),
        replace(ORDER, request=order("trader/1", units(1)), nonce=9),
    ):
        house.place_signed(signed, order_signature(house, signed))
    assert house.orders_of("trader") == (1, 2, 3)
    assert house.orders_of("trader/1") == (4,)


def test_brought_and_filled_by_one(house: House) -> None:
    """Whoever brings it may execute it: the fee comes back as the keeper's."""
    id = house.place_signed(ORDER, order_signature(house, ORDER))
    with pays(house, {"outsider": FEE, "orders": -FEE}):
        house.execute(id, by="outsider")
    assert house.position("trader", ETH).size == units(1)


# With a word in slot 0 it says "valid" (the magic value of ERC-1271) to whatever it is asked; without, it reverts.
WALLET = "5f546008575f5ffd" + "5b631626ba7e60e01b5f5260205ff3"


def test_a_contract_wallet_signs_by_saying_so(house: House) -> None:
    """ERC-1271: its answer counts, at the time when it is asked."""
    wallet = deploy_code(house, keeper_that_rejects(house.at("clearinghouse")))
    account = account_id(wallet, 0)
    house.do("deposit", account, dollars(1_000), by="whale")
    signed = replace(ORDER, request=replace(ORDER.request, account=account))
    send_raw(house, wallet, house.sandbox.action("clearinghouse", "set_operator", house.at("orders"), True))
    with become(house, wallet, bytes.fromhex(WALLET)):
        with refuses(house, InvalidSignature(wallet)):
            house.place_signed(signed, b"as it says")
        house.sandbox._evm.insert_account_storage(wallet, 0, 1)  # type: ignore[attr-defined]
        house.execute(house.place_signed(signed, b"as it says"))
    assert house.sandbox.call("clearinghouse", "position_of", account, ETH).size == units(1)
