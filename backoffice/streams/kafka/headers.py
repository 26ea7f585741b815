"""The headers of messages. Whoever may write to a topic can name one as he likes, also by bytes that are no text."""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import Message

Headers = list[tuple[str, bytes | None]]


def headers_of(messages: Iterable[Message]) -> list[Headers]:
    """Those of each message, none where the client cannot read them: what we write has names that are texts.

    Each message is asked once; a client that could not read its headers must not be asked for them again.
    """
    found: list[Any] = []
    unread = map(Message.headers, messages)
    while True:
        try:
            # In one go, as every message passes here; where one cannot be read, the others are read on behind it.
            found.extend(unread)
        except (SystemError, UnicodeError):
            found.append(None)
        else:
            return [headers or [] for headers in found]
