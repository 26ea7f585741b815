"""Apache Kafka in KRaft mode: broker and controller in one process."""

import logging
import re
import shutil
import subprocess
import uuid

from .. import downloads, environment, ports
from ..errors import StackError
from ..layout import cache_folder
from .base import Server, all_given_up, fresh_folder, java
from .harm import harm

# The session and heartbeat lines decide how soon a killed broker, and a killed group member, is replaced.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=logs
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=33554432
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
group.consumer.min.heartbeat.interval.ms=500
group.consumer.session.timeout.ms=4000
group.consumer.min.session.timeout.ms=3000
"""
STARTED = "Kafka Server started"
METADATA = "__cluster_metadata-0"
CUT = re.compile(r"LogLoader partition=(\S+), .*Corruption found in segment \d+, truncating to offset (\d+)")
FORGOTTEN = "marked stray"

log = logging.getLogger(__name__)


class Kafka(Server):
    name = "kafka"
    title = "Kafka"
    listens = ("kafka", "controller")
    harms = (
        harm(r"Malformed line in checkpoint file \[(\S+)\]", r"\1 is torn", "Delete that file; nothing is lost."),
        harm("Unknown meta.properties version number", "its folder was written by another version"),
        harm("node ID not found in logs|meta.properties", "its file logs/meta.properties is torn"),
        harm("FileQuorumStateStore.readStateFromFile", "its file logs/__cluster_metadata-0/quorum-state is torn"),
        harm("UnsupportedVersionException|No MetadataVersion", "its folder was written by a newer version"),
    )

    def giving_up(self) -> str:
        return (
            f"Put {self.folder} back from a copy. Deleting it alone loses all events of its topics, while PostgreSQL"
            f" keeps offsets of a log that is gone: its streams halt then. {all_given_up(self.layout)}"
        )

    def fetch(self) -> None:
        downloads.fetch(downloads.KAFKA_LOCK, cache_folder())

    def prepare(self) -> None:
        """The configuration, and once the formatted log folder.

        Its paths are relative to the part's folder: Java's property files are not UTF-8 and cannot hold every path.
        """
        if (self.folder / "forgetful").exists():
            self._refuse_forgetful()
        fresh_folder(self.folder / "tmp")
        (self.folder / "server.properties").write_text(self.properties())
        self._log_end = self.layout.log(self.name).stat().st_size if self.layout.log(self.name).exists() else 0
        if not (self.folder / "formatted").exists():
            self._format()

    def properties(self) -> str:
        return PROPERTIES.format(broker=self.port, controller=self.ports["controller"])

    def formatting(self) -> list[str]:
        """What the log folder is made with: the cluster's id."""
        return ["-t", str(uuid.uuid4())]

    def _format(self) -> None:
        shutil.rmtree(self.folder / "logs", ignore_errors=True)
        words = ["format", *self.formatting(), "-c", "server.properties"]
        tool = self._java("kafka.tools.StorageTool", *words)
        done = subprocess.run(
            tool, cwd=self.folder, env=environment.for_server(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(
                f"Kafka's folder {self.folder} could not be made: {(done.stderr or done.stdout).strip()[-300:]}"
            )
        (self.folder / "formatted").touch()

    def command(self) -> list[str]:
        return self._java("kafka.Kafka", "server.properties", heap=("-Xms128m", "-Xmx384m"))

    def _java(self, main: str, *words: str, heap: tuple[str, ...] = ("-Xmx128m",)) -> list[str]:
        jars = downloads.fetch(downloads.KAFKA_LOCK, cache_folder())
        options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.io.tmpdir=tmp"]
        log4j = f"-Dlog4j2.configurationFile={(downloads.HERE / 'log4j2.properties').as_uri()}"
        return [java(), *heap, *options, log4j, "-cp", ":".join(map(str, jars)), main, *words]

    def healthy(self) -> bool:
        """The broker listens long before it serves; that it serves stands in its log."""
        return STARTED in self._said() and ports.answers(self.port)

    def finish(self) -> None:
        """Kafka cuts torn files at the first fault and goes on without a word, also without all of its topics.

        Raises:
            StackError: it forgot topics. Their files are still there, and are not left to it to be deleted.
        """
        said = self._said()
        if any(partition == METADATA for partition, _ in CUT.findall(said)) and FORGOTTEN in said:
            (self.folder / "forgetful").touch()
            self._refuse_forgetful()
        for partition, offset in CUT.findall(said):
            if not partition.startswith("__"):
                log.warning(
                    "Kafka found %s torn and cut it at offset %s: what stood behind is lost, and a stream that was"
                    " further halts.", partition, offset,
                )  # fmt: skip

    def _refuse_forgetful(self) -> None:
        raise StackError(
            f"{self.title} cannot run: its list of topics (logs/{METADATA}) was torn, and it went on without topics;"
            f" their files stand in {self.folder / 'logs'} with -stray in their names. {self.giving_up()}"
        )

    def _said(self) -> str:
        """What it wrote since it was started."""
        with self.layout.log(self.name).open("rb") as said:
            said.seek(self._log_end)
            return said.read(1 << 20).decode(errors="replace")
