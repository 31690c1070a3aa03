"""TLS in front of a real store: a certificate authority for one run, and a proxy that has a certificate of it."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BUFFER_BYTES = 64 * 1024


@dataclass(frozen=True)
class Authority:
    """A certificate authority and its only certificate, for a loopback address."""

    ca_file: Path
    certificate_file: Path

    @classmethod
    def create(cls, folder: Path, *, address: str = "127.0.0.1") -> "Authority":
        """Create both in a folder; they are valid for a day."""
        folder.mkdir(parents=True, exist_ok=True)
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"authority in {folder.name}")])
        ca = _builder(issuer, issuer, ca_key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store")])
        certificate = _builder(subject, issuer, key).add_extension(names, critical=False)
        found = cls(folder / "ca.crt", folder / "store.pem")
        found.ca_file.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        found.certificate_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return found


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


@contextmanager
def tls_proxy(authority: Authority, *, host: str, port: int) -> Iterator[int]:
    """Terminate TLS in front of a server; yield the port, at 127.0.0.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate_file)
    started, ports, loop = Event(), list[int](), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to_server = await asyncio.open_connection(host, port)
            await asyncio.wait(
                [asyncio.ensure_future(_copy(reader, to_server[1])), asyncio.ensure_future(_copy(to_server[0], writer))]
            )

        server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        await stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = Thread(target=loop.run_until_complete, args=[serve()], daemon=True)
    thread.start()
    started.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while received := await reader.read(BUFFER_BYTES):
            writer.write(received)
            await writer.drain()
    except (OSError, ssl.SSLError):
        # A client that does not trust the certificate closes the connection.
        return
    finally:
        writer.close()
