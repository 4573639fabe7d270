// A stack of its own for every thread of a kernel, and the switch from one to another.
#pragma once

#include <cstddef>
#include <vector>

// Define it to have the portable switch on x86-64, too.
#if !defined(__x86_64__) && !defined(EMULATOR_UCONTEXT)
#define EMULATOR_UCONTEXT
#endif
#if defined(EMULATOR_UCONTEXT)
#include <ucontext.h>
#endif

namespace emulator {

/// Where an execution stands that is not running.
class Context {
 public:
  /// Makes this a fresh execution of `entry`, which must never return, on the stack that ends at `top`.
  void Prepare(unsigned char* top, void (*entry)());
  /// Leaves the running execution in this context and goes on with `other`.
  void SwitchTo(Context& other);
  /// What `entry` does first, having come from `before`.
  static void Enter(Context& before);

 private:
  // What AddressSanitizer wants to know of a stack.
  const void* lowest_ = nullptr;
  std::size_t bytes_ = 0;
  void* aside_ = nullptr;
#if defined(EMULATOR_UCONTEXT)
  ucontext_t context_;
#else
  void* stack_pointer_ = nullptr;
#endif
};

inline constexpr std::size_t kStackBytes = 128 * 1024;  // at least

/// Stacks with an unreadable page below them, kept for the next blocks and launches.
class StackPool {
 public:
  StackPool() = default;
  ~StackPool() { Clear(); }
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  /// The upper end of the stack of this number; the same for the same number.
  unsigned char* Top(std::size_t number);
  /// Gives all of them back. A process may have only some 65,000 mappings, and many addons.
  void Clear();

 private:
  std::vector<unsigned char*> mapped_;
};

}  // namespace emulator
