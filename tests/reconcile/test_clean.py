"""What was stored as it was sent reconciles, whatever was sent."""

from tests.reconcile.conftest import Reconcile
from tests.spine import Spine


def test_a_load_with_garbage_and_repeats_is_clean(loaded: Spine, reconcile: Reconcile) -> None:
    code, told = reconcile()

    assert (code, told.get("differences"), told.get("named")) == (0, None, None)
    assert sum(told["checked"].values()) == sum(loaded.ends().values())


def test_a_full_run_is_clean_too(loaded: Spine, reconcile: Reconcile) -> None:
    code, told = reconcile("--full")

    assert (code, told.get("differences"), told.get("named")) == (0, None, None)
    assert sum(told["checked"].values()) == sum(loaded.ends().values())
