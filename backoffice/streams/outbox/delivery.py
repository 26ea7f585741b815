"""A batch of the outbox to Kafka, with a verdict for each message: acknowledged, failed and why, or behind one.

The batch goes as one transaction. Where that comes to nothing, whoever Kafka has named goes alone, and what stands
between these together; so none is blamed for what another did to its batch, and what was taken back is never read.
"""

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from confluent_kafka import KafkaException, Producer

from backoffice.contracts.codec import frame
from backoffice.contracts.definitions import released
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Rejected, Retryable
from backoffice.kernel.text import storable

from .. import telemetry
from .transactions import FailedError, Message, Transaction, Transactions
from .waiting import Waiting

log = logging.getLogger(__name__)

# After so many messages of one topic that failed alike the others are not tried alone in that round.
ALIKE = 3
# After so many transactions that came to nothing every message of the round goes alone.
TRANSACTIONS = 10
_UNFORESEEN = "outbox: message %s to %s cannot be made ready"

_Schema = tuple[str, int | None]
_REGISTRY: _Schema = ("", None)
# The topics of these to which nothing can be sent, with the reasons; raises Retryable where Kafka is away.
Refusals = Callable[[Collection[str]], Mapping[str, str]]
# Raises Retryable where the relay is no longer the only one.
StillAlone = Callable[[], object]
# Of why a message was not sent so much is kept (characters).
REASON_AT_MOST = 1_000


class Verdicts:
    """What is known of a batch so far; ``failed`` says why, ``behind`` are those that wait for a failed one.

    Of those that failed ``holding`` are the ones that all of their topic waits for.
    """

    def __init__(self, rows: Iterable[Waiting]) -> None:
        self.acknowledged: set[int] = set()
        self.failed: dict[int, str] = {}
        self.behind: set[int] = set()
        self.holding: set[int] = set()
        self._keys: defaultdict[int, list[int]] = defaultdict(list)
        self._topics: defaultdict[str, list[Waiting]] = defaultdict(list)
        for row in rows:
            self._keys[row.key_hash].append(row.id)
            self._topics[row.topic].append(row)

    def fail(self, row: Waiting, reason: str) -> None:
        """Of its key those after it wait for it, whatever was known of them; those before it do not."""
        key = self._keys[row.key_hash]
        behind = key[key.index(row.id) + 1 :]
        self.failed[row.id] = storable(reason, REASON_AT_MOST)
        for number in behind:
            self.failed.pop(number, None)
        self.behind.update(behind)

    def fail_topic(self, row: Waiting, reason: str) -> None:
        """Of its topic all that has no verdict yet waits for it."""
        self.fail(row, reason)
        self.holding.add(row.id)
        self.behind.update(each.id for each in self._topics[row.topic] if self.is_open(each))

    @property
    def known(self) -> int:
        """How many messages are sent or held now."""
        return len(self.acknowledged) + len(self.failed) + len(self.behind)

    def is_open(self, row: Waiting) -> bool:
        """Whether the message is still to be sent."""
        return not (row.id in self.acknowledged or row.id in self.failed or row.id in self.behind)


@dataclass
class _Round:
    """What is known of a batch while it is sent."""

    verdicts: Verdicts
    still_alone: StillAlone
    failed: int = 0
    alike: Counter[tuple[str, str]] = field(default_factory=Counter)
    last: dict[str, str] = field(default_factory=dict)
    silences: set[str] = field(default_factory=set)

    def spared(self, row: Waiting) -> str:
        """The reason of those before it in its topic, where it need not be tried; empty where it is.

        One that comes again is tried again, unless that may take long.
        """
        reason = self.last.get(row.topic, "")
        is_known = self.alike[row.topic, reason] >= ALIKE and (not row.attempts or reason in self.silences)
        return reason if is_known else ""

    def fail(self, row: Waiting, reason: str, *, is_silent: bool) -> None:
        self.last[row.topic] = reason
        self.alike[row.topic, reason] += 1
        self.silences |= {reason} if is_silent else set()
        self.verdicts.fail(row, reason)


