"""What the browser makes of it: its rows are the server's, and nothing is out of sight on a laptop or a phone."""

import base64
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import orjson
import pytest
from playwright.sync_api import Browser, Page, expect

from backoffice.live import frames
from backoffice.live.board import Board, Reading, Rows
from backoffice.live.keys import key_of
from backoffice.localstack.layout import PROJECT
from backoffice.metrics.models import Window
from tests.live.hubs import Worker
from tests.live.web import Person, Web
from trading.models import Market, Outcome, SportEvent

pytestmark = pytest.mark.timeout(300)

AT = datetime(2026, 1, 1, tzinfo=UTC)
MODULE = PROJECT / "backoffice" / "live" / "static" / "live" / "rows.js"
# Takes each script's frames in, as page.js does: where there is a gap, it goes on with the next snapshot.
REPLAY = """async ([module, scripts]) => {
  const { Publication } = await import(`data:text/javascript;base64,${module}`);
  return scripts.map((frames) => {
    const publication = new Publication("t");
    let gaps = 0;
    for (const frame of frames) if (publication.take(frame) === null) gaps += 1;
    return [Object.fromEntries(publication.rows), gaps];
  });
}"""


def script(rng: random.Random) -> tuple[list[Any], Rows]:
    """Frames of a publication, some of them lost on the way, and the rows that the server has in the end."""
    board, sent = Board(), [frames.snapshot("t", 0, {}, at=AT, now=AT)]
    for _ in range(rng.randrange(1, 30)):
        rows: Rows = {rng.choice("abcd"): {"odds": rng.randrange(3), rng.choice("xy"): None} for _ in range(3)}
        board.begin_reading()
        board.replace(Reading(rows))
        written = [frames.diff("t", seq, change, at=AT, now=AT) for seq, change in board.take()]
        if rng.random() > 0.1:
            sent += written or [frames.same("t", board.told.seq, at=AT, now=AT)]
        if rng.random() < 0.1:
            sent.append(frames.snapshot("t", board.told.seq, board.told.rows, at=AT, now=AT))
    # Whoever noticed a gap has asked for it.
    sent += [
        frames.same("t", board.told.seq, at=AT, now=AT),
        frames.snapshot("t", board.told.seq, board.told.rows, at=AT, now=AT),
    ]
    return [orjson.loads(frame) for frame in sent], {key: dict(row) for key, row in board.told.rows.items()}


def test_the_rows_of_the_browser_are_those_of_the_server(browser: Browser) -> None:
    scripts = [script(random.Random(seed)) for seed in range(300)]
    without_the_last_snapshot = [sent[:-1] for sent, _ in scripts]
    module = base64.b64encode(MODULE.read_bytes()).decode()
    page = browser.new_page()

    ends = page.evaluate(REPLAY, [module, [sent for sent, _ in scripts]])
    before = page.evaluate(REPLAY, [module, without_the_last_snapshot])

    assert [rows for rows, _ in ends] == [rows for _, rows in scripts]
    assert any(gaps for _, gaps in before)
    assert all(rows == wanted for (rows, gaps), (_, wanted) in zip(before, scripts, strict=True) if not gaps)
    page.close()


KEYS = MODULE.with_name("keys.js")
# The key that the page makes of each list of parts, and the parts that it finds in it.
NAMED = """async ([module, lists]) => {
  const { keyOf, partsOf } = await import(`data:text/javascript;base64,${module}`);
  return lists.map((parts) => [keyOf(...parts), partsOf(keyOf(...parts))]);
}"""


def test_the_keys_of_the_browser_are_those_of_the_server(browser: Browser) -> None:
    rng = random.Random("keys")
    lists = [["".join(rng.choices("ab/%25F é\u2028\n😀", k=rng.randrange(6))) for _ in range(3)] for _ in range(300)]
    page = browser.new_page()

    found = page.evaluate(NAMED, [base64.b64encode(KEYS.read_bytes()).decode(), lists])

    assert found == [[key_of(*parts), parts] for parts in lists]
    page.close()


JOURNAL = PROJECT / "backoffice" / "live" / "static" / "live" / "journal.js"
# What is told to be missing after each frame, and the entries that are new with it.
FOLLOW = """async ([module, frames]) => {
  const { Journal } = await import(`data:text/javascript;base64,${module}`);
  const journal = new Journal();
  return frames.map((changes) => [journal.take(changes).map(([key]) => key), journal.missed]);
}"""


def total(count: int, since: int = 1) -> list[Any]:
    return ["total", None, {"count": count, "skipped": 0, "since": since}]


def entries(*keys: str) -> list[list[Any]]:
    return [[key, None, {"at": 1}] for key in keys]


def test_the_page_counts_what_a_journal_did_not_tell_it(browser: Browser) -> None:
    page = browser.new_page()
    frames = [
        [*entries("a", "b"), total(7)],
        [*entries("c"), ["a", {"at": 1}, None], total(8)],
        [*entries("x", "y"), total(100)],
        [*entries("z"), total(101)],
        [*entries("p", "q"), total(3, since=2)],
        [*entries("r"), total(4, since=2)],
        [["r", {"at": 1}, {"at": 2}]],
    ]

    found = page.evaluate(FOLLOW, [base64.b64encode(JOURNAL.read_bytes()).decode(), frames])

    assert found == [
        [["a", "b"], 0], [["c"], 0], [["x", "y"], 90], [["z"], 90], [["p", "q"], 0], [["r"], 0], [[], 0],
    ]  # fmt: skip
    page.close()


