"""One seed after another."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backoffice.localstack.stack import Stack
from tests import databases
from tests.faults.load import Load
from tests.spine import Spine

from .faults import FAULTS
from .scene import WORKERS, Scene
from .verdict import Verdict, judged

REPEATS, GARBAGE = 0.01, 0.005
PARTITIONS = 4
DRAIN_SECONDS = 120.0


def play(seed: int, stack: Stack, template: str, *, seconds: float, rate: int, output: int) -> Verdict:
    """One seed, in a database and on topics of its own."""
    verdict = Verdict()
    servers = stack.environ()
    with (
        databases.copied(servers["DATABASE_URL"], template) as name,
        Spine.on_servers(name, PARTITIONS, replication=1, **servers) as spine,
        _scene(stack, spine, seed, rate, output) as scene,
    ):
        try:
            _disturb(scene, verdict, seconds)
            verdict.differences = judged(spine, scene.load)
        except Exception as error:  # noqa: BLE001 - whatever it is, this seed has failed, and the next is played
            verdict.failed = f"{type(error).__name__}: {error}"
        verdict.sent = len(scene.load.sent) + scene.load.bad
    return verdict


@contextmanager
def _scene(stack: Stack, spine: Spine, seed: int, rate: int, output: int) -> Iterator[Scene]:
    """Load and nobody to store it yet; in the end all servers run again and no worker does."""
    load = Load(spine, seed=seed, rate=rate, repeats=REPEATS, garbage=GARBAGE)
    scene = Scene(stack, spine, load, random.Random(f"chaos {seed}"), output)
    load.start()
    try:
        yield scene
    finally:
        for part in stack.parts.values():
            part.start()
        scene.dismiss()
        load.end()


def _disturb(scene: Scene, verdict: Verdict, seconds: float) -> None:
    """Faults, one or two at a time, until the time is over; then let all be stored."""
    for _ in range(WORKERS):
        scene.hire()
    scene.recovery()
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        scene.wait(0.0, 1.5)
        for fault in scene.rng.sample(FAULTS, scene.rng.choice((1, 1, 2))):
            verdict.faults.append(fault(scene))
        verdict.recoveries.append(scene.recovery())
        verdict.faults[-1] += f" {verdict.recoveries[-1]:.1f}"
    scene.load.end()
    scene.spine.wait_drained(timeout=DRAIN_SECONDS)
    scene.wait_relayed()
    scene.wait_joined()
    codes = scene.dismiss()
    if any(codes):
        verdict.failed = f"workers ended with {codes}"
