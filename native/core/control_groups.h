// What the control groups of Linux that this process is in leave it, of version 1 and of version 2.
#pragma once

#include <cstdint>

namespace pike {

/// Bytes that the strictest of them may still take; INT64_MAX without a limit, or where there are none.
/// Throws std::bad_alloc.
std::int64_t LeftInControlGroups();

}  // namespace pike