def lay_down_a_race() -> None:
    """A real race with twelve runners, one of which was taken out, and a market with a long name beside it."""
    event = f"race-{uuid4().hex}"
    now = datetime.now(UTC)
    version = {"version": 9, "version_at": now, "version_logged_at": now, "version_offset": 0}
    SportEvent.objects.create(
        id=event, provider="betfair", sport="horse_racing", competition="Lismore", name="R5 1200m Maiden",
        starts_at=now, seen_at=now, seen_logged_at=now, seen_offset=0,
    )  # fmt: skip
    for number, name in enumerate(["To win", "To be placed in the first three of at least eight runners"]):
        Market.objects.create(
            id=f"{event}-{number}", sport_event_id=event, provider="betfair", type="win", name=name, line=None,
            status="suspended", is_in_play=not number, bet_delay=1, winners=1, currency="AUD",
            traded_volume=12_345_678_90, **version,
        )  # fmt: skip
    for number in range(12):
        Outcome.objects.create(
            market_id=f"{event}-0", outcome_id=str(number), name=f"{number + 1}. A Horse With A Name",
            status="removed" if number == 3 else "active", back_odds=1_000_000 if number else None,
            back_size=1_234_567_89, lay_odds=1_010, lay_size=5, last_odds=None, **version,
        )  # fmt: skip


def lay_down_figures() -> None:
    """Large amounts in every vertical and currency of the present minute, and deposits of some providers."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    cells = [
        (metric, vertical, currency)
        for metric in ("ggr", "stakes")
        for vertical in ("live", "slots", "sports", "table")
        for currency in ("EUR", "JPY", "SEK")
    ]
    cells += [(metric, provider, "EUR") for metric in ("deposits_completed", "deposits_declined") for provider in PAID]
    # Those of the test before may be of the minute before, and would be added up with these.
    Window.objects.filter(topic="made-up").delete()
    Window.objects.bulk_create(
        (
            Window(
                metric=metric, minute=minute, key=key, currency=currency, topic="made-up", partition=0, count=123,
                amount=-1_234_567_89,
            )
            for metric, key, currency in cells
        )
    )  # fmt: skip


PAID = ("acquira", "clearpay", "instabank")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, web: Web, tmp_path: Path, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    lay_down_a_race()
    lay_down_figures()
    person = Person("trader")
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.goto(web.address)
    assert wider(page) == []
    page.get_by_label("Name").fill(person.user.username)
    page.get_by_label("Password").fill("right")
    page.get_by_role("button", name="Sign in").click()

    expect(page.locator("#market-status")).to_contain_text("SUSPENDED", timeout=60_000)
    expect(page.locator("#runners tbody tr")).to_have_count(12)
    expect(page.locator("#runners tbody")).to_contain_text("(removed)")
    expect(page.locator("#ggr tbody tr")).to_have_count(3)
    expect(page.locator("#ggr tbody")).to_contain_text("−1,234,568")
    expect(page.locator("#payments tbody")).to_contain_text("50.0%")

    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert wider(page) == []
    context.close()


def wider(page: Page) -> list[str]:
    """What sticks out of the window or of its panel, but for what can be scrolled in a place of its own."""
    found = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll(".panel, .tile, .bar")]
            .filter((element) => element.scrollWidth > element.clientWidth + 1)
            .map((element) => element.getAttribute("aria-labelledby") ?? element.className)"""
    )
    return list(map(str, found))


def test_the_page_can_be_used_by_keyboard_and_told_aloud(browser: Browser, web: Web) -> None:
    lay_down_a_race()
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": Person("trader").session, "url": web.address}])
    page = context.new_page()
    page.goto(web.address)
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("combobox", name="Market")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the numbers")).to_be_focused()
    page.keyboard.press("Enter")
    reached = set()
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.ariaLabel"))

    assert {"market-picker", "pause-bets"} <= reached
    expect(page.get_by_role("region", name="Last bets").get_by_role("table")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("columnheader", name="Lay", exact=True)).to_be_visible()
    expect(page.get_by_role("rowheader", name="1. A Horse With A Name", exact=True)).to_be_visible()
    context.close()


def test_signing_out_elsewhere_ends_the_page(browser: Browser, web: Web) -> None:
    person = Person("trader")
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": person.session, "url": web.address}])
    page = context.new_page()
    page.goto(web.address)
    expect(page.locator("#connection")).to_contain_text("Live", timeout=60_000)

    person.browser.logout()

    expect(page.get_by_label("Password")).to_be_visible(timeout=60_000)
    context.close()


def test_a_connection_that_died_without_a_word_is_not_called_live(browser: Browser, web: Web) -> None:
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": Person("trader").session, "url": web.address}])
    page = context.new_page()
    page.clock.install()
    page.goto(web.address)
    pill = page.locator("#connection")
    expect(pill).to_contain_text("Live", timeout=60_000)

    with web.frozen():
        page.clock.fast_forward(9_000)
        # A frame that was on its way begins the silence anew.
        expect(pill).to_have_attribute("data-state", "lost", timeout=20_000)
        expect(pill).not_to_contain_text("Live")

    expect(pill).to_contain_text("Live", timeout=60_000)
    context.close()


def test_a_bad_message_and_silent_workers_are_said_in_words(browser: Browser, web: Web) -> None:
    context = browser.new_context()
    context.add_cookies([{"name": "sessionid", "value": Person("trader").session, "url": web.address}])
    page = context.new_page()
    page.goto(web.address)
    pill = page.locator("#connection")
    expect(pill).to_contain_text("no worker is heard", timeout=60_000)

    worker = Worker()
    worker.send(b"{")

    expect(pill).to_contain_text("bad messages passed over, all read anew: 1", timeout=60_000)
    assert "pitboss_live_bad_messages_total 1.0" in web.get("/metrics")
    assert '"state": "bad"' in web.get("/health/facts")
    context.close()
