"""The worker of worker.c where there is no C compiler: worker.py FIFO NAME [PIDFILE]."""

import os
import select
import sys
import time


def put(path: str, flags: int, text: str) -> int:
    fd = os.open(path, os.O_WRONLY | flags, 0o600)
    os.write(fd, text.encode())
    return fd


def main(fifo: str, name: str, pid_file: str = "") -> None:
    if pid_file:
        if os.fork() > 0:
            os._exit(0)
        os.setsid()
        os.close(put(pid_file, os.O_CREAT | os.O_TRUNC, f"{os.getpid()}\n"))
    stamp = f"{name} {os.getpid()} {time.monotonic_ns()}\n"
    gone = select.poll()
    gone.register(put(fifo, os.O_NONBLOCK, stamp), 0)
    gone.poll()  # nobody reads the FIFO any more


if __name__ == "__main__":
    main(*sys.argv[1:])
