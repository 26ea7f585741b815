"""Certificates of an authority of our own, and a door that speaks TLS before a server that does not."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
# How libpq asks whether a server speaks TLS.
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@dataclass(frozen=True)
class Pair:
    """``both`` holds key and certificate in one file, as Kafka wants them."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        signed = self._about(self._name, self._key.public_key()).add_extension(basic, critical=True)
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(_pem(signed.sign(self._key, hashes.SHA256())))

    def issue(self, name: str, host: str = HOST) -> Pair:
        """A certificate for a server at this address, or for a client of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        signed = self._about(subject, key.public_key()).add_extension(names, critical=False)
        pair = Pair(*(self._folder / f"{name}{ending}" for ending in (".crt", ".key", ".pem")))
        pair.certificate.write_bytes(_pem(signed.sign(self._key, hashes.SHA256())))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        pair.key.chmod(0o600)
        pair.both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
        return pair

    def context(self, pair: Pair, *, clients_too: bool = False) -> ssl.SSLContext:
        """For a server with this certificate; with ``clients_too`` it demands one of its clients."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        if clients_too:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.certificate)
        return context

    def _about(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@contextmanager
def door(to: tuple[str, int], context: ssl.SSLContext, *, postgres: bool = False) -> Iterator[int]:
    """The port of a door that takes TLS off and hands on what is said; for Postgres it first agrees to speak TLS."""
    with socket.create_server((HOST, 0)) as server:
        threading.Thread(target=_welcome, args=(server, to, context, postgres), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def _welcome(server: socket.socket, to: tuple[str, int], context: ssl.SSLContext, postgres: bool) -> None:
    with suppress(OSError):
        while True:
            visitor, _ = server.accept()
            threading.Thread(target=_lead, args=(visitor, to, context, postgres), daemon=True).start()


def _lead(visitor: socket.socket, to: tuple[str, int], context: ssl.SSLContext, postgres: bool) -> None:
    with visitor, suppress(OSError):
        if postgres:
            if visitor.recv(len(_SSL_REQUEST), socket.MSG_WAITALL) != _SSL_REQUEST:
                return
            visitor.sendall(b"S")
        with context.wrap_socket(visitor, server_side=True) as inside, socket.create_connection(to) as beyond:
            there = threading.Thread(target=_hand_on, args=(inside, beyond), daemon=True)
            there.start()
            _hand_on(beyond, inside)
            there.join()


def _hand_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(1 << 16):
            target.sendall(said)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
