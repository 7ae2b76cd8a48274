"""Orders on a real Anvil with keys: refusals on every way, tickets of strangers, then the same as on the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_abi.abi import encode
from live import LyingNode, Market, mine_before_waiting
from roles import ETH, START, units
from test_trading import plain

from perpkit.abi.artifacts import load_artifact
from perpkit.abi.codec import decode_error
from perpkit.backend import Sandbox
from perpkit.chain.errors import BadTicket, MinedRevert, NoKey, WrongSender
from perpkit.chain.errors import WrongChain as ServesAnotherChain
from perpkit.chain.ticket import TicketFile
from perpkit.client import Kind, OrderState, SignedTicket, Trader
from perpkit.local import LocalBackend
from perpkit.market_setup import DEFAULT_MARKETS, MIN_EXECUTION_FEE, ROLES, push_price, set_up
from perpkit.model import errors
from perpkit.model.errors import (
    InvalidExecutionFee,
    InvalidOrder,
    InvalidSignature,
    NotAuthorized,
    NothingToClaim,
    NothingToReduce,
    OrderExpired,
    PerpError,
    StaleEpoch,
    TriggerNotMet,
    UnknownMarket,
    UnknownOrder,
    WrongChain,
)
from perpkit.model.types import OrderRequest, SignedOrder, account_id

TRADER, KEEPER, WHALE = ROLES["trader"], ROLES["keeper"], ROLES["whale"]
ACCOUNT = account_id(TRADER)
D = Decimal
LIMIT = OrderRequest(ACCOUNT, ETH, 1, False, units(1), units(3_900), 0, 0, False, 0)
TICKET = SignedOrder(LIMIT, nonce=1, epoch=0, chain_id=31337)
FORGED = bytes(65)

# What each is refused with, and the ether that goes with it.
REFUSED: list[tuple[type[PerpError], tuple[Any, ...], int]] = [
    (UnknownOrder, ("execute", 99), 0),
    (UnknownOrder, ("cancel", 99), 0),
    (UnknownOrder, ("ratchet", 99), 0),
    (NothingToClaim, ("claim", TRADER), 0),
    (NotAuthorized, ("cancel_all", account_id(WHALE)), 0),
    (NotAuthorized, ("cancel_signed", account_id(WHALE), 1), 0),
    (InvalidExecutionFee, ("place", LIMIT), 0),
    (NotAuthorized, ("place", replace(LIMIT, account=account_id(WHALE))), MIN_EXECUTION_FEE),
    (InvalidOrder, ("place", replace(LIMIT, trigger=0)), MIN_EXECUTION_FEE),
    (UnknownMarket, ("place", replace(LIMIT, market=77)), MIN_EXECUTION_FEE),
    (NothingToReduce, ("place", replace(LIMIT, reduce_only=True)), MIN_EXECUTION_FEE),
    (WrongChain, ("place_signed", replace(TICKET, chain_id=1), FORGED), MIN_EXECUTION_FEE),
    (StaleEpoch, ("place_signed", replace(TICKET, epoch=1), FORGED), MIN_EXECUTION_FEE),
    (InvalidSignature, ("place_signed", TICKET, FORGED), MIN_EXECUTION_FEE),
    (TriggerNotMet, ("execute", 1), 0),
]


@pytest.fixture
def trader(market: Market) -> Trader:
    """A trader with 5,000 dollars in the cross account, an order, and a key."""
    trader = Trader(market.connect("trader"), TRADER)
    trader.deposit(5_000)
    trader.place_limit(market="ETH-USD", side="long", size=1, price=3_900)
    return trader


@pytest.fixture
def keeper(market: Market) -> Trader:
    return Trader(market.connect("keeper"), KEEPER)


# REFUSALS


@pytest.mark.parametrize(("refusal", "call", "value"), REFUSED)
def test_a_refusal_is_the_same_on_every_way(
    market: Market, trader: Trader, refusal: type[PerpError], call: tuple[Any, ...], value: int
) -> None:
    """Called, simulated, estimated and sent: the contract's own error, as from a sandbox, which sends everything."""
    backend: Any = trader.backend
    step = ("orders", *call)
    with pytest.raises(refusal) as expected:
        market.sandbox.transact(*step, sender=TRADER, value=value)
    ways: list[Any] = [
        lambda: backend.simulate([step], then=[], sender=TRADER, values=[value]),
        lambda: backend.transact(*step, value=value),
    ]
    if not value:
        ways.append(lambda: backend.call(*step, sender=TRADER))
        ways.append(lambda: backend.call_many([("token", "decimals"), step], sender=TRADER))
    for way in ways:
        with pytest.raises(refusal) as met:
            way()
        assert met.value == expected.value and str(met.value).endswith(".")


