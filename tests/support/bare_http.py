"""A server over HTTP inside the test, of which every answer is written by hand."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TOOLS = [{"name": "echo", "inputSchema": {"type": "object"}}]


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: dict[str, Any]

    @property
    def asks(self) -> str:
        """The method of the protocol that it calls."""
        return str(self.body.get("method", ""))


Answer = Callable[[Request], bytes | None]
"""Writes the answer to a request; None holds it back for ever."""


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer in HTTP; `_` in names of headers stands for `-`."""
    lines = [f"HTTP/1.1 {status} Fine", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def result(request: Request, value: object, **headers: str) -> bytes:
    """Return the answer to a request of the protocol."""
    body = {"jsonrpc": "2.0", "id": request.body["id"], "result": value}
    return answer(200, json.dumps(body).encode(), Content_Type="application/json", **headers)


def handshake(request: Request, *, session: str = "s-1") -> bytes:
    """Answer as a server of the handshake era that has one tool."""
    if request.method != "POST":
        return answer(405)
    if request.asks == "initialize":
        found = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "bare", "version": "1"},
        }
        return result(request, found, Mcp_Session_Id=session)
    if request.asks == "tools/list":
        return result(request, {"tools": TOOLS})
    if request.asks == "ping":
        return result(request, {})
    if request.asks == "tools/call":
        return result(request, {"content": [{"type": "text", "text": "bare"}]})
    return answer(202) if "id" not in request.body else answer(400)


class BareServer:
    """Listens on a free port of this machine."""

    def __init__(self, answers: Answer) -> None:
        self.answers = answers
        self.requests: list[Request] = []
        self.writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def was_asked(self, method: str) -> bool:
        """Whether a request for this method of the protocol has come."""
        return any(request.asks == method for request in self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await _read(reader)
                self.requests.append(request)
                text = self.answers(request)
                if text is not None:
                    writer.write(text)
                    await writer.drain()
        self.writers.discard(writer)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split()
    pairs = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(body) if body else {})


def self_signed(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate for 127.0.0.1 that nobody vouches for, and what serves with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    certificate, secret = directory / "cert.pem", directory / "key.pem"
    certificate.write_bytes(made.public_bytes(encoding))
    secret.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    return certificate, context


@asynccontextmanager
async def bare_server(
    answers: Answer, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[BareServer]:
    """Give a server that answers so, and close it with its connections."""
    bare = BareServer(answers)
    server = await asyncio.start_server(bare.serve, "127.0.0.1", 0, ssl=tls)
    bare.port = server.sockets[0].getsockname()[1]
    try:
        yield bare
    finally:
        server.close()
        for writer in tuple(bare.writers):
            writer.transport.abort()
        await asyncio.sleep(0)
