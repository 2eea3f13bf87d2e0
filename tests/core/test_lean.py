"""OpenSSL stays out until TLS is spoken, and then TLS is spoken all the same."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
import ssl
import subprocess
import sys
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from healmon import lean


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def server(tmp_path):
    """A server that greets over TLS with a certificate of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 204 None\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(20)


def test_no_openssl_is_loaded_and_digests_are_the_same():
    told = python(
        "import sys; from healmon import lean; lean.without_openssl()\n"
        "import asyncio, hashlib\n"
        "print(sorted({'_hashlib', 'ssl'} & set(sys.modules)), asyncio.base_events.ssl,\n"
        "      hashlib.sha256(b'x').hexdigest()[:8], hashlib.blake2b(b'x').hexdigest()[:8])"
    )
    assert told == (
        f"[] None {hashlib.sha256(b'x').hexdigest()[:8]} {hashlib.blake2b(b'x').hexdigest()[:8]}"
    )


def test_tls_is_spoken_when_it_is_needed(server):
    told = python(
        "import sys; from healmon import lean; lean.without_openssl()\n"
        "import asyncio; from healmon.world.httpget import status_of\n"
        "assert 'ssl' not in sys.modules\n"
        f"print(asyncio.run(status_of('https://localhost:{server}/', 20.0)))"
    )
    assert told == "204"


def test_it_does_nothing_where_asyncio_is_there_already():
    import asyncio

    lean.without_openssl()
    assert asyncio.base_events.ssl is not None