@pytest.mark.parametrize("traced", [True, False])
def test_a_mined_refusal_is_the_contracts_error(market: Market, liar: LyingNode, trader: Trader, traced: bool) -> None:
    """An order that dies between the simulation and the block; from the trace or, without one, from a replay."""
    expiry = market.sandbox.timestamp + 60
    [order] = trader.place_market(market="ETH-USD", side="long", size=1, expiry=expiry).orders
    backend = market.connect("keeper", rpc_url=liar.url)
    if not traced:
        liar.refuses("debug_traceTransaction", -32601, "no such method")
    keeper = Trader(backend, KEEPER)
    keeper.reader.symbols()
    mine_before_waiting(market, backend, after=120)
    with pytest.raises(OrderExpired) as refusal:
        keeper.execute(order.id)
    assert refusal.value == OrderExpired(order.id, expiry)
    assert isinstance(refusal.value.__cause__, MinedRevert)


@pytest.mark.parametrize("contract", ["Orders", "SignedPriceFeed"])
def test_every_error_of_a_contract_has_its_class(contract: str) -> None:
    """With its values, and a sentence."""
    examples = {"address": WHALE, "string": "trigger", "bytes": b"", "bool": True}
    # The constructor's, about its own name.
    never = {"InvalidShortString", "StringTooLong"}
    for error in load_artifact(contract).errors.values():
        if error.name in never:
            continue
        values = [examples.get(param.type, 7) for param in error.inputs]
        data = error.selector + encode([param.type for param in error.inputs], values)
        found = decode_error(data)
        assert type(found) is getattr(errors, error.name)
        assert found.args == tuple(values) and str(found).endswith(".")


# TICKETS


def ticket_of(signed: SignedTicket) -> dict[str, Any]:
    made = TicketFile.of(contract=signed.contract, order=signed.order, signature=signed.signature)
    found: dict[str, Any] = json.loads(made.model_dump_json())
    return found


def read_back(ticket: dict[str, Any]) -> SignedTicket:
    file = TicketFile.parse(json.dumps(ticket))
    return SignedTicket(contract=file.contract, order=file.order, signature=file.signature_bytes)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "[]", '{"format": 1}'])
def test_what_is_no_ticket_is_refused(text: str) -> None:
    """With where it stands."""
    with pytest.raises(BadTicket, match=r"^there is no signed order: .*`perpkit order sign` writes one\.$"):
        TicketFile.parse(text, "there")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": 2}, "format: "),
        ({"contract": "0x12"}, "contract: "),
        ({"nonce": -1}, "nonce: "),
        ({"nonce": 2**64}, "nonce: "),
        ({"signature": "0x"}, "signature: "),
        ({"signature": "5" * 64}, "signature: "),
        ({"more": 1}, "more: "),
        ({"request": {"kind": "iceberg"}}, "request.kind: "),
        ({"request": {"size": 2**103}}, "request.size: "),
        ({"request": {"account": 2**256}}, "request.account: "),
        ({"request": {"trigger": "much"}}, "request.trigger: "),
        ({"request": {"expiry": 2**40}}, "request.expiry: "),
    ],
)
def test_wrong_fields_of_a_ticket_are_named(changes: dict[str, Any], sentence: str) -> None:
    """But not what stands in them."""
    good = ticket_of(SignedTicket(contract=WHALE, order=TICKET, signature=FORGED))
    assert read_back(good) == SignedTicket(contract=WHALE, order=TICKET, signature=FORGED)
    request = {**good["request"], **changes.pop("request", {})}
    with pytest.raises(BadTicket) as refusal:
        read_back({**good, **changes, "request": request})
    assert sentence in str(refusal.value) and "5" * 64 not in str(refusal.value)


def test_a_ticket_is_taken_as_it_was_signed(trader: Trader, keeper: Trader) -> None:
    """Every field is under the signature; as it is, anybody brings it, once and for a fee of their own."""
    signed = trader.sign_order(kind="stop", market="ETH-USD", side="short", size=2, price=3_800, acceptable_price=3_700)
    good = ticket_of(signed)
    altered: dict[str, Any] = {
        "market": 1,
        "kind": "take_profit",
        "size": units(-3),
        "trigger": units(3_801),
        "acceptable_price": units(3_600),
        "expiry": 2**39,
    }
    for name, value in altered.items():
        with pytest.raises(InvalidSignature):
            keeper.place_signed(read_back({**good, "request": {**good["request"], name: value}}))
    with pytest.raises(InvalidSignature):
        keeper.place_signed(read_back({**good, "nonce": 5}))
    [order] = keeper.place_signed(read_back(good)).orders
    assert (order.owner, order.payer, order.kind, order.size) == (TRADER, KEEPER, Kind.STOP, D(2))


def test_a_trailing_stop_is_signed_too(trader: Trader, keeper: Trader) -> None:
    """With fields that other orders leave empty."""
    trader.open(market="ETH-USD", side="long", size=1)
    signed = trader.sign_order(kind="trailing-stop", market="ETH-USD", trail_ratio="0.02", nonce=2**64 - 1)
    [order] = keeper.place_signed(read_back(ticket_of(signed))).orders
    assert (order.trigger, order.trail_ratio, order.reduce_only) == (D(3_920), D("0.02"), True)


