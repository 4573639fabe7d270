// Work on the JS thread that may take too long for one turn of the event loop.
#pragma once

#include "core/status.h"

namespace pike {

class Stages {
 public:
  virtual ~Stages() = default;

  /// One slice: as much as takes about half a millisecond.
  virtual Status Continue() = 0;
  /// All that is left, however long it takes.
  virtual Status Finish() = 0;
  virtual bool done() const = 0;
  /// The last slice did nothing, for want of something that another thread is making.
  virtual bool waiting() const { return false; }
  /// Any thread: gives back what memory it took.
  virtual void Release() noexcept = 0;
};

}  // namespace pike
