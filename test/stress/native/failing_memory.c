// Preloaded, it lets the addon's n-th large allocation fail, and all others go through:
// PIKE_FAIL_AT=n (0: count only), PIKE_FAIL_BYTES: from which size on (default 4096), PIKE_FAIL_TRACE: say where. At the end it writes how
// many there were to file descriptor PIKE_FAIL_REPORT. What Node.js itself allocates is not counted: it comes
// from another module.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_long count;

static long number(const char* name, long otherwise) {
  const char* const text = getenv(name);
  return text != NULL ? atol(text) : otherwise;
}

static int is_in(void* address, const char* module) {
  Dl_info info;
  return dladdr(address, &info) != 0 && info.dli_fname != NULL && strstr(info.dli_fname, module) != NULL;
}

/// By itself, or through operator new, which lies in the C++ library.
static int is_ours(void* caller) {
  if (is_in(caller, "pike_mixer.node")) return 1;
  if (!is_in(caller, "libstdc++.so")) return 0;
  void* frames[8];
  const int depth = backtrace(frames, 8);
  for (int i = 0; i < depth; ++i) {
    if (is_in(frames[i], "failing_memory.so") || is_in(frames[i], "libstdc++.so")) continue;
    return is_in(frames[i], "pike_mixer.node");
  }
  return 0;
}

static int fails(size_t bytes, void* caller) {
  static __thread int busy;
  if (busy) return 0;
  busy = 1;
  const int counts = bytes >= (size_t)number("PIKE_FAIL_BYTES", 4096) && is_ours(caller);
  const int fail = counts && atomic_fetch_add(&count, 1) + 1 == number("PIKE_FAIL_AT", 0);
  if (fail && getenv("PIKE_FAIL_TRACE") != NULL) {
    void* frames[30];
    backtrace_symbols_fd(frames, backtrace(frames, 30), 2);
  }
  busy = 0;
  return fail;
}

void* malloc(size_t bytes) {
  extern void* __libc_malloc(size_t);
  if (fails(bytes, __builtin_return_address(0))) {
    errno = ENOMEM;
    return NULL;
  }
  return __libc_malloc(bytes);
}

int posix_memalign(void** out, size_t alignment, size_t bytes) {
  extern void* __libc_memalign(size_t, size_t);
  if (fails(bytes, __builtin_return_address(0))) return ENOMEM;
  *out = __libc_memalign(alignment, bytes);
  return *out != NULL ? 0 : ENOMEM;
}

void* mmap(void* address, size_t bytes, int protection, int flags, int file, off_t offset) {
  static void* (*original)(void*, size_t, int, int, int, off_t);
  if (original == NULL) *(void**)&original = dlsym(RTLD_NEXT, "mmap");
  if (fails(bytes, __builtin_return_address(0))) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return original(address, bytes, protection, flags, file, offset);
}

__attribute__((destructor)) static void report(void) {
  const long file = number("PIKE_FAIL_REPORT", -1);
  char text[32];
  const int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&count));
  if (file >= 0 && write((int)file, text, (size_t)length) < 0) return;
}
