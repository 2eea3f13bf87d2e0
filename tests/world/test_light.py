"""OpenSSL stays out until it is needed, and is whole then."""

from __future__ import annotations

import subprocess
import sys

import pytest


def said(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LIGHT = "from healmon.world import light; light.without_openssl(); import sys, asyncio, hashlib;"


def test_asyncio_and_digests_work_without_openssl() -> None:
    out = said(
        LIGHT + "asyncio.run(asyncio.sleep(0));"
        "print(hashlib.sha256(b'x').hexdigest()[:8], hashlib.md5(b'x').hexdigest()[:8],"
        " sorted({'ssl', '_ssl', '_hashlib'} & {*sys.modules}))"
    )
    assert out == "2d711642 9dd4e461 []"


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
                LIGHT + "from healmon.world.httpget import status_of\n"
                "from healmon.errors import ProbeError\n"
                f"print(asyncio.run(status_of({url!r}, 20)))\n"
                f"print(asyncio.run(status_of({url!r}, 20)))\n"
                "try:\n"
                f"    asyncio.run(status_of({url!r}, 20, verified=True))\n"
                "except ProbeError as error:\n"
                "    print('refused' if 'certificate' in str(error).lower() else error)\n"
            )
            assert said(ask).split() == ["204", "204", "refused"]
        finally:
            serving.kill()
