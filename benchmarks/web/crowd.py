"""Pages that look on, and a scraper: `python -m benchmarks.web.crowd PORT TOKEN VIEWERS SCRAPES`.

Prints `ready` once all are served; at the end of its standard input what they got, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time


class Got:
    """What came in."""

    states = 0
    bytes = 0
    scrapes = 0
    slowest = 0.0
    failed = 0


async def _open(
    port: int, path: str, token: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode())
    return reader, writer


async def viewer(port: int, token: str, got: Got, served: asyncio.Semaphore) -> None:
    reader, _ = await _open(port, "/api/v1/stream", token)
    first = True
    while line := await reader.readline():
        got.bytes += len(line)
        if line.startswith(b"event: state"):
            got.states += 1
            if first:
                served.release()
                first = False
    got.failed += 1


async def scraper(port: int, token: str, got: Got, every: float) -> None:
    while True:
        began = time.monotonic()
        reader, writer = await _open(port, "/metrics", token)
        status = await reader.readline()
        got.failed += b" 200 " not in status
        length = 0
        while (line := await reader.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split()[1])
        await reader.readexactly(length)
        writer.close()
        got.scrapes += 1
        took = time.monotonic() - began
        got.slowest = max(got.slowest, took)
        await asyncio.sleep(max(0.0, every - took))


async def main(port: int, token: str, viewers: int, scrapes: float) -> None:
    got, served = Got(), asyncio.Semaphore(0)
    tasks = [asyncio.create_task(viewer(port, token, got, served)) for _ in range(viewers)]
    for _ in range(viewers):
        await served.acquire()
    if scrapes:
        tasks.append(asyncio.create_task(scraper(port, token, got, 1 / scrapes)))
    print("ready", flush=True)
    began = time.monotonic()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    told = {
        name: getattr(got, name) for name in ("states", "bytes", "scrapes", "slowest", "failed")
    }
    print(json.dumps({**told, "seconds": time.monotonic() - began}), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    words = sys.argv[1:]
    asyncio.run(main(int(words[0]), words[1], int(words[2]), float(words[3])))
