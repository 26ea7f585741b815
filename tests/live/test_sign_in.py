"""The page at / and the way to it, as a browser without JavaScript sees them."""

import pytest
from django.test import Client

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
    ("role", "publications"),
    [
        ("trader", {"health", "figures", "prices:", "statuses:", "featured", "ticker"}),
        ("operations", {"health", "figures", "prices:", "statuses:", "featured"}),
        ("compliance", {"health", "figures", "ticker"}),
    ],
)
def test_each_role_is_given_the_publications_that_it_sees(role: str, publications: set[str]) -> None:
    answer = Person(role).browser.get("/")

    assert set(answer.context["publications"]) == publications


def test_without_a_role_the_page_is_refused_in_words() -> None:
    answer = Person().browser.get("/")

    assert answer.status_code == 403
    assert "None of your roles sees the live numbers" in answer.content.decode()
    assert "data-publications" not in answer.content.decode()


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
