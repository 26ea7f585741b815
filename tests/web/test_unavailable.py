"""What a person and a program are told while Postgres does not serve them."""

import asyncio
import json
import re

import psycopg
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory

from backoffice.web.unavailable import Sessions
from tests.live.web import Person, Web
from tests.metrics.test_asking import locked
from tests.web.conftest import Start
from tests.web.requests import Answer, ask
from tests.web.test_crowds import signed_in

UNCERTAIN = "may have been done or not"
JSON = {"Accept": "application/json, text/javascript, */*; q=0.01"}


def told(web: Web, path: str, headers: dict[str, str], form: str = "") -> Answer:
    return asyncio.run(asyncio.wait_for(ask(web.port, path, headers, form), 20))


def assert_is_kind(answer: Answer) -> None:
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "no-store" in answer.headers["cache-control"]
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "Traceback" not in answer.body
    assert "OperationalError" not in answer.body


@pytest.mark.parametrize("path", ["/", "/admin/trading/feedlimit/", "/nowhere"])
def test_a_page_whose_session_cannot_be_read_says_so(web: Web, house: str, path: str) -> None:
    person = Person("trader")
    with locked(house, "django_session"):
        answer = told(web, path, signed_in(person))

    assert_is_kind(answer)
    assert "<h1>" in answer.body
    assert UNCERTAIN not in answer.body


@pytest.mark.parametrize("debug", ["0", "1"])
def test_what_a_page_itself_cannot_read_is_no_stack_trace_either(start: Start, house: str, debug: str) -> None:
    person = Person("trader")
    with start(DEBUG=debug) as web, locked(house, "auth_group"):
        answer = told(web, "/", signed_in(person))
        log = web.log.read_text()

    assert_is_kind(answer)
    assert "Traceback" not in log
    assert "lock timeout" in log


@pytest.mark.parametrize(("path", "headers"), [("/", JSON), ("/api/v1/anything", {"Accept": "*/*"})])
def test_a_program_is_told_the_same_in_json(web: Web, house: str, path: str, headers: dict[str, str]) -> None:
    person = Person("trader")
    with locked(house, "django_session"):
        answer = told(web, path, signed_in(person) | headers)

    assert_is_kind(answer)
    assert answer.headers["content-type"] == "application/json"
    assert "Postgres" in json.loads(answer.body)["detail"]


def test_of_what_was_sent_nothing_is_promised_once_it_was_begun(web: Web, house: str) -> None:
    person = Person("trader")
    form = told(web, "/sign-in", {})
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.body)[0]
    cookie = {"Cookie": form.headers["set-cookie"].partition(";")[0]}
    sent = f"csrfmiddlewaretoken={token}&username={person.user.username}&password=right"
    with locked(house, "django_session"):
        begun = told(web, "/sign-in", cookie, sent)
        not_begun = told(web, "/sign-out", signed_in(person), sent)

    assert_is_kind(begun)
    assert UNCERTAIN in begun.body
    assert_is_kind(not_begun)
    assert "Nothing was changed" in not_begun.body
    assert UNCERTAIN not in not_begun.body


def test_whoever_finds_no_turn_is_told_the_same(start: Start, house: str) -> None:
    person = Person("trader")

    async def two_ask(web: Web) -> list[Answer]:
        asked = (ask(web.port, path, signed_in(person) | JSON) for path in ("/", "/", "/"))
        return await asyncio.wait_for(asyncio.gather(*asked), 20)

    with start(DATABASE_WEB_SESSIONS="1") as web, locked(house, "django_session"):
        answers = asyncio.run(two_ask(web))
        metrics = web.get("/metrics")

    for answer in answers:
        assert_is_kind(answer)
    said = {json.loads(answer.body)["detail"] for answer in answers}
    assert any("Too many ask at once" in each for each in said)
    assert re.search(r'^pitboss_web_unavailable_total\{why="crowd"\} [12]\.0$', metrics, re.MULTILINE)
    assert re.search(r'^pitboss_web_unavailable_total\{why="postgres"\} [12]\.0$', metrics, re.MULTILINE)


def test_a_postgres_that_takes_no_sessions_is_told_of(web: Web, house: str) -> None:
    person, name = Person("trader"), house.rpartition("/")[2]
    connection.close()
    with psycopg.connect(f"{house.rpartition('/')[0]}/postgres", autocommit=True) as beside:
        beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            answer = told(web, "/", signed_in(person))
        finally:
            beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())

    assert_is_kind(answer)
    assert told(web, "/", signed_in(person)).status == 200


def test_a_session_that_cannot_be_kept_is_not_called_one_that_was_deleted(house: str) -> None:
    """Django says so of whatever goes wrong while it is stored."""
    session = SessionStore()
    session["a"] = 1
    session.save()
    request = RequestFactory().get("/")
    request.session = SessionStore(session.session_key)
    request.session["a"] = 2
    middleware = Sessions(lambda _: HttpResponse())

    with psycopg.connect(house) as other, connection.cursor() as cursor:
        other.execute("SELECT 1 FROM django_session FOR UPDATE")
        cursor.execute("SET lock_timeout = '200ms'")
        answer = middleware.process_response(request, HttpResponse("done"))
        cursor.execute("SET lock_timeout = 0")
        other.rollback()

    assert (answer.status_code, int(answer["Retry-After"]) > 0) == (503, True)
    assert middleware.process_response(request, HttpResponse("done")).status_code == 200
