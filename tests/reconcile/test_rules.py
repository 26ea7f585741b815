"""The rules of the contracts in plain Python: the same as on columns, and checked apart from those."""

from typing import Any

import pytest

from backoffice.contracts.avro import numeric, resolved
from backoffice.contracts.codec import Decoder, encode
from backoffice.contracts.definitions import schema
from backoffice.reconcile.messages.rules import broken
from tests.streams.arriving import RECORDS, event_of

ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def told(record: str, **changes: Any) -> str | None:
    """What is wrong with the example of a record with some fields changed; times and dates are numbers."""
    body = encode(record, event_of(record))
    event = Decoder(numeric(resolved(schema(record))))(body)
    return broken(record, event | changes)


@pytest.mark.parametrize("record", RECORDS)
def test_an_example_breaks_no_rule(record: str) -> None:
    assert told(record) is None


@pytest.mark.parametrize(
    ("record", "name", "good", "bad", "wrong"),
    [
        ("BetPlaced", "stake", 1, 0, "does not lie within 1 and 1000000000000"),
        ("BetPlaced", "stake", 10**12, 10**12 + 1, "does not lie within 1 and 1000000000000"),
        ("BetPlaced", "system_size", 100, 101, "does not lie within 0 and 100"),
        ("BetPlaced", "kind", "system", "System", "is none of the values that there are"),
        ("BetPlaced", "channel", "x" * 32, "x" * 33, "is longer than 32 characters"),
        ("BetPlaced", "channel", "ß" * 32, "w\0b", "holds a NUL character"),
        ("BetPlaced", "currency", "EUR", "eur", "is none of the values that there are"),
        ("BetPlaced", "currency", "JPY", "XXX", "is none of the values that there are"),
        ("BetPlaced", "jurisdiction", "MT", "mt", "is no country"),
        ("BetPlaced", "jurisdiction", "SE", "SE\n", "is no country"),
        ("BetPlaced", "bonus_id", None, "", "is no uuid"),
        ("BetPlaced", "bet_id", ID.upper(), ID.replace("-", ""), "is no uuid"),
        ("BetPlaced", "bet_id", ID, ID[:-1] + "g", "is no uuid"),
        ("BetPlaced", "occurred_at", 946_684_800_000_000, 946_684_799_999_999, "does not lie within 946684800000000"),
        ("BetPlaced", "occurred_at", 253_402_214_399_999_999, 253_402_214_400_000_000, "does not lie within 94668480"),
        ("SelfExclusionChanged", "ends_at", -2_208_988_800_000_000, -2_208_988_800_000_001, "does not lie within -220"),
        ("SelfExclusionChanged", "ends_at", 253_402_214_399_999_999, 253_402_214_400_000_000, "does not lie within"),
        ("SelfExclusionChanged", "ends_at", None, 2**63 - 1, "does not lie within"),
        ("PlayerRegistered", "birth_date", -25_567, -25_568, "does not lie within -25567 and 2932896"),
        ("PlayerRegistered", "birth_date", 2_932_896, 2_932_897, "does not lie within -25567 and 2932896"),
        ("MarketPrice", "version", 2**53 - 1, 2**53, "does not lie within 0 and 9007199254740991"),
        ("LoginFailed", "ip", "::1", "::1%0", "is no ip"),
        ("LoginFailed", "ip", "192.0.2.7", "192.0.2.256", "is no ip"),
        ("BetPlaced", "legs", [event_of("BetPlaced")["legs"][0]], [], "has 0 elements; it has at least 1"),
        ("BetSettled", "legs", [], [event_of("BetSettled")["legs"][0]] * 2, "names one leg_no twice"),
        ("MarketPrice", "prices", [], [event_of("MarketPrice")["prices"][0]] * 2, "names one outcome_id twice"),
        (
            "BetPlaced", "legs", event_of("BetPlaced")["legs"],
            [event_of("BetPlaced")["legs"][0], event_of("BetPlaced")["legs"][1] | {"odds": 1_000}],
            "has an element whose odds does not lie within 1001 and 1000000000",
        ),
        (
            "MarketUpdate", "outcomes", event_of("MarketUpdate")["outcomes"],
            [event_of("MarketUpdate")["outcomes"][0] | {"name": "a\0"}],
            "has an element whose name holds a NUL character",
        ),
    ],
)  # fmt: skip
def test_a_rule_is_kept_or_broken_at_its_limit(record: str, name: str, good: Any, bad: Any, wrong: str) -> None:
    assert told(record, **{name: good}) is None

    reason = told(record, **{name: bad}) or ""
    assert reason.startswith(f"{name} {wrong}")
    assert reason.endswith(f"({record})")


def test_a_sum_of_sha_256_is_one() -> None:
    records = [(r, f["name"]) for r in RECORDS for f in schema(r)["fields"] if f.get("format") == "sha256"]

    for record, name in records:
        assert told(record, **{name: "0f" * 32}) is None
        assert told(record, **{name: "0F" * 32}) == f"{name} is no sha256 ({record})"
        assert told(record, **{name: "0f" * 31}) == f"{name} is no sha256 ({record})"
    assert records
