"""The three ways in which something can go wrong, told apart by what happens next."""

from traceback import format_tb


class Rejected(Exception):  # noqa: N818 - named for what happened, not for being an error
    """A person or a client asked for what the rules do not allow; the text says what to do instead (HTTP 422)."""


class Retryable(Exception):  # noqa: N818
    """A part is away; the same work is tried again, with bounded back-off."""


class Poison(Exception):  # noqa: N818
    """A message that will never be right; it goes to the dead letters with this text as the reason."""


ENDINGS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a thread or a generator on purpose. Any other error may be a fault of the data, whatever its class: a panic
of a Rust library is no ``Exception``."""


def origin(error: BaseException) -> str:
    """The class of an error and the lines that it came through, for a log; what it says may quote a message."""
    return f"{type(error).__name__}, from\n{''.join(format_tb(error.__traceback__))}"
