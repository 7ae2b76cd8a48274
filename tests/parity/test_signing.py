"""Real signatures are taken by the bytecode, and by nobody else's account."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from parity.keys import key_of
from perpkit.chain.signing import sign_order, sign_permit, sign_price_report, sign_set_operator
from perpkit.market_setup import FEED_DECIMALS, MIN_EXECUTION_FEE, ROLES, set_up
from perpkit.model.errors import ERC2612InvalidSigner, InvalidSignature, UnknownReporter
from perpkit.model.events import AnswerUpdated, Approval, NonceUsed, OperatorSet, OrderPlaced
from perpkit.model.types import OrderKind, OrderRequest, SignedOrder, account_id
from perpkit.revm import CHAIN_ID, RevmBackend

START = 1_800_000_000
TRADER, OPERATOR, OUTSIDER = ROLES["trader"], ROLES["operator"], ROLES["outsider"]


@pytest.fixture(scope="module")
def backend() -> RevmBackend:
    backend = RevmBackend(timestamp=START)
    set_up(backend)
    return backend


@pytest.mark.parametrize("role", sorted(ROLES))
def test_the_keys_are_those_of_the_roles(role: str) -> None:
    """The mnemonic gives every role its address."""
    assert Account.from_key(key_of(ROLES[role])).address.lower() == ROLES[role]


def test_a_permit_lets_a_spender_take_tokens(backend: RevmBackend) -> None:
    """The owner's permit counts; the same one signed by somebody else does not."""
    token, spender = backend.deployed["token"].address, backend.deployed["pool"].address

    def permit(signer: str) -> tuple[int, bytes, bytes]:
        return sign_permit(
            key_of(signer),
            token=token,
            owner=TRADER,
            spender=spender,
            value=5,
            nonce=0,
            deadline=START,
            chain_id=CHAIN_ID,
        )

    with pytest.raises(ERC2612InvalidSigner) as refused:
        backend.transact("token", "permit", TRADER, spender, 5, START, *permit(OUTSIDER), sender=OPERATOR)
    assert refused.value == ERC2612InvalidSigner(OUTSIDER, TRADER)
    receipt = backend.transact("token", "permit", TRADER, spender, 5, START, *permit(TRADER), sender=OPERATOR)
    assert receipt.events == (Approval(TRADER, spender, 5),)


def test_an_owner_approves_an_operator_by_signature(backend: RevmBackend) -> None:
    """Whoever carries the signature to the house: it counts once, and for these values only."""
    signature = sign_set_operator(
        key_of(TRADER),
        clearinghouse=backend.deployed["clearinghouse"].address,
        owner=TRADER,
        operator=OPERATOR,
        approved=True,
        nonce=0,
        deadline=START,
        chain_id=CHAIN_ID,
    )
    call = ("clearinghouse", "set_operator_by_signature")
    with pytest.raises(InvalidSignature):
        backend.transact(*call, TRADER, OUTSIDER, True, START, signature, sender=OUTSIDER)
    receipt = backend.transact(*call, TRADER, OPERATOR, True, START, signature, sender=OUTSIDER)
    assert receipt.events == (OperatorSet(TRADER, OPERATOR, True),)
    with pytest.raises(InvalidSignature):
        backend.transact(*call, TRADER, OPERATOR, True, START, signature, sender=OUTSIDER)


def test_a_reporters_signature_sets_a_price(backend: RevmBackend) -> None:
    """Whoever carries it to the feed: it counts for this price, time, feed and chain only."""
    governor, publisher = ROLES["governor"], ROLES["publisher"]
    feed, other = (
        backend.deploy(label, "SignedPriceFeed", governor, FEED_DECIMALS, label, sender=governor)
        for label in ("feed:signed", "feed:other")
    )
    for label in ("feed:signed", "feed:other"):
        backend.transact(label, "set_reporter", publisher, True, sender=governor)

    def report(key: str, *, price: int = 7, timestamp: int = START, at: str = feed, chain_id: int = CHAIN_ID) -> bytes:
        return sign_price_report(key, feed=at, price=price, timestamp=timestamp, chain_id=chain_id)

    key, call = key_of(publisher), ("feed:signed", "deliver", 7, START)
    with pytest.raises(UnknownReporter) as refused:
        backend.transact(*call, report(key_of(OUTSIDER)), sender=OUTSIDER)
    assert refused.value == UnknownReporter(OUTSIDER)
    for altered in (
        report(key, price=8),
        report(key, timestamp=START - 1),
        report(key, at=other),
        report(key, chain_id=1),
    ):
        with pytest.raises(UnknownReporter):
            backend.transact(*call, altered, sender=OUTSIDER)
    assert backend.transact(*call, report(key), sender=OUTSIDER).events == (AnswerUpdated(7, 1, START),)


def test_an_owner_signs_an_order(backend: RevmBackend) -> None:
    """Whoever brings it: every kind of number in it, negative and largest, is signed as the contract reads it; it
    counts for these values, this contract and this chain only."""
    backend.transact("clearinghouse", "set_operator", backend.deployed["orders"].address, True, sender=TRADER)
    account = account_id(TRADER, 2**96 - 1)
    request = OrderRequest(
        account, 2, OrderKind.TRAILING_STOP, False, -(2**96) + 1, 0, 10**26, 10**18 - 1, True, 2**40 - 1
    )
    order = SignedOrder(request, 2**64 - 1, 0, CHAIN_ID)
    key, orders = key_of(TRADER), backend.deployed["orders"].address

    def bring(order: SignedOrder, signature: bytes) -> tuple[object, ...]:
        call = ("orders", "place_signed", order, signature)
        return backend.transact(*call, sender=OUTSIDER, value=MIN_EXECUTION_FEE).events

    for signature in (
        sign_order(key_of(OUTSIDER), orders=orders, order=order, chain_id=CHAIN_ID),
        sign_order(key, orders=backend.deployed["clearinghouse"].address, order=order, chain_id=CHAIN_ID),
        sign_order(key, orders=orders, order=order, chain_id=1),
        sign_order(key, orders=orders, order=replace(order, nonce=0), chain_id=CHAIN_ID),
        sign_order(key, orders=orders, order=replace(order, request=replace(request, trail=1)), chain_id=CHAIN_ID),
    ):
        with pytest.raises(InvalidSignature) as refused:
            bring(order, signature)
        assert refused.value == InvalidSignature(TRADER)
    placed, used = bring(order, sign_order(key, orders=orders, order=order, chain_id=CHAIN_ID))
    assert isinstance(placed, OrderPlaced)
    assert (placed.order.size, placed.order.expiry, placed.payer) == (1 - 2**96, 2**40 - 1, OUTSIDER)
    assert used == NonceUsed(account, 2**64 - 1, 1)
