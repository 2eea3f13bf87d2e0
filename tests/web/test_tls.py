"""TLS of one's own: nothing is spoken in the clear; what is wrong with a certificate is told."""

from __future__ import annotations

import datetime as dt
import http.client
import socket
import ssl
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from healmon.config.facesettings import Web
from healmon.errors import ConfigError
from healmon.web import running
from tests.helpers.wait import until
from tests.helpers.webstage import Served


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Paths of a certificate for this host, and of its key."""
    return made_in(tmp_path_factory.mktemp("tls"))


def made_in(folder):
    """Make a certificate and its key; returns their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return str(folder / "cert.pem"), str(folder / "key.pem")


def test_it_speaks_tls_and_nothing_else(tmp_path, pair):
    cert, key = pair
    settings = Web(cert=cert, key=key)
    assert running.tls_of(settings).minimum_version >= ssl.TLSVersion.TLSv1_2
    served = Served(tmp_path, settings)
    try:
        assert served.serving.url.startswith("https://")
        context = ssl.create_default_context(cafile=cert)
        connection = http.client.HTTPSConnection("localhost", served.port, context=context)
        with closing(connection):
            body = '{"token": "' + served.token() + '"}'
            origin = f"https://localhost:{served.port}"
            told = {"Content-Type": "application/json", "Origin": origin}
            connection.request("POST", "/login", body, told)
            reply = connection.getresponse()
            assert reply.status == 200
            assert "; Secure" in reply.headers["Set-Cookie"]
            assert reply.headers["Set-Cookie"].startswith("__Host-")
            reply.read()
        with socket.create_connection(("127.0.0.1", served.port)) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            plain.settimeout(60)
            assert b"200" not in plain.recv(1000)
        until(lambda: served.connections() == 0)
    finally:
        served.close()


def test_a_renewed_certificate_is_shown_and_half_of_one_is_not(tmp_path, caplog):
    folder, fresh = tmp_path / "tls", tmp_path / "fresh"
    for one in (folder, fresh):
        one.mkdir()
    cert, key = made_in(folder)
    made_in(fresh)
    served = Served(tmp_path / "state", Web(cert=cert, key=key))

    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", served.port), timeout=60).strip()

    async def renew() -> None:
        served.serving.certificate.renew()

    try:
        old, new = (Path(p).read_text().strip() for p in (cert, fresh / "cert.pem"))
        assert shown() == old
        (fresh / "cert.pem").replace(cert)
        served.run(renew())
        assert "the certificate before stays in force" in caplog.text
        assert shown() == old
        (fresh / "key.pem").replace(key)
        served.run(renew())
        assert shown() == new
    finally:
        served.close()


def test_what_is_no_certificate_is_told(tmp_path, pair):
    (tmp_path / "nonsense.pem").write_text("nonsense")
    for cert in (str(tmp_path / "none.pem"), str(tmp_path / "nonsense.pem")):
        with pytest.raises(ConfigError, match=r"web\.cert and web\.key cannot be used"):
            Served(tmp_path / "state", Web(cert=cert, key=pair[1]))
