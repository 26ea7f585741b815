"""What a trader sees of the markets of a provider that was silent and is heard again."""

from datetime import UTC, datetime, timedelta

from tests.live.test_socket import stored
from tests.live.web import Person, Watcher, Web
from trading.models import Market, ProviderSuspension
from trading.suspending import judge_silence

MATCH = "prices:a match"


def tell(market: str) -> None:
    """As an update of the market leaves it."""
    Market.objects.filter(id=market).update(version=1, version_logged_at=datetime.now(UTC))


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
