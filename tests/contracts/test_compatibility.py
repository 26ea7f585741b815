import copy

import pytest

from backoffice.contracts.compatibility import breaks

from .changes import BASE, TRIALS, Trial, field


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_change_is_judged_as_a_rebuild_would(trial: Trial) -> None:
    assert (not breaks(trial.result(), BASE)) == trial.we_take


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_judging_changes_neither_version(trial: Trial) -> None:
    new, old = trial.result(), copy.deepcopy(BASE)
    before = copy.deepcopy(new)

    breaks(new, old)

    assert (new, old) == (before, BASE)


def test_a_default_has_to_last_as_long_as_a_version_without_the_field() -> None:
    second = copy.deepcopy(BASE)
    second["fields"].append({"name": "more", "type": "long", "default": 0})
    third = copy.deepcopy(second)
    del field(third, "more")["default"]

    assert breaks(third, second) == []
    assert [found.field for found in breaks(third, BASE)] == ["Probe.more"]


def test_a_break_inside_a_list_is_named_with_its_place() -> None:
    changed = copy.deepcopy(BASE)
    field(changed, "legs")["type"]["items"]["fields"][0]["type"] = "long"

    (found,) = breaks(changed, BASE)

    assert found.field == "Probe.legs[].no"
    assert found.reason == "was int, is long; keep the type and add a field with another name"
