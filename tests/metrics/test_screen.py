"""The status as people see it on a terminal, without servers: what fits, what is marked, how old each number is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from backoffice.metrics.figures import FIGURES
from backoffice.metrics.outbox import HeldTopic, Outbox
from backoffice.metrics.progress import Lead, TopicProgress
from backoffice.metrics.screen import age, as_screen
from backoffice.metrics.selectors import Amount, Attempts
from backoffice.metrics.silence import Silent, Source
from backoffice.metrics.status import Status

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
OK = {"postgres": "ok", "redis": "ok", "kafka": "ok", "registry": "ok"}
CURRENCIES = ("CAD", "DKK", "EUR", "GBP", "JPY", "NOK", "NZD", "SEK")
MARKET = Silent("Match result, Ashford v Quarry Bank", NOW - timedelta(minutes=4), timedelta(minutes=2))


def ago(**passed: float) -> datetime:
    return NOW - timedelta(**passed)


OUTBOX = Outbox(3, ago(seconds=2), 0, (), timedelta(minutes=5))


def status(verticals: tuple[str, ...] = ("live", "slots", "sports", "table")) -> Status:
    """An hour of eight currencies with amounts as large as they get."""
    bet_events = TopicProgress("trading", "bet-events", ago(seconds=4), ago(seconds=1), 0, ())
    rounds = TopicProgress("wallet", "game-rounds", ago(seconds=45), ago(seconds=2), 0, ())
    return Status(
        at=NOW,
        topics=(bet_events, rounds),
        lag_by_topic={("trading", "bet-events"): 1_234, ("wallet", "game-rounds"): 0},
        sources=(Source("northfeed", ago(seconds=3), timedelta(minutes=1), 33, 0, ()),),
        events_per_second=203.4,
        figures={
            "ggr": {(vertical, currency): -987_654_321 for vertical in verticals for currency in CURRENCIES},
            "stakes": {(vertical, currency): Amount(2, 2_469) for vertical in verticals for currency in CURRENCIES},
            "bets": {("single", "EUR"): Amount(800, 1), ("single", "SEK"): Amount(30, 1)},
            "payments": {f"provider-{number}": Attempts(970, 30) for number in range(6)},
            "logins": Attempts(9, 1),
            "active_players": {"MT": 201, "SE": 80},
        },
        missing_partitions=(),
        outbox=OUTBOX,
        unsent_alerts=(),
        jobs=(),
        differences=(),
        hidden_metrics=(),
        unread=(),
        as_of={
            **dict.fromkeys(FIGURES, ago(seconds=45)),
            "events_per_second": ago(seconds=30),
            "ggr": ago(minutes=12),
            "bets": None,
        },
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_lost(width: int) -> None:
    shown = as_screen(status(), OK, width)

    assert max(map(len, shown.splitlines())) <= max(width, 66)
    assert shown.count("−9,876,543 ") == 4 * 7
    assert shown.count("−987,654,321 ") == 4
    assert shown.count("12.35") == 4 * 7


@pytest.mark.parametrize(("last", "mark"), [(ago(minutes=3), "! "), (ago(hours=2), "  ")])
def test_clocks_that_are_ahead_are_told_and_marked_while_they_are(last: datetime, mark: str) -> None:
    lead = Lead(1_234, timedelta(hours=2), last)
    told = replace(status(), topics=(TopicProgress("wallet", "wallet-transactions", NOW, NOW, 0, (), lead),))

    shown = as_screen(told, OK, 66)

    (line,) = [line for line in shown.splitlines() if "ahead" in line]
    assert line.startswith(f"{mark}wallet-transactions: 1,234 by clocks ≤ 2 h ahead, ")
    assert len(line) <= 66


def test_a_month_that_was_not_made_is_marked() -> None:
    lacking = replace(status(), missing_partitions=("metrics_window_202702",))

    assert "! No partition   metrics_window_202702" in as_screen(lacking, OK, 80)
    assert "No partition" not in as_screen(status(), OK, 80)


def test_what_cannot_be_sent_is_marked_with_the_reason() -> None:
    held = HeldTopic("compliance-alerts", 3, ago(minutes=7), "the registry does not answer", whole=False)
    lines = as_screen(replace(status(), outbox=replace(OUTBOX, held=12, topics=(held,))), OK, 80).splitlines()

    (at,) = [number for number, line in enumerate(lines) if line.startswith("! Outbox")]
    assert lines[at].split() == ["!", "Outbox", "3", "to", "be", "sent,", "12", "held", "2.0", "s"]
    assert "compliance-alerts, 3 keys: the registry does not" in lines[at + 1]
    assert lines[at + 1].endswith("7 min")


def test_an_outbox_that_nobody_empties_is_marked() -> None:
    assert "! Outbox" not in as_screen(status(), OK)
    assert "! Outbox" in as_screen(replace(status(), outbox=replace(OUTBOX, oldest_at=ago(minutes=6))), OK)


UNREAD = ("active_players", "events_per_second", "outbox", "sources", "topics")


@pytest.mark.parametrize("width", [60, 120])
def test_what_could_not_be_read_is_named_and_no_number_stands_in_its_place(width: int) -> None:
    figures = {name: figure for name, figure in status().figures.items() if name not in UNREAD}

    wrong = replace(status(), unread=UNREAD, topics=(), sources=(), outbox=None, figures=figures)
    shown = as_screen(wrong, OK, width)

    assert "! UNREAD         active_players," in shown
    assert "may be locked, or wait for `migrate`" in " ".join(as_screen(wrong, OK, 200).split())
    assert "! Feed: unread." in shown
    assert not any(word in shown for word in ("Halted", "a second", "to be sent", "Active", "none has a live market"))
    assert "−9,876,543 " in shown


def test_without_any_figure_there_is_no_table_of_money() -> None:
    assert as_screen(replace(status(), unread=tuple(FIGURES), figures={}), OK).splitlines()[-1] == "! Money: unread."


def test_a_wide_terminal_needs_fewer_lines() -> None:
    assert as_screen(status(), OK, 120).count("\n") < as_screen(status(), OK, 80).count("\n") < 40


def test_every_number_has_the_age_of_what_it_is_made_of() -> None:
    lines = as_screen(status(), OK).splitlines()

    def line(start: str) -> str:
        return next(line for line in lines if line.startswith(start))

    assert line("Events").endswith("30 s")
    assert line("Logins").split()[-4:] == ["10", "ok", "45", "s"]
    assert line("Bets").endswith("–")
    assert line("  GGR").endswith("age 12 min")
    assert line("  trading    bet-events").split()[2:] == ["4.0", "s", "1.0", "s", "1,234", "0"]


def test_nothing_is_marked_while_all_is_well() -> None:
    assert "!" not in as_screen(status(), OK)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"topics": (TopicProgress("trading", "bet-events", NOW, NOW, 7, ()),)}, "! trading    bet-events"),
        (
            {"topics": (TopicProgress("trading", "bet-events", NOW, NOW, 0, (2,)),)},
            "! HALTED         trading: bet-events[2]",
        ),
        ({"sources": (Source("northfeed", NOW, timedelta(minutes=1), 33, 1, (MARKET,)),)}, "! northfeed"),
        (
            {"sources": (Source("northfeed", NOW, timedelta(minutes=1), 33, 1, (MARKET,)),)},
            "    Match result, Ashford v Quarry Bank: silent for 4 min, limit 2 min",
        ),
        (
            {"sources": (Source("northfeed", ago(seconds=61), timedelta(minutes=1), 33, 0, ()),)},
            "    all of it, limit 1 min",
        ),
    ],
)
def test_what_is_wrong_is_marked(wrong: dict[str, object], says: str) -> None:
    assert says in as_screen(replace(status(), **wrong), OK)  # type: ignore[arg-type]


def test_a_feed_without_markets_that_should_speak_is_not_silent() -> None:
    quiet = Source("northfeed", ago(hours=3), timedelta(minutes=1), 0, 0, ())

    assert "!" not in as_screen(replace(status(), sources=(quiet,)), OK)


def test_a_part_that_is_away_is_said_and_the_rest_is_shown() -> None:
    shown = as_screen(replace(status(), lag_by_topic=None), OK | {"kafka": "away: KafkaException"})

    assert "! Parts" in shown
    assert "kafka away: KafkaException" in shown
    assert "?" in shown
    assert "203.4 a second" in shown


def test_without_postgres_the_parts_are_shown() -> None:
    shown = as_screen("It is full.", OK | {"postgres": "away: OperationalError"})

    assert "postgres away: OperationalError" in shown
    assert "redis ok" in shown
    assert "There are no numbers without Postgres. It is full." in shown


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        ({"seconds": 0}, "now"),
        ({"seconds": -5}, "0.0 s"),
        ({"seconds": 0.44}, "0.4 s"),
        ({"seconds": 45}, "45 s"),
        ({"seconds": 119}, "119 s"),
        ({"minutes": 3}, "3 min"),
        ({"hours": 5}, "5 h"),
        ({"days": 9}, "9 d"),
    ],
)
def test_an_age_fits_a_column(passed: dict[str, float], shown: str) -> None:
    assert age(ago(**passed), NOW) == shown


def test_a_mean_is_to_the_nearest_minor_unit_and_never_of_nothing() -> None:
    assert [Amount(2, 3).mean, Amount(3, 4).mean, Amount(2, -3).mean, Amount(0, 0).mean] == [2, 1, -1, None]


def test_a_topic_that_kafka_does_not_have_is_marked_and_one_that_it_cannot_tell_of_is_not() -> None:
    topics = (TopicProgress("trading", "bet-events", NOW, NOW, 0, ()),)

    assert "! trading    bet-events" in as_screen(replace(status(), topics=topics, lag_by_topic={}), {})
    for lag in (None, {("trading", "bet-events"): 0}):
        assert "! trading    bet-events" not in as_screen(replace(status(), topics=topics, lag_by_topic=lag), {})


def test_a_lag_of_which_kafka_does_not_tell_all_is_a_least_and_the_reason_is_shown() -> None:
    why = "partition 2 of bet-events has no leader: start broker 3"
    topics = (TopicProgress("trading", "bet-events", NOW, NOW, 0, (), stalled=(2,), untold=(why,)),)

    shown = as_screen(replace(status(), topics=topics), OK, 119)

    assert "! trading    bet-events" in shown
    assert "≥ 1,234" in shown
    assert f"trading: bet-events ({why})" in shown
