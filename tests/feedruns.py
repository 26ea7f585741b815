"""Runs of feeds among the events of a simulated operator, whose feeds begin once and never again."""

from collections.abc import Iterable, Iterator
from itertools import count

from backoffice.kernel.ids import derived_id
from backoffice.simulator.events.envelope import Event

ENVELOPE = ("occurred_at", "brand", "jurisdiction", "provider")


def with_runs(events: Iterable[Event], every: int = 40) -> Iterator[Event]:
    """The events; with every so many market updates a run of its provider begins, each other one under a name. What the
    provider tells from then on bears its id."""
    numbers, runs = count(), dict[str, dict[str, str]]()
    for event in events:
        if event.record != "MarketUpdate":
            yield event
            continue
        number, provider = next(numbers), event.body["provider"]
        if number % every == 0:
            run, name = str(derived_id("run", str(number))), ("", f"courts {number}")[number // every % 2]
            runs[provider] = {"run": run, "subscription": name}
            began = {field: event.body[field] for field in ENVELOPE} | {"event_id": run, "subscription": name}
            yield Event("FeedBegan", provider, began)
        yield Event(event.record, event.key, event.body | runs.get(provider, {}))
