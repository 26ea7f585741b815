"""The page at / in a real Chromium, with all of Pitboss behind it: numbers move, and recover after kills."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backoffice.localstack.layout import PROJECT
from backoffice.localstack.stack import Stack
from tests.live.match import MARKET, NAME, Match
from tests.live.web import Person, Web
from tests.spine import Spine, until

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("own_stack"), pytest.mark.timeout(420)]

PATIENCE_MS = 60_000


@contextmanager
def opened(browser: Browser, web: Web, person: Person) -> Iterator[Page]:
    """The page after signing in with name and password; nothing that it loads may break its own rules."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    broken: list[str] = []
    page.on("console", lambda message: broken.append(message.text) if _is_ours(message.text) else None)
    page.on("pageerror", lambda error: broken.append(str(error)))
    try:
        page.goto(web.address)
        page.get_by_label("Name").fill(person.user.username)
        page.get_by_label("Password").fill("right")
        page.get_by_role("button", name="Sign in").click()
        yield page
        assert broken == []
    finally:
        context.close()


def _is_ours(text: str) -> bool:
    return "Content Security Policy" in text or "Error:" in text


@contextmanager
def operator(spine: Spine) -> Iterator[Match]:
    """A worker, a simulated operator of the present, and a real match."""
    spine.worker()
    command = [sys.executable, "manage.py", "generate", "--seed", "3", "--rate", "60", "--start", "now"]
    process = subprocess.Popen([*command, "--players", "40"], cwd=PROJECT, env=spine.environ, stdout=subprocess.DEVNULL)
    match = Match(spine)
    match.start()
    try:
        yield match
    finally:
        match.end()
        process.terminate()
        process.wait(30)


@pytest.fixture
def web(faulty_spine: Spine, tmp_path: Path) -> Iterator[Web]:
    web = Web(faulty_spine.environ, tmp_path)
    try:
        web.start()
        yield web
    finally:
        web.kill()


def says(page: Page, text: str) -> None:
    expect(page.locator("#connection")).to_contain_text(text, timeout=PATIENCE_MS)


def moves(page: Page, selector: str, times: int = 2) -> None:
    """What stands there changes so many times."""
    for _ in range(times):
        shown = page.locator(selector).first.inner_text()
        expect(page.locator(selector).first).not_to_have_text(shown, timeout=PATIENCE_MS)


def everything_moves(page: Page) -> None:
    says(page, "Live")
    moves(page, "#runners tbody .odds.back")
    moves(page, "#market-traded")
    moves(page, "#bets tbody")
    moves(page, "#ggr tbody", times=1)
    expect(page.locator("[data-stale=yes]")).to_have_count(0, timeout=PATIENCE_MS)


def shows_what_postgres_holds(page: Page, spine: Spine, match: Match) -> None:
    """Once the match says no more, its prices on the page are those of the table."""
    version = "SELECT version FROM trading_market WHERE id = %s"
    until(lambda: spine.value(version, MARKET) == match.version, "the last price is stored")
    held = spine.rows(
        "SELECT back_odds, lay_odds, last_odds FROM trading_outcome WHERE market_id = %s ORDER BY outcome_id", MARKET
    )
    wanted = [f"{odds / 1000:.2f}" for row in held for odds in row]
    until(lambda: page.locator("#runners tbody .odds").all_inner_texts() == wanted, "the page shows the last prices")


def test_numbers_move_and_come_back_after_the_web_and_redis_are_killed(
    browser: Browser, faulty_spine: Spine, own_stack: Stack, web: Web, tmp_path: Path
) -> None:
    redis = own_stack.part("redis")
    with operator(faulty_spine) as match, opened(browser, web, Person("trader")) as page:
        expect(page.locator("#match-name")).to_have_text(NAME, timeout=PATIENCE_MS)
        expect(page.locator("#match-source")).to_have_text("real · betfair")
        expect(page.locator("#bets tbody tr")).to_have_count(30, timeout=PATIENCE_MS)
        everything_moves(page)
        page.screenshot(path=tmp_path / "live.png", full_page=True)

        web.kill()
        says(page, "No connection")
        expect(page.locator("#market-age[data-stale=yes]")).to_be_visible(timeout=PATIENCE_MS)
        page.screenshot(path=tmp_path / "lost.png", full_page=True)
        web.start()
        everything_moves(page)

        redis.kill()
        says(page, "Redis is away")
        moves(page, "#runners tbody .odds.back")
        page.screenshot(path=tmp_path / "away.png", full_page=True)
        redis.start()
        everything_moves(page)

        match.end()
        shows_what_postgres_holds(page, faulty_spine, match)


def test_a_suspension_is_seen_although_it_is_over_in_the_same_batch(
    browser: Browser, faulty_spine: Spine, web: Web, tmp_path: Path
) -> None:
    faulty_spine.worker("trading")
    match = Match(faulty_spine)
    match.play("open")
    with opened(browser, web, Person("trader")) as page:
        expect(page.locator("#market-status")).to_contain_text("OPEN", timeout=PATIENCE_MS)
        expect(page.locator("#market-suspensions")).to_have_text("none seen")

        match.play("suspended", "open")

        expect(page.locator("#market-suspensions")).to_contain_text("1, last", timeout=PATIENCE_MS)
        expect(page.locator("#market-status")).to_contain_text("OPEN")
        match.play("suspended")
        expect(page.locator("#market-status")).to_contain_text("SUSPENDED", timeout=PATIENCE_MS)
        expect(page.locator("#runners tbody [data-state=off]").first).to_be_visible()
        page.screenshot(path=tmp_path / "suspended.png", full_page=True)
