"""One seed after another."""

import os
import random
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.schemas import our_registry
from tests import databases
from tests.faults.load import Load
from tests.spine import Spine

from . import faults, second
from .ground import TEMPLATE, Ground
from .keeping import books
from .scene import WORKERS, Scene
from .verdict import Verdict, judged

REPEATS, GARBAGE = 0.01, 0.005
PARTITIONS = 4
DRAIN_SECONDS = 120.0


def play(seed: int, ground: Ground, *, seconds: float, rate: int, output: int) -> Verdict:
    """One seed, in a database and on topics of its own."""
    verdict = Verdict()
    rng = random.Random(f"chaos {seed}")
    records = second.drawn(rng)
    servers = ground.environ()
    url = servers["DATABASE_URL"]
    with (
        databases.copied(url, TEMPLATE) as name,
        databases.default_database(databases.beside(url, name)),
        second.declared(records),
        Spine.on_servers(name, PARTITIONS, replication=len(ground.brokers) or 1, **servers) as spine,
        _scene(ground, spine, seed, rng, rate, output) as scene,
    ):
        if records:
            verdict.kinds.append("second stream")
            verdict.faults.append(f"second stream of {len(records)} records")
            scene.environ = second.environ(records)
        try:
            _disturb(seed, scene, verdict, seconds)
            verdict.differences = judged(scene, records, len(verdict.kinds))
        except Exception as error:  # noqa: BLE001 - whatever it is, this seed has failed, and the next is played
            verdict.failed = f"{type(error).__name__}: {error}"
            os.write(output, traceback.format_exc().encode())
        if not verdict.passed:
            verdict.books = books(spine)
        verdict.sent = len(scene.load.sent) + len(scene.load.clashes) + scene.load.bad
        verdict.recoveries = scene.recoveries
    return verdict


@contextmanager
def _scene(ground: Ground, spine: Spine, seed: int, rng: random.Random, rate: int, output: int) -> Iterator[Scene]:
    """Load and nobody to store it yet; in the end all servers run again and no worker does."""
    # As `manage.py topics --apply` does.
    our_registry().ensure(record for topic in TOPICS.values() for record in topic.records)
    load = Load(spine, seed=seed, rate=rate, repeats=REPEATS, garbage=GARBAGE)
    scene = Scene(ground.stack, spine, load, rng, output, ground.brokers)
    load.start()
    try:
        yield scene
    finally:
        for part in ground.parts():
            part.start()
        scene.dismiss()
        load.end()


def _disturb(seed: int, scene: Scene, verdict: Verdict, seconds: float) -> None:
    """Faults, one or two at a time, until the time is over; then let all be stored."""
    for _ in range(WORKERS):
        scene.hire()
    scene.recovery()
    scene.recoveries.clear()
    began = time.monotonic()
    drawn = [faults.first(seed, scene)]
    while time.monotonic() < began + seconds:
        scene.wait(0.0, 1.5)
        for fault in drawn:
            before = len(scene.recoveries)
            verdict.kinds.append(fault(scene))
            # In brackets what was recovered from while the fault lasted.
            meanwhile = "".join(f" ({seconds:.1f})" for seconds in scene.recoveries[before:])
            verdict.faults.append(f"{verdict.kinds[-1]}{meanwhile}")
        verdict.faults[-1] += f" {scene.recovery():.1f}"
        drawn = faults.drawn(scene)
    scene.load.end()
    scene.spine.wait_drained(timeout=DRAIN_SECONDS)
    scene.wait_relayed()
    # What was told of clashes has come back as alerts.
    scene.spine.wait_drained(timeout=DRAIN_SECONDS)
    scene.wait_joined()
    codes = scene.dismiss()
    if any(codes):
        verdict.failed = f"workers ended with {codes}"
