/* The same system calls for each file, and nothing else: what no program gets below.
 *
 *   calls unlink DIR      unlink, by the type that the listing tells
 *   calls stat DIR        stat, unlink
 *   calls protected DIR   open, lease, stat, rename over the last one, stat, lease asked again, close
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH = 32 };

static int aside, held[BATCH], many;
static char slot[BATCH][32];
static const char *how;

static void check(int failed, const char *what) {
    if (failed) {
        perror(what);
        exit(1);
    }
}

static void settle(void) {
    struct stat st;
    for (int n = 0; n < many; n++) {
        check(fstatat(aside, slot[n], &st, AT_SYMLINK_NOFOLLOW), "fstatat");
        check(fcntl(held[n], F_GETLEASE) != F_WRLCK, "F_GETLEASE");
        close(held[n]);
    }
    many = 0;
}

static void take(int directory, const char *name) {
    struct stat st;
    if (strcmp(how, "protected")) {
        if (!strcmp(how, "stat"))
            check(fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW), "fstatat");
        check(unlinkat(directory, name, 0), "unlinkat");
        return;
    }
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    check(fd < 0, "openat");
    check(fcntl(fd, F_SETSIG, SIGURG), "F_SETSIG");
    check(fcntl(fd, F_SETLEASE, F_WRLCK), "F_SETLEASE");
    check(fstat(fd, &st), "fstat");
    check(renameat(directory, name, aside, slot[many]), "renameat");
    held[many++] = fd;
    if (many == BATCH)
        settle();
}

static void pass(int directory) {
    DIR *listing = fdopendir(directory);
    struct dirent *one;
    check(!listing, "fdopendir");
    while ((one = readdir(listing))) {
        if (one->d_name[0] == '.')
            continue;
        if (one->d_type == DT_DIR) {
            int below = openat(directory, one->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            check(below < 0, "openat");
            pass(below);
        } else {
            take(directory, one->d_name);
        }
    }
    settle();
    closedir(listing);
}

int main(int count, char **words) {
    if (count != 3)
        return 64;
    how = words[1];
    int root = open(words[2], O_RDONLY | O_DIRECTORY);
    check(root < 0, words[2]);
    if (!strcmp(how, "protected")) {
        check(mkdirat(root, ".aside", 0700), "mkdirat");
        aside = openat(root, ".aside", O_RDONLY | O_DIRECTORY);
    }
    for (int n = 0; n < BATCH; n++)
        snprintf(slot[n], sizeof slot[n], "d.0123456789abcdef.%d", n);
    pass(root);
    return 0;
}
