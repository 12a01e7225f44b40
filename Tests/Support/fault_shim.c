/* Makes chosen calls to the C library fail, as a bad disk would: LD_PRELOAD=fault_shim.so.
 *
 * EVERTOKEN_FAULT_SHIM names a directory with two files: `control`, the rules, mapped into memory
 * and changed by the test at any time (fault_shim.py has the same layout), and `log`, one line per
 * injection and per noted call. Calls are counted over all threads together, per rule.
 *
 * A rule is for some functions on paths that contain a text. From its `first` such call on, for
 * `count` calls, it does its `action`; with `after`, once that has begun, the functions of that set
 * do it too, on the same paths, without end: a disk that dies at one exact call. Rules are asked in
 * order; NOTE lets the next one decide, PASS none of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum function { PWRITE, WRITE, FDATASYNC, FSYNC, RENAME, CREATE, OPEN, MKDIR, READ, FORGET };
static const char *const names[] = {"pwrite", "write", "fdatasync", "fsync", "rename",
                                    "create", "open",  "mkdir",     "read",  "forget"};
enum action { NOTE, ERROR, SHORT, DELAY, PASS };

struct rule {
    _Atomic uint32_t armed;
    uint32_t functions, after, action, error, first, count, milliseconds;
    _Atomic uint32_t seen, injected;
    _Atomic uint64_t first_at; /* CLOCK_MONOTONIC, nanoseconds */
    char path[208];
};
enum { RULES = 16 };
_Static_assert(sizeof(struct rule) == 256, "fault_shim.py knows this layout");

static struct rule *rules;
static int log_file = -1;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Opened early and put out of the way: later there may be no descriptor left. */
__attribute__((constructor)) static void begin(void) {
    const char *place = getenv("EVERTOKEN_FAULT_SHIM");
    char path[PATH_MAX];
    if (!place) return;
    snprintf(path, sizeof path, "%s/control", place);
    int control = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (control < 0) abort();
    void *map = mmap(NULL, RULES * sizeof *rules, PROT_READ | PROT_WRITE, MAP_SHARED, control, 0);
    if (map == MAP_FAILED) abort();
    close(control);
    snprintf(path, sizeof path, "%s/log", place);
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC);
    log_file = fcntl(file, F_DUPFD_CLOEXEC, 200);
    if (log_file < 0) abort();
    close(file);
    rules = map;
}

static void note(const char *what, enum function function, uint32_t number, size_t size,
                 const char *path) {
    char line[PATH_MAX + 128];
    int length = snprintf(line, sizeof line, "%llu\t%s\t%s\t%u\t%zu\t%s\n",
                          (unsigned long long)now(), what, names[function], number, size, path);
    syscall(SYS_write, log_file, line, (size_t)length);
}

static int strikes(struct rule *rule, enum function function, uint32_t *number) {
    uint32_t bit = 1u << function;
    if (rule->functions & bit) {
        *number = atomic_fetch_add(&rule->seen, 1) + 1;
        if (*number >= rule->first && *number - rule->first < rule->count) return 1;
    }
    return (rule->after & bit) && atomic_load(&rule->injected) > 0;
}

/* What to do instead of the call: ERROR with errno set, SHORT, or NOTE for the call itself. */
static enum action verdict(enum function function, size_t size, const char *path) {
    static const char *const words[] = {"note", "error", "short", "delay", "pass"};
    for (int i = 0; rules && i < RULES; i++) {
        struct rule *rule = &rules[i];
        uint32_t number = 0;
        if (!atomic_load(&rule->armed) || !strstr(path, rule->path) ||
            !((rule->functions | rule->after) & (1u << function)) ||
            !strikes(rule, function, &number))
            continue;
        if (atomic_fetch_add(&rule->injected, 1) == 0) atomic_store(&rule->first_at, now());
        note(words[rule->action], function, number, size, path);
        if (rule->action == PASS) return NOTE;
        if (rule->action == DELAY) {
            struct timespec time = {rule->milliseconds / 1000,
                                    rule->milliseconds % 1000 * 1000000L};
            nanosleep(&time, NULL);
        } else if (rule->action != NOTE) {
            errno = (int)rule->error;
            return rule->action;
        }
    }
    return NOTE;
}

