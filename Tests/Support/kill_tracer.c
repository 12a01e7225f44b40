/* Kills a program at one exact boundary of its system calls.
 *
 *   kill_tracer --out FILE [--start TEXT] [--within DIR] [--kill-at N [--on WHAT]]
 *               [--hold yes] -- PROGRAM ARGS...
 *
 * A boundary is the entry or the exit of a system call, of any thread, counted over all of them
 * together: `strace -e inject=...:when=N` counts per thread, and misses what it does not trace.
 * At the N-th boundary the whole process gets SIGKILL; at an entry the call does not run any more,
 * at an exit it has run and its caller never learns. Without --kill-at it only counts.
 *
 *   --out FILE    one line per work boundary ("step"), then what came of it (see `report`)
 *   --start TEXT  begin to count when the program writes TEXT; otherwise at its exec
 *   --within DIR  work is what touches a file below DIR or talks over a socket, and forking
 *   --on WHAT     N counts only these: call, entry or exit, and path as a step has them, with tabs
 *   --hold yes    stop at every boundary of a call that changes or flushes a file below DIR: say
 *                 so on standard output ("hold", then as a step) and wait for a line on standard
 *                 input. "go" goes on, anything else kills. Meanwhile no thread gets past its next
 *                 boundary.
 *
 * The first line of standard output is the program's process id. The program dies with the tracer.
 * Programs that it starts are followed to their exec and then let go. The names of the calls come
 * from syscall_names.h, made of <sys/syscall.h>: lines like `[SYS_openat] = "openat",`. */
#include "kill_tracer_calls.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    const char *out, *start, *within, *on;
    unsigned long kill_at;
    int hold;
} options;

static pid_t program;
static int is_counting, is_killed;
static unsigned long all, work, matching, per_call[1024];
static enum kind kinds[1024];
static struct thread threads[512];
static size_t thread_count;
static FILE *out;
static char killed_at[2 * PATH_MAX];

static void fail(const char *what) {
    fprintf(stderr, "kill_tracer: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void sort_calls(void) {
    for (size_t call = 0; call < COUNT(names) && call < COUNT(kinds); call++)
        for (size_t i = 0; names[call] && i < COUNT(work_calls); i++)
            for (const char *const *name = work_calls[i].names; *name; name++)
                if (strcmp(names[call], *name) == 0) kinds[call] = work_calls[i].kind;
}

static struct thread *thread_of(pid_t id) {
    for (size_t i = 0; i < thread_count; i++)
        if (threads[i].id == id) return &threads[i];
    errno = EAGAIN;
    if (thread_count == COUNT(threads)) fail("thread table");
    threads[thread_count] = (struct thread){.id = id, .call = -1};
    return &threads[thread_count++];
}

/* Notes what a call is about, and whether it is work. */
static void look(struct thread *thread, const struct __ptrace_syscall_info *info) {
    const uint64_t *a = info->entry.args;
    enum kind kind = (uint64_t)thread->call < COUNT(kinds) ? kinds[thread->call] : OTHER;
    thread->path[0] = 0;
    thread->offset = -1;
    thread->is_work = thread->is_change = 0;
    switch (kind) {
    case OTHER: return;
    case PROCESS: thread->is_work = 1; return;
    case DESCRIPTOR:
    case SOCKET: path_of_descriptor(thread->id, (int)a[0], thread->path, PATH_MAX); break;
    case PATH_0: path_of_name(thread->id, AT_FDCWD, a[0], thread); break;
    case PATH_1: path_of_name(thread->id, (int)a[0], a[1], thread); break;
    case PATH_3: path_of_name(thread->id, (int)a[2], a[3], thread); break;
    }
    if (strncmp(thread->path, "socket:", 7) == 0) thread->path[6] = 0;
    if (strcmp(name_of(thread->call), "pwrite64") == 0) thread->offset = (long long)a[3];
    size_t length = options.within ? strlen(options.within) : 0;
    int is_within = length && strncmp(thread->path, options.within, length) == 0;
    thread->is_work = kind == SOCKET || is_within;
    thread->is_change = is_within && changes(name_of(thread->call), a);
}

static int says_start(struct thread *thread, const struct __ptrace_syscall_info *info) {
    char text[1024];
    size_t size = info->entry.args[2] < sizeof text ? info->entry.args[2] + 1 : sizeof text;
    if (strcmp(name_of(thread->call), "write") != 0 || size < 2) return 0;
    size_t found = peek(thread->id, info->entry.args[1], text, size);
    return memmem(text, found, options.start, strlen(options.start)) != NULL;
}

/* Says where the program is and waits; false when it is to be killed there. */
static int may_go_on(const char *line) {
    char order[16];
    fflush(out);
    printf("hold\t%s\n", line);
    fflush(stdout);
    return fgets(order, sizeof order, stdin) && strcmp(order, "go\n") == 0;
}

static void kill_here(const char *line) {
    strcpy(killed_at, line);
    is_killed = kill(program, SIGKILL) == 0;
}

/* One boundary: counts it, and kills where it is the one asked for. */
static void boundary(struct thread *thread, const struct __ptrace_syscall_info *info) {
    int is_entry = info->op == PTRACE_SYSCALL_INFO_ENTRY;
    if (is_entry) {
        thread->call = (long long)info->entry.nr;
        look(thread, info);
        if (!is_counting && options.start && says_start(thread, info)) {
            is_counting = 1; /* from this call's end on */
            return;
        }
    }
    if (!is_counting || is_killed) return;
    all++;
    if (thread->is_work) work++;
    if ((uint64_t)thread->call < COUNT(per_call)) per_call[thread->call]++;
    char what[PATH_MAX + 64], line[sizeof killed_at];
    const char *side = is_entry ? "entry" : "exit";
    snprintf(what, sizeof what, "%s\t%s\t%s", name_of(thread->call), side, thread->path);
    snprintf(line, sizeof line, "%lu\t%zu\t%lld\t%lld\t%s", all, (size_t)(thread - threads),
             is_entry ? 0 : (long long)info->exit.rval, thread->offset, what);
    if (thread->is_work) fprintf(out, "step\t%s\n", line);
    if (options.hold && thread->is_change && !may_go_on(line)) {
        kill_here(line);
        return;
    }
    if (options.on && strcmp(what, options.on) != 0) return;
    if (++matching == options.kill_at) kill_here(line);
}

/* The place stays taken: it is the thread's number in the report. */
static void forget(pid_t id) { thread_of(id)->id = -1; }

/* A stop of one thread; lets it go on. */
static void stopped(pid_t id, int status) {
    int signal = WSTOPSIG(status), event = status >> 16, pass = 0;
    if (event == PTRACE_EVENT_EXEC && id != program) {
        ptrace(PTRACE_DETACH, id, 0, 0);
        forget(id);
        return;
    }
    if (event == PTRACE_EVENT_EXEC && !options.start) is_counting = 1;
    if (event == PTRACE_EVENT_STOP && (signal == SIGSTOP || signal == SIGTSTP)) {
        ptrace(PTRACE_LISTEN, id, 0, 0);
        return;
    }
    if (signal == (SIGTRAP | 0x80)) {
        struct __ptrace_syscall_info info = {0};
        if (ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, &info) > 0
            && (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_EXIT))
            boundary(thread_of(id), &info);
    } else if (event == 0) {
        pass = signal;
    }
    ptrace(PTRACE_SYSCALL, id, 0, pass); /* fails for the killed, which is as well */
}

