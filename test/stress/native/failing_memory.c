// Preloaded, it lets the addon's n-th large allocation fail, and all others go through:
// PIKE_FAIL_AT=n (0: count only), PIKE_FAIL_BYTES: from which size on (default 4096), PIKE_FAIL_TRACE: say where. At the end it writes how
// many there were to file descriptor PIKE_FAIL_REPORT. What Node.js itself allocates is not counted: it comes
// from another module.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
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

struct search {
  const char* address;
  const char* module;
};

/// Whether the module is the one that is searched for, and the address lies in it.
static int look(struct dl_phdr_info* info, size_t size, void* data) {
  (void)size;
  const struct search* const search = data;
  if (strstr(info->dlpi_name, search->module) == NULL) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const char* const begin = (const char*)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (info->dlpi_phdr[i].p_type == PT_LOAD && search->address >= begin &&
        search->address < begin + info->dlpi_phdr[i].p_memsz)
      return 1;
  }
  return 0;
}

/// Not by dladdr, which looks through all symbols of Node.js.
static int is_in(void* address, const char* module) {
  struct search search = {address, module};
  return dl_iterate_phdr(look, &search);
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
  // Asked for once: this runs in every allocation of Node.js.
  static atomic_long least = -1;
  if (least < 0) least = number("PIKE_FAIL_BYTES", 4096);
  if (busy || bytes < (size_t)least) return 0;
  busy = 1;
  const int fail = is_ours(caller) && atomic_fetch_add(&count, 1) + 1 == number("PIKE_FAIL_AT", 0);
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
