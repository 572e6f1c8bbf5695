/* A disk that fails, beneath an unmodified process: preloaded, it stands between the process and
 * its C library, for files under one folder.
 *
 * What it does is asked for in a file of 32-bit words that both sides map (see faulty-disk.ts):
 * syncs and writes that fail, that are slow, that are cut short; and a power cut. For the last, the
 * bytes that a write replaces are kept until a sync of the file, and names made, changed and
 * removed until a sync of their folder. At the cut some of that is put back, which is what a disk
 * may do that was told to keep it and never told to make sure; then the process kills itself.
 *
 * One lock: a cut happens between two calls, and a sync that returned before it counts. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FAIL_SYNCS, SYNC_ERRNO, FAIL_WRITES, WRITE_ERRNO, SLOW_SYNCS, SLOW_MS, SHORT_WRITES, CUT,
       SEED, SYNCS, WRITES, BYTES_LOST, NAMES_LOST, FAILED, WORDS = 16 };

static volatile uint32_t *words;
static const char *root, *grave, *slowPart;
static size_t rootLength;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*realWrite)(int, const void *, size_t);
static ssize_t (*realWritev)(int, const struct iovec *, int);
static ssize_t (*realPwrite)(int, const void *, size_t, off_t);
static int (*realSync)(int), (*realDataSync)(int), (*realRename)(const char *, const char *);
static int (*realUnlink)(const char *), (*realLink)(const char *, const char *);
static int (*realTruncate)(int, off_t), (*realOpen)(const char *, int, ...);

/* A write that no sync has covered: what was there before. */
struct undo { struct undo *older; off_t at; size_t length, oldLength; char *old; };
struct file {
  struct file *next;
  dev_t device;
  ino_t inode;
  int fd;
  off_t size;
  struct undo *newest;
};
static struct file *files;

/* A change of names that no sync of its folder has covered. */
enum change { CREATED, RENAMED, REMOVED };
struct name { struct name *older; enum change change; char *from, *to, *kept; };
static struct name *names;
static unsigned graveCount;

