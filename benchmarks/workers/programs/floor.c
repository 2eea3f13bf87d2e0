/* The physical limit: a supervisor that does nothing but restart. floor COUNT FIFO PROGRAM...
 *
 * COUNT workers w000, w001, ... run as `PROGRAM... FIFO NAME`, each watched through a pidfd; one that
 * ends is reaped and started again at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int loop_fd;
static struct worker {
    char name[16];
    pid_t pid;
    int pidfd;
} *workers;

static void fail(const char *what)
{
    perror(what);
    exit(71);
}

static void start(struct worker *worker, char **argv, int words)
{
    argv[words - 1] = worker->name;
    if ((errno = posix_spawn(&worker->pid, argv[0], NULL, NULL, argv, environ)) != 0)
        fail(argv[0]);
    worker->pidfd = syscall(SYS_pidfd_open, worker->pid, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    if (worker->pidfd < 0 || epoll_ctl(loop_fd, EPOLL_CTL_ADD, worker->pidfd, &event) < 0)
        fail("pidfd");
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 64;
    int count = atoi(argv[1]), words = argc - 1;
    char *command[words + 1];
    for (int i = 3; i < argc; i++)
        command[i - 3] = argv[i];
    command[words - 2] = argv[2];
    command[words] = NULL;
    workers = calloc(count, sizeof *workers);
    loop_fd = epoll_create1(EPOLL_CLOEXEC);
    if (workers == NULL || loop_fd < 0)
        fail("floor");
    for (int i = 0; i < count; i++) {
        snprintf(workers[i].name, sizeof workers[i].name, "w%03d", i);
        start(&workers[i], command, words);
    }
    for (;;) {
        struct epoll_event ready[64];
        int found = epoll_wait(loop_fd, ready, 64, -1);
        for (int i = 0; i < found; i++) {
            struct worker *worker = ready[i].data.ptr;
            if (waitpid(worker->pid, NULL, WNOHANG) != worker->pid)
                continue;
            /* out of the loop before it is closed: a child before its exec still holds a copy */
            epoll_ctl(loop_fd, EPOLL_CTL_DEL, worker->pidfd, NULL);
            close(worker->pidfd);
            start(worker, command, words);
        }
    }
}
