"""A finding that nobody can judge any more is a person's to accept; what is wrong is told again."""

import json
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from backoffice.reconcile.models import Finding
from tests.reconcile.conftest import Reconcile, Tamper
from tests.spine import Spine

ALTER = (
    "UPDATE metrics_window SET amount = amount + 1 WHERE ctid = (SELECT min(ctid) FROM metrics_window"
    " WHERE metric = 'ggr')"
)
CLOSED = "SELECT count(*) FROM streams_outbox WHERE record = 'ComplianceAlert'"


def findings(*arguments: str) -> str:
    out = StringIO()
    call_command("findings", *arguments, stdout=out)
    return out.getvalue()


def test_one_is_listed_accepted_with_a_reason_and_told_again_when_it_is_met(
    loaded: Spine, tamper: Tamper, reconcile: Reconcile
) -> None:
    assert findings("list") == "No finding stands open.\n"
    tamper(ALTER)
    assert reconcile("--full")[0] == 1
    (found,) = Finding.objects.filter(ended_at=None)
    assert findings("list").startswith(f"{found.id}  since ")
    assert found.difference["says"] in findings("list")
    alerts = loaded.value(CLOSED)

    said = findings("accept", str(found.id), "--reason", "seen with finance", "--by", "ada")

    assert said.startswith("Accepted: ")
    found.refresh_from_db()
    assert (found.accepted_by, found.accepted_why, found.ended_at is None) == ("ada", "seen with finance", False)
    assert loaded.value(CLOSED) == alerts + 1
    assert findings("list") == "No finding stands open.\n"
    assert reconcile("--full")[0] == 1
    again = Finding.objects.get(pk=found.id)
    assert (again.ended_at, again.accepted_by, again.accepted_why) == (None, "", "")
    assert again.alert_id != found.alert_id


@pytest.mark.parametrize(("number", "reason", "says"), [("other", "seen", "stands open"), ("this", " ", "Say why")])
def test_a_denied_act_changes_nothing(
    number: str, reason: str, says: str, loaded: Spine, tamper: Tamper, reconcile: Reconcile
) -> None:
    tamper(ALTER)
    reconcile("--full")
    before = json.dumps(list(Finding.objects.values()), default=str)
    (found,) = Finding.objects.filter(ended_at=None)

    others = [] if number == "this" else [str(uuid4())]
    with pytest.raises(CommandError, match=says):
        findings("accept", str(found.id), *others, "--reason", reason)

    assert json.dumps(list(Finding.objects.values()), default=str) == before


def test_many_are_listed_in_part_and_accepted_at_once(loaded: Spine, tamper: Tamper, reconcile: Reconcile) -> None:
    tamper("UPDATE metrics_window SET amount = amount + 1 WHERE metric = 'ggr'")
    reconcile("--full")
    found = [str(number) for number in Finding.objects.filter(ended_at=None).values_list("id", flat=True)]
    assert len(found) > 2

    assert findings("list", "--most", "2").splitlines()[2:] == [
        f"And {len(found) - 2} more; --most {len(found)} shows all."
    ]
    assert findings("accept", *found, "--reason", "seen").count("Accepted: ") == len(found)

    assert findings("list") == "No finding stands open.\n"
