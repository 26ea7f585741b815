"""Keys of rows tell every part that they are made of."""

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from backoffice.live.keys import key_of

PARTS = st.lists(st.text("ab/%25F", max_size=4) | st.text(max_size=4), min_size=1, max_size=3)


@given(PARTS)
def test_a_key_has_its_parts_and_no_others(parts: list[str]) -> None:
    assert [unquote(part, errors="strict") for part in key_of(*parts).split("/")] == parts


def test_an_outcome_and_a_market_whose_id_is_written_so_are_two() -> None:
    assert key_of("a", "b") == "a/b"
    assert key_of("a/b") == "a%2Fb"
    assert key_of("a%2Fb") == "a%252Fb"
    assert key_of("a/b", "c") != key_of("a", "b/c")
