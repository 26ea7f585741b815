"""Requests to a web process, many at once, of clients that wait or hang up."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from backoffice.localstack.ports import LOOPBACK


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


async def ask(port: int, path: str, headers: Mapping[str, str], form: str = "") -> Answer:
    """A GET, or a POST where there is a form."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(_written(path, headers, form))
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    finally:
        writer.close()
    first, *lines = head.split("\r\n")
    told = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), told, body)


async def ask_and_leave(port: int, path: str, headers: Mapping[str, str]) -> None:
    _, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(_written(path, headers, ""))
    await writer.drain()
    writer.close()


def _written(path: str, headers: Mapping[str, str], form: str) -> bytes:
    told = {"Host": LOOPBACK, "Connection": "close", **headers}
    if form:
        told |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(form))}
    lines = [f"{'POST' if form else 'GET'} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", form]).encode()
