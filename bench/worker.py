"""A worker process with nothing but one lane: what a Celery worker runs with `--streams`.

`python -m bench.worker STREAM TOPIC NUMBER COUNT`.
"""

import sys
import threading

import django

from bench.crew import READY, say


def main(stream: str, topic: str) -> None:
    django.setup()
    from backoffice.streams.step import LaneThread, lanes_of, tune_interpreter
    from bench import flat

    if stream == flat.STREAM:
        flat.declare()
    stopping = threading.Event()
    lane, sink = next((lane, sink) for lane, sink in lanes_of([stream]) if lane.topic == topic)
    tune_interpreter()
    thread = LaneThread(lane, sink, stopping)
    thread.start()
    say(READY)
    sys.stdin.read()
    stopping.set()
    thread.join(10)


if __name__ == "__main__":
    main(*sys.argv[1:3])