static int concerns(enum function function) {
    for (int i = 0; rules && i < RULES; i++)
        if (atomic_load(&rules[i].armed) &&
            (rules[i].functions | rules[i].after) & (1u << function))
            return 1;
    return 0;
}

static void path_of(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static enum action on_descriptor(enum function function, int descriptor, size_t size) {
    char path[PATH_MAX];
    if (!concerns(function)) return NOTE;
    int before = errno;
    path_of(descriptor, path);
    errno = before;
    return verdict(function, size, path);
}

static enum action on_path(enum function function, int directory, const char *name) {
    char path[2 * PATH_MAX] = "";
    if (!concerns(function)) return NOTE;
    int before = errno;
    if (name[0] != '/' && directory != AT_FDCWD) {
        path_of(directory, path);
        strcat(path, "/");
    }
    strncat(path, name, PATH_MAX - 1);
    errno = before;
    return verdict(function, 0, path);
}

static size_t part(enum action action, size_t size) {
    return action == SHORT && size > 1 ? size / 2 : size;
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
    enum action action = on_descriptor(PWRITE, file, size);
    return action == ERROR ? -1 : syscall(SYS_pwrite64, file, bytes, part(action, size), at);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off_t at) {
    return pwrite(file, bytes, size, at);
}
ssize_t write(int file, const void *bytes, size_t size) {
    enum action action = on_descriptor(WRITE, file, size);
    return action == ERROR ? -1 : syscall(SYS_write, file, bytes, part(action, size));
}
ssize_t read(int file, void *bytes, size_t size) {
    enum action action = on_descriptor(READ, file, size);
    return action == ERROR ? -1 : syscall(SYS_read, file, bytes, part(action, size));
}
ssize_t pread(int file, void *bytes, size_t size, off_t at) {
    enum action action = on_descriptor(READ, file, size);
    return action == ERROR ? -1 : syscall(SYS_pread64, file, bytes, part(action, size), at);
}
ssize_t pread64(int file, void *bytes, size_t size, off_t at) {
    return pread(file, bytes, size, at);
}
int fdatasync(int file) {
    return on_descriptor(FDATASYNC, file, 0) == ERROR ? -1 : (int)syscall(SYS_fdatasync, file);
}
int fsync(int file) {
    return on_descriptor(FSYNC, file, 0) == ERROR ? -1 : (int)syscall(SYS_fsync, file);
}
/* Advice fails without harm: it is only noted. */
int posix_fadvise(int file, off_t at, off_t size, int advice) {
    if (advice == POSIX_FADV_DONTNEED) on_descriptor(FORGET, file, 0);
    return (int)syscall(SYS_fadvise64, file, at, size, advice);
}
int posix_fadvise64(int file, off_t at, off_t size, int advice) {
    return posix_fadvise(file, at, size, advice);
}
int mkdirat(int directory, const char *name, mode_t mode) {
    if (on_path(MKDIR, directory, name) == ERROR) return -1;
    return (int)syscall(SYS_mkdirat, directory, name, mode);
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    if (on_path(RENAME, to, new) == ERROR) return -1;
    return (int)syscall(SYS_renameat2, from, old, to, new, flags);
}
int renameat(int from, const char *old, int to, const char *new) {
    return renameat2(from, old, to, new, 0);
}
int rename(const char *old, const char *new) {
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

static int open_file(int directory, const char *name, int flags, va_list more) {
    int makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = makes ? va_arg(more, mode_t) : 0;
    if (on_path(makes ? CREATE : OPEN, directory, name) == ERROR) return -1;
    return (int)syscall(SYS_openat, directory, name, flags, mode);
}
#define OPEN_FILE(directory, name, flags)                                  \
    va_list more;                                                          \
    va_start(more, flags);                                                 \
    int file = open_file(directory, name, flags, more);                    \
    va_end(more);                                                          \
    return file
int openat(int directory, const char *name, int flags, ...) { OPEN_FILE(directory, name, flags); }
int openat64(int directory, const char *name, int flags, ...) { OPEN_FILE(directory, name, flags); }
int open(const char *name, int flags, ...) { OPEN_FILE(AT_FDCWD, name, flags); }
int open64(const char *name, int flags, ...) { OPEN_FILE(AT_FDCWD, name, flags); }
