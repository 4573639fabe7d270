#include "addon/environment.h"

#include <mutex>

namespace pike {

std::shared_ptr<SharedResources> SharedResources::Get() {
  static std::mutex mutex;
  static std::weak_ptr<SharedResources> current;
  std::lock_guard lock(mutex);
  std::shared_ptr<SharedResources> resources = current.lock();
  if (!resources) {
    resources = std::make_shared<SharedResources>();
    current = resources;
  }
  return resources;
}

}  // namespace pike
