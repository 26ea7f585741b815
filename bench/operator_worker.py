"""A worker process with the lanes of all streams: what a Celery worker runs with `--streams all`."""

import sys
import threading

import django

from bench.crew import READY, say


def main() -> None:
    django.setup()
    from backoffice.streams.step import LaneThread, lanes_of, tune_interpreter
    from backoffice.streams.store.projection import STREAMS

    stopping = threading.Event()
    tune_interpreter()
    threads = [LaneThread(lane, sink, stopping) for lane, sink in lanes_of(sorted(STREAMS))]
    for thread in threads:
        thread.start()
    say(READY)
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join(10)


if __name__ == "__main__":
    main()
