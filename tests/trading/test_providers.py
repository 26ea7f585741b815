"""Whoever asks why markets are shut is told of the newest run of each feed as well."""

from io import StringIO

from django.core.management import call_command

from tests.spine import Spine
from tests.trading.test_feed_runs import began, shown, told


def listed() -> list[str]:
    out = StringIO()
    call_command("providers", "list", stdout=out)
    return out.getvalue().splitlines()


def test_the_list_says_which_run_leaves_how_many_markets_shut(spine: Spine) -> None:
    assert listed() == ["No provider is suspended."]
    for market in ("Winner", "Totals", "Handicap"):
        told(spine, market)
    told(spine, "Corners", subscription="corners")
    told(spine, "Cards", status="closed")

    run = began(spine)
    told(spine, "Winner", run)

    assert shown("Winner", "Totals", "Handicap", "Corners") == ("open", "suspended", "suspended", "suspended")
    said, line = listed()
    assert said == "No provider is suspended."
    assert line.startswith("northfeed  its feed began anew at 20")
    assert line.endswith("  3 open markets are shut until they are told anew")

    corners = began(spine, "corners")
    told(spine, "Corners", corners, subscription="corners")

    assert shown("Totals", "Corners") == ("suspended", "open")
    of_all, of_corners = listed()[1:]
    assert of_all.endswith("  2 open markets are shut until they are told anew")
    assert of_corners.startswith("northfeed  its feed corners began anew at 20")
    assert of_corners.endswith("  no market is left shut")
