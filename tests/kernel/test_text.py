import pytest

from backoffice.kernel.text import storable


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain, été, 🂡", "plain, été, 🂡"),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud800b", "a?b"),
        ("12345678901234567890", "12345678901234567890"),
        ("123456789012345678901", "1234567890123456789…"),
        ("", ""),
    ],
    ids=["plain", "nul", "surrogate", "as long as it may be", "too long", "empty"],
)
def test_text_is_kept_as_every_table_takes_it(text: str, kept: str) -> None:
    assert storable(text, 20) == kept
