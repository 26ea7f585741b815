"""What is known of a batch while it is sent."""

from backoffice.streams.outbox.delivery import Verdicts
from backoffice.streams.outbox.waiting import Waiting

ROW = Waiting(
    1, "odds", b"k", b"v", "", None, {}, key_hash=7, attempts=0, is_held=False, holds_topic=False
)  # fmt: skip


def test_why_a_message_was_refused_can_be_noted_whatever_it_says() -> None:
    verdicts = Verdicts([ROW])

    verdicts.fail(ROW, "a\0b\ud800" + "x" * 5_000)

    noted = verdicts.failed[ROW.id]
    assert "\0" not in noted
    assert noted.encode().decode().startswith("a")
    assert len(noted) == 1_000
