"""The page at / and the way to it, as a browser without JavaScript sees them."""

import re

import pytest
from django.test import Client

from backoffice.live.panels import PANELS
from tests.live.web import Person

pytestmark = pytest.mark.usefixtures("house")


def test_a_stranger_is_led_to_sign_in_and_then_to_the_page() -> None:
    person, browser = Person("trader"), Client()

    asked = browser.get("/", follow=True)
    assert asked.redirect_chain == [("/sign-in?next=/", 302)]
    wrong = browser.post("/sign-in", {"username": person.user.username, "password": "wrong", "next": "/"})
    assert "do not belong together" in wrong.content.decode()
    signed_in = browser.post(
        "/sign-in", {"username": person.user.username, "password": "right", "next": "/"}, follow=True
    )

    assert signed_in.redirect_chain == [("/", 302)]
    assert person.user.username in signed_in.content.decode()


def test_sign_in_leads_nowhere_else() -> None:
    person, browser = Person("trader"), Client()

    answer = browser.post(
        "/sign-in", {"username": person.user.username, "password": "right", "next": "https://elsewhere.example/"}
    )

    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    ("role", "panels"),
    [
        ("trader", {"health", "players", "turnover", "market", "ticker", "feeds"}),
        ("operations", {"health", "players", "turnover", "market", "feeds"}),
        ("compliance", {"health", "players", "turnover", "ticker", "feeds"}),
    ],
)
def test_each_role_is_given_the_panels_that_it_sees(role: str, panels: set[str]) -> None:
    answer = Person(role).browser.get("/")

    assert {panel.name for panel in answer.context["panels"]} == panels
    page = answer.content.decode()
    assert ('id="bets"' in page, 'id="runners"' in page) == ("ticker" in panels, "market" in panels)
    assert set(re.findall(r"/static/\S+\.js", page)) == {f"/static/{PANELS[name].module}" for name in panels} | {SHELL}


def test_without_a_role_the_page_is_refused_in_words() -> None:
    answer = Person().browser.get("/")

    assert answer.status_code == 403
    assert "None of your roles sees the live numbers" in answer.content.decode()
    assert "data-modules" not in answer.content.decode()


SHELL = "/static/live/page.js"
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
}  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/nowhere", "/admin/login/", "/health/live", "/static/live/page.css"]
)
def test_no_page_runs_a_script_that_was_written_into_it(path: str) -> None:
    answer = Person("trader").browser.get(path)

    policy = answer.headers["Content-Security-Policy"]
    assert set(policy.split("; ")) == POLICY
    assert answer.streaming or "<script>" not in answer.content.decode()


def test_an_address_with_nothing_at_it_says_so() -> None:
    answer = Client().get("/nowhere")

    assert answer.status_code == 404
    assert "nothing at this address" in answer.content.decode()


def test_signing_out_ends_the_session() -> None:
    person = Person("trader")

    person.browser.post("/sign-out")

    assert person.browser.get("/").status_code == 302
