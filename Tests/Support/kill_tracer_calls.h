/* What system calls are about: the part of kill_tracer.c that reads the traced program. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const names[] = {
#include "syscall_names.h"
};
enum kind { OTHER, DESCRIPTOR, PATH_0, PATH_1, PATH_3, SOCKET, PROCESS };

/* What the calls that may be work take. */
static const struct {
    enum kind kind;
    const char *names[16];
} work_calls[] = {
    {DESCRIPTOR, {"write", "writev", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate",
                  "fchmod", "fchown", "fsetxattr", "fremovexattr", "flock"}},
    {PATH_0, {"open", "unlink", "rename", "mkdir", "rmdir", "chmod"}},
    {PATH_1, {"openat", "unlinkat", "mkdirat"}},
    {PATH_3, {"renameat", "renameat2", "linkat"}},
    {SOCKET, {"connect", "sendto", "sendmsg", "recvfrom", "recvmsg"}},
    {PROCESS, {"fork", "vfork", "clone", "clone3"}},
};
struct thread {
    pid_t id;
    int is_work, is_change;
    long long call, offset;
    char path[PATH_MAX];
};

static const char *name_of(long long call) {
    return call >= 0 && call < (long long)COUNT(names) && names[call] ? names[call] : "unknown";
}

/* Up to `size` - 1 bytes of the program's memory, ended by a zero; fewer at the end of a page. */
static size_t peek(pid_t id, unsigned long long address, char *bytes, size_t size) {
    size_t found = 0;
    while (found < size - 1) {
        size_t part = 4096 - (address + found) % 4096;
        if (part > size - 1 - found) part = size - 1 - found;
        struct iovec here = {bytes + found, part}, there = {(void *)(address + found), part};
        if (process_vm_readv(id, &here, 1, &there, 1, 0) != (ssize_t)part) break;
        found += part;
        if (memchr(here.iov_base, 0, part)) break;
    }
    bytes[found] = 0;
    return found;
}

static void path_of_descriptor(pid_t id, int descriptor, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, descriptor == AT_FDCWD ? "/proc/%d/cwd" : "/proc/%d/fd/%d", id,
             descriptor);
    ssize_t length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
}

static void path_of_name(pid_t id, int directory, unsigned long long name, struct thread *thread) {
    char text[512];
    peek(id, name, text, sizeof text);
    if (text[0] == '/') {
        strcpy(thread->path, text);
        return;
    }
    path_of_descriptor(id, directory, thread->path, PATH_MAX);
    size_t length = strlen(thread->path);
    snprintf(thread->path + length, sizeof thread->path - length, "/%.240s", text);
}

/* Whether a call of these arguments changes a file or a directory, or flushes one. */
static int changes(const char *call, const uint64_t *a) {
    static const char *const reading[] = {"flock", "connect", "sendto", "sendmsg", "recvfrom",
                                          "recvmsg"};
    if (strcmp(call, "open") == 0) return (a[1] & O_CREAT) != 0;
    if (strcmp(call, "openat") == 0) return (a[2] & O_CREAT) != 0;
    for (size_t i = 0; i < COUNT(reading); i++)
        if (strcmp(call, reading[i]) == 0) return 0;
    return 1;
}
