"""The messages of the stream, read and looked through: what passes here can be folded without another look."""

from typing import Any

import orjson

from trading.feeds.adapter import LONGEST_MESSAGE, Malformed

from .definition import MOST_RUNNERS, definition, runner_key
from .values import LARGEST_PRICE, flag_or_none, is_number, objects, price_or_none, shown, text, whole

Message = dict[str, Any]

BY_PRICE = frozenset(("atb", "atl", "trd", "spb", "spl"))
BY_LEVEL = frozenset(("batb", "batl", "bdatb", "bdatl"))
AMOUNTS = frozenset(("ltp", "tv"))
STARTING_PRICES = frozenset(("spn", "spf"))
SUB_IMAGE, RESUB_DELTA, HEARTBEAT, UPDATE = "SUB_IMAGE", "RESUB_DELTA", "HEARTBEAT", "UPDATE"
SEG_START, SEG, SEG_END = "SEG_START", "SEG", "SEG_END"
FRESH = 200

# Milliseconds of the years 2000 to 2099: outside them a time is a mistake, and nobody could wait for it.
_EARLIEST, _LATEST = 946_684_800_000, 4_102_444_799_999
# What the contract of MarketUpdate holds, in pounds.
_LARGEST_AMOUNT = 10_000_000_000
_NUMBERS = frozenset((int, float))
_LONGEST_HEARTBEAT = 600_000
_LONGEST_CLOCK = 1_000
# The exchange has 350 prices between 1.01 and 1,000; a line market may have more steps.
_MOST_PRICES = 1_000
_MOST_MARKETS = 10_000
# Here null says what a field that is left out says: it did not change.
_UNCHANGED = ("marketDefinition", "tv"), ("ltp", "tv", "spn", "spf")


def read(message: bytes) -> Message:
    """One message of the stream, with each `marketDefinition` as a ``Definition`` and each runner change with its key.

    Raises:
        Malformed: it is too long, no JSON, of an unknown kind, lacks an id, or holds a value of the wrong kind.
    """
    told = _object(message, ("mcm", "connection", "status"))
    if told["op"] == "mcm":
        try:
            _check_market_changes(told)
        except Malformed as fault:
            raise Malformed(str(fault), _named(told)) from fault
    return told


def read_document(document: bytes) -> Message:
    """A market catalogue, or a message of a cricket score stream.

    Raises:
        Malformed: it is neither.
    """
    return _object(document, ("marketCatalogue", "ccm"))


def _object(message: bytes, operations: tuple[str, ...]) -> Message:
    if len(message) > LONGEST_MESSAGE:
        raise Malformed(f"it is longer than {LONGEST_MESSAGE} bytes")
    try:
        told = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"it is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise Malformed("it is no JSON object")
    if told.get("op") not in operations:
        raise Malformed(f"op is {shown(told.get('op'))}; known here: {', '.join(operations)}")
    return told


def _named(told: Message) -> list[str] | None:
    """The markets that a message which is not taken would have changed; None where that cannot be told."""
    is_about_all = (
        told.get("ct") not in (None, RESUB_DELTA, HEARTBEAT, UPDATE)
        or told.get("segmentType") is not None
        or told.get("status") not in (None, FRESH)
    )
    if is_about_all:
        return None
    try:
        return [text(change, "id") for change in objects(told, "mc", _MOST_MARKETS)] or None
    except Malformed:
        return None


def _check_market_changes(told: Message) -> None:
    whole(told, "pt", _EARLIEST, _LATEST)
    _check_choice(told, "ct", (SUB_IMAGE, RESUB_DELTA, HEARTBEAT, UPDATE))
    _check_choice(told, "segmentType", (SEG_START, SEG, SEG_END))
    for name in ("clk", "initialClk"):
        if told.get(name) is not None:
            text(told, name, _LONGEST_CLOCK)
    if told.get("heartbeatMs") is not None:
        whole(told, "heartbeatMs", 1, _LONGEST_HEARTBEAT)
    if told.get("status") is not None:
        whole(told, "status", 100, 599)
    flag_or_none(told, "con")
    for change in objects(told, "mc", _MOST_MARKETS):
        _check_market(change)


def _check_market(change: Message) -> None:
    of_market, of_runner = _UNCHANGED
    _drop_nulls(change, of_market)
    text(change, "id")
    for name in ("img", "con"):
        flag_or_none(change, name)
    if "tv" in change:
        _check_number(change["tv"], "tv", _LARGEST_AMOUNT)
    if "marketDefinition" in change:
        change["marketDefinition"] = definition(change["marketDefinition"])
    for runner in objects(change, "rc", MOST_RUNNERS):
        _drop_nulls(runner, of_runner)
        _check_runner(runner)


def _drop_nulls(change: Message, names: tuple[str, ...]) -> None:
    for name in names:
        if name in change and change[name] is None:
            del change[name]


def _check_runner(change: Message) -> None:
    change["key"] = runner_key(change)
    for name, value in change.items():
        if name in BY_PRICE:
            _check_prices(value, name)
        elif name in BY_LEVEL:
            _check_levels(value, name)
        elif name in AMOUNTS:
            # That of the last match is a price, as those of ladders are.
            _check_number(value, name, LARGEST_PRICE if name == "ltp" else _LARGEST_AMOUNT)
        elif name in STARTING_PRICES:
            change[name] = price_or_none(value, name)


def _check_prices(ladder: object, name: str) -> None:
    # One line for each entry instead of a call: there are a hundred entries in a message of a busy market.
    for entry in _ladder(ladder, name, "[price, size]"):
        try:
            price, size = entry
        except (TypeError, ValueError) as error:
            raise Malformed(f"{name} holds {shown(entry)}; it holds [price, size]") from error
        if type(price) not in _NUMBERS or type(size) not in _NUMBERS or not _are_possible(price, size):
            raise Malformed(f"{name} holds {shown(entry)}; price and size are numbers that can be")


def _check_levels(ladder: object, name: str) -> None:
    for entry in _ladder(ladder, name, "[level, price, size]"):
        try:
            level, price, size = entry
        except (TypeError, ValueError) as error:
            raise Malformed(f"{name} holds {shown(entry)}; it holds [level, price, size]") from error
        if type(level) is not int or not 0 <= level < _MOST_PRICES:
            raise Malformed(f"{name} holds {shown(entry)}; a level is a whole number from 0 on")
        if type(price) not in _NUMBERS or type(size) not in _NUMBERS or not _are_possible(price, size):
            raise Malformed(f"{name} holds {shown(entry)}; price and size are numbers that can be")


def _are_possible(price: float, size: float) -> bool:
    return 0 <= price <= LARGEST_PRICE and 0 <= size <= _LARGEST_AMOUNT


def _check_number(value: object, name: str, most: float) -> None:
    if not is_number(value) or not 0 <= value <= most:
        raise Malformed(f"{name} is {shown(value)}; it is a number from 0 to {most}")


def _ladder(value: object, name: str, of: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{name} is {shown(value)}; it is a list of {of}")
    if len(value) > _MOST_PRICES:
        raise Malformed(f"{name} has {len(value)} entries; it has at most {_MOST_PRICES}")
    return value


def _check_choice(told: Message, name: str, known: tuple[str, ...]) -> None:
    if told.get(name) is not None and told[name] not in known:
        raise Malformed(f"{name} is {shown(told[name])}; it is one of {', '.join(known)}")
