#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

int clinux_make_undumpable(void) {
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
    return setrlimit(RLIMIT_CORE, &none);
}

void clinux_limit_memory_arenas(void) {
#ifdef M_ARENA_MAX
    mallopt(M_ARENA_MAX, 2);
#endif
}

void clinux_return_free_memory(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

int clinux_open_directory_strictly(int directory, const char *path) {
    char name[256];
    int at = path[0] == '/' ? open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                            : fcntl(directory, F_DUPFD_CLOEXEC, 0);
    while (at >= 0) {
        while (*path == '/') path++;
        size_t length = strcspn(path, "/");
        if (length == 0) return at;
        int next = -1;
        if (length >= sizeof name) {
            errno = ENAMETOOLONG;
        } else {
            memcpy(name, path, length);
            name[length] = 0;
            if (strcmp(name, "..") == 0) {
                errno = EXDEV;
            } else {
                next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                /* The kernel returns ENOTDIR for a link that it must not follow. */
                struct stat about;
                if (next < 0 && errno == ENOTDIR &&
                    fstatat(at, name, &about, AT_SYMLINK_NOFOLLOW) == 0)
                    errno = S_ISLNK(about.st_mode) ? ELOOP : ENOTDIR;
            }
        }
        int error = errno;
        close(at);
        errno = error;
        at = next;
        path += length;
    }
    return -1;
}

ssize_t clinux_random(void *bytes, size_t count) { return getrandom(bytes, count, 0); }

int clinux_clock_step_descriptor(void) {
    int descriptor = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (descriptor < 0) return -1;
    struct itimerspec far = {{0, 0}, {INT64_C(1) << 40, 0}};
    if (timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, 0) != 0) {
        int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

int64_t clinux_filesystem_type(int descriptor) {
    struct statfs about;
    if (fstatfs(descriptor, &about) != 0) return -1;
    return (int64_t)about.f_type & 0xffffffff;
}

int clinux_file_identity(int directory, const char *name, uint64_t identity[3]) {
    struct statx about;
    unsigned wanted = STATX_INO | STATX_BTIME;
    if (statx(directory, name, AT_SYMLINK_NOFOLLOW, wanted, &about) != 0) return -1;
    int is_dated = (about.stx_mask & STATX_BTIME) != 0;
    identity[0] = about.stx_ino;
    identity[1] = is_dated ? (uint64_t)about.stx_btime.tv_sec : 0;
    identity[2] = is_dated ? about.stx_btime.tv_nsec : 0;
    return 0;
}

int clinux_mount_of(const char *path, uint64_t *mount) {
    struct statx about;
    if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &about) != 0) return -1;
    *mount = about.stx_mask & STATX_MNT_ID ? about.stx_mnt_id : 0;
    if (!(about.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)) return 2;
    return about.stx_attributes & STATX_ATTR_MOUNT_ROOT ? 1 : 0;
}

void clinux_forget_cached_pages(int descriptor) {
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
}

static void *wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return 0;
}

int clinux_can_start_threads(int count) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[32];
    int started = 0, error = 0;
    if (count > 32) count = 32;
    pthread_mutex_lock(&gate);
    while (started < count && error == 0) {
        error = pthread_create(&threads[started], 0, wait_at, &gate);
        if (error == 0) started++;
    }
    pthread_mutex_unlock(&gate);
    while (started > 0) pthread_join(threads[--started], 0);
    errno = error;
    return error == 0 ? 0 : -1;
}

int clinux_peer_credentials(int descriptor, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

int clinux_peer_address(int descriptor, uint8_t address[108]) {
    struct sockaddr_un peer;
    socklen_t length = sizeof peer;
    size_t head = offsetof(struct sockaddr_un, sun_path);
    if (getpeername(descriptor, (struct sockaddr *)&peer, &length) != 0) return -1;
    if (peer.sun_family != AF_UNIX || length <= head) return 0;
    /* The kernel may return one byte more than fits: the end of a path of 108 bytes. */
    size_t size = length - head;
    if (size > sizeof peer.sun_path) size = sizeof peer.sun_path;
    memcpy(address, peer.sun_path, size);
    return (int)size;
}

int clinux_path_only(void) { return O_PATH; }

int clinux_chown_open(int descriptor, uid_t owner, gid_t group) {
    return fchownat(descriptor, "", owner, group, AT_EMPTY_PATH);
}

int clinux_has_acl(int descriptor) {
    return fgetxattr(descriptor, "system.posix_acl_access", 0, 0) > 0;
}

int clinux_drop_acls(int descriptor) {
    static const char *const names[] = {"system.posix_acl_access", "system.posix_acl_default"};
    for (int i = 0; i < 2; i++)
        if (fremovexattr(descriptor, names[i]) != 0 && errno != ENODATA && errno != ENOTSUP &&
            errno != EINVAL)
            return -1;
    return 0;
}

int clinux_set_attribute(int file, const char *name) { return fsetxattr(file, name, "", 0, 0); }

int clinux_remove_attribute(int file, const char *name) { return fremovexattr(file, name); }

ssize_t clinux_list_attributes(int file, char *names, size_t size) {
    return flistxattr(file, names, size);
}

int clinux_has_attribute(int file, const char *name) {
    if (fgetxattr(file, name, 0, 0) >= 0) return 1;
    return errno == ENODATA ? 0 : -1;
}

int clinux_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags | O_CLOEXEC, mode);
}

int clinux_reserve(int descriptor, off_t length) {
    return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, length);
}

int clinux_is_open(int descriptor) { return fcntl(descriptor, F_GETFD) != -1; }

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int clinux_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 0); }

int clinux_accept(int listener) {
    return accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static int set_linger(int socket, int is_on) {
    struct linger end = {is_on, 0};
    return setsockopt(socket, SOL_SOCKET, SO_LINGER, &end, sizeof end);
}

int clinux_tie_connection(int socket, unsigned milliseconds) {
    if (set_linger(socket, 1) != 0) return -1;
    return setsockopt(
        socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

int clinux_untie_connection(int socket) { return set_linger(socket, 0); }

int clinux_reset_connection(int socket) {
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    return connect(socket, &nowhere, sizeof nowhere);
}

int clinux_local_port(int socket) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(socket, (struct sockaddr *)&address, &length) != 0) return -1;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return 0;
}

pid_t clinux_spawn(
    const char *path, char *const arguments[], char *const environment[], int output,
    uint64_t most_processes) {
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t all, before;
    volatile int error = in < 0 || out < 0 ? errno : 0;
    pid_t child = -1;
    sigfillset(&all);
    /* The child shares this memory until execve(2): no signal handler may run in it. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error == 0) child = vfork();
    if (child == 0) {
        struct rlimit limit = {most_processes, most_processes};
        setpgid(0, 0);
        for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
        int ready = dup2(in, 0) == 0 && dup2(output, 1) == 1 && dup2(out, 2) == 2 &&
                    close_range(3, ~0U, 0) == 0 &&
                    (most_processes == 0 || setrlimit(RLIMIT_NPROC, &limit) == 0);
        sigemptyset(&all);
        sigprocmask(SIG_SETMASK, &all, 0);
        if (ready) execve(path, arguments, environment);
        error = errno;
        _exit(127);
    }
    if (child < 0 && error == 0) error = errno;
    pthread_sigmask(SIG_SETMASK, &before, 0);
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    if (child > 0 && error != 0) {
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    }
    errno = error;
    return error == 0 ? child : -1;
}

int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
