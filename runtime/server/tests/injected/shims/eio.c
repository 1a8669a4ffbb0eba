/* Makes a disk fail: once the file named by SHIM_EIO_NOW exists, the calls listed in SHIM_EIO_CALLS ("sync",
 * "write" or both) fail with EIO on files whose path contains SHIM_EIO_PATH. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int file, const char *call) {
    const char *now = getenv("SHIM_EIO_NOW"), *calls = getenv("SHIM_EIO_CALLS");
    const char *part = getenv("SHIM_EIO_PATH");
    char link[32], path[4096];
    int before = errno, result = 0;
    if (now && calls && part && strstr(calls, call) && access(now, F_OK) == 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0) {
            path[length] = 0;
            result = strstr(path, part) != 0;
        }
    }
    errno = result ? EIO : before;
    return result;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int file) {
    return fails(file, "sync") ? -1 : NEXT(fsync)(file);
}

int fdatasync(int file) {
    return fails(file, "sync") ? -1 : NEXT(fdatasync)(file);
}

ssize_t write(int file, const void *bytes, size_t count) {
    return fails(file, "write") ? -1 : NEXT(write)(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    return fails(file, "write") ? -1 : NEXT(pwrite)(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    return fails(file, "write") ? -1 : NEXT(pwrite64)(file, bytes, count, at);
}
