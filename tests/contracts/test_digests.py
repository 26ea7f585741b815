"""The digest by which a repeat is told from a clash."""

from backoffice.contracts.codec import frame
from backoffice.contracts.digests import digests


def test_the_digest_of_a_body_stays_as_it_is() -> None:
    """It stands beside every fact: another way to make it would take each repeat for a clash."""
    assert digests("BetPlaced", [frame(7, b"body"), frame(7, b"")]).tolist() == [
        -7067183889537634914,
        7601225274337471762,
    ]


def test_the_frame_is_no_part_of_it_and_every_octet_of_the_body_is() -> None:
    same = digests("BetPlaced", [frame(7, b"body"), frame(2**32 - 1, b"body")]).tolist()
    other = digests("BetPlaced", [frame(7, body) for body in (b"Body", b"bodY", b"bod", b"ody", b"body\0")]).tolist()

    assert len({*same}) == 1
    assert len({*same, *other}) == 6


def test_the_same_bytes_under_another_record_are_another_event() -> None:
    message = [frame(7, b"body")]

    assert digests("BetPlaced", message).tolist() != digests("BetSettled", message).tolist()
    assert digests("BetPlaced", []).tolist() == []
