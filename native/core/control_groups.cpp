#include "core/control_groups.h"

#if defined(__linux__)

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/system_files.h"

#if !defined(PIKE_SYSTEM_ROOT)
#define PIKE_SYSTEM_ROOT ""  // a test has a /proc and groups of its own
#endif

namespace pike {
namespace {

/// Where a hierarchy of groups that limits memory can be seen, or a part of one.
struct Mount {
  bool version2;
  std::string root;  // the group that lies at `point`, without a slash at its end
  std::string point;
};

std::string SystemPath(std::string_view path) { return std::string(PIKE_SYSTEM_ROOT).append(path); }

bool HasMemory(const std::string& list) { return (',' + list + ',').find(",memory,") != std::string::npos; }

std::string WithoutSlash(std::string path) {
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

/// Blanks and the like are written as a backslash and three octal digits.
std::string Unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>(std::strtol(text.substr(i + 1, 3).c_str(), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::vector<std::string> WordsOf(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; (at = line.find_first_not_of(' ', at)) != std::string::npos;) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

/// proc(5): ID, parent, device, root, mount point, options, any number of fields, "-", file system, source,
/// and options of the file system.
std::optional<Mount> ReadMount(const std::string& line) {
  if (line.find(" - cgroup") == std::string::npos) return std::nullopt;
  const std::vector<std::string> words = WordsOf(line);
  const auto dash = std::find(words.begin(), words.end(), "-");
  if (dash - words.begin() < 6 || words.end() - dash < 4) return std::nullopt;
  const bool version2 = dash[1] == "cgroup2";
  if (!version2 && !(dash[1] == "cgroup" && HasMemory(dash[3]))) return std::nullopt;
  return Mount{version2, WithoutSlash(Unescaped(words[3])), SystemPath(WithoutSlash(Unescaped(words[4])))};
}

/// Read once: a machine may have thousands of other mounts.
const std::vector<Mount>& Mounts() {
  static const std::vector<Mount>& mounts = *new std::vector<Mount>([] {
    std::vector<Mount> found;
    for (const std::string& line : LinesOf(SystemPath("/proc/self/mountinfo")))
      if (std::optional<Mount> mount = ReadMount(line)) found.push_back(*std::move(mount));
    return found;
  }());
  return mounts;
}

/// The path of a group below the one that is mounted; nothing if it is not below it.
std::optional<std::string> PathBelow(const std::string& root, const std::string& group) {
  const bool below =
      group.compare(0, root.size(), root) == 0 && (group.size() == root.size() || group[root.size()] == '/');
  if (!below || group.find("/..") != std::string::npos) return std::nullopt;
  return group.substr(root.size());
}

/// What of `most` is not in use, or would make way.
std::int64_t Left(std::int64_t most, std::int64_t used, std::int64_t reclaimable) {
  if (most < 0 || used < 0) return INT64_MAX;  // no limit, or not told
  return std::max<std::int64_t>(most - std::max<std::int64_t>(used - reclaimable, 0), 0);
}

/// What makes way for who asks: files that were only read, often ones too, and caches of the kernel.
std::int64_t Reclaimable(const std::string& statistics, std::initializer_list<const char*> names) {
  std::int64_t bytes = 0;
  for (const char* const name : names) bytes += std::max<std::int64_t>(NumberIn(statistics, name), 0);
  return bytes;
}

std::int64_t LeftInGroup2(const std::string& folder) {
  const std::int64_t most = NumberIn(folder + "/memory.max", "");
  if (most < 0) return INT64_MAX;
  const std::int64_t reclaimable =
      Reclaimable(folder + "/memory.stat", {"inactive_file ", "active_file ", "slab_reclaimable "});
  return Left(most, NumberIn(folder + "/memory.current", ""), reclaimable);
}

/// Version 1 has a second limit, of memory and swap together. And it tells the lowest limit of the groups
/// above, which in a container cannot be seen themselves.
std::int64_t LeftInGroup1(const std::string& folder) {
  const std::string statistics = folder + "/memory.stat";
  const std::int64_t reclaimable = Reclaimable(statistics, {"total_inactive_file ", "total_active_file "});
  std::int64_t left = INT64_MAX;
  for (const char* const kind : {"", "memsw."}) {
    const std::string file = folder + "/memory." + kind;
    const std::int64_t used = NumberIn(file + "usage_in_bytes", "");
    left = std::min(left, Left(NumberIn(file + "limit_in_bytes", ""), used, reclaimable));
    const char* const above = *kind == '\0' ? "hierarchical_memory_limit " : "hierarchical_memsw_limit ";
    left = std::min(left, Left(NumberIn(statistics, above), used, reclaimable));
  }
  return left;
}

/// What a group, and those above it as far as they are mounted, may still take.
std::int64_t LeftBelow(const Mount& mount, std::string path) {
  std::int64_t left = INT64_MAX;
  for (bool above = false;; above = true) {
    const std::string folder = mount.point + path;
    // In version 1 a group may be told not to count those below it, nor then do those above it.
    if (above && !mount.version2 && NumberIn(folder + "/memory.use_hierarchy", "") == 0) return left;
    left = std::min(left, mount.version2 ? LeftInGroup2(folder) : LeftInGroup1(folder));
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return left;
    path.resize(slash);
  }
}

std::int64_t LeftInGroup(bool version2, const std::string& group) {
  std::int64_t left = INT64_MAX;
  const Mount* other = nullptr;
  bool found = false;
  for (const Mount& mount : Mounts()) {
    if (mount.version2 != version2) continue;
    if (const std::optional<std::string> path = PathBelow(mount.root, group)) {
      left = std::min(left, LeftBelow(mount, *path));
      found = true;
    } else if (other == nullptr) {
      other = &mount;
    }
  }
  // In a container the two may be named from different points of view; what it can see is then its own.
  return found || other == nullptr ? left : LeftBelow(*other, "");
}

}  // namespace

std::int64_t LeftInControlGroups() {
  std::int64_t left = INT64_MAX;
  for (const std::string& line : LinesOf(SystemPath("/proc/self/cgroup"))) {
    // The number of a hierarchy, its controllers, and the group. Version 2 has number 0.
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const bool version2 = line.compare(0, second + 1, "0::") == 0;
    if (!version2 && !HasMemory(line.substr(first + 1, second - first - 1))) continue;
    left = std::min(left, LeftInGroup(version2, WithoutSlash(line.substr(second + 1))));
  }
  return left;
}

}  // namespace pike

#else

namespace pike {

std::int64_t LeftInControlGroups() { return INT64_MAX; }

}  // namespace pike

#endif
