// A flag by which one thread asks another to stop. Whoever computes looks at it between chunks.
#pragma once

#include <atomic>

namespace pike {

class Cancellation {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace pike
