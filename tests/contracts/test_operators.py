"""Operators: who may act for whom, by transaction and by signature."""

from __future__ import annotations

import pytest
from expect import refuses
from roles import ETH, House, acc, address, dollars, units
from signing import operator_signature

from perpkit.backend import Receipt
from perpkit.model.errors import InvalidSignature, NotAuthorized, SignatureExpired
from perpkit.model.events import OperatorSet


def approved(house: House) -> bool:
    return bool(house.ask("is_operator", address("trader"), address("operator")))


def send(house: House, signature: object, *, flag: bool = True, deadline: int, by: str = "outsider") -> Receipt:
    return house.do(
        "set_operator_by_signature", address("trader"), address("operator"), flag, deadline, signature, by=by
    )


# --- refusals


def test_an_expired_signature_is_refused(house: House) -> None:
    """A second after its deadline it is worth nothing."""
    deadline = house.sandbox.timestamp - 1
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline)
    with refuses(house, SignatureExpired(deadline)):
        send(house, signature, deadline=deadline)


def test_a_signature_by_another_key_is_refused(house: House) -> None:
    """Nobody approves himself for somebody else."""
    deadline = house.sandbox.timestamp
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline, signer="operator")
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, signature, deadline=deadline)


def test_a_used_signature_is_refused(house: House) -> None:
    """The nonce moved on."""
    deadline = house.sandbox.timestamp
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline)
    send(house, signature, deadline=deadline)
    house.do("set_operator", address("operator"), False, by="trader")
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, signature, deadline=deadline)
    assert not approved(house)


def test_a_signature_for_another_chain_is_refused(house: House) -> None:
    """Chain 1 is not this chain."""
    deadline = house.sandbox.timestamp
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline, chain_id=1)
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, signature, deadline=deadline)


def test_a_signature_for_another_contract_is_refused(house: House) -> None:
    """The token is not the clearinghouse."""
    deadline = house.sandbox.timestamp
    contract = house.at("token")
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline, contract=contract)
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, signature, deadline=deadline)


def test_a_signature_over_other_values_is_refused(house: House) -> None:
    """Signed was an approval; sent is a revocation, or a later deadline."""
    deadline = house.sandbox.timestamp
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline)
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, signature, flag=False, deadline=deadline)
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, signature, deadline=deadline + 1)


def test_a_signature_with_a_future_nonce_is_refused(house: House) -> None:
    """Signatures are used in their order."""
    deadline = house.sandbox.timestamp
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline, nonce=1)
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, signature, deadline=deadline)


@pytest.mark.parametrize("length", [0, 1, 64, 66])
def test_a_malformed_signature_is_refused(house: House, length: int) -> None:
    """Bytes of a wrong length recover nobody."""
    if house.sandbox.name == "model":
        pytest.skip("the model's signatures have no bytes")
    with refuses(house, InvalidSignature(address("trader"))):
        send(house, bytes(length), deadline=house.sandbox.timestamp)


def test_an_operator_of_one_owner_is_nobody_to_another(house: House) -> None:
    """Approval is by the owner, for the owner."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.deposit("counterparty", dollars(1_000))
    with refuses(house, NotAuthorized(acc("counterparty"), address("operator"))):
        house.trade("counterparty", ETH, units(1), by="operator")


def test_an_operator_cannot_name_operators(house: House) -> None:
    """What an operator sets is its own operators, not the owner's."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.do("set_operator", address("outsider"), True, by="operator")
    house.deposit("trader", dollars(1_000))
    with refuses(house, NotAuthorized(acc("trader"), address("outsider"))):
        house.trade("trader", ETH, units(1), by="outsider")


def test_a_dismissed_operator_is_refused(house: House) -> None:
    """No longer means no longer."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.do("set_operator", address("operator"), False, by="trader")
    house.deposit("trader", dollars(1_000))
    with refuses(house, NotAuthorized(acc("trader"), address("operator"))):
        house.trade("trader", ETH, units(1), by="operator")


# --- success


def test_an_operator_trades_for_every_account_of_the_owner(house: House) -> None:
    """Account 5 is the owner's as much as account 0."""
    house.do("set_operator", address("operator"), True, by="trader")
    house.deposit("trader/5", dollars(1_000))
    house.trade("trader/5", ETH, units(1), by="operator")
    assert house.position("trader/5", ETH).size == units(1)


def test_a_signature_approves_in_its_last_second(house: House) -> None:
    """At its deadline a signature still counts, whoever brings it."""
    deadline = house.sandbox.timestamp
    signature = operator_signature(house, "trader", "operator", True, deadline=deadline)
    receipt = send(house, signature, deadline=deadline)
    assert receipt.events == (OperatorSet(address("trader"), address("operator"), True),)
    assert approved(house)


def test_a_signature_dismisses_an_operator(house: House) -> None:
    """Signed twice: in with nonce 0, out with nonce 1."""
    deadline = house.sandbox.timestamp
    for flag in (True, False):
        signature = operator_signature(house, "trader", "operator", flag, deadline=deadline)
        send(house, signature, flag=flag, deadline=deadline)
        assert approved(house) is flag
    assert house.ask("nonces", address("trader")) == 2
