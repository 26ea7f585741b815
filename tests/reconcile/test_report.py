"""What a run says of itself: all of it as one line, and for a log only the figures."""

import json

from backoffice.reconcile.runs.run import Report

FOUND = Report(
    clean=False, full=False, checked={"bet-events": 7}, seconds=1.5, total=900,
    differences=[{"check": "fact", "offsets": [n, n]} for n in range(100)], named=[{"check": "pace"}],
    counts=[{"check": "fact", "found": 900, "listed": 100}], standing={"differences": 100, "warnings": 1},
)  # fmt: skip


def test_the_line_of_a_run_has_all_that_is_listed() -> None:
    told = json.loads(FOUND.line())

    assert (len(told["differences"]), told["named"]) == (100, [{"check": "pace"}])


def test_for_a_log_it_is_said_how_much_was_found_and_not_what() -> None:
    assert json.loads(FOUND.brief()) == {
        "clean": False, "full": False, "checked": {"bet-events": 7}, "seconds": 1.5, "total": 900,
        "counts": FOUND.counts, "open": {"differences": 100, "warnings": 1},
    }  # fmt: skip
