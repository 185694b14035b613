/* Faults and a trace of the system calls of a service, loaded before the C library (LD_PRELOAD).
 *
 * SHIM_CONTROL names a file with one 64-bit integer for each fault, which the test changes while the service
 * runs. SHIM_TRACE names a file that gets one record for each change of a file below the folder SHIM_FOLDER, in
 * the order in which the changes happened; shim.rs reads both. Calls for anything but regular files and folders
 * below that folder pass unchanged. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_ERROR, SYNC_DELAY_MS, WRITE_ERROR, WRITE_BYTES_MAX, THREAD_ERROR, THREADS_FREE, CLOCK_SHIFT_S, FAULTS };

static volatile int64_t *faults;
static int64_t no_faults[FAULTS];
static const char *folder;
static int trace = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((constructor)) static void start(void) {
    const char *control = getenv("SHIM_CONTROL"), *traced = getenv("SHIM_TRACE");
    folder = getenv("SHIM_FOLDER");
    faults = no_faults;
    if (control) {
        int file = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
        void *page = mmap(NULL, sizeof no_faults, PROT_READ, MAP_SHARED, file, 0);
        if (page == MAP_FAILED) abort();
        faults = page;
    }
    if (traced) trace = (int)syscall(SYS_openat, AT_FDCWD, traced, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
}

/* Whether a path is the folder or lies below it. */
static int is_ours(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    /* A file whose name is gone can be lost without harm. */
    return is_ours(path) && !strstr(path, " (deleted)");
}

static void put(const void *bytes, size_t count) {
    while (count) {
        ssize_t written = syscall(SYS_write, trace, bytes, count);
        if (written <= 0) abort();
        bytes = (const char *)bytes + written;
        count -= (size_t)written;
    }
}

/* One record: its length, the kind, a number, and two byte strings, the first with its length. */
static void record(char kind, const char *path, uint64_t number, const void *bytes, size_t count) {
    if (trace < 0) return;
    uint32_t path_length = (uint32_t)strlen(path);
    uint32_t length = (uint32_t)(1 + 8 + 4 + path_length + count);
    char head[4 + 1 + 8 + 4];
    memcpy(head, &length, 4);
    head[4] = kind;
    memcpy(head + 5, &number, 8);
    memcpy(head + 13, &path_length, 4);
    /* One write, so that a reader never sees a part of a record as the last one that is whole. */
    char *whole = malloc(4 + length);
    memcpy(whole, head, sizeof head);
    memcpy(whole + sizeof head, path, path_length);
    if (count) memcpy(whole + sizeof head + path_length, bytes, count);
    put(whole, 4 + length);
    free(whole);
}

/* The change and its record are one step for every other change. */
#define TRACED(result, call, is_traced, ...)                     \
    do {                                                         \
        int traced_ = trace >= 0 && !inside && (is_traced);      \
        if (traced_) { inside = 1; pthread_mutex_lock(&order); } \
        result = (call);                                         \
        int kept_ = errno;                                       \
        if (traced_) {                                           \
            if (result >= 0) record(__VA_ARGS__);                \
            pthread_mutex_unlock(&order);                        \
            inside = 0;                                          \
        }                                                        \
        errno = kept_;                                           \
    } while (0)

static int fails(int fault) {
    if (!faults[fault]) return 0;
    errno = (int)faults[fault];
    return 1;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    char path[PATH_MAX];
    ssize_t written;
    int ours = path_of(file, path);
    if (ours && fails(WRITE_ERROR)) return -1;
    if (ours && faults[WRITE_BYTES_MAX] && count > (size_t)faults[WRITE_BYTES_MAX])
        count = (size_t)faults[WRITE_BYTES_MAX];
    TRACED(written, REAL(pwrite64)(file, bytes, count, offset), ours, 'w', path, (uint64_t)offset, bytes,
           (size_t)written);
    return written;
}

ssize_t write(int file, const void *bytes, size_t count) {
    char path[PATH_MAX];
    ssize_t written;
    int ours = path_of(file, path);
    if (ours && fails(WRITE_ERROR)) return -1;
    uint64_t offset = ours ? (uint64_t)lseek64(file, 0, SEEK_CUR) : 0;
    TRACED(written, REAL(write)(file, bytes, count), ours, 'w', path, offset, bytes, (size_t)written);
    return written;
}

static int sync_one(int file, int (*call)(int)) {
    char path[PATH_MAX];
    struct stat found;
    int result, ours = path_of(file, path) && !fstat(file, &found);
    if (ours && faults[SYNC_DELAY_MS]) {
        struct timespec step = {0, 1000000};
        for (int64_t waited = 0; waited < faults[SYNC_DELAY_MS]; waited++) nanosleep(&step, NULL);
    }
    if (ours && fails(SYNC_ERROR)) return -1;
    TRACED(result, call(file), ours, S_ISDIR(found.st_mode) ? 'd' : 's', path, 0, NULL, 0);
    return result;
}

int fdatasync(int file) { return sync_one(file, REAL(fdatasync)); }
int fsync(int file) { return sync_one(file, REAL(fsync)); }

int ftruncate64(int file, off64_t length) {
    char path[PATH_MAX];
    int result, ours = path_of(file, path);
    if (ours && fails(WRITE_ERROR)) return -1;
    TRACED(result, REAL(ftruncate64)(file, length), ours, 't', path, (uint64_t)length, NULL, 0);
    return result;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (mode_t)va_arg(rest, int);
    va_end(rest);
    int result, makes = is_ours(path) && (flags & O_CREAT) && ((flags & O_TRUNC) || access(path, F_OK));
    TRACED(result, REAL(open64)(path, flags, mode), makes, 'c', path, 0, NULL, 0);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    int result;
    TRACED(result, REAL(mkdir)(path, mode), is_ours(path), 'm', path, 0, NULL, 0);
    return result;
}

int rename(const char *from, const char *to) {
    int result;
    TRACED(result, REAL(rename)(from, to), is_ours(from), 'r', from, 0, to, strlen(to));
    return result;
}

int unlink(const char *path) {
    int result;
    TRACED(result, REAL(unlink)(path), is_ours(path), 'u', path, 0, NULL, 0);
    return result;
}

int rmdir(const char *path) {
    int result;
    TRACED(result, REAL(rmdir)(path), is_ours(path), 'f', path, 0, NULL, 0);
    return result;
}

static int64_t threads;

struct work {
    void *(*run)(void *);
    void *argument;
};

static void *counted(void *given) {
    struct work work = *(struct work *)given;
    free(given);
    void *result = work.run(work.argument);
    __sync_fetch_and_sub(&threads, 1);
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    if (__sync_fetch_and_add(&threads, 1) >= faults[THREADS_FREE] && faults[THREAD_ERROR]) {
        __sync_fetch_and_sub(&threads, 1);
        return (int)faults[THREAD_ERROR];
    }
    struct work *work = malloc(sizeof *work);
    *work = (struct work){run, argument};
    return REAL(pthread_create)(thread, attributes, counted, work);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (!result && clock == CLOCK_REALTIME) now->tv_sec += faults[CLOCK_SHIFT_S];
    return result;
}
