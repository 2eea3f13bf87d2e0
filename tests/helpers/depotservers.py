"""Real servers that keep backups: an S3 one and an SFTP one; and a line to them that can fail."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.helpers.freeport import free_port
from tests.helpers.wait import until

KEYS = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "open-sesame",
    "AWS_REGION": "us-east-1",
}
BUCKET = "bucket"
JUICEFS = Path(sys.executable).parent / "juicefs"


class S3Server:
    """MinIO's S3 server as JuiceFS ships it, on files in a directory."""

    def __init__(self, home: Path, *, readonly: bool = False) -> None:
        self.home = home
        self.port = free_port()
        self._readonly = readonly
        self._meta = f"sqlite3://{home}/meta.db"
        if not (home / "meta.db").exists():
            home.mkdir(exist_ok=True)
            self._run("format", "--no-update", "--storage", "file", "--bucket", f"{home}/blobs/",
                      self._meta, BUCKET)  # fmt: skip
        self._start()

    def _env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home),
            "MINIO_ROOT_USER": KEYS["AWS_ACCESS_KEY_ID"],
            "MINIO_ROOT_PASSWORD": KEYS["AWS_SECRET_ACCESS_KEY"],
        }  # fmt: skip

    def _run(self, *words: str) -> None:
        subprocess.run([JUICEFS, *words], env=self._env(), check=True, capture_output=True)

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [JUICEFS, "gateway", "--no-usage-report", "--no-banner", "--keep-etag", "--no-bgjob",
             "--metrics", f"127.0.0.1:{free_port()}", "--cache-dir", f"{self.home}/cache",
             "--log", f"{self.home}/log", *(["--read-only"] if self._readonly else []),
             self._meta, f"127.0.0.1:{self.port}"],
            env=self._env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._lives, 60)

    def _lives(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/minio/health/live"):
                return True
        except OSError:
            assert self._process.poll() is None, (self.home / "log").read_text()
            return False

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Line:
    """Carries bytes to a server and back, and does to them what a test says.

    `hook` is asked at each request's first line; it answers "" (carry it), "cut" (end the
    connection now), "hold" (carry it after `release`), "flip" (spoil the body that is sent),
    "spoil" (spoil the body of the answer), "mute" (carry it, and no answer), "half" (end the
    connection after some of the body).
    """

    def __init__(self, port: int) -> None:
        self.requests: list[str] = []
        self.hook: Callable[[str], str] = lambda line: ""
        self.down = False
        self.held = threading.Event()
        self.release = threading.Event()
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._talks: list[_Talk] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def count(self, verb: str) -> int:
        return sum(line.startswith(f"{verb} ") for line in self.requests)

    def close(self) -> None:
        self.release.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for talk in self._talks:
            talk.end()
        for thread in self._threads:
            thread.join(20)
        for one in (self._listener, *(end for talk in self._talks for end in talk.ends)):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.down:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                client.close()
                continue
            talk = _Talk(self, client, server)
            for carry in (talk.there, talk.back):
                self._threads.append(threading.Thread(target=carry, daemon=True))
                self._threads[-1].start()
            self._talks.append(talk)


class _Talk:
    def __init__(self, line: Line, client: socket.socket, server: socket.socket) -> None:
        self._line, self._client, self._server = line, client, server
        self.ends = client, server
        self._way = ""
        self._sent = 0

    def there(self) -> None:
        try:
            while data := self._client.recv(1 << 16):
                self._note(data)
                if self._way == "cut" or (self._way == "half" and self._sent > 1 << 20):
                    break
                if self._way == "hold":
                    self._line.held.set()
                    self._line.release.wait(60)
                    self._way = ""
                head, gap, body = data.partition(b"\r\n\r\n")
                if self._way == "flip" and gap and body:
                    data = head + gap + bytes([body[0] ^ 1]) + body[1:]
                elif self._way == "flip" and not gap:
                    data = bytes([data[0] ^ 1]) + data[1:]
                    self._way = ""
                self._sent += len(data)
                self._server.sendall(data)
        except OSError:
            pass
        self.end()

    def _note(self, data: bytes) -> None:
        if data.split(b" ", 1)[0] in {b"GET", b"PUT", b"HEAD", b"POST", b"DELETE"}:
            first = data.partition(b"\r\n")[0].decode("latin-1")
            self._line.requests.append(first)
            self._way, self._sent = self._line.hook(first), 0

    def back(self) -> None:
        try:
            while data := self._server.recv(1 << 16):
                if self._way == "mute":
                    self._line.held.set()
                    continue
                head, gap, body = data.partition(b"\r\n\r\n")
                if self._way == "spoil" and gap and body:
                    data = head + gap + bytes([body[0] ^ 1]) + body[1:]
                    self._way = ""
                elif self._way == "spoil" and not gap:
                    data = bytes([data[0] ^ 1]) + data[1:]
                    self._way = ""
                self._client.sendall(data)
        except OSError:
            pass
        self.end()

    def end(self) -> None:
        for one in self.ends:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


SFTP = """
import asyncio, asyncssh, sys
where, port, binary = sys.argv[1:]

class Spoiling(asyncssh.SFTPServer):
    def write(self, file_obj, offset, data):
        return super().write(file_obj, offset, bytes([data[0] ^ 1]) + data[1:])

class Piped(asyncssh.SSHServerSession):
    def connection_made(self, chan):
        self.chan = chan

    def subsystem_requested(self, name):
        return name == "sftp"

    def session_started(self):
        self.up = asyncio.ensure_future(asyncio.create_subprocess_exec(
            binary, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE))
        self.task = asyncio.ensure_future(self.carry())

    async def carry(self):
        command = await self.up
        while data := await command.stdout.read(65536):
            self.chan.write(data)
        self.chan.exit(0)

    def data_received(self, data, kind):
        self.up.add_done_callback(lambda up: up.result().stdin.write(data))

    def eof_received(self):
        self.up.add_done_callback(lambda up: up.result().stdin.close())

    def connection_lost(self, error):
        self.eof_received()

class Server(asyncssh.SSHServer):
    def session_requested(self):
        return Piped()

async def main():
    given = {"sftp_factory": Spoiling if binary == "spoil" else True}
    if "/" in binary:
        given = {"server_factory": Server, "encoding": None}
    await asyncssh.listen("127.0.0.1", int(port), server_host_keys=[where + "/../hostkey"],
        authorized_client_keys=where + "/../authorized", **given)
    print("up", flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""
SERVER = "/usr/lib/openssh/sftp-server"


class SftpServer:
    """OpenSSH's sftp-server behind asyncssh's transport where it is installed, else asyncssh's own.

    In `home` are the key and the known host of who may speak with it.
    """

    def __init__(self, base: Path, *, spoil: bool = False) -> None:
        import asyncssh

        self.port = free_port()
        self.store = base / "store"
        self.home = base / "home"
        self.store.mkdir(exist_ok=True)
        (self.home / ".ssh").mkdir(parents=True, exist_ok=True)
        host, own = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        host.write_private_key(str(base / "hostkey"))
        own.write_private_key(str(self.home / ".ssh" / "id_ed25519"))
        own.write_public_key(str(base / "authorized"))
        told = host.export_public_key().decode().split()
        known = self.home / ".ssh" / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {told[0]} {told[1]}\n")
        how = "spoil" if spoil else SERVER if os.access(SERVER, os.X_OK) else "own"
        self._process = subprocess.Popen(
            [sys.executable, "-c", SFTP, str(self.store), str(self.port), how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"up\n"

    def close(self) -> None:
        self._process.communicate()


class SftpPlace:
    """A directory of a server, and a home of one's own that knows it."""

    def __init__(self, server: SftpServer, name: str, home: Path) -> None:
        self.store = server.store / name
        self.store.mkdir()
        self.home = home
        shutil.copytree(server.home, home)
        self.known = home / ".ssh" / "known_hosts"
        self.url = f"sftp://tester@127.0.0.1:{server.port}{self.store}"
