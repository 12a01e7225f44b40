/* The C shims, each called with what it is made for and with the odd, under AddressSanitizer and
   UndefinedBehaviorSanitizer: Tests/Shims/run. Prints how many checks held; a report ends it. */
#define _GNU_SOURCE
#include "CLinux.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int held, broken;

static void check(int is_so, const char *what) {
    if (is_so) {
        held++;
    } else {
        broken++;
        fprintf(stderr, "does not hold: %s (errno %d)\n", what, errno);
    }
}

static void directories(void) {
    char far[PATH_MAX];
    check(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0, "directories are made");
    check(symlink("d", "link") == 0, "a link is made");
    int here = open(".", O_RDONLY | O_DIRECTORY);
    int found = clinux_open_directory_strictly(here, "d//e/");
    check(found >= 0, "a relative path is opened");
    close(found);
    check(clinux_open_directory_strictly(here, "link/e") < 0 && errno == ELOOP, "no link");
    check(clinux_open_directory_strictly(here, "d/../d") < 0 && errno == EXDEV, "no ..");
    check(clinux_open_directory_strictly(here, "d/none") < 0 && errno == ENOENT, "not there");
    memset(far, 'n', 300);
    far[300] = 0;
    check(clinux_open_directory_strictly(here, far) < 0 && errno == ENAMETOOLONG, "a long name");
    found = clinux_open_directory_strictly(-1, "/");
    check(found >= 0, "the root");
    close(found);
    uint64_t identity[3] = {0, 0, 0};
    check(clinux_file_identity(here, "d", identity) == 0 && identity[0] != 0, "an identity");
    check(clinux_file_identity(here, "none", identity) < 0, "no identity");
    check(clinux_filesystem_type(here) > 0, "a file system's number");
    check(clinux_filesystem_type(-1) == -1, "none of a closed descriptor");
    close(here);
}

static void files(void) {
    int file = clinux_openat(AT_FDCWD, "file", O_RDWR | O_CREAT, 0600);
    check(file >= 0 && (fcntl(file, F_GETFD) & FD_CLOEXEC), "a file is made, for this process");
    check(clinux_is_open(file) && !clinux_is_open(999), "open or not");
    int copy = clinux_duplicate(file);
    check(copy >= 0 && (fcntl(copy, F_GETFD) & FD_CLOEXEC), "a copy");
    close(copy);
    clinux_forget_cached_pages(file);
    check(clinux_has_acl(file) == 0 && clinux_drop_acls(file) == 0, "no list to take off");
    /* user::rw-, user:65534:r--, group::r--, mask::r--, other::--- (acl(5), version 2). */
    static const unsigned char list[] = {
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 254, 255, 0, 0,
        4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255,
        32, 0, 0, 0, 255, 255, 255, 255};
    if (fsetxattr(file, "system.posix_acl_access", list, sizeof list, 0) == 0) {
        check(clinux_has_acl(file) == 1, "a list is seen");
        check(clinux_drop_acls(file) == 0 && clinux_has_acl(file) == 0, "and taken off");
    }
    check(clinux_drop_acls(999) == -1 && errno == EBADF, "not of a closed descriptor");
    int name = open("file", clinux_path_only() | O_NOFOLLOW);
    check(name >= 0 && clinux_chown_open(name, -1, getegid()) == 0, "a name's group");
    close(name);
    close(file);
}

