"""An act on many rows, a chunk a transaction: nobody waits for long, and what is done stays done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import transaction
from django.db.models import Max, Model, QuerySet

CHUNK = 200

Row = TypeVar("Row", bound=Model)


@dataclass
class Handled:
    """The keys of the rows it was done to, of others why not, and what else follows from it."""

    done: list[int] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    follows: list[str] = field(default_factory=list)


def in_chunks(
    rows: QuerySet[Row], do: Callable[[list[Row]], Handled], *, lock_order: tuple[str, ...] = ("pk",)
) -> Iterator[Handled]:
    """Do it to the rows that are there now; nothing is done but by going through what this gives, one for each chunk.

    Rows are locked in the order in which others lock them. Those that come meanwhile, because of what is done or not,
    are left for the next time.
    """
    newest, after = rows.aggregate(newest=Max("pk"))["newest"], 0
    while newest is not None:
        wanted = rows.filter(pk__gt=after, pk__lte=newest)
        numbers = list(wanted.order_by("pk").values_list("pk", flat=True)[:CHUNK])
        if not numbers:
            return
        with transaction.atomic():
            handled = do(list(rows.filter(pk__in=numbers).order_by(*lock_order).select_for_update()))
        after = numbers[-1]
        yield handled
