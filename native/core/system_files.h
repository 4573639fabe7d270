// Small text files in which Linux tells of a process and of its control groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace pike {

using SystemFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

inline SystemFile OpenSystemFile(const std::string& path) {
  return SystemFile(std::fopen(path.c_str(), "re"), &std::fclose);
}

/// The number after `name` in lines of a name and a number each; −1 if there is none.
inline std::int64_t NumberIn(const std::string& path, const char* name) {
  const SystemFile file = OpenSystemFile(path);
  char line[256];
  while (file && std::fgets(line, sizeof line, file.get()) != nullptr) {
    const std::size_t length = std::strlen(name);
    if (std::strncmp(line, name, length) != 0) continue;
    char* end = nullptr;
    const long long number = std::strtoll(line + length, &end, 10);
    return end == line + length ? -1 : number;
  }
  return -1;
}

/// Lines of any length, without their ends; none where there is no such file.
inline std::vector<std::string> LinesOf(const std::string& path) {
  const SystemFile file = OpenSystemFile(path);
  std::vector<std::string> lines;
  bool ended = true;
  char part[1024];
  while (file && std::fgets(part, sizeof part, file.get()) != nullptr) {
    if (ended) lines.emplace_back();
    std::string& line = lines.back().append(part);
    ended = line.back() == '\n';
    if (ended) line.pop_back();
  }
  return lines;
}

}  // namespace pike