/* A peer bound to a path of so many bytes: 107, or 108 without a zero behind them. */
static void peer_address(size_t length) {
    struct sockaddr_un name = {.sun_family = AF_UNIX}, server = {.sun_family = AF_UNIX};
    uint8_t address[108];
    pid_t pid;
    uid_t uid;
    gid_t gid;
    memset(name.sun_path, 'p', sizeof name.sun_path);
    if (length < sizeof name.sun_path) name.sun_path[length] = 0;
    strcpy(server.sun_path, "listener");
    unlink("listener");
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t head = offsetof(struct sockaddr_un, sun_path);
    check(bind(listener, (void *)&server, sizeof server) == 0 && listen(listener, 1) == 0,
          "a listener");
    if (length > 0) check(bind(client, (void *)&name, head + length) == 0, "a bound peer");
    check(connect(client, (void *)&server, sizeof server) == 0, "a connection");
    int accepted = clinux_accept(listener);
    check(accepted >= 0 && (fcntl(accepted, F_GETFL) & O_NONBLOCK), "accepted, without blocking");
    int found = clinux_peer_address(accepted, address);
    check(found >= (int)length && found <= 108, "an address within its bounds");
    check(length == 0 || memcmp(address, name.sun_path, length) == 0, "the peer's own address");
    check(clinux_peer_credentials(accepted, &pid, &uid, &gid) == 0 && pid == getpid() &&
              uid == geteuid() && gid == getegid(), "the peer's credentials");
    check(clinux_peer_credentials(-1, &pid, &uid, &gid) == -1, "none of a closed descriptor");
    check(clinux_accept(-1) == -1, "none accepted");
    close(accepted);
    close(client);
    close(listener);
}

/* A pair of connected TCP sockets on loopback. */
static void connected(int pair[2]) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(listener, (void *)&name, sizeof name) == 0 && listen(listener, 1) == 0 &&
              getsockname(listener, (void *)&name, &length) == 0 &&
              connect(pair[0], (void *)&name, sizeof name) == 0, "a connection over TCP");
    pair[1] = accept(listener, 0, 0);
    close(listener);
}

/* How a connection ends for its other side: 0 in order, ECONNRESET by a reset. */
static int end_of(int socket) {
    char byte;
    ssize_t count = read(socket, &byte, 1);
    close(socket);
    return count < 0 ? errno : (int)count;
}

static void connections(void) {
    int pair[2];
    unsigned left = 0;
    socklen_t length = sizeof left;
    connected(pair);
    check(clinux_tie_connection(pair[0], 4321) == 0, "tied to the process");
    check(getsockopt(pair[0], IPPROTO_TCP, TCP_USER_TIMEOUT, &left, &length) == 0 && left == 4321,
          "for so long");
    check(clinux_local_port(pair[0]) > 0 && clinux_local_port(pair[0]) != clinux_local_port(pair[1]),
          "a port");
    close(pair[0]);
    check(end_of(pair[1]) == ECONNRESET, "it ends with a reset");
    connected(pair);
    check(clinux_tie_connection(pair[0], 4321) == 0 && clinux_untie_connection(pair[0]) == 0,
          "tied and untied");
    close(pair[0]);
    check(end_of(pair[1]) == 0, "it ends in order");
    connected(pair);
    int copy = clinux_duplicate(pair[0]);
    check(clinux_reset_connection(copy) == 0, "reset while others have it open");
    check(end_of(pair[1]) == ECONNRESET, "at once");
    close(copy);
    close(pair[0]);
    int file = open("file", O_RDONLY);
    check(clinux_tie_connection(file, 1) == -1 && errno == ENOTSOCK, "no file is tied");
    check(clinux_untie_connection(file) == -1 && clinux_reset_connection(file) == -1 &&
              clinux_local_port(file) == -1, "or anything else");
    close(file);
    int local = socket(AF_UNIX, SOCK_STREAM, 0), newer = socket(AF_INET6, SOCK_STREAM, 0);
    check(clinux_local_port(local) == 0, "a socket without a port");
    check(newer < 0 || clinux_local_port(newer) == 0, "one that is not bound");
    close(local);
    close(newer);
}

