#ifndef CLINUX_H
#define CLINUX_H
#include <spawn.h>
#include <stdint.h>
#include <sys/types.h>

/* What Swift's Glibc module cannot reach: variadic calls, macros and newer system calls.
   Each returns 0 (or a descriptor) on success and -1 with errno set, as the call itself does. */

/* At most two heaps for all threads together (mallopt(3)). */
void clinux_limit_memory_arenas(void);

/* Gives the free pages of all heaps back to the kernel (malloc_trim(3)). */
void clinux_return_free_memory(void);

/* prctl(PR_SET_DUMPABLE, 0) and RLIMIT_CORE 0: no core, no ptrace by the same user. */
int clinux_make_undumpable(void);

/* Opens a directory without following a symbolic link in any part of its path; ".." is refused. A
   relative path starts at `directory` and so stays below it. openat2(2) would do the same in one
   call, but systemd's RestrictSUIDSGID= blocks it with ENOSYS. */
int clinux_open_directory_strictly(int directory, const char *path);

/* getrandom(2): returns the number of random bytes. */
ssize_t clinux_random(void *bytes, size_t count);

/* A timerfd on CLOCK_REALTIME, set to the far future with TFD_TIMER_CANCEL_ON_SET: read(2) fails
   with ECANCELED whenever the wall clock is stepped. */
int clinux_clock_step_descriptor(void);

/* The magic number of the file system that holds `descriptor` (statfs(2) f_type), or -1. */
int64_t clinux_filesystem_type(int descriptor);

/* Identifies the file with a name in a directory, so that a copy differs: its inode and birth time
   (statx(2) stx_btime; zeros if the file system has none). Does not follow links. */
int clinux_file_identity(int directory, const char *name, uint64_t identity[3]);

/* Whether a file is the root of a mount, such as a bind mount of a file (statx(2)
   STATX_ATTR_MOUNT_ROOT): 0 or 1, or 2 if the kernel does not report it. Follows links. Also
   returns the ID of its mount, the first field of mountinfo (proc(5)); 0 if unknown. */
int clinux_mount_of(const char *path, uint64_t *mount);

/* Drops cached pages of a file where the kernel can, so that later reads come from the disk. */
void clinux_forget_cached_pages(int descriptor);

/* Whether this many threads can run concurrently; 0 if they can. */
int clinux_can_start_threads(int count);

/* SO_PEERCRED of a connected Unix socket. */
int clinux_peer_credentials(int descriptor, pid_t *pid, uid_t *uid, gid_t *gid);

/* getpeername(2) of a connected Unix socket: copies sun_path and returns its length, which is 0 if
   the peer's socket is not bound to an address. */
int clinux_peer_address(int descriptor, uint8_t address[108]);

/* O_PATH, a GNU extension. */
int clinux_path_only(void);

/* fchownat(2) of the file of a descriptor, which may be opened with O_PATH. */
int clinux_chown_open(int descriptor, uid_t owner, gid_t group);

/* Whether a file has an access control list in addition to its mode: 0 or 1. */
int clinux_has_acl(int descriptor);

/* Removes the access control lists that a new file inherited from its directory (acl(5)). */
int clinux_drop_acls(int descriptor);

/* Extended attributes of an open file (xattr(7)): set one without a value; remove one; list the
   names, each terminated by a zero (flistxattr(2)); whether it has one: 0 or 1, or -1 if the file
   system supports none. */
int clinux_set_attribute(int file, const char *name);
int clinux_remove_attribute(int file, const char *name);
ssize_t clinux_list_attributes(int file, char *names, size_t size);
int clinux_has_attribute(int file, const char *name);

/* openat(2), which is variadic, with a mode. */
int clinux_openat(int directory, const char *path, int flags, mode_t mode);

/* fallocate(2) for the first bytes of a file, keeping its length; a GNU extension. */
int clinux_reserve(int descriptor, off_t length);

/* Whether a descriptor is open. */
int clinux_is_open(int descriptor);

/* pipe2(2) with O_CLOEXEC. */
int clinux_pipe(int ends[2]);

/* fcntl(F_DUPFD_CLOEXEC), which is variadic. */
int clinux_duplicate(int descriptor);

/* accept4(2) with SOCK_CLOEXEC and SOCK_NONBLOCK, a GNU extension. */
int clinux_accept(int listener);

/* Makes a TCP connection end with the process: when its last descriptor is closed, as after
   kill -9, the kernel sends a reset and drops undelivered data (SO_LINGER 1, 0), which it would
   otherwise continue to send for minutes. Data that the peer does not acknowledge within this many
   milliseconds also ends the connection, even while the process is stopped (TCP_USER_TIMEOUT, not
   0). */
int clinux_tie_connection(int socket, unsigned milliseconds);

/* Restores the normal close: undelivered data is sent, then FIN. */
int clinux_untie_connection(int socket);

/* Ends a TCP connection at once with a reset; no more data is sent, however many descriptors it has
   (connect(2) to AF_UNSPEC). */
int clinux_reset_connection(int socket);

/* The port that a socket is bound to; 0 if it is not an Internet socket. */
int clinux_local_port(int socket);

/* Starts a program in its own process group, with default signals, /dev/null as standard input and
   error, `output` as standard output, and no other open descriptor (vfork(2), execve(2)). Not by
   posix_spawn(3), which cannot set limits: with `most_processes` not 0 the program and its children
   cannot fork while their user has this many processes (RLIMIT_NPROC). */
pid_t clinux_spawn(
    const char *path, char *const arguments[], char *const environment[], int output,
    uint64_t most_processes);

/* Makes the child close all descriptors from `first` on; a GNU extension. */
int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first);
#endif
