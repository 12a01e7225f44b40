/* Clocks that a test sets, for a program that knows nothing of it: an LD_PRELOAD library.
 *
 *   EVERTOKEN_CLOCK_FILE=FILE LD_PRELOAD=clock_shim.so PROGRAM ARGS...
 *
 * FILE is 4096 bytes that the test maps too and changes while the program runs; its words of 64
 * bits are those of `struct board` below, in this order. libfaketime is no help here: it leaves
 * timer descriptors on the true clocks.
 *
 * What the kernel does when clocks change is done here as well, in the same terms:
 *  - a timer descriptor armed for a time of the wall clock or of the boot clock follows them;
 *  - one armed with TFD_TIMER_CANCEL_ON_SET becomes readable, and reading it is ECANCELED, when the
 *    distance between the wall clock and CLOCK_MONOTONIC jumps: a step, and a resume from suspend
 *    (timerfd_clock_was_set and timerfd_resume in fs/timerfd.c), but not a clock that drifts.
 * Only the offsets are made up; the true clocks run below, so that waiting takes its real time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define PUBLIC __attribute__((visibility("default")))

struct board {
    /* Written by the test. */
    _Atomic int64_t sequence; /* odd while the next five are being changed */
    _Atomic int64_t wall, boot, monotonic; /* offsets, ns */
    _Atomic int64_t drift;                 /* of the wall clock, ns per second */
    _Atomic int64_t drift_since;           /* the true CLOCK_MONOTONIC, ns */
    _Atomic int64_t jumps;                 /* counted up after each jump */
    _Atomic int64_t sync_delay;            /* how long each fdatasync takes, ns */
    /* Written here, for the test to see that it is in force. */
    _Atomic int64_t wall_reads, boot_reads, monotonic_reads;
    _Atomic int64_t watches;       /* descriptors armed with TFD_TIMER_CANCEL_ON_SET */
    _Atomic int64_t cancellations; /* ECANCELED given to the program */
    _Atomic int64_t timers;        /* armed on any clock */
    _Atomic int64_t syncs;         /* fdatasync begun */
};

enum { MAXIMUM = 256 };

/* The timer descriptors of the program. */
static struct timer {
    int is_open, is_watch, is_tracked;
    clockid_t clock;
    struct itimerspec deadline; /* absolute, on the clock of the test */
} timers[MAXIMUM];
static pthread_mutex_t timers_lock = PTHREAD_MUTEX_INITIALIZER;

static struct board *board(void) {
    static _Atomic(struct board *) mapped;
    struct board *found = atomic_load(&mapped);
    if (found) return found;
    const char *path = getenv("EVERTOKEN_CLOCK_FILE");
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;
    if (file >= 0) {
        memory = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        syscall(SYS_close, file);
    }
    if (memory == MAP_FAILED) abort(); /* true clocks would be a test of nothing */
    atomic_store(&mapped, memory);
    return memory;
}

static int64_t true_time(clockid_t clock) {
    struct timespec time;
    syscall(SYS_clock_gettime, clock, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* What is added to a true clock, all offsets being of one moment. */
static int64_t offset(clockid_t clock) {
    struct board *b = board();
    int64_t before, sum;
    do {
        before = atomic_load(&b->sequence);
        switch (clock) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE: {
            int64_t drift = atomic_load(&b->drift);
            sum = atomic_load(&b->wall);
            if (drift)
                sum += (int64_t)((__int128)(true_time(CLOCK_MONOTONIC) -
                                            atomic_load(&b->drift_since)) * drift / SECOND);
            break;
        }
        case CLOCK_BOOTTIME: sum = atomic_load(&b->boot); break;
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_RAW:
        case CLOCK_MONOTONIC_COARSE: sum = atomic_load(&b->monotonic); break;
        default: sum = 0;
        }
    } while (before & 1 || before != atomic_load(&b->sequence));
    return sum;
}

static void count(clockid_t clock) {
    struct board *b = board();
    if (clock == CLOCK_REALTIME) atomic_fetch_add(&b->wall_reads, 1);
    if (clock == CLOCK_BOOTTIME) atomic_fetch_add(&b->boot_reads, 1);
    if (clock == CLOCK_MONOTONIC) atomic_fetch_add(&b->monotonic_reads, 1);
}

static int64_t shown_time(clockid_t clock) {
    count(clock);
    return true_time(clock) + offset(clock);
}

static struct timespec as_timespec(int64_t time) {
    struct timespec result = {time / SECOND, time % SECOND};
    if (result.tv_nsec < 0) {
        result.tv_sec--;
        result.tv_nsec += SECOND;
    }
    return result;
}

/* From the test's clock to the true one. What has passed is 1 ns, for zero would disarm. */
static struct timespec as_true(struct timespec time, clockid_t clock) {
    if (time.tv_sec > INT64_MAX / SECOND / 2) return time; /* beyond all clocks */
    int64_t moment = time.tv_sec * SECOND + time.tv_nsec - offset(clock);
    return as_timespec(moment > 0 ? moment : 1);
}

PUBLIC int clock_gettime(clockid_t clock, struct timespec *time) {
    if (syscall(SYS_clock_gettime, clock, time) != 0) return -1;
    if (clock >= 0) *time = as_timespec(shown_time(clock));
    return 0;
}

PUBLIC int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now = as_timespec(shown_time(CLOCK_REALTIME));
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

PUBLIC time_t time(time_t *result) {
    time_t now = as_timespec(shown_time(CLOCK_REALTIME)).tv_sec;
    if (result) *result = now;
    return now;
}

PUBLIC int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    static int (*next)(sem_t *, const struct timespec *);
    if (!next) next = (int (*)(sem_t *, const struct timespec *))dlsym(RTLD_NEXT, "sem_timedwait");
    struct timespec moment = as_true(*until, CLOCK_REALTIME);
    return next(semaphore, &moment);
}

