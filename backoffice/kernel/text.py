"""Text that others wrote, as every table and message of ours takes it."""

_CUT = "…"


def storable(text: str, most: int) -> str:
    """Without what neither Postgres nor UTF-8 can hold (NUL, half of a surrogate pair), ``most`` characters at most."""
    kept = text[: most + 1].replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
    return kept if len(kept) <= most else kept[: most - len(_CUT)] + _CUT
