"""The live socket through a real web process: who gets in, what comes, and when it ends."""

import socket as sockets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from websockets.exceptions import ConnectionClosed, InvalidStatus

from backoffice.live.board import Row, Rows, Value
from backoffice.live.bus import publish
from backoffice.live.connection import NOT_ALLOWED, SIGNED_OUT
from tests.live.web import Person, Watcher, Web
from tests.spine import until
from trading.live import prices
from trading.models import Market


def market(key: str, version: int, **fields: Value) -> tuple[str, Rows]:
    """As a worker tells of a market that it has stored."""
    standing: Row = {"version": version, "logged": 0, "offset": 0}
    return key, {key: {"name": key, "status": "open", **standing, "provider": "northfeed", "told": 1, **fields}}


def stored(sport_event: str, *keys: str) -> None:
    now = datetime.now(UTC)
    Market.objects.bulk_create(
        Market(
            id=key, sport_event_id=sport_event, provider="northfeed", type="total", name="", line=None,
            status="open", is_in_play=True, bet_delay=0, winners=1, currency="EUR", traded_volume=None, version=0,
            version_at=now, version_logged_at=now, version_offset=0, version_appended_at=now,
        )
        for key in keys
    )  # fmt: skip


def refused(web: Web, person: Person | None, origin: str | None = "") -> int:
    with pytest.raises(InvalidStatus) as caught, web.socket(person, origin):
        pass
    return int(caught.value.response.status_code)


def test_nobody_gets_in_without_a_session_a_role_and_our_own_page(web: Web) -> None:
    trader = Person("trader")

    assert refused(web, None) == 403
    assert refused(web, Person()) == 403
    assert refused(web, trader, "https://elsewhere.example") == 403
    assert refused(web, trader, None) == 403
    trader.browser.logout()
    assert refused(web, trader) == 403


def test_a_snapshot_comes_first_and_then_what_changes(web: Web) -> None:
    """Postgres has what is told, for it may be read anew at any moment."""
    stored("match-1", "m")
    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, "prices:match-1", "live")
        watcher.until(lambda: watcher.rows("live").get("redis", {}).get("state") == "connected", "Redis is heard")
        watcher.until(lambda: watcher.publications["prices:match-1"].seq is not None, "the snapshot is there")
        snapshot = watcher.rows("prices:match-1")["m"]
        assert (snapshot["status"], snapshot["version"]) == ("open", 0)

        Market.objects.filter(id="m").update(status="suspended", version=1)
        publish({"prices:match-2": [market("n", 1)], "prices:match-1": [("m", prices("match-1").rows)]})

        frame: dict[str, Any] = {}
        while frame.get("type") != "diff" or frame["publication"] != "prices:match-1":
            frame = watcher.take()
            assert frame["publication"] != "prices:match-2"
        assert frame["set"] == {"m": {"status": "suspended", "version": 1}}
        assert watcher.rows("prices:match-1") == {"m": snapshot | {"status": "suspended", "version": 1}}


def test_a_role_is_sent_nothing_that_it_may_not_see(web: Web) -> None:
    with web.socket(Person("compliance")) as socket:
        watcher = Watcher(socket, "prices:match-3", "ticker")
        publish({"prices:match-3": [market("m", 1)]})

        watcher.until(lambda: watcher.refused and watcher.publications["ticker"].seq is not None, "it is answered")

        assert list(watcher.refused) == ["prices:match-3"]
        assert watcher.publications["prices:match-3"].seq is None


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        '{"subscribe": "ticker"}',
        '{"steal": ["ticker"]}',
        '{"subscribe": [1]}',
        '"' + "x" * 9_000 + '"',
    ],
)
def test_what_is_no_message_is_refused_and_the_socket_stays(web: Web, text: str) -> None:
    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, "live")
        socket.send(text)
        watcher.until(lambda: "" in watcher.refused, "it is refused")
        seen = watcher.frames
        watcher.until(lambda: watcher.frames > seen, "the socket lives")


def test_an_unknown_publication_and_too_many_are_refused(web: Web) -> None:
    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, "nothing", "prices:", *(f"prices:{number}" for number in range(33)))
        watcher.until(lambda: len(watcher.refused) == 3, "three are refused")

        assert list(watcher.refused) == ["nothing", "prices:", "prices:32"]