def test_only_the_keys_owner_signs(market: Market) -> None:
    """And for this chain only."""
    with pytest.raises(NoKey):
        market.connect().sign_order(TICKET, sender=TRADER)
    backend = market.connect("trader")
    with pytest.raises(WrongSender):
        backend.sign_order(TICKET, sender=WHALE)
    with pytest.raises(ServesAnotherChain):
        backend.sign_order(replace(TICKET, chain_id=1), sender=TRADER)


# WHAT IS DONE


def story(trader: Trader, keeper: Trader, set_price: Callable[[int], None]) -> list[Any]:
    """Everything that one can do with orders, once."""
    wish: dict[str, Any] = {"market": "ETH-USD", "side": "long", "margin": 1_000, "leverage": 10, "isolated": True}
    told: list[Any] = [trader.bracket(**wish, stop=3_900, take_profit=4_400, trail=300)]
    first = told[0].orders[0].id
    told.append(trader.reader.positions(TRADER))
    told.append(trader.ladder(market="ETH-USD", rungs=[(4_100, "0.25"), (4_200, "0.25")]))
    set_price(4_150)
    told.append(trader.reader.orders(TRADER))
    told.append(keeper.ratchet(first + 2))
    told.append(keeper.preview_execute(first + 3))
    told.append(keeper.execute(first + 3))
    set_price(3_840)
    told.append(keeper.execute(first + 2))
    told.append(trader.reader.orders(TRADER))
    told.append(keeper.cancel(first + 4))
    told.append(trader.bracket(**{**wish, "market": "BTC-USD"}, limit=99_000, stop=95_000))
    told.append(trader.cancel_all())
    told += [trader.reader.snapshot(TRADER).accounts, trader.reader.balance(TRADER)]
    return told


def test_a_whole_story_is_the_same_on_model_and_chain(market: Market) -> None:
    """Every result, to the last digit."""

    def prices_of(sandbox: Sandbox) -> Callable[[int], None]:
        return lambda price: push_price(sandbox, DEFAULT_MARKETS[ETH], units(price))

    addresses = {label: one.address for label, one in market.sandbox.deployed.items()}
    model = LocalBackend(timestamp=START, addresses=addresses)
    set_up(model)
    expected = story(Trader(model, TRADER), Trader(model, KEEPER), prices_of(model))
    trader, keeper = (Trader(market.connect(role), ROLES[role]) for role in ("trader", "keeper"))
    met = story(trader, keeper, prices_of(market.sandbox))
    for ours, theirs in zip(expected, met, strict=True):
        assert bare(ours) == bare(theirs)


def bare(told: Any) -> Any:
    """A result without what only a chain has, also within a bracket."""
    found = plain(told)
    if isinstance(found, dict):
        kept = {name: value for name, value in found.items() if name not in ("operator_approval", "margin_receipt")}
        return {**kept, "opened": bare(kept["opened"])} if "opened" in kept else kept
    return found


def test_an_order_lives_from_when_it_may_be_placed(market: Market, liar: LyingNode, trader: Trader) -> None:
    """Not from the newest block, which may be old; of a node that knows no block under way, from that one."""
    backend = market.connect("trader", rpc_url=liar.url)
    market.sandbox.rpc.call("evm_setNextBlockTimestamp", START + 500)
    assert backend.next_time() == START + 500 > backend.timestamp

    def without_pending(_: str, params: list[Any], answer: dict[str, Any]) -> Any:
        return {**answer, "result": None} if params[0] == "pending" else answer

    liar.twists["eth_getBlockByNumber"] = without_pending
    assert backend.next_time() == backend.timestamp


def test_the_margin_is_tried_out_with_the_order(market: Market, keeper: Trader) -> None:
    """The first order of a wallet that has approved nothing: three transactions come before, and none of them when the
    order itself would be refused."""
    backend = market.connect("trader")
    backend.transact("token", "approve", market.house.at("clearinghouse"), 0)
    trader = Trader(backend, TRADER)
    wish: dict[str, Any] = {"market": "ETH-USD", "side": "long", "isolated": True}
    before = market.sandbox.rpc.call("eth_getTransactionCount", TRADER, "latest")
    with pytest.raises(PerpError):
        trader.bracket(**wish, margin=1_000, leverage=50, stop=3_900)
    assert market.sandbox.rpc.call("eth_getTransactionCount", TRADER, "latest") == before
    done = trader.place_limit(**wish, margin=1_000, leverage=10, price=3_900)
    assert done.operator_approval and done.approval and done.margin_receipt and done.transaction
    assert done.orders[0].state is OrderState.WAITING_FOR_PRICE
    assert trader.reader.allowance(TRADER) == 0