PUBLIC int fdatasync(int descriptor) {
    struct board *b = board();
    atomic_fetch_add(&b->syncs, 1);
    struct timespec delay = as_timespec(atomic_load(&b->sync_delay));
    if (delay.tv_sec || delay.tv_nsec) syscall(SYS_nanosleep, &delay, 0);
    return (int)syscall(SYS_fdatasync, descriptor);
}

/* --- timer descriptors ------------------------------------------------------------------------ */

static int set_true_timer(int descriptor, const struct timer *timer) {
    struct itimerspec deadline = timer->deadline;
    deadline.it_value = as_true(deadline.it_value, timer->clock);
    return (int)syscall(SYS_timerfd_settime, descriptor, TFD_TIMER_ABSTIME, &deadline, 0);
}

/* The clocks have jumped: what waits for a time of theirs waits anew, who watches is told. */
static void note_jump(void) {
    pthread_mutex_lock(&timers_lock);
    for (int descriptor = 0; descriptor < MAXIMUM; descriptor++) {
        struct timer *timer = &timers[descriptor];
        struct itimerspec left;
        if (timer->is_open && timer->is_watch) {
            uint64_t one = 1;
            syscall(SYS_write, descriptor, &one, sizeof one);
        } else if (timer->is_open && timer->is_tracked &&
                   syscall(SYS_timerfd_gettime, descriptor, &left) == 0 &&
                   (left.it_value.tv_sec || left.it_value.tv_nsec)) {
            set_true_timer(descriptor, timer);
        }
    }
    pthread_mutex_unlock(&timers_lock);
}

static void *watch_board(void *unused) {
    (void)unused;
    int64_t seen = 0;
    struct timespec pause = {0, 2000000};
    while (1) {
        int64_t now = atomic_load(&board()->jumps);
        if (now != seen) note_jump();
        seen = now;
        syscall(SYS_nanosleep, &pause, 0);
    }
    return 0;
}

static void start_watching(void) {
    sigset_t all, old;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* the program's signals are the program's */
    if (pthread_create(&thread, 0, watch_board, 0) != 0) abort();
    pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, 0);
}

PUBLIC int timerfd_create(int clock, int flags) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_watching);
    int descriptor = (int)syscall(SYS_timerfd_create, clock, flags);
    if (descriptor < 0) return descriptor;
    if (descriptor >= MAXIMUM) abort();
    pthread_mutex_lock(&timers_lock);
    timers[descriptor] = (struct timer){.is_open = 1, .clock = clock};
    pthread_mutex_unlock(&timers_lock);
    return descriptor;
}

/* In place of a timer that a jump cancels: an event descriptor of the same number. */
static int become_watch(int descriptor, struct timer *timer) {
    int flags = fcntl(descriptor, F_GETFL) & O_NONBLOCK ? EFD_NONBLOCK : 0;
    int event = eventfd(0, flags | EFD_CLOEXEC);
    if (event < 0 || dup3(event, descriptor, O_CLOEXEC) < 0) abort();
    syscall(SYS_close, event);
    timer->is_watch = 1;
    atomic_fetch_add(&board()->watches, 1);
    return 0;
}

PUBLIC int timerfd_settime(int descriptor, int flags, const struct itimerspec *new,
                           struct itimerspec *old) {
    if (descriptor < 0 || descriptor >= MAXIMUM || !timers[descriptor].is_open)
        return (int)syscall(SYS_timerfd_settime, descriptor, flags, new, old);
    atomic_fetch_add(&board()->timers, 1);
    pthread_mutex_lock(&timers_lock);
    struct timer *timer = &timers[descriptor];
    int is_off = !new->it_value.tv_sec && !new->it_value.tv_nsec;
    /* The kernel, too, counts a time "from now" of the wall clock on CLOCK_MONOTONIC. */
    int is_plain = is_off || (!(flags & TFD_TIMER_ABSTIME) && timer->clock != CLOCK_BOOTTIME);
    int result;
    timer->is_tracked = !is_plain;
    if (old) memset(old, 0, sizeof *old);
    if (flags & TFD_TIMER_CANCEL_ON_SET && flags & TFD_TIMER_ABSTIME && !timer->is_watch) {
        result = become_watch(descriptor, timer);
    } else if (timer->is_watch) {
        result = 0;
    } else if (is_plain) {
        result = (int)syscall(SYS_timerfd_settime, descriptor, flags, new, old);
    } else {
        timer->deadline = *new;
        if (!(flags & TFD_TIMER_ABSTIME)) {
            int64_t wait = new->it_value.tv_sec * SECOND + new->it_value.tv_nsec;
            timer->deadline.it_value =
                as_timespec(true_time(timer->clock) + offset(timer->clock) + wait);
        }
        result = set_true_timer(descriptor, timer);
    }
    pthread_mutex_unlock(&timers_lock);
    return result;
}

PUBLIC ssize_t read(int descriptor, void *bytes, size_t size) {
    ssize_t result = syscall(SYS_read, descriptor, bytes, size);
    if (result == 8 && descriptor >= 0 && descriptor < MAXIMUM && timers[descriptor].is_watch) {
        atomic_fetch_add(&board()->cancellations, 1);
        errno = ECANCELED;
        return -1;
    }
    return result;
}

PUBLIC int close(int descriptor) {
    if (descriptor >= 0 && descriptor < MAXIMUM && timers[descriptor].is_open) {
        pthread_mutex_lock(&timers_lock);
        timers[descriptor] = (struct timer){0};
        pthread_mutex_unlock(&timers_lock);
    }
    return (int)syscall(SYS_close, descriptor);
}
