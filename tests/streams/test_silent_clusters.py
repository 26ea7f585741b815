"""A client that gets no answer is not asked for ever."""

import socket
from collections.abc import Iterator

import pytest

from backoffice.kernel.errors import Retryable
from backoffice.streams.kafka import clients, topicids
from backoffice.streams.kafka.clients import admin_client


@pytest.fixture
def silent() -> Iterator[dict[str, str]]:
    """Takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {"bootstrap.servers": f"127.0.0.1:{server.getsockname()[1]}"}


def test_after_a_silence_another_client_is_asked_and_that_not_too_often(
    silent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topicids, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(clients, "_renewed_at", -clients.RENEWED_SECONDS)
    first = admin_client(silent)
    with pytest.raises(Retryable):
        topicids.answer(topicids.ask(silent, "bet-events"))
    second = admin_client(silent)
    with pytest.raises(Retryable):
        topicids.answer(topicids.ask(silent, "bet-events"))

    assert second is not first
    assert admin_client(silent) is second
