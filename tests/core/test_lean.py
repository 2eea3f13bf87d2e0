"""What hardly anybody uses stays out until it is used, and is whole then."""

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

LEAN = "from healmon import lean; lean.begin(); lean.without_openssl()\n"


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


@pytest.mark.slow
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


def test_what_is_rarely_used_is_loaded_when_it_is():
    told = python(
        LEAN + "import sys, inspect, ipaddress\n"
        "import inspect\n"
        "import asyncio, dataclasses, msgspec, shutil, subprocess, pathlib\n"
        "print(sorted({'ast', 'dis', 'typing_extensions'} & set(sys.modules)), end=' ')\n"
        "print(ipaddress.ip_address('::1'), inspect.iscoroutinefunction(asyncio.sleep), end=' ')\n"
        "print('ast' in sys.modules, type(inspect).__name__, msgspec.inspect.type_info(int))"
    )
    assert told.startswith("[] ::1 True True module IntType(")


def test_two_threads_that_ask_at_once_both_get_a_whole_module():
    told = python(
        LEAN + "import sys, threading, time, importlib.machinery as machinery\n"
        "real = machinery.SourceFileLoader.exec_module\n"
        "def slow(self, module):\n"
        "    time.sleep(0.2 * (module.__name__ == 'textwrap')); real(self, module)\n"
        "machinery.SourceFileLoader.exec_module = slow\n"
        "import textwrap\n"
        "found = []\n"
        "def ask():\n    found.append(textwrap.dedent(' a') == 'a')\n"
        "both = [threading.Thread(target=ask) for _ in range(2)]\n"
        "[one.start() for one in both]; [one.join() for one in both]\n"
        "print(found)"
    )
    assert told == "[True, True]"


def test_functions_that_others_take_when_they_begin_are_the_real_ones_when_called():
    told = python(
        LEAN + "import asyncio, pathlib, msgspec, traceback, urllib.parse\n"
        "print(type(traceback).__name__, type(urllib.parse).__name__, end=' ')\n"
        "print(pathlib.Path('/a b').as_uri(), msgspec.json.schema(int)['type'], end=' ')\n"
        "async def slept():\n    await asyncio.sleep(0)\n"
        "asyncio.run(slept(), debug=True)\n"  # a future keeps where it was made
        "print(type(traceback).__name__, type(urllib.parse).__name__)"
    )
    assert told == "_Later _Later file:///a%20b integer module module"


def test_what_a_lazy_module_lacks_is_told_as_of_any_other():
    told = python(
        LEAN + "import bz2\n"
        "print(hasattr(bz2, 'nothing'), hasattr(bz2, '__path__'))\n"
        "try:\n    from bz2 import nothing\nexcept ImportError:\n    print('none')"
    )
    assert told.split() == ["False", "False", "none"]


def test_a_healer_needs_none_of_them():
    told = python(
        LEAN + "import sys; from healmon.service import foreground, signals\n"
        "foreground._hosts()\n"
        "left = {'ast', 'dis', 'typing_extensions', 'ssl', 'decimal', 'uuid', 'platform'}\n"
        "print(left & set(sys.modules))"
    )
    assert told == "set()"


def test_types_that_nobody_sends_are_real_for_whoever_asks_and_messages_are_as_ever():
    told = python(
        LEAN + "import msgspec, decimal, uuid\n"
        "class Told(msgspec.Struct):\n    number: float\n    text: str | None = None\n"
        "print(decimal.Decimal('1.10'), uuid.UUID(int=1).version, end=' ')\n"
        "print(msgspec.json.encode(Told(1.5)).decode(), end=' ')\n"
        "print(msgspec.convert({'number': 2}, Told).number, msgspec.json.schema(Told)['$ref'])"
    )
    assert told == '1.10 None {"number":1.5,"text":null} 2.0 #/$defs/Told'


@pytest.mark.slow
def test_a_connection_over_tls_works_after_it_was_put_off(tmp_path) -> None:
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key),
         "-out", str(cert), "-days", "2", "-subj", "/CN=localhost"],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    server = (
        "import asyncio, ssl, sys\n"
        "async def serve(r, w):\n"
        "    await r.readuntil(b'\\r\\n\\r\\n')\n"
        "    w.write(b'HTTP/1.1 204 No\\r\\n\\r\\n'); await w.drain(); w.close()\n"
        "async def main():\n"
        "    c = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)\n"
        "    c.load_cert_chain(sys.argv[1], sys.argv[2])\n"
        "    s = await asyncio.start_server(serve, '127.0.0.1', 0, ssl=c)\n"
        "    print(s.sockets[0].getsockname()[1], flush=True)\n"
        "    await s.serve_forever()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", server, str(cert), str(key)], stdout=subprocess.PIPE, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            url = f"https://127.0.0.1:{serving.stdout.readline().strip()}/"
            ask = (
                LEAN + "import asyncio\n"
                "from healmon.world.httpget import status_of\n"
                "from healmon.errors import ProbeError\n"
                f"print(asyncio.run(status_of({url!r}, 20)))\n"
                f"print(asyncio.run(status_of({url!r}, 20)))\n"
                "try:\n"
                f"    asyncio.run(status_of({url!r}, 20, verified=True))\n"
                "except ProbeError as error:\n"
                "    print('refused' if 'certificate' in str(error).lower() else error)\n"
            )
            assert python(ask).split() == ["204", "204", "refused"]
        finally:
            serving.kill()
