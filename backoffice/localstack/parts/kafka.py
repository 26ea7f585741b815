"""Apache Kafka in KRaft mode: broker and controller in one process."""

import shutil
import subprocess
import uuid

from .. import downloads, ports
from ..errors import StackError
from ..layout import cache_folder
from .base import Server, fresh_folder, java, java_environ

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
group.consumer.heartbeat.interval.ms=1000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.session.timeout.ms=6000
group.consumer.min.session.timeout.ms=3000
"""
STARTED = b"Kafka Server started"


class Kafka(Server):
    name = "kafka"

    def fetch(self) -> None:
        downloads.fetch(downloads.KAFKA_LOCK, cache_folder())

    def prepare(self) -> None:
        """The configuration, and once the formatted log folder.

        Its paths are relative to the part's folder: Java's property files are not UTF-8 and cannot hold every path.
        """
        fresh_folder(self.folder / "tmp")
        text = PROPERTIES.format(broker=self.port, controller=self.ports["controller"])
        (self.folder / "server.properties").write_text(text)
        self._log_end = self.layout.log(self.name).stat().st_size if self.layout.log(self.name).exists() else 0
        if not (self.folder / "formatted").exists():
            self._format()

    def _format(self) -> None:
        shutil.rmtree(self.folder / "logs", ignore_errors=True)
        tool = self._java("kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()), "-c", "server.properties")
        done = subprocess.run(tool, cwd=self.folder, env=self.environ(), capture_output=True, text=True, check=False)
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
        logging = f"-Dlog4j2.configurationFile={(downloads.HERE / 'log4j2.properties').as_uri()}"
        return [java(), *heap, *options, logging, "-cp", ":".join(map(str, jars)), main, *words]

    def environ(self) -> dict[str, str]:
        return java_environ()

    def healthy(self) -> bool:
        """The broker listens long before it serves; that it serves stands in its log."""
        with self.layout.log(self.name).open("rb") as log:
            log.seek(self._log_end)
            started = STARTED in log.read(1 << 20)
        return started and ports.answers(self.port)
