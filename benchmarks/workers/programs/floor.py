"""What bare Python can do: floor.py COUNT FIFO PROGRAM...

The loop of floor.c with `select.epoll`, pidfds and `os.posix_spawn`, and nothing else.
"""

import os
import select
import sys


def main(count: str, fifo: str, *program: str) -> None:
    loop = select.epoll()
    workers: dict[int, tuple[int, str]] = {}

    def start(name: str) -> None:
        pid = os.posix_spawn(program[0], [*program, fifo, name], os.environ)
        pidfd = os.pidfd_open(pid)
        workers[pidfd] = (pid, name)
        loop.register(pidfd, select.EPOLLIN)

    for number in range(int(count)):
        start(f"w{number:03d}")
    while True:
        for pidfd, _ in loop.poll():
            pid, name = workers[pidfd]
            if os.waitpid(pid, os.WNOHANG)[0] != pid:
                continue
            # out of the loop before it is closed: a child before its exec still holds a copy
            loop.unregister(pidfd)
            os.close(pidfd)
            del workers[pidfd]
            start(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
