"""The schema registry: ids of our schemas, and the schemas of ids that arrive."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaRegistryClient,
    SchemaRegistryError,
    ServerConfig,
)
from confluent_kafka.schema_registry.common._httpx_compat import httpx

from backoffice.contracts.address import Address, address
from backoffice.contracts.catalogue import topic_of
from backoffice.contracts.definitions import NAMESPACE, canonical, released, schema, schema_text
from backoffice.contracts.writers import Writer, writer_of
from backoffice.kernel.errors import Poison, Rejected, Retryable

# The client's HTTP library tells of every single request otherwise.
logging.getLogger(httpx.__name__).setLevel(logging.WARNING)

T = TypeVar("T")
K = TypeVar("K")

TIMEOUT = 5.0
# So long a registry that did not answer is left alone where what it said before is known.
REST_SECONDS = 30.0
_REFUSALS = {409: "incompatible", 422: "no valid Avro"}
_FULL_TRANSITIVE = ServerConfig(compatibility=ConfigCompatibilityLevel.FULL_TRANSITIVE)


class Known(Protocol):
    """What registries said of their ids, written down for the time when they are away. ``registry`` is its address.

    All of it may raise Retryable.
    """

    def schema(self, registry: str, schema_id: int) -> str | None:
        """The schema of an id."""

    def schema_id(self, registry: str, subject: str, schema: str) -> int | None:
        """The id under which a subject has this schema."""

    def keep(self, registry: str, schema_id: int, schema: str, subject: str | None) -> str:
        """Write an answer down, and return the schema that is written down for the id: it is never replaced."""


class Registry:
    """Registers our records and looks up ids; each answer is asked for once and kept.

    It does not try again by itself: the caller knows how long it may wait. While the registry is away, what is
    ``known`` of it is good enough, and is held against what it says when it is back: a registry that was made anew
    gives old ids to other schemas, and messages of before would be read wrong.
    """

    def __init__(self, url: str, prefix: str = "", timeout: float = TIMEOUT, known: Known | None = None) -> None:
        found = address(url)
        self._known = known
        self._unproved: set[int | str] = set()
        self._rests_until = 0.0
        self._name = found.name
        self._prefix = prefix
        self._client = _client(found, timeout)
        self._ids: dict[str, int] = {}
        self._writers: dict[int, Writer] = {}
        self._refused: dict[int, str] = {}

    def subject(self, record: str) -> str:
        return f"{self._prefix}{topic_of(record)}-{NAMESPACE}.{record}"

    def register(self, record: str) -> int:
        """The id of the record's current schema.

        Raises:
            Rejected: the schema is not compatible with those registered before.
            Retryable: the registry is away.
        """
        if record not in self._ids or self._is_due(record):
            self._ids[record] = self._registered(record, self.subject(record), schema_text(record))
        return self._ids[record]

    def register_version(self, record: str, version: int | None) -> int:
        """The id of a released version of the record, counted from 1; without a number that of the current schema.

        Raises:
            Rejected, Retryable: as for ``register``.
        """
        if version is None:
            return self.register(record)
        name = f"{record}.{version}"
        if name not in self._ids or self._is_due(name):
            text = canonical(released(record)[version - 1])
            self._ids[name] = self._registered(name, self.subject(record), text)
        return self._ids[name]

    def ensure(self, records: Iterable[str]) -> None:
        """Register every released version and the current one of each record, under FULL_TRANSITIVE.

        Raises:
            Rejected, Retryable: as for ``register``.
        """
        for record in records:
            subject = self.subject(record)
            # Set before anything is added, so that a subject whose level was lowered by hand takes nothing wrong in.
            self._guard(subject)
            for text in dict.fromkeys(canonical(version) for version in (*released(record), schema(record))):
                self._ids[record] = self._register(subject, text)

    def is_ensured(self, record: str) -> bool:
        """Whether the subject has the record's current schema and demands FULL_TRANSITIVE of the next. The schema's id
        is known from then on.

        Raises:
            Retryable: the registry is away.
        """
        subject, text = self.subject(record), schema_text(record)
        found = self._ask(lambda: self._client.lookup_schema(subject, Schema(text, "AVRO")))
        if found is None or not self._is_kept(int(found.schema_id or 0), text, subject):
            return False
        config = self._ask(lambda: self._client.get_config(subject))
        return config is not None and config.compatibility_level == ConfigCompatibilityLevel.FULL_TRANSITIVE

    def writer(self, schema_id: int) -> Writer:
        """The record and schema that an id stands for.

        Raises:
            Poison: the registry is there and knows no such schema, or another one than before, or what it knows is no
                Avro record.
            Retryable: the registry is away and the id is not known.
        """
        if schema_id in self._refused:
            raise Poison(self._refused[schema_id])
        if schema_id not in self._writers or self._is_due(schema_id):
            self._writers.pop(schema_id, None)
            self._writers[schema_id] = self._writer(schema_id)
        return self._writers[schema_id]

    def reach(self) -> None:
        """
        Raises:
            Retryable: the registry is away.
        """
        self._ask(lambda: self._client.get_subjects(offset=0, limit=1))

    def _writer(self, schema_id: int) -> Writer:
        found = self._ask_or_rest(
            schema_id,
            lambda: self._client.get_schema(schema_id),
            lambda: self._known.schema(self._name, schema_id) if self._known else None,
        )
        if found is None:
            raise Poison(f"unknown schema id {schema_id}; its producer has to register its schema first")
        if isinstance(found, str):
            return self._read(schema_id, found)
        writer = self._read(schema_id, found.schema_str)
        text = canonical(writer.schema)
        if not self._is_kept(schema_id, text, None):
            raise Poison(self._made_anew(schema_id))
        return writer

    def _read(self, schema_id: int, text: str | None) -> Writer:
        """A schema that cannot be read is refused for good; it is not asked for again."""
        try:
            return writer_of(schema_id, text)
        except Poison as poison:
            self._refused[schema_id] = str(poison)
            raise

    def _registered(self, name: str, subject: str, text: str) -> int:
        found = self._ask_or_rest(
            name,
            lambda: self._register(subject, text),
            lambda: self._known.schema_id(self._name, subject, text) if self._known else None,
        )
        return int(found or 0)

    def _ask_or_rest(self, what: int | str, question: Callable[[], T], known: Callable[[], K | None]) -> T | K | None:
        """The registry's answer, or what is known while it is away or does not know; None where neither has one."""
        if time.monotonic() < self._rests_until and (before := known()) is not None:
            self._unproved.add(what)
            return before
        try:
            answer = self._ask(question)
        except Retryable:
            self._rests_until = time.monotonic() + REST_SECONDS
            if (before := known()) is None:
                raise
            self._unproved.add(what)
            return before
        self._unproved.discard(what)
        return known() if answer is None else answer

    def _is_due(self, what: int | str) -> bool:
        """Whether something was taken from what is known, and the registry may be back by now."""
        return what in self._unproved and time.monotonic() >= self._rests_until

    def _is_kept(self, schema_id: int, text: str, subject: str | None) -> bool:
        """Whether that is what the id stands for from now on; it may be known as another one since before."""
        return self._known is None or self._known.keep(self._name, schema_id, text, subject) == text

    def _made_anew(self, schema_id: int) -> str:
        return (
            f"schema id {schema_id} is another schema in the registry at {self._name} than it was before: the registry"
            " was made anew. Give it its data back; where the messages of before are gone as well, let"
            " `manage.py topics --forget-schemas` forget what it said"
        )

    def _register(self, subject: str, text: str) -> int:
        schema_id = self._ask(lambda: self._client.register_schema(subject, Schema(text, "AVRO")))
        if schema_id is None:
            raise Retryable(f"The schema registry at {self._name} takes no schemas; correct SCHEMA_REGISTRY_URL.")
        if not self._is_kept(int(schema_id), text, subject):
            raise Rejected(f"{self._made_anew(schema_id)}.")
        return int(schema_id)

    def _guard(self, subject: str) -> None:
        """Demand FULL_TRANSITIVE of a subject, whether it has a schema already or not."""
        if self._ask(lambda: self._client.set_config(subject, _FULL_TRANSITIVE)) is None:
            raise Retryable(f"The schema registry at {self._name} guards no subjects; correct SCHEMA_REGISTRY_URL.")

    def _ask(self, question: Callable[[], T]) -> T | None:
        """The registry's answer; None when it says that there is no such thing."""
        try:
            return question()
        except SchemaRegistryError as error:
            if _is_unknown(error):
                return None
            raise self._refusal(error) from error
        except httpx.HTTPError as error:
            raise Retryable(
                f"The schema registry at {self._name} does not answer ({type(error).__name__}); "
                "start it or correct SCHEMA_REGISTRY_URL."
            ) from error

    def _refusal(self, error: SchemaRegistryError) -> Rejected | Retryable:
        if error.http_status_code in _REFUSALS:
            why = _REFUSALS[error.http_status_code]
            return Rejected(f"The schema registry refuses the schema as {why}: {error.error_message}")
        told = f"HTTP {error.http_status_code}, {error.error_message or 'without a reason'}"
        return Retryable(
            f"The schema registry at {self._name} fails ({told}); look at it, or correct SCHEMA_REGISTRY_URL."
        )


def _client(found: Address, timeout: float) -> SchemaRegistryClient:
    """A client that asks its server directly, or through the proxy that its address names."""
    # With a proxy named it does not look for one in the environment, where it may fail over what it finds.
    named = {"proxy": found.proxy or found.name}
    client = SchemaRegistryClient({**found.client, **named, "timeout": timeout, "max.retries": 0})
    rest = client._rest_client
    rest.session.close()
    # A proxy of the person's shell is not asked, for loopback least of all; the client has no setting for that.
    rest.session = httpx.Client(
        verify=rest.verify, auth=rest.auth, timeout=timeout, proxy=found.proxy, trust_env=False
    )  # fmt: skip
    return client


def _is_unknown(error: SchemaRegistryError) -> bool:
    """A registry's 404 has a code of its own (40401 …); any other web server's has none and says nothing."""
    return error.http_status_code == 404 and 40400 <= (error.error_code or 0) < 40500
