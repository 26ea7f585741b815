"""A dead letter that was sent again has a message, or is open again: nothing of it is lost in the outbox."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from backoffice.contracts.codec import encode, frame
from backoffice.kernel.clock import SystemClock
from backoffice.reconcile.runs.run import reconcile
from backoffice.streams.models import DeadLetter, Outgoing
from tests.faults.checks import reconciled
from tests.spine import Spine
from tests.streams.arriving import event_of
from tests.streams.outbox.relaying import relaying

WALLET = "wallet-transactions"
WHY = ("--by", "ana", "--reason", "mended")


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def letter(spine: Spine) -> DeadLetter:
    """Winnings that were not stored, sent again, and held in the outbox."""
    value = frame(spine.registry.register("WinningsPaid"), encode("WinningsPaid", event_of("WinningsPaid")) + b"\0")
    spine.send_bytes(WALLET, [value], key=b"player")
    spine.drain("wallet")
    letter = DeadLetter.objects.get()
    said("deadletters", "replay", str(letter.pk), *WHY)
    return letter


def hold() -> int:
    now = SystemClock().now()
    Outgoing.objects.filter(topic=WALLET).update(held_since=now, next_attempt_at=now, attempts=1, last_error="no")
    return Outgoing.objects.get(topic=WALLET).pk


def state() -> tuple[Any, ...]:
    return DeadLetter.objects.values_list("state", "resolved_at", "resolved_by", "note").first() or ()


def found() -> list[tuple[str, object]]:
    report = reconcile(full=True, clock=SystemClock())
    return [(difference["says"], difference["offsets"]) for difference in report.differences]


def test_discarding_its_message_opens_a_dead_letter_again(letter: DeadLetter) -> None:
    number = hold()

    told = said("outbox", "discard", str(number), *WHY)

    assert f"Dead letter {letter.pk} is open again, as message {number}" in told
    assert state() == ("open", None, "", "mended")
    said("deadletters", "replay", str(letter.pk), *WHY)
    assert state()[0] == "replayed"
    assert Outgoing.objects.filter(topic=WALLET, discarded_at=None).count() == 1
    reconciled()


def test_of_what_is_not_discarded_nothing_is_opened(letter: DeadLetter) -> None:
    number = hold()

    said("outbox", "discard", str(number), *WHY, "--dry-run")

    assert state()[0] == "replayed"


def test_what_waits_in_the_outbox_or_is_in_the_log_is_not_lost(spine: Spine, letter: DeadLetter) -> None:
    reconciled()
    with relaying(spine) as rounds:
        rounds.until_idle()
    Outgoing.objects.filter(topic=WALLET).delete()

    reconciled()
    spine.drain("wallet")
    reconciled()


@pytest.mark.parametrize("lost", ["discarded", "deleted", "said to be sent"])
def test_a_replayed_letter_whose_message_is_nowhere_is_found(letter: DeadLetter, lost: str) -> None:
    mine, now = Outgoing.objects.filter(topic=WALLET), SystemClock().now()
    if lost == "deleted":
        mine.delete()
    else:
        mine.update(**{"discarded_at" if lost == "discarded" else "sent_at": now})

    ((says, offsets),) = found()

    assert says.startswith("The dead letter is replayed, but its message is neither in the log nor waiting")
    assert offsets == [letter.offset, letter.offset]
