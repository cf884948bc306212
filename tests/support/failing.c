/* Preloaded into the program under test: makes the Nth write, cut or sync of its ledger's files fail.
 *
 * FAIL_PATH: what such a file's path contains; FAIL_AT: N, from 1; FAIL_ERRNO: the error; FAIL_LASTS: set, and all that
 * follow fail too, as on a full disk; FAIL_MARK: a file that is made when the first one fails. Linux only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long so_far;

static int fails(int fd) {
    const char *path = getenv("FAIL_PATH"), *at = getenv("FAIL_AT"), *mark = getenv("FAIL_MARK");
    char link[64], name[4096];
    if (!path || !at || !mark)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0)
        return 0;
    name[length] = 0;
    if (!strstr(name, path))
        return 0;
    long n = atomic_fetch_add(&so_far, 1) + 1;
    if (n < atol(at) || (n > atol(at) && !getenv("FAIL_LASTS")))
        return 0;
    int made = open(mark, O_CREAT | O_WRONLY, 0600);
    if (made >= 0)
        close(made);
    errno = atoi(getenv("FAIL_ERRNO"));
    return 1;
}

#define FAILING(result, name, parameters, arguments)                        \
    result name parameters {                                                \
        static result(*real) parameters;                                    \
        if (!real)                                                          \
            real = (result(*) parameters)dlsym(RTLD_NEXT, #name);           \
        return fails(fd) ? -1 : real arguments;                             \
    }

FAILING(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
FAILING(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
FAILING(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
FAILING(int, ftruncate, (int fd, off_t size), (fd, size))
FAILING(int, ftruncate64, (int fd, off64_t size), (fd, size))
FAILING(int, fsync, (int fd), (fd))
FAILING(int, fdatasync, (int fd), (fd))
