"""Whatever ends a round of the relay: the next one begins."""

from threading import Event

import pytest

from backoffice.streams.outbox.relay import Relay


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_is_no_exception_ends_no_relay_either(
    ending: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = Event()
    rounds: list[Relay] = []

    def end(relay: Relay) -> None:
        rounds.append(relay)
        if len(rounds) == 2:
            stopping.set()
        raise ending

    monkeypatch.setattr(Relay, "_relay", end)

    Relay(stopping).run()

    assert len(rounds) == 2
