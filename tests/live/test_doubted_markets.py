"""What a trader sees of the markets of a provider that was silent and is heard again."""

from datetime import UTC, datetime, timedelta

from backoffice.kernel.clock import milliseconds
from backoffice.live.board import Rows
from backoffice.live.bus import publish
from tests.live.test_socket import stored
from tests.live.web import Person, Watcher, Web
from tests.trading.passing import passed
from trading.doubts import Doubts
from trading.live import market_rows
from trading.models import Market, ProviderSuspension
from trading.selectors import markets_of
from trading.suspending import Providers, judge_silence

MATCH = "prices:a match"


def tell(market: str) -> None:
    """As an update of the market leaves it."""
    Market.objects.filter(id=market).update(version=1, version_appended_at=datetime.now(UTC))


def update_of(market: str, version: int) -> list[tuple[str, Rows]]:
    """As a worker stores it, and tells of it without knowing who was suspended a moment ago."""
    now = datetime.now(UTC)
    Market.objects.filter(id=market).update(version=version, version_logged_at=now, version_appended_at=now)
    (rows,) = [market_rows(state) for state in markets_of("a match", Doubts()) if state.id == market]
    at = milliseconds(now) * 1_000
    rows[market] |= {"provider": "northfeed", "told": at, "dated": at}
    return [(market, rows)]


def test_no_good_update_opens_a_market_of_a_provider_that_was_suspended_a_moment_ago(web: Web) -> None:
    stored("a match", "suspended")
    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, MATCH, "live")

        def shown(version: int) -> bool:
            return watcher.rows(MATCH).get("suspended", {}).get("version") == version

        def status() -> object:
            return watcher.rows(MATCH)["suspended"]["status"]

        watcher.until(lambda: watcher.rows("live").get("redis", {}).get("state") == "connected", "Redis is heard")
        watcher.until(lambda: shown(0), "the market is there")
        publish({MATCH: update_of("suspended", 1)})
        watcher.until(lambda: shown(1), "an update is told")
        assert status() == "open"

        ProviderSuspension.objects.create(provider="northfeed", reason="bad", since=datetime.now(UTC))
        Providers().changed()
        watcher.until(lambda: status() == "suspended", "the suspension is shown")
        publish({MATCH: update_of("suspended", 2)})
        watcher.until(lambda: shown(2) or status() == "open", "another is told")

        assert status() == "suspended"
    ProviderSuspension.objects.all().delete()
    Market.objects.all().delete()


def test_a_trader_sees_a_market_open_again_when_it_is_told_itself(web: Web) -> None:
    stored("a match", "told", "untold")

    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, MATCH, "live")

        def shown() -> dict[str, object]:
            return {market: row.get("status") for market, row in watcher.rows(MATCH).items()}

        watcher.until(lambda: watcher.rows("live").get("redis", {}).get("state") == "connected", "Redis is heard")
        watcher.until(lambda: shown() == {"told": "open", "untold": "open"}, "both are open")
        judge_silence(datetime.now(UTC) + timedelta(minutes=3))
        watcher.until(lambda: shown() == {"told": "suspended", "untold": "suspended"}, "both are suspended")

        ProviderSuspension.objects.update(since=datetime.now(UTC))
        passed()
        tell("told")
        assert judge_silence(datetime.now(UTC)) == ([], ["northfeed"])
        watcher.until(lambda: shown()["told"] == "open", "the one that was told is open")
        assert shown()["untold"] == "suspended"

    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, MATCH)
        watcher.until(lambda: shown() == {"told": "open", "untold": "suspended"}, "who comes later sees the same")
        tell("untold")

    with web.socket(Person("trader")) as socket:
        watcher = Watcher(socket, MATCH)
        watcher.until(lambda: shown() == {"told": "open", "untold": "open"}, "both are open")
