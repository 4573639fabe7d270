// What compilers must be told for the kernels: to unroll, to inline, to prefetch, and to use instructions
// that the rest of the addon does without.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#define PIKE_X86_64 1
#elif defined(__aarch64__) || defined(_M_ARM64)
#define PIKE_ARM64 1
#endif

// Values held in an array become registers only if the loops over them are unrolled; GCC 12 needs to be told.
#if defined(__clang__)
#define PIKE_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define PIKE_UNROLL _Pragma("GCC unroll 16")
#else
#define PIKE_UNROLL
#endif

#if defined(__GNUC__)
#define PIKE_INLINE inline __attribute__((always_inline))
// Into the second level of cache: the first is full of the block at work.
#define PIKE_PREFETCH(address) __builtin_prefetch(address, 0, 2)
#define PIKE_PREFETCH_NEAR(address) __builtin_prefetch(address, 0, 3)
#elif defined(PIKE_X86_64)
#include <xmmintrin.h>
#define PIKE_INLINE __forceinline
#define PIKE_PREFETCH(address) _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T1)
#define PIKE_PREFETCH_NEAR(address) _mm_prefetch(static_cast<const char*>(address), _MM_HINT_T0)
#else
#define PIKE_INLINE inline
#define PIKE_PREFETCH(address) static_cast<void>(address)
#define PIKE_PREFETCH_NEAR(address) static_cast<void>(address)
#endif

// Between these two, functions use the instructions named. A flag for the whole file would do so as well for
// what headers of the standard library define, of which the linker then keeps one copy for the whole program:
// perhaps the one that older processors cannot run. (MSVC allows all instructions everywhere.)
#if defined(__clang__)
#define PIKE_PRAGMA(text) _Pragma(#text)
#define PIKE_BEGIN_TARGET(names) \
  PIKE_PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define PIKE_END_TARGET _Pragma("clang attribute pop")
#elif defined(__GNUC__)
#define PIKE_PRAGMA(text) _Pragma(#text)
#define PIKE_BEGIN_TARGET(names) _Pragma("GCC push_options") PIKE_PRAGMA(GCC target(names))
#define PIKE_END_TARGET _Pragma("GCC pop_options")
#else
#define PIKE_BEGIN_TARGET(names)
#define PIKE_END_TARGET
#endif
