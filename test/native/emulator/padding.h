// What stands between the members of a structure is there by chance, and may look like an address.
#pragma once

#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define EMULATOR_CLEARS_PADDING
#endif
#endif

namespace emulator {

/// Whether this compiler can clear it (GCC can, clang before 20 cannot). Without, what kernels
/// are given is not looked at before they run: addresses of the host, for one, go unnoticed.
#if defined(EMULATOR_CLEARS_PADDING)
inline constexpr bool kClearsPadding = true;
#else
inline constexpr bool kClearsPadding = false;
#endif

template <typename T>
void ClearPadding([[maybe_unused]] T* value) {
#if defined(EMULATOR_CLEARS_PADDING)
  __builtin_clear_padding(value);
#endif
}

}  // namespace emulator
