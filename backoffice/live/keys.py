"""Keys of rows, made of parts that may be any text. No two lists of parts have one key. Pure."""


def key_of(*parts: str) -> str:
    """The parts joined by ``/``; a ``/`` or ``%`` within a part is written as in the path of a URL."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
