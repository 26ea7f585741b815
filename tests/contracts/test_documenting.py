"""The page of the contracts tells of all of them, and is held to what the schemas say."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from backoffice.contracts.catalogue import TOPICS
from backoffice.contracts.conventions import CLASSIFICATIONS
from backoffice.contracts.definitions import LIBRARY, Library
from backoffice.contracts.documenting import document
from backoffice.contracts.purposes import PURPOSES

from .changes import field
from .conftest import Edit


def rows(page: str, record: str) -> dict[str, list[str]]:
    """The cells of each field of a record, by its name on the page."""
    part = page.partition(f"### {record}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    cells = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return {line[0].strip("`"): [cell.strip() for cell in line[1:]] for line in cells}


def test_every_topic_record_and_field_is_told_of() -> None:
    page = document(LIBRARY)

    for topic in TOPICS.values():
        assert f"\n## {topic.name}\n" in page
        for record in topic.records:
            fields = LIBRARY.schema(record)["fields"]
            assert {f["name"] for f in fields} <= rows(page, record).keys()


def test_a_field_is_told_with_its_type_its_rules_and_why_it_is_kept() -> None:
    told = rows(document(LIBRARY), "BetPlaced")

    assert told["stake"] == [
        "long: 1 to 10^12", "Minor units, all lines together", "financial", "contract", "10y",
    ]  # fmt: skip
    assert told["kind"][0] == "string: `single`, `multiple`, `system`"
    assert told["bonus_id"][0] == "string?: uuid"
    assert told["system_size"][0] == "int: 0 to 100"
    assert told["channel"][0] == "string: up to 32"
    assert told["legs"][0] == "list by `leg_no`"
    assert told["legs[].odds"][0] == "long: 1,001 to 10^9"
    assert told["is_in_play"][0] == "boolean"
    assert told["occurred_at"][0] == "timestamp-micros"


def test_a_list_that_may_be_empty_and_a_key_of_its_own_are_told() -> None:
    page = document(LIBRARY)

    assert rows(page, "MarketPrice")["prices"][0] == "list by `outcome_id`, may be empty"
    assert "\n### FeedBegan\n" in page
    assert "Its key is `provider`." in page


def test_a_topic_is_told_with_how_long_it_is_kept_and_what_bad_messages_do() -> None:
    page = document(LIBRARY)

    for told in (
        "## bet-events\n\nKey `player_id`, 8 partitions, kept for ever; where too many messages are bad, the partition"
        " halts.",
        "## odds-feed\n\nKey `sport_event_id`, 8 partitions, kept 30 days; where too many messages are bad, they are"
        " diverted and their sender's offer is suspended.",
        "## market-prices\n\nKey `market_id`, 8 partitions, kept the newest of each key; where",
    ):
        assert told in page


def test_a_meaning_stays_within_its_cell(library: Library, edit: Edit) -> None:
    edit("BetPlaced", lambda definition: field(definition, "stake").update(doc="cash | bonus"))

    assert "| cash \\| bonus | financial |" in document(library)


def test_every_purpose_is_told_with_its_basis() -> None:
    page = document(LIBRARY)

    for name, purpose in PURPOSES.items():
        assert f"| {name} | {purpose.basis.value} | {purpose.source} |\n" in page


def test_every_purpose_is_one_of_a_field() -> None:
    told = [cells for topic in TOPICS.values() for record in topic.records
            for cells in rows(document(LIBRARY), record).values()]  # fmt: skip

    assert {cells[-2] for cells in told} == PURPOSES.keys()
    assert {cells[-3] for cells in told} <= set(CLASSIFICATIONS)


def test_the_page_is_written_anew_and_then_in_order(library: Library, edit: Edit, tmp_path: Path) -> None:
    page = tmp_path / "contracts.md"
    told = io.StringIO()
    with pytest.raises(CommandError):
        call_command("contracts", "--root", library.root, "check", "--page", page, stdout=told)
    assert "contracts.md: The page is not what the schemas say" in told.getvalue()

    call_command("contracts", "--root", library.root, "document", "--page", page)
    call_command("contracts", "--root", library.root, "check", "--page", page, stdout=io.StringIO())

    edit("BetPlaced", lambda definition: field(definition, "stake").update(doc="In all"))
    call_command("contracts", "--root", library.root, "document", "--page", page)
    assert rows(page.read_text("utf-8"), "BetPlaced")["stake"][1] == "In all"


def test_other_contracts_have_no_page_unless_somebody_says_where(library: Library) -> None:
    with pytest.raises(CommandError, match="Say where the page"):
        call_command("contracts", "--root", library.root, "document")
