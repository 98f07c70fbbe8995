/*
 * A library for LD_PRELOAD that simulates a faulty disk. Calls on the log file (log.lmdb) fail with EIO as long as the
 * directory $FAULTY_DISK contains a file with the name of the fault:
 *   sync   fdatasync fails
 *   write  writing data pages fails
 *   meta   writing the meta page fails (LMDB opens its descriptor with O_DSYNC)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_log(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, "log.lmdb") != NULL && strstr(path, "-lock") == NULL;
}

static int fails(const char *fault, int fd) {
  const char *directory = getenv("FAULTY_DISK");
  char path[4096];
  if (directory == NULL || !is_log(fd)) return 0;
  snprintf(path, sizeof path, "%s/%s", directory, fault);
  return access(path, F_OK) == 0;
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = dlsym(RTLD_NEXT, "fdatasync");
  if (fails("sync", fd)) {
    errno = EIO;
    return -1;
  }
  return real(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
  const char *fault = fcntl(fd, F_GETFL) & O_DSYNC ? "meta" : "write";
  if (fails(fault, fd)) {
    errno = EIO;
    return -1;
  }
  return real(fd, bytes, count, at);
}
