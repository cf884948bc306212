/* Preloaded into the program under test: makes a fault happen at the Nth call of some kind. Linux
 * only. Environment variables:
 *
 * FAULT_CALLS: kinds of call that count: write, cut, sync, rename (files), send, recv (sockets)
 * FAULT_PATH:  text that an absolute path must contain; sockets and relative paths always count
 * FAULT_AT:    N, the number of the call, from 1
 * FAULT_ACT:   fail (with FAULT_ERRNO), kill (before the call), kill-after, shift (moves the wall
 *              clock by FAULT_SHIFT seconds)
 * FAULT_LASTS: if set, all later calls that count fail too, as on a full disk
 * FAULT_MARK:  path of a file that is created when the fault happens
 * FAULT_TRACE: path of a file that gets a line for each call that counts
 * CLOCK_SHIFT: number of seconds by which the wall clock is wrong from the start */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum act { NOTHING, FAIL, KILL_AFTER };

static atomic_long so_far, shifted;

static int is(const char *name, const char *value) {
    const char *set = getenv(name);
    return set && !strcmp(set, value);
}

static void append(const char *file, const char *line) {
    int fd = syscall(SYS_openat, AT_FDCWD, file, O_CREAT | O_WRONLY | O_APPEND, 0600);
    if (fd >= 0) {
        syscall(SYS_write, fd, line, strlen(line));
        close(fd);
    }
}

static void die(void) {
    kill(getpid(), SIGKILL);
    pause();
}

/* Counts a call, and returns what must happen at it; `path` is NULL for a socket. */
static enum act at(const char *call, const char *path) {
    const char *calls = getenv("FAULT_CALLS"), *part = getenv("FAULT_PATH");
    const char *trace = getenv("FAULT_TRACE"), *when = getenv("FAULT_AT"), *mark = getenv("FAULT_MARK");
    if (!calls || !part || !strstr(calls, call) || (path && *path == '/' && !strstr(path, part)))
        return NOTHING;
    long n = atomic_fetch_add(&so_far, 1) + 1;
    if (trace) {
        char line[4200];
        const char *name = path ? strrchr(path, '/') : NULL;
        snprintf(line, sizeof line, "%s %s\n", call, name ? name + 1 : path ? path : "socket");
        append(trace, line);
    }
    if (!when || n < atol(when) || (n > atol(when) && !getenv("FAULT_LASTS")))
        return NOTHING;
    if (mark)
        append(mark, "");
    if (is("FAULT_ACT", "fail")) {
        errno = atoi(getenv("FAULT_ERRNO"));
        return FAIL;
    }
    if (is("FAULT_ACT", "kill"))
        die();
    if (is("FAULT_ACT", "shift"))
        atomic_store(&shifted, atol(getenv("FAULT_SHIFT")));
    return is("FAULT_ACT", "kill-after") ? KILL_AFTER : NOTHING;
}

/* Does the work of `at` for a file descriptor: on a socket, the call counts as `on_socket`. */
static enum act at_fd(const char *call, const char *on_socket, int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0)
        return NOTHING;
    name[length] = 0;
    int is_socket = !strncmp(name, "socket:", 7);
    const char *what = is_socket ? on_socket : call;
    if (!is_socket && *name != '/')
        return NOTHING;
    return what ? at(what, is_socket ? NULL : name) : NOTHING;
}

/* Looks up the function of the C library that this library replaces. */
#define REAL(result, name, parameters)          \
    static result(*real) parameters;            \
    if (!real)                                  \
        real = (result(*) parameters)dlsym(RTLD_NEXT, #name);

/* Defines a call that writes or sends. */
#define OUT(result, name, call, on_socket, parameters, arguments) \
    result name parameters {                                      \
        REAL(result, name, parameters)                            \
        enum act act = at_fd(call, on_socket, fd);                \
        if (act == FAIL)                                          \
            return -1;                                            \
        result done = real arguments;                             \
        if (act == KILL_AFTER)                                    \
            die();                                                \
        return done;                                              \
    }

/* Defines a call that receives. It counts when bytes have come. */
#define IN(name, parameters, arguments)                                      \
    ssize_t name parameters {                                                \
        REAL(ssize_t, name, parameters)                                      \
        ssize_t came = real arguments;                                       \
        if (came > 0 && at_fd(NULL, "recv", fd) == KILL_AFTER)               \
            die();                                                           \
        return came;                                                         \
    }

OUT(ssize_t, write, "write", "send", (int fd, const void *from, size_t size), (fd, from, size))
OUT(ssize_t, writev, "write", "send", (int fd, const struct iovec *from, int n), (fd, from, n))
OUT(ssize_t, pwrite, "write", NULL, (int fd, const void *from, size_t size, off_t to), (fd, from, size, to))
OUT(ssize_t, pwrite64, "write", NULL, (int fd, const void *from, size_t size, off64_t to), (fd, from, size, to))
OUT(int, ftruncate, "cut", NULL, (int fd, off_t size), (fd, size))
OUT(int, ftruncate64, "cut", NULL, (int fd, off64_t size), (fd, size))
OUT(int, fsync, "sync", NULL, (int fd), (fd))
OUT(int, fdatasync, "sync", NULL, (int fd), (fd))
OUT(ssize_t, send, NULL, "send", (int fd, const void *from, size_t size, int flags), (fd, from, size, flags))
OUT(ssize_t, sendmsg, NULL, "send", (int fd, const struct msghdr *from, int flags), (fd, from, flags))
IN(recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
IN(read, (int fd, void *to, size_t size), (fd, to, size))
IN(readv, (int fd, const struct iovec *to, int n), (fd, to, n))

int rename(const char *from, const char *to) {
    REAL(int, rename, (const char *from, const char *to))
    enum act act = at("rename", to);
    if (act == FAIL)
        return -1;
    int done = real(from, to);
    if (act == KILL_AFTER)
        die();
    return done;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(int, clock_gettime, (clockid_t clock, struct timespec *now))
    int done = real(clock, now);
    const char *from_the_start = getenv("CLOCK_SHIFT");
    if (clock == CLOCK_REALTIME)
        now->tv_sec += atomic_load(&shifted) + (from_the_start ? atol(from_the_start) : 0);
    return done;
}
