/* A worker that does nothing: worker FIFO NAME [PIDFILE]
 *
 * Says "NAME PID NANOSECONDS\n" on the FIFO (CLOCK_MONOTONIC, when it is ready) and sleeps for ever.
 * With PIDFILE it puts itself into the background and writes its pid there, for supervisors that
 * want that. It ends by itself when nobody holds the FIFO for reading any more: whatever becomes of
 * the benchmark, no worker stays.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int put(const char *path, int flags, const char *text, int length)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    if (fd < 0 || write(fd, text, length) != length)
        return -1;
    return fd;
}

int main(int argc, char **argv)
{
    char text[256];
    struct timespec now;

    if (argc < 3)
        return 64;
    if (argc > 3) {
        if (fork() > 0)
            _exit(0);
        setsid();
        int length = snprintf(text, sizeof text, "%d\n", getpid());
        int file = put(argv[3], O_CREAT | O_TRUNC, text, length);
        if (file < 0)
            return 73;
        close(file);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    int length = snprintf(text, sizeof text, "%.100s %d %lld\n", argv[2], getpid(),
                          now.tv_sec * 1000000000LL + now.tv_nsec);
    struct pollfd gone = {.fd = put(argv[1], O_NONBLOCK, text, length)};
    if (gone.fd < 0)
        return 74;
    while (poll(&gone, 1, -1) <= 0)
        ;
    return 75;
}