class Delivery:
    """Sends batches.

    Kafka has ``batch_seconds`` to acknowledge a batch, and ``alone_seconds`` for a message alone.
    """

    def __init__(
        self,
        make: Callable[[], Producer],
        refusals: Refusals,
        registry: Registry,
        prefix: str,
        *,
        stopping: threading.Event | None = None,
        batch_seconds: float = 30.0,
        alone_seconds: float = 10.0,
    ) -> None:
        self._transactions = Transactions(make, stopping or threading.Event())
        self._refusals = refusals
        self._registry = registry
        self._prefix = prefix
        self._batch_seconds = batch_seconds
        self._alone_seconds = alone_seconds
        self._topics: set[str] = set()
        self._ids: dict[_Schema, int] = {}
        self._problems: dict[_Schema, Rejected | Retryable] = {}

    def claim(self) -> None:
        """Let no other relay send any more, not even what it has queued.

        Raises:
            Retryable: Kafka is away.
        """
        self._transactions.claim()

    def listen(self) -> None:
        """Let Kafka's client say what it has to say, also where nothing is to be sent.

        Raises:
            Retryable: it is of no use any more.
        """
        self._transactions.listen()

    def send(self, rows: Sequence[Waiting], verdicts: Verdicts, still_alone: StillAlone) -> None:
        """Send the messages, and note what becomes of each as soon as that is known.

        ``still_alone`` is called before each commit and wherever others are waited for, and raises where another relay
        may be at work.

        Raises:
            Retryable: Kafka is away, or the relay is to end or was replaced; what has no verdict is sent again. Of that
                the last transaction may have been committed, if nobody could tell.
        """
        self._problems.clear()
        self._refuse_topics(rows, verdicts)
        # What failed before does not take others with it.
        self._in_parts(rows, {row.id for row in rows if row.attempts}, _Round(verdicts, still_alone))

    def _refuse_topics(self, rows: Sequence[Waiting], verdicts: Verdicts) -> None:
        """Kafka's client would wait for such a topic, and all else behind it."""
        asked = {f"{self._prefix}{row.topic}" for row in rows} - self._topics
        refused = self._refusals(asked) if asked else {}
        self._topics |= asked - refused.keys()
        for row in rows:
            if (reason := refused.get(f"{self._prefix}{row.topic}")) and verdicts.is_open(row):
                verdicts.fail_topic(row, reason)

    def _in_parts(self, rows: Sequence[Waiting], alone: Collection[int], this: _Round) -> None:
        """In order: each of ``alone`` in a transaction of its own, what stands between them in one."""
        for is_alone, part in groupby(filter(this.verdicts.is_open, rows), lambda row: row.id in alone):
            if is_alone:
                for row in part:
                    self._alone(row, this)
            else:
                self._together(list(part), this)

    def _together(self, rows: Sequence[Waiting], this: _Round) -> None:
        everyone = {row.id for row in rows}
        if this.failed >= TRANSACTIONS:
            self._in_parts(rows, everyone, this)
            return
        transaction, failure = self._transact(rows, self._batch_seconds, this)
        if failure is not None:
            log.info("outbox: some messages go alone: %s", failure)
            this.failed += 1
            self._topics.clear()
            self._refuse_topics(rows, this.verdicts)
            self._in_parts(rows, set(transaction.refused) or everyone - transaction.delivered or everyone, this)

    def _alone(self, row: Waiting, this: _Round) -> None:
        if reason := this.spared(row):
            this.verdicts.fail(row, reason)
            return
        _, failure = self._transact([row], self._alone_seconds, this)
        if failure is None:
            return
        self._topics.clear()
        if failure.is_of_topic:
            this.verdicts.fail_topic(row, str(failure))
            return
        reason = str(failure)
        if failure.is_silent:
            # Raises where all of Kafka is away, and not only what this message needs.
            self._refuse_topics([row], this.verdicts)
            reason = f"Kafka did not acknowledge it within {self._alone_seconds:.0f} s"
        if this.verdicts.is_open(row):
            this.fail(row, reason, is_silent=failure.is_silent)

    def _transact(
        self, rows: Sequence[Waiting], seconds: float, this: _Round
    ) -> tuple[Transaction, FailedError | None]:
        """One transaction, and why it came to nothing. What cannot even be handed over fails by itself."""
        transaction = Transaction(seconds, this.still_alone)
        this.still_alone()
        ready = self._ready(rows, this)
        if not ready:
            return transaction, None
        queued: list[Waiting] = []
        try:
            with self._transactions.begin(transaction):
                for row, message in ready:
                    if this.verdicts.is_open(row) and self._put(transaction, row, message, this):
                        queued.append(row)
                self._transactions.settle(transaction)
                this.still_alone()
                self._transactions.commit(transaction)
        except FailedError as failure:
            return transaction, failure
        for row in queued:
            this.verdicts.acknowledged.add(row.id)
            telemetry.RELAYED.labels(row.topic).inc()
        return transaction, None

    def _ready(self, rows: Sequence[Waiting], this: _Round) -> list[tuple[Waiting, Message]]:
        """As Kafka gets them. The registry is asked before a transaction is open, for which readers would wait."""
        ready = []
        self._ids.clear()
        for row in rows:
            if this.verdicts.is_open(row):
                if self._must_ask((row.record, row.schema_version)):
                    this.still_alone()
                try:
                    value = self._value(row)
                except (Rejected, Retryable) as error:
                    this.verdicts.fail(row, str(error))
                except Exception as error:
                    log.exception(_UNFORESEEN, row.id, row.topic)
                    this.verdicts.fail(row, f"{type(error).__name__}: {error}")
                else:
                    ready.append((row, Message(row.id, f"{self._prefix}{row.topic}", row.key, value, row.headers)))
        return ready

    def _put(self, transaction: Transaction, row: Waiting, message: Message, this: _Round) -> bool:
        try:
            self._transactions.put(transaction, message)
        except (FailedError, Retryable):
            raise
        except KafkaException as error:
            this.verdicts.fail(row, error.args[0].str())
        except Exception as error:
            log.exception(_UNFORESEEN, row.id, row.topic)
            this.verdicts.fail(row, f"{type(error).__name__}: {error}")
        else:
            return True
        return False

    def _value(self, row: Waiting) -> bytes | None:
        if not row.record or row.value is None:
            return row.value
        return frame(self._schema_id(row.record, row.schema_version), row.value)

    def _must_ask(self, schema: _Schema) -> bool:
        return bool(schema[0]) and schema not in self._ids and not self._problem(schema)

    def _problem(self, schema: _Schema) -> Rejected | Retryable | None:
        """Why the registry is not asked again in this batch."""
        return self._problems.get(schema) or self._problems.get(_REGISTRY)

    def _schema_id(self, record: str, version: int | None) -> int:
        """Looked up once for each schema and transaction, and no further in a batch in which the registry was away."""
        schema = (record, version)
        if schema not in self._ids:
            if version is not None and version > (known := len(released(record))):
                raise Rejected(f"This relay knows {known} versions of {record}, not {version}; start a newer one.")
            if problem := self._problem(schema):
                raise problem
            try:
                self._ids[schema] = self._registry.register_version(record, version)
            except Rejected as refused:
                self._problems[schema] = refused
                raise
            except Retryable as away:
                self._problems[_REGISTRY] = away
                raise
        return self._ids[schema]