/* end: killed or ended, with the wait status; all, work: boundaries; at: where it was
 * killed; calls: boundaries by call. A step, and at: number, thread, result, offset of a pwrite,
 * call, entry or exit, path. */
static void report(int status) {
    int is_by_us = is_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    const char *end = is_by_us ? "killed" : "ended";
    if (is_by_us) fprintf(out, "at\t%s\n", killed_at);
    for (size_t call = 0; call < COUNT(per_call); call++)
        if (per_call[call])
            fprintf(out, "calls\t%s\t%lu\n", name_of((long long)call), per_call[call]);
    fprintf(out, "all\t%lu\nwork\t%lu\nend\t%s\t%d\n", all, work, end, status);
    if (fclose(out) != 0) fail(options.out);
}

static char **parse(int count, char **words) {
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--") == 0 && i + 1 < count && options.out) return words + i + 1;
        if (i + 1 == count) break;
        if (strcmp(words[i], "--out") == 0) options.out = words[++i];
        else if (strcmp(words[i], "--start") == 0) options.start = words[++i];
        else if (strcmp(words[i], "--within") == 0) options.within = words[++i];
        else if (strcmp(words[i], "--on") == 0) options.on = words[++i];
        else if (strcmp(words[i], "--hold") == 0) options.hold = strcmp(words[++i], "yes") == 0;
        else if (strcmp(words[i], "--kill-at") == 0) options.kill_at = strtoul(words[++i], 0, 10);
        else break;
    }
    fprintf(stderr, "usage: kill_tracer --out FILE [--start TEXT] [--within DIR] "
            "[--kill-at N [--on WHAT]] [--hold yes] -- PROGRAM ARGS...\n");
    exit(64);
}

/* Starts the program, held back until it is traced. */
static void start(char **command) {
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) != 0) fail("pipe");
    program = fork();
    if (program < 0) fail("fork");
    if (program == 0) {
        char byte;
        close(gate[1]);
        if (read(gate[0], &byte, 1) != 1) _exit(125);
        execv(command[0], command);
        _exit(127);
    }
    long all_of_it = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK
        | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SEIZE, program, 0, all_of_it) != 0) fail("PTRACE_SEIZE");
    /* Its calls before the exec are not counted, but syscall stops must be on by then. */
    if (ptrace(PTRACE_INTERRUPT, program, 0, 0) != 0) fail("PTRACE_INTERRUPT");
    if (write(gate[1], "", 1) != 1) fail("write");
    close(gate[0]);
    close(gate[1]);
}

int main(int count, char **words) {
    char **command = parse(count, words);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    out = fopen(options.out, "we");
    if (!out) fail(options.out);
    sort_calls();
    start(command);
    printf("%d\n", program);
    fflush(stdout);
    for (;;) {
        int status;
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0) fail("waitpid");
        if (WIFSTOPPED(status)) {
            stopped(id, status);
        } else if (id == program) {
            report(status);
            return 0;
        } else {
            forget(id);
        }
    }
}