def test_who_asks_too_often_is_told_so_and_has_what_it_had(web: Web) -> None:
    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, "ticker", "live", *(f"prices:{number}" for number in range(20)))
        watcher.until(lambda: watcher.publications["ticker"].seq is not None, "the ticker is there")
        for _ in range(30):
            watcher.say(resync=["ticker", "live"])

        watcher.until(lambda: "" in watcher.refused, "it is refused")

        assert "64 names at once" in watcher.refused[""]
        assert "send it again in" in watcher.refused[""]
        frames = watcher.frames
        watcher.until(lambda: watcher.frames > frames + 3, "what it had goes on")
        watcher.say(subscribe=[f"prices:{number}" for number in range(65)])
        watcher.until(lambda: "One message holds 64" in watcher.refused[""], "so much at once is never done")


def _signs_out(person: Person) -> None:
    person.browser.logout()


def _is_locked(person: Person) -> None:
    person.user.is_active = False
    person.user.save()


def _changes_password(person: Person) -> None:
    person.user.set_password("another")
    person.user.save()


def _loses_role(person: Person) -> None:
    person.user.groups.clear()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (_signs_out, SIGNED_OUT), (_is_locked, SIGNED_OUT), (_changes_password, SIGNED_OUT),
        (_loses_role, NOT_ALLOWED),
    ],
)  # fmt: skip
def test_the_socket_closes_when_session_or_role_ends(web: Web, end: Callable[[Person], None], code: int) -> None:
    person = Person("trader")
    with web.socket(person) as socket:
        watcher = Watcher(socket, "live")
        watcher.take()
        end(person)

        with pytest.raises(ConnectionClosed) as closed:
            watcher.until(lambda: False, "the socket closes")

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


def test_a_publication_ends_with_the_permission_for_it(web: Web) -> None:
    person = Person("trader")
    with web.socket(person) as socket:
        watcher = Watcher(socket, "ticker", "live")
        watcher.until(lambda: watcher.publications["ticker"].seq is not None, "the ticker is there")

        person.user.groups.set([Group.objects.get(name="operations")])

        watcher.until(lambda: "ticker" in watcher.refused, "the ticker ends")
        seen = watcher.publications["ticker"].seq
        publish({"ticker": None})
        frames = watcher.frames
        watcher.until(lambda: watcher.frames > frames + 3, "the others go on")
        assert watcher.publications["ticker"].seq == seen


EVENTS = [f"slow-{number}" for number in range(20)]
MARKETS = 40
MOST_ROUNDS = 500


def flood(version: int) -> None:
    """Every market anew, 60 kB for each event, as a worker would store and tell it."""
    name = f"{version} ".ljust(1_500, "x")
    Market.objects.update(version=version, name=name)
    for event in EVENTS:
        publish({f"prices:{event}": [market(f"{event}-{number}", version, name=name) for number in range(MARKETS)]})


def has(watcher: Watcher, event: str, version: int) -> bool:
    rows = watcher.rows(f"prices:{event}")
    return len(rows) == MARKETS and {row["version"] for row in rows.values()} == {version}


def test_a_slow_reader_takes_no_memory_delays_nobody_and_has_everything_when_it_reads_again(web: Web) -> None:
    for event in EVENTS:
        stored(event, *(f"{event}-{number}" for number in range(MARKETS)))
    publications = [f"prices:{event}" for event in EVENTS]
    slow_line = sockets.create_connection(("127.0.0.1", web.port))
    slow_line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 16_384)
    person = Person("trader")
    # The library reads ahead into a queue; so small a queue stops it at once.
    with web.socket(person, sock=slow_line, max_queue=1, ping_interval=None) as slow, web.socket(person) as quick:
        reader, watcher = Watcher(slow, *publications), Watcher(quick, publications[0])
        before, version = web.memory(), 0
        while "pitboss_live_slow_readers_total 0.0" in web.get("/metrics"):
            version += 1
            flood(version)
            _is_told(watcher, EVENTS[0], version)
            assert version < MOST_ROUNDS

        assert web.memory() - before < 100 << 20
        slow_line.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4 << 20)
        for event in EVENTS:
            _is_told(reader, event, version)
        assert reader.diffs < version * len(EVENTS)


def _is_told(watcher: Watcher, event: str, version: int) -> None:
    watcher.until(lambda: has(watcher, event, version), f"version {version} of {event} is told")


def test_a_lost_message_is_made_good_by_the_next_reading(web: Web) -> None:
    """Postgres is the truth: what it does not have goes away again."""
    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, "prices:match-9")
        watcher.until(lambda: watcher.publications["prices:match-9"].seq is not None, "the snapshot is there")
        publish({"prices:match-9": [market("ghost", 1)]})
        watcher.until(lambda: "ghost" in watcher.rows("prices:match-9"), "the message is taken in")

        watcher.until(lambda: not watcher.rows("prices:match-9"), "the reading has put it right")
        until(lambda: not watcher.rows("prices:match-9"), "and so it stays")