static int status_of(const char *script, uint64_t processes, char *output, size_t size) {
    char *arguments[] = {"/bin/sh", "-c", (char *)script, 0}, *environment[] = {"A=1", 0};
    int ends[2], status = -1;
    check(clinux_pipe(ends) == 0, "a pipe");
    pid_t child = clinux_spawn("/bin/sh", arguments, environment, ends[1], processes);
    close(ends[1]);
    check(child > 0 && getpgid(child) == child, "a child in a group of its own");
    ssize_t count = read(ends[0], output, size - 1);
    output[count > 0 ? count : 0] = 0;
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

static void programs(void) {
    char output[256], *nothing[] = {0};
    signal(SIGTERM, SIG_IGN);
    check(status_of("printf %s \"$A\"; exit 3", 0, output, sizeof output) == 3 << 8 &&
              strcmp(output, "1") == 0, "its output and status");
    check(status_of("kill -TERM $$", 0, output, sizeof output) == SIGTERM, "default signals");
    check(status_of("grep -c 'processes  *321 ' /proc/self/limits", 321, output, sizeof output) == 0,
          "its limit of processes");
    check(status_of("ls /proc/self/fd", 0, output, sizeof output) == 0 &&
              strncmp(output, "0\n1\n2\n", 6) == 0, "no other descriptors");
    check(clinux_spawn("/nonexistent", nothing, nothing, 1, 0) == -1 && errno == ENOENT,
          "no program");
    sigset_t now;
    sigprocmask(SIG_SETMASK, 0, &now);
    check(!sigismember(&now, SIGTERM), "signals are not held back afterwards");
}

static void process(void) {
    check(clinux_can_start_threads(40) == 0, "threads can be started");
    int clock = clinux_clock_step_descriptor();
    struct pollfd wait = {.fd = clock, .events = POLLIN};
    check(clock >= 0 && poll(&wait, 1, 0) == 0, "no step of the clock");
    close(clock);
    uint8_t random[80] = {0}, zeros[80] = {0};
    check(clinux_random(random, sizeof random) == sizeof random &&
              memcmp(random, zeros, sizeof zeros) != 0, "random numbers");
    check(clinux_random(random, 0) == 0, "none wanted");
    clinux_limit_memory_arenas();
    struct rlimit limit;
    check(clinux_make_undumpable() == 0 && getrlimit(RLIMIT_CORE, &limit) == 0 &&
              limit.rlim_cur == 0, "no core");
}

static void libcurl(void) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    CURLM *multi = curl_multi_init();
    CURLcode result = CURLE_OK;
    long code = -1;
    void *path = 0;
    /* As Swift calls it: the kind is known at run time only. */
    volatile CURLINFO authorities = CURLINFO_CAINFO;
    check(ccurl_set_string(easy, CURLOPT_URL, "http://127.0.0.1:1/") == CURLE_OK, "a text");
    check(ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, 2000) == CURLE_OK, "a number");
    check(ccurl_set_blob(easy, CURLOPT_SSLCERT_BLOB, "pem", 3) == CURLE_OK, "bytes");
    check(ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &code) == CURLE_OK && code == 0, "none yet");
    check(ccurl_get_pointer(easy, authorities, &path) == CURLE_OK, "a pointer");
    check(ccurlm_next_done(multi, &result) == 0, "nothing done");
    check(curl_multi_add_handle(multi, easy) == CURLM_OK, "added");
    for (int running = 1, left = 100; running && left; left--) {
        curl_multi_perform(multi, &running);
        curl_multi_poll(multi, 0, 0, 50, 0);
    }
    check(ccurlm_next_done(multi, &result) == easy && result == CURLE_COULDNT_CONNECT, "done");
    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
}

int main(void) {
    char place[] = "/tmp/evertoken-shims-XXXXXX";
    if (!mkdtemp(place) || chdir(place) != 0) return 1;
    directories();
    files();
    for (size_t length = 106; length <= 108; length++) peer_address(length);
    peer_address(0);
    connections();
    programs();
    process();
    libcurl();
    if (chdir("/") != 0) return 1;
    char *arguments[] = {"/bin/rm", "-rf", place, 0}, *none[] = {0};
    int status;
    waitpid(clinux_spawn("/bin/rm", arguments, none, 1, 0), &status, 0);
    printf("%d passed, %d failed\n", held, broken);
    return broken != 0;
}
