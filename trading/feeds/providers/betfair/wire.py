"""The messages of the stream, read and looked through: what passes here can be folded without another look."""

from typing import Any

import orjson

from trading.feeds.adapter import Malformed

from .definition import definition, is_number, price_or_none, runner_key, text, whole

Message = dict[str, Any]

BY_PRICE = frozenset(("atb", "atl", "trd", "spb", "spl"))
BY_LEVEL = frozenset(("batb", "batl", "bdatb", "bdatl"))
AMOUNTS = frozenset(("ltp", "tv"))
STARTING_PRICES = frozenset(("spn", "spf"))
SUB_IMAGE, RESUB_DELTA, HEARTBEAT = "SUB_IMAGE", "RESUB_DELTA", "HEARTBEAT"
SEG_START, SEG, SEG_END = "SEG_START", "SEG", "SEG_END"

# Milliseconds of the years 2000 to 2099: outside them a time is a mistake, and nobody could wait for it.
_EARLIEST, _LATEST = 946_684_800_000, 4_102_444_799_999
# What the contract of MarketUpdate holds, in pounds.
_LARGEST_AMOUNT = 10_000_000_000
_LARGEST_PRICE = 1_000_000
_MOST_LEVELS = 1_000
_NUMBERS = frozenset((int, float))
_LONGEST_HEARTBEAT = 600_000


def read(message: bytes) -> Message:
    """One message of the stream, with each `marketDefinition` as a ``Definition`` and each runner change with its key.

    Raises:
        Malformed: it is no JSON, of an unknown kind, lacks an id, or holds a value of the wrong kind.
    """
    told = _object(message, ("mcm", "connection", "status"))
    if told["op"] == "mcm":
        _check_market_changes(told)
    return told


def read_document(document: bytes) -> Message:
    """A market catalogue, or a message of a cricket score stream.

    Raises:
        Malformed: it is neither.
    """
    return _object(document, ("marketCatalogue", "ccm"))


def _object(message: bytes, operations: tuple[str, ...]) -> Message:
    try:
        told = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"it is no JSON: {error}") from error
    if not isinstance(told, dict):
        raise Malformed("it is no JSON object")
    if told.get("op") not in operations:
        raise Malformed(f"op is {told.get('op')!r:.40}; known here: {', '.join(operations)}")
    return told


def _check_market_changes(told: Message) -> None:
    whole(told, "pt", _EARLIEST, _LATEST)
    _check_choice(told, "ct", (SUB_IMAGE, RESUB_DELTA, HEARTBEAT, "UPDATE"))
    _check_choice(told, "segmentType", (SEG_START, SEG, SEG_END))
    for name in ("clk", "initialClk"):
        if told.get(name) is not None:
            text(told, name, 1_000)
    if told.get("heartbeatMs") is not None:
        whole(told, "heartbeatMs", 1, _LONGEST_HEARTBEAT)
    if told.get("status") is not None:
        whole(told, "status", 100, 599)
    for change in _objects(told, "mc"):
        text(change, "id", 64)
        if "tv" in change:
            _check_number(change["tv"], "tv", _LARGEST_AMOUNT)
        if "marketDefinition" in change:
            change["marketDefinition"] = definition(change["marketDefinition"])
        for runner in _objects(change, "rc"):
            _check_runner(runner)


def _check_runner(change: Message) -> None:
    change["key"] = runner_key(change)
    for name, value in change.items():
        if name in BY_PRICE:
            _check_prices(value, name)
        elif name in BY_LEVEL:
            _check_levels(value, name)
        elif name in AMOUNTS:
            _check_number(value, name, _LARGEST_AMOUNT)
        elif name in STARTING_PRICES:
            change[name] = price_or_none(value, name)


def _check_prices(ladder: object, name: str) -> None:
    # One line for each entry instead of a call: there are a hundred entries in a message of a busy market.
    for entry in _list(ladder, name, "[price, size]"):
        try:
            price, size = entry
        except (TypeError, ValueError) as error:
            raise Malformed(f"{name} holds {entry!r:.40}; it holds [price, size]") from error
        if type(price) not in _NUMBERS or type(size) not in _NUMBERS or not _are_possible(price, size):
            raise Malformed(f"{name} holds {entry!r:.40}; price and size are numbers that can be")


def _check_levels(ladder: object, name: str) -> None:
    for entry in _list(ladder, name, "[level, price, size]"):
        try:
            level, price, size = entry
        except (TypeError, ValueError) as error:
            raise Malformed(f"{name} holds {entry!r:.40}; it holds [level, price, size]") from error
        if type(level) is not int or not 0 <= level < _MOST_LEVELS:
            raise Malformed(f"{name} holds {entry!r:.40}; a level is a whole number from 0 on")
        if type(price) not in _NUMBERS or type(size) not in _NUMBERS or not _are_possible(price, size):
            raise Malformed(f"{name} holds {entry!r:.40}; price and size are numbers that can be")


def _are_possible(price: float, size: float) -> bool:
    return 0 <= price <= _LARGEST_PRICE and 0 <= size <= _LARGEST_AMOUNT


def _check_number(value: object, name: str, most: float) -> None:
    if not is_number(value) or not 0 <= value <= most:
        raise Malformed(f"{name} is {value!r:.40}; it is a number from 0 to {most}")


def _list(value: object, name: str, of: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{name} is {value!r:.40}; it is a list of {of}")
    return value


def _check_choice(told: Message, name: str, known: tuple[str, ...]) -> None:
    if told.get(name) is not None and told[name] not in known:
        raise Malformed(f"{name} is {told[name]!r:.40}; it is one of {', '.join(known)}")


def _objects(told: Message, name: str) -> list[Message]:
    """A field that is a list of objects, or is left out."""
    found = told.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(type(each) is dict for each in found):
        raise Malformed(f"{name} is {found!r:.40}; it is a list of objects")
    return found
