"""Messages as another client may write them: ours in Python takes no header whose name is not a text."""

import ctypes
from pathlib import Path

import confluent_kafka
from django.conf import settings

from tests.spine import Spine

# Kinds of arguments of librdkafka's `produceva`.
_TOPIC, _PARTITION, _VALUE, _KEY, _HEADER = 1, 3, 4, 5, 9
_PATIENCE_MS = 20_000


class _Bytes(ctypes.Structure):
    _fields_ = (("at", ctypes.c_char_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("value", ctypes.c_char_p), ("size", ctypes.c_ssize_t))


class _Either(ctypes.Union):
    _fields_ = (("text", ctypes.c_char_p), ("number", ctypes.c_int32), ("bytes", _Bytes), ("header", _Header),
                ("room", ctypes.c_char * 64))  # fmt: skip


class _Argument(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int), ("of", _Either))


def send_foreign(spine: Spine, topic: str, value: bytes, *, header: bytes, key: bytes = b"k") -> None:
    """One message to partition 0, with a header of this name."""
    (path,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka*")
    kafka = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_produceva"):
        getattr(kafka, name).restype = ctypes.c_void_p
    said = ctypes.create_string_buffer(512)
    told = ctypes.c_void_p(kafka.rd_kafka_conf_new())
    kafka.rd_kafka_conf_set(told, b"bootstrap.servers", str(settings.KAFKA["bootstrap.servers"]).encode(), said, 512)
    producer = ctypes.c_void_p(kafka.rd_kafka_new(0, told, said, 512))
    arguments = (_Argument * 5)(
        _Argument(_TOPIC, _Either(text=f"{spine.prefix}{topic}".encode())),
        _Argument(_PARTITION, _Either(number=0)),
        _Argument(_VALUE, _Either(bytes=_Bytes(value, len(value)))),
        _Argument(_KEY, _Either(bytes=_Bytes(key, len(key)))),
        _Argument(_HEADER, _Either(header=_Header(header, b"x", 1))),
    )
    assert not kafka.rd_kafka_produceva(producer, arguments, ctypes.c_size_t(5))
    assert kafka.rd_kafka_flush(producer, _PATIENCE_MS) == 0
    kafka.rd_kafka_destroy(producer)
