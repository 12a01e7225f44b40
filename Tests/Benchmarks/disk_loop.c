/* The writes and flushes of a refresh, without the refresh: what the disk allows.
 *
 *   disk_loop files|group STATE-FOLDER TOKEN-FOLDER THREADS SECONDS
 *
 * Each thread is one credential: it writes an intent and flushes, a response and flushes, a settled
 * record and flushes, then a token file (temporary file, fsync, rename, fsync of the directory).
 * files: two preallocated files a credential, each flushed by its writer. group: one preallocated
 * file of all, and one flusher; a writer waits for an fdatasync that began after its write. Prints
 * refreshes a second.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CELL = 65536, BLOCK = 4096, RESPONSE_AT = 15 * 1024, TOKEN = 1024 };

static bool is_group;
static const char *state_folder, *token_folder;
static atomic_bool stops;
static atomic_long refreshes;
static int group_file;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER, flushed = PTHREAD_COND_INITIALIZER;
static long flush_wanted, flush_begun, flush_done;

static void must(bool is_fine, const char *what)
{
    if (!is_fine) {
        perror(what);
        exit(1);
    }
}

/* A file of real zeros, so that a later write allocates nothing. */
static int preallocated(const char *path, long size)
{
    static const char zeros[CELL];
    int file = open(path, O_RDWR | O_CREAT, 0600);
    must(file >= 0, path);
    for (long at = 0; at < size; at += CELL)
        must(pwrite(file, zeros, CELL, at) == CELL, path);
    must(fsync(file) == 0, path);
    return file;
}

static void *flusher(void *unused)
{
    pthread_mutex_lock(&lock);
    while (!stops) {
        if (flush_wanted <= flush_begun) {
            pthread_cond_wait(&wanted, &lock);
            continue;
        }
        long mine = ++flush_begun;
        pthread_mutex_unlock(&lock);
        must(fdatasync(group_file) == 0, "fdatasync");
        pthread_mutex_lock(&lock);
        flush_done = mine;
        pthread_cond_broadcast(&flushed);
    }
    flush_done = flush_wanted;
    pthread_cond_broadcast(&flushed);
    pthread_mutex_unlock(&lock);
    return unused;
}

static void flush(int file)
{
    if (!is_group) {
        must(fdatasync(file) == 0, "fdatasync");
        return;
    }
    pthread_mutex_lock(&lock);
    long mine = flush_begun + 1;
    if (flush_wanted < mine)
        flush_wanted = mine;
    pthread_cond_signal(&wanted);
    while (flush_done < mine && !stops)
        pthread_cond_wait(&flushed, &lock);
    pthread_mutex_unlock(&lock);
}

static void write_and_flush(int file, long at, const char *bytes)
{
    must(pwrite(file, bytes, BLOCK, at) == BLOCK, "pwrite");
    flush(file);
}

static void publish(int folder, const char *bytes)
{
    int file = openat(folder, ".token.new", O_WRONLY | O_CREAT | O_EXCL, 0640);
    must(file >= 0, "token");
    must(write(file, bytes, TOKEN) == TOKEN, "write");
    must(fsync(file) == 0, "fsync");
    close(file);
    must(renameat(folder, ".token.new", folder, "token") == 0, "rename");
    must(fsync(folder) == 0, "fsync of the directory");
}

static void *credential(void *argument)
{
    long number = (long)argument;
    char path[4096], bytes[BLOCK];
    memset(bytes, 'x', sizeof bytes);
    int slots[2];
    long base = is_group ? number * 2 * CELL : 0;
    snprintf(path, sizeof path, "%s/c%ld", token_folder, number);
    must(mkdir(path, 0750) == 0, path);
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    must(folder >= 0, path);
    for (int slot = 0; slot < 2; slot++) {
        snprintf(path, sizeof path, "%s/c%ld.%d", state_folder, number, slot);
        slots[slot] = is_group ? group_file : preallocated(path, CELL);
    }
    long other = is_group ? CELL : 0;
    while (!stops) {
        write_and_flush(slots[1], base + other, bytes);
        write_and_flush(slots[1], base + other + RESPONSE_AT, bytes);
        write_and_flush(slots[0], base, bytes);
        publish(folder, bytes);
        refreshes++;
    }
    return NULL;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **arguments)
{
    if (count != 6)
        return 64;
    is_group = strcmp(arguments[1], "group") == 0;
    state_folder = arguments[2], token_folder = arguments[3];
    long threads = atol(arguments[4]);
    double seconds = atof(arguments[5]);
    pthread_t *running = calloc(threads, sizeof *running), flushing;
    if (is_group) {
        char path[4096];
        snprintf(path, sizeof path, "%s/records", state_folder);
        group_file = preallocated(path, threads * 2 * CELL);
        must(pthread_create(&flushing, NULL, flusher, NULL) == 0, "thread");
    }
    for (long number = 0; number < threads; number++)
        must(pthread_create(&running[number], NULL, credential, (void *)number) == 0, "thread");
    sleep(1); /* The files are made in that time. */
    long before = refreshes;
    double begun = now();
    usleep(seconds * 1e6);
    long made = refreshes - before;
    double taken = now() - begun;
    stops = true;
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&wanted);
    pthread_cond_broadcast(&flushed);
    pthread_mutex_unlock(&lock);
    for (long number = 0; number < threads; number++)
        pthread_join(running[number], NULL);
    printf("%.0f\n", made / taken);
    return 0;
}