__attribute__((constructor)) static void start(void) {
  realWrite = dlsym(RTLD_NEXT, "write");
  realWritev = dlsym(RTLD_NEXT, "writev");
  realPwrite = dlsym(RTLD_NEXT, "pwrite64");
  realSync = dlsym(RTLD_NEXT, "fsync");
  realDataSync = dlsym(RTLD_NEXT, "fdatasync");
  realRename = dlsym(RTLD_NEXT, "rename");
  realUnlink = dlsym(RTLD_NEXT, "unlink");
  realLink = dlsym(RTLD_NEXT, "link");
  realTruncate = dlsym(RTLD_NEXT, "ftruncate64");
  realOpen = dlsym(RTLD_NEXT, "open64");
  root = getenv("FAULTY_DISK_ROOT");
  grave = getenv("FAULTY_DISK_GRAVE");
  slowPart = getenv("FAULTY_DISK_SLOW");
  const char *control = getenv("FAULTY_DISK_CONTROL");
  if (!root || !grave || !control) return;
  rootLength = strlen(root);
  int fd = realOpen(control, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *map = mmap(NULL, WORDS * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) words = map;
}

static int under(const char *path) { return words && strncmp(path, root, rootLength) == 0; }

static int pathOf(int fd, char *path) {
  char link[64];
  if (!words) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return under(path);
}

/* True once for each that was asked for. */
static int take(int word) {
  uint32_t left = words[word];
  while (left > 0) {
    if (__atomic_compare_exchange_n(&words[word], &left, left - 1, 0, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) return 1;
  }
  return 0;
}

static uint64_t randomState;
static uint32_t below(uint32_t limit) {
  randomState = randomState * 6364136223846793005ULL + 1442695040888963407ULL;
  return (uint32_t)(randomState >> 33) % limit;
}

static struct file *fileOf(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return NULL;
  for (struct file *file = files; file; file = file->next)
    if (file->inode == status.st_ino && file->device == status.st_dev) return file;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int own = realOpen(link, O_RDWR | O_CLOEXEC);
  if (own < 0) return NULL;
  struct file *file = calloc(1, sizeof *file);
  *file = (struct file){files, status.st_dev, status.st_ino, own, status.st_size, NULL};
  return files = file;
}

/* Keeps what `length` bytes at `at` are about to replace. */
static void keep(int fd, off_t at, size_t length) {
  struct file *file = fileOf(fd);
  if (!file || length == 0) return;
  struct undo *undo = calloc(1, sizeof *undo);
  undo->at = at;
  undo->length = length;
  struct stat status;
  fstat(file->fd, &status);
  if (status.st_size > at) {
    undo->old = malloc(length);
    ssize_t got = pread(file->fd, undo->old, length, at);
    undo->oldLength = got < 0 ? 0 : (size_t)got;
  }
  undo->older = file->newest;
  file->newest = undo;
}

static void forgetUndo(struct undo *undo) {
  while (undo) {
    struct undo *older = undo->older;
    free(undo->old);
    free(undo);
    undo = older;
  }
}

/* A sync of the file has returned. */
static void forgetFile(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return;
  for (struct file **at = &files; *at; at = &(*at)->next) {
    struct file *file = *at;
    if (file->inode != status.st_ino || file->device != status.st_dev) continue;
    forgetUndo(file->newest);
    close(file->fd);
    *at = file->next;
    free(file);
    return;
  }
}

static void note(enum change change, const char *from, const char *to, char *kept) {
  struct name *name = calloc(1, sizeof *name);
  *name = (struct name){names, change, from ? strdup(from) : NULL, to ? strdup(to) : NULL, kept};
  names = name;
}

static int inFolder(const char *path, const char *folder, size_t length) {
  return path && strncmp(path, folder, length) == 0 && path[length] == '/' &&
         !strchr(path + length + 1, '/');
}

/* A sync of the folder has returned. */
static void forgetNames(const char *folder) {
  size_t length = strlen(folder);
  for (struct name **at = &names; *at;) {
    struct name *name = *at;
    if (!inFolder(name->to ? name->to : name->from, folder, length)) {
      at = &name->older;
      continue;
    }
    if (name->kept) realUnlink(name->kept);
    *at = name->older;
    free(name->from);
    free(name->to);
    free(name->kept);
    free(name);
  }
}

/* A second name for what `path` is, where a cut can find it. */
static char *bury(const char *path) {
  char kept[PATH_MAX];
  snprintf(kept, sizeof kept, "%s/%d-%u", grave, (int)getpid(), graveCount++);
  return realLink(path, kept) == 0 ? strdup(kept) : NULL;
}

enum { SECTOR = 512 };

/* Puts back all of an unsynced write, or some of its sectors. */
static void putBack(struct file *file, struct undo *undo, int all) {
  static const char zeros[SECTOR];
  for (size_t done = 0; done < undo->length;) {
    size_t step = SECTOR - (size_t)((undo->at + (off_t)done) % SECTOR);
    if (step > undo->length - done) step = undo->length - done;
    if (all || below(2)) {
      size_t old = done < undo->oldLength ? undo->oldLength - done : 0;
      if (old > step) old = step;
      if (old) realPwrite(file->fd, undo->old + done, old, undo->at + (off_t)done);
      if (old < step)
        realPwrite(file->fd, zeros, step - old, undo->at + (off_t)(done + old));
      words[BYTES_LOST] += (uint32_t)step;
    }
    done += step;
  }
}

static void putBackName(const struct name *name) {
  words[NAMES_LOST]++;
  if (name->change == CREATED) realUnlink(name->to);
  if (name->change == RENAMED) realRename(name->to, name->from);
  if (name->kept) realRename(name->kept, name->change == RENAMED ? name->to : name->from);
}

static void cut(void) {
  randomState = words[SEED] * 2654435761ULL + 1;
  for (int i = 0; i < 8; i++) below(2);
  int all = below(2);
  for (struct file *file = files; file; file = file->next) {
    for (struct undo *undo = file->newest; undo; undo = undo->older) putBack(file, undo, all);
    if (all && file->newest) realTruncate(file->fd, file->size);
  }
  /* Names reach the disk in the order they were changed; a cut loses the last ones. */
  int count = 0;
  for (struct name *name = names; name; name = name->older) count++;
  int lost = count ? (int)below((uint32_t)count + 1) : 0;
  for (struct name *name = names; name && lost > 0; name = name->older, lost--) putBackName(name);
  words[CUT] = 2;
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Takes the lock; does not return when a cut is due. */
static void enter(void) {
  pthread_mutex_lock(&lock);
  if (words[CUT] == 1) cut();
}

static void leave(void) { pthread_mutex_unlock(&lock); }

/* Before a write: 0 to go on, or the errno to fail with. */
static int beforeWrite(size_t *length) {
  words[WRITES]++;
  if (take(FAIL_WRITES)) {
    words[FAILED]++;
    return (int)words[WRITE_ERRNO];
  }
  if (*length > 1 && take(SHORT_WRITES)) *length /= 2;
  return 0;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  char path[PATH_MAX];
  if (!realWrite) start();
  if (!pathOf(fd, path)) return realWrite(fd, bytes, length);
  enter();
  int failure = beforeWrite(&length);
  ssize_t result = -1;
  if (failure == 0) {
    keep(fd, lseek(fd, 0, SEEK_CUR), length);
    result = realWrite(fd, bytes, length);
    failure = errno;
  }
  leave();
  errno = failure;
  return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  char path[PATH_MAX];
  if (!pathOf(fd, path)) return realWritev(fd, parts, count);
  return write(fd, parts[0].iov_base, parts[0].iov_len);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
  char path[PATH_MAX];
  if (!pathOf(fd, path)) return realPwrite(fd, bytes, length, at);
  enter();
  int failure = beforeWrite(&length);
  ssize_t result = -1;
  if (failure == 0) {
    keep(fd, at, length);
    result = realPwrite(fd, bytes, length, at);
    failure = errno;
  }
  leave();
  errno = failure;
  return result;
}

static int syncFile(int fd, int (*real)(int)) {
  char path[PATH_MAX];
  if (!pathOf(fd, path)) return real(fd);
  enter();
  words[SYNCS]++;
  int failure = 0;
  if (take(FAIL_SYNCS)) {
    words[FAILED]++;
    failure = (int)words[SYNC_ERRNO];
  }
  int slow = (!slowPart || strstr(path, slowPart)) && take(SLOW_SYNCS);
  leave();
  if (slow) {
    struct timespec time = {words[SLOW_MS] / 1000, (long)(words[SLOW_MS] % 1000) * 1000000};
    nanosleep(&time, NULL);
  }
  int result = failure ? -1 : real(fd);
  if (result != 0) {
    errno = failure ? failure : errno;
    return result;
  }
  enter();
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) forgetNames(path);
  else forgetFile(fd);
  leave();
  return 0;
}

int fsync(int fd) {
  if (!realSync) start();
  return syncFile(fd, realSync);
}
int fdatasync(int fd) { return syncFile(fd, realDataSync); }

int rename(const char *from, const char *to) {
  if (!under(to)) return realRename(from, to);
  enter();
  char *kept = bury(to);
  int result = realRename(from, to);
  int failure = errno;
  if (result == 0) note(RENAMED, from, to, kept);
  leave();
  errno = failure;
  return result;
}

int unlink(const char *path) {
  if (!under(path)) return realUnlink(path);
  enter();
  char *kept = bury(path);
  int result = realUnlink(path);
  int failure = errno;
  if (result == 0 && kept) note(REMOVED, path, NULL, kept);
  leave();
  errno = failure;
  return result;
}

int link(const char *from, const char *to) {
  int result = realLink(from, to);
  int failure = errno;
  if (result == 0 && under(to)) {
    enter();
    note(CREATED, NULL, to, NULL);
    leave();
  }
  errno = failure;
  return result;
}

int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  if (!realOpen) start();
  if (!(flags & O_CREAT) || !under(path)) return realOpen(path, flags, mode);
  enter();
  int isNew = access(path, F_OK) != 0;
  int fd = realOpen(path, flags, mode);
  int failure = errno;
  if (fd >= 0 && isNew) note(CREATED, NULL, path, NULL);
  leave();
  errno = failure;
  return fd;
}
