"""A worker process with nothing but the lane of `bet-events`: what a Celery worker runs with `--streams trading`."""

import sys
import threading

import django

from bench.crew import READY, say


def main() -> None:
    django.setup()
    from backoffice.streams.step import LaneThread, lanes_of, spare_the_collector
    from bench.stand import BETS

    stopping = threading.Event()
    lane, sink = next((lane, sink) for lane, sink in lanes_of(["trading"]) if lane.topic == BETS)
    spare_the_collector()
    thread = LaneThread(lane, sink, stopping)
    thread.start()
    say(READY)
    sys.stdin.read()
    stopping.set()
    thread.join(10)


if __name__ == "__main__":
    main()
