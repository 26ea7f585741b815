"""What can go wrong. Each returns when it is over, and says what it was."""

from collections.abc import Callable

from .scene import WORKERS, Scene, frozen


def worker_killed(scene: Scene) -> str:
    scene.kill_and_replace(scene.any_worker())
    return "worker killed"


def all_workers_killed(scene: Scene) -> str:
    for worker in list(scene.workers):
        scene.kill_and_replace(worker)
    return "all workers killed"


def worker_frozen(scene: Scene) -> str:
    with frozen(scene.any_worker()):
        scene.wait(0.5, 9.0)
    return "worker frozen"


def worker_joined(scene: Scene) -> str:
    """A third one takes over its share; later one of the three goes."""
    if len(scene.workers) > WORKERS:
        scene.wait_joined()
        leaving = scene.any_worker()
        leaving.terminate()
        leaving.wait(30)
        scene.workers.remove(leaving)
        return "worker left"
    scene.hire()
    scene.wait_joined()
    return "worker joined"


def _server(name: str, how: str) -> Callable[[Scene], str]:
    def fault(scene: Scene) -> str:
        part = scene.stack.part(name)
        part.kill() if how == "killed" else part.stop()
        scene.wait(0.0, 3.0)
        part.start()
        return f"{name} {how}"

    return fault


FAULTS: tuple[Callable[[Scene], str], ...] = (
    worker_killed,
    all_workers_killed,
    worker_frozen,
    worker_joined,
    *(_server(name, how) for name in ("postgres", "kafka", "redis", "registry") for how in ("killed", "stopped")),
)
