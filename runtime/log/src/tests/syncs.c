// Records the system calls that a program makes to get files onto disk, one line per call, in the
// file named by SYNCS.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *what, const char *path) {
  char line[PATH_MAX + 64];
  int length = snprintf(line, sizeof line, "%s %s\n", what, path);
  int out = open(getenv("SYNCS"), O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (out < 0 || write(out, line, length) != length) abort();
  close(out);
}

static void note_fd(const char *what, int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) abort();
  path[length] = 0;
  note(what, path);
}

int fdatasync(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int outcome = next(fd);
  note_fd("sync", fd);
  return outcome;
}

int fsync(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  int outcome = next(fd);
  note_fd("sync", fd);
  return outcome;
}

int rename(const char *from, const char *to) {
  int (*next)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  int outcome = next(from, to);
  note("rename", to);
  return outcome;
}

int unlink(const char *path) {
  int (*next)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
  int outcome = next(path);
  note("remove", path);
  return outcome;
}
