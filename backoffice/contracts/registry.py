"""The schema registry: ids of our schemas, and the schemas of ids that arrive."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
V = TypeVar("V")
N = TypeVar("N", int, str)

TIMEOUT = 5.0
# So long a registry that did not answer is left alone where what it said before is known.
REST_SECONDS = 30.0
# So long what it said of an id is believed before it is asked again.
BELIEVED_SECONDS = 60.0
# Ids are positive and fit into the 32 bits with a sign in which registries keep them; a frame has room for more.
LAST_ID = 2**31 - 1
_REFUSALS = {409: "incompatible", 422: "no valid Avro"}
# With these a server may refuse one id, or be no registry at all; what else it answers tells which.
_OF_ONE_ID = frozenset({400, 404, 409, 422})
# What the client fails with where an answer is none of a registry.
_NONSENSE = (ValueError, TypeError, KeyError, AttributeError)
_FULL_TRANSITIVE = ServerConfig(compatibility=ConfigCompatibilityLevel.FULL_TRANSITIVE)


@dataclass(frozen=True)
class Refused:
    """What is not believed, and why."""

    why: str


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
    """Registers our records and looks up ids. What the registry says of one is believed for a while, and asked again
    when it is used after that: one question for each id and ``believed`` seconds.

    A registry that was made anew gives old ids to other schemas, and messages of before would be read wrong; so it is
    held against what it said before, to this process and, by what is ``known``, to any other. While it is away that is
    good enough. It does not try again by itself: the caller knows how long it may wait.
    """

    def __init__(
        self,
        url: str,
        prefix: str = "",
        timeout: float = TIMEOUT,
        known: Known | None = None,
        believed: float = BELIEVED_SECONDS,
    ) -> None:
        found = address(url)
        self._known = known
        self._believed = believed
        self._due: dict[int | str, float] = {}
        self._rests_until = 0.0
        self._name = found.name
        self._prefix = prefix
        self._client = _client(found, timeout)
        # Each with what the registry said at last, or why that is refused.
        self._ids: dict[str, int | Refused] = {}
        self._writers: dict[int, Writer | Refused] = {}

    def subject(self, record: str) -> str:
        return f"{self._prefix}{topic_of(record)}-{NAMESPACE}.{record}"

    def register(self, record: str) -> int:
        """The id of the record's current schema.

        Raises:
            Rejected: the schema is not compatible with those registered before, or its id is not what it was before.
            Retryable: the registry is away.
        """
        return self.register_version(record, None)

    def register_version(self, record: str, version: int | None) -> int:
        """The id of a released version of the record, counted from 1; without a number that of the current schema.

        Raises:
            Rejected, Retryable: as for ``register``.
        """
        name = record if version is None else f"{record}.{version}"
        found = self._answer(name, self._ids, lambda: self._registered(name, record, version))
        if isinstance(found, Refused):
            raise Rejected(found.why)
        return found

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
                self._ids[record] = self._kept(self._register(subject, text), text, subject)
            self._believe(record)

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
            Poison: it is no id; or the registry is there and knows no such schema, or another one than before, or what
                it knows is no Avro record.
            Retryable: the registry is away and the id is not known.
        """
        if not 0 < schema_id <= LAST_ID:
            raise Poison(f"schema id {schema_id} is none that a registry gives; they go from 1 to {LAST_ID}")
        found = self._answer(schema_id, self._writers, lambda: self._writer(schema_id))
        if isinstance(found, Refused):
            raise Poison(found.why)
        return found

    def reach(self) -> None:
        """
        Raises:
            Retryable: the registry is away.
        """
        if not isinstance(self._ask(lambda: self._client.get_subjects(offset=0, limit=1)), list):
            raise Retryable(f"{self._no_registry()}.")

    def _writer(self, schema_id: int) -> Writer | Refused:
        before = self._writers.get(schema_id)
        found = self._ask_or_rest(schema_id, lambda: self._said(schema_id), lambda: self._known_writer(schema_id))
        if found is None:
            raise Poison(f"unknown schema id {schema_id}; its producer has to register its schema first")
        if isinstance(found, Refused) or found is before:
            return found
        text = canonical(found.schema)
        if isinstance(before, Writer) and canonical(before.schema) == text:
            return before
        if not self._is_kept(schema_id, text, None):
            # Asked at each use, so that it is read at once when the registry has its data back.
            self._due.pop(schema_id, None)
            return Refused(self._made_anew(schema_id))
        return found

    def _said(self, schema_id: int, *, is_well: bool = False) -> Writer | Refused | None:
        """What the registry knows under the id.

        A refusal of one id by a registry that answers else is about that id, if it is refused once more: one that just
        comes back may have said it before it was well.
        """
        try:
            found = self._ask(lambda: self._client.get_schema(schema_id))
        except (Retryable, Rejected) as error:
            if not _may_be_of_one_id(error.__cause__):
                raise
            if is_well:
                return None
            self.reach()
            return self._said(schema_id, is_well=True)
        return _read(schema_id, found.schema_str) if found else None

    def _known_writer(self, schema_id: int) -> Writer | Refused | None:
        """What this process was told at last, or else what is known from before."""
        if schema_id in self._writers:
            return self._writers[schema_id]
        text = self._known.schema(self._name, schema_id) if self._known else None
        return None if text is None else _read(schema_id, text)

    def _registered(self, name: str, record: str, version: int | None) -> int | Refused:
        text = schema_text(record) if version is None else canonical(released(record)[version - 1])
        before, subject = self._ids.get(name), self.subject(record)
        try:
            found = self._ask_or_rest(
                name,
                lambda: self._looked_up(subject, text, before),
                lambda: before or self._known_id(subject, text),
            )
            if isinstance(found, Refused) or (found and found == before):
                return found
            return self._kept(found or 0, text, subject)
        except Rejected as refusal:
            self._due.pop(name, None)
            return Refused(str(refusal))

    def _known_id(self, subject: str, text: str) -> int | Refused | None:
        return self._known.schema_id(self._name, subject, text) if self._known else None

    def _looked_up(self, subject: str, text: str, before: int | Refused | None) -> int | Refused | None:
        """The id of the schema. Who has had it before only asks, and registers where it is no more what it was."""
        if isinstance(before, int):
            found = self._ask(lambda: self._client.lookup_schema(subject, Schema(text, "AVRO")))
            if found is not None and found.schema_id == before:
                return before
        return self._register(subject, text)

    def _ask_or_rest(self, what: int | str, question: Callable[[], T], known: Callable[[], T]) -> T:
        """The registry's answer, or what is known while it is away or does not know; None where neither has one."""
        if time.monotonic() < self._rests_until and (before := known()) is not None:
            self._due[what] = self._rests_until
            return before
        try:
            answer = question()
        except Retryable:
            self._rests_until = time.monotonic() + REST_SECONDS
            if (before := known()) is None:
                raise
            self._due[what] = self._rests_until
            return before
        if answer is None and (answer := known()) is None:
            return answer
        self._believe(what)
        return answer

    def _believe(self, what: int | str) -> None:
        self._due[what] = time.monotonic() + self._believed

    def _answer(self, what: N, answers: dict[N, V], ask: Callable[[], V]) -> V:
        """What is believed of it. Others who come while it is asked for go on with what was said before.

        Where nothing was said before, they ask as well: an answer is believed while it is written down, before it is
        entered here.
        """
        now = time.monotonic()
        if what not in answers or now >= self._due.get(what, 0.0):
            if what in answers:
                self._due[what] = now + TIMEOUT
            try:
                answers[what] = ask()
            except BaseException:
                self._due.pop(what, None)
                raise
        return answers[what]

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
        return int(schema_id)

    def _kept(self, schema_id: int, text: str, subject: str) -> int:
        if not self._is_kept(schema_id, text, subject):
            raise Rejected(f"{self._made_anew(schema_id)}.")
        return schema_id

    def _guard(self, subject: str) -> None:
        """Demand FULL_TRANSITIVE of a subject, whether it has a schema already or not."""
        if self._ask(lambda: self._client.set_config(subject, _FULL_TRANSITIVE)) is None:
            raise Retryable(f"The schema registry at {self._name} guards no subjects; correct SCHEMA_REGISTRY_URL.")

    def _ask(self, question: Callable[[], T]) -> T | None:
        """The registry's answer; None when it says that there is no such thing."""
        # Its client would give the same answer for good.
        self._client.clear_caches()  # type: ignore[no-untyped-call]
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
        except _NONSENSE as error:
            raise Retryable(f"{self._no_registry()} ({type(error).__name__} in what it said).") from error

    def _no_registry(self) -> str:
        return f"What answers at {self._name} is no schema registry; correct SCHEMA_REGISTRY_URL"

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


def _read(schema_id: int, text: str | None) -> Writer | Refused:
    try:
        return writer_of(schema_id, text)
    except Poison as poison:
        return Refused(str(poison))


def _is_unknown(error: SchemaRegistryError) -> bool:
    """A registry's 404 has a code of its own (40401 …); any other web server's has none and says nothing."""
    code = error.error_code
    return error.http_status_code == 404 and isinstance(code, int) and 40400 <= code < 40500


def _may_be_of_one_id(cause: BaseException | None) -> bool:
    if isinstance(cause, SchemaRegistryError):
        return cause.http_status_code in _OF_ONE_ID
    return isinstance(cause, _NONSENSE)
