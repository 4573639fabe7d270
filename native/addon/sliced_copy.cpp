#include "addon/sliced_copy.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace pike {
namespace {

constexpr std::int64_t kAlignment = 64;
/// Bytes between two looks at the clock: some hundredths of a millisecond.
constexpr std::int64_t kPiece = std::int64_t{128} << 10;
/// Copied in one slice whatever the clock says.
constexpr std::int64_t kAtOnce = std::int64_t{512} << 10;
constexpr std::chrono::microseconds kSlice{400};
constexpr std::int64_t kPage = 4096;

std::int64_t Padded(std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

/// Touches the pages of fresh memory ahead of the copy: each costs the system as long as copying it does, or
/// much longer, and that is not to happen on the JS thread.
class SlicedCopy::Warmer {
 public:
  explicit Warmer(const AlignedBuffer& room)
      : thread_([this, memory = static_cast<volatile char*>(room.data()), bytes = room.bytes()] {
          for (std::int64_t at = 0; at < bytes && !stopped_.load(std::memory_order_relaxed); at += kPage) {
            memory[at] = 0;
            ready_.store(std::min(at + kPage, bytes), std::memory_order_release);
          }
        }) {}
  Warmer(const Warmer&) = delete;
  Warmer& operator=(const Warmer&) = delete;
  /// Waits for one page at most.
  ~Warmer() {
    stopped_.store(true, std::memory_order_relaxed);
    thread_.join();
  }

  std::int64_t ready() const { return ready_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> stopped_{false};
  std::atomic<std::int64_t> ready_{0};
  std::thread thread_;
};

SlicedCopy::SlicedCopy(std::shared_ptr<SharedResources> shared) : shared_(std::move(shared)) {}
SlicedCopy::SlicedCopy(SlicedCopy&&) noexcept = default;
SlicedCopy::~SlicedCopy() { warmer_.reset(); }

void SlicedCopy::Add(Napi::Array list, std::uint32_t index, const void** pointer, std::int64_t bytes) {
  arrays_.Add(list, index, *pointer, bytes);
  copies_.push_back({pointer, static_cast<const char*>(*pointer), bytes, 0});
}

std::unordered_map<const void* const*, std::size_t> SlicedCopy::numbers() const {
  std::unordered_map<const void* const*, std::size_t> numbers;
  for (std::size_t i = 0; i < copies_.size(); ++i) numbers.emplace(copies_[i].pointer, i);
  return numbers;
}

WatchedArrays SlicedCopy::Take() {
  copies_.clear();
  return std::move(arrays_);
}

Status SlicedCopy::Begin() {
  std::int64_t total = 0;
  for (Copy& copy : copies_) {
    copy.to = total;
    total += Padded(copy.bytes);
  }
  if (total == 0) return {};
  room_ = shared_->buffers.Take(total, &fresh_);
  if (!room_) {
    return {StatusCode::kMemory,
            "no memory for a copy of the gradients, " + std::to_string(total) +
                " bytes; gradients in a GradientBuffer or a SharedArrayBuffer are read in place"};
  }
  for (const Copy& copy : copies_) *copy.pointer = static_cast<char*>(room_.data()) + copy.to;
  return {};
}

Status SlicedCopy::Continue() {
  if (fresh_ && !done() && room_.bytes() > kAtOnce) {
    fresh_ = false;
    try {
      warmer_ = std::make_unique<Warmer>(room_);
    } catch (const std::system_error&) {
      // No thread to be had: the copy itself touches the pages.
    }
  }
  return CopyUntil(warmer_ ? warmer_->ready() : room_.bytes(), true);
}

Status SlicedCopy::Finish() {
  warmer_.reset();
  return CopyUntil(room_.bytes(), false);
}

Status SlicedCopy::CopyUntil(std::int64_t end, bool timed) {
  const auto began = std::chrono::steady_clock::now();
  std::int64_t copied = 0;
  std::size_t in_place = copies_.size();  // the copy whose array was looked at last
  while (!done()) {
    const Copy& copy = copies_[at_];
    const std::int64_t count = std::min({kPiece, copy.bytes - offset_, end - copy.to - offset_});
    if (count <= 0) break;
    if (in_place != at_) {
      if (Status status = arrays_.Look({at_}); !status.ok()) return status;
      in_place = at_;
    }
    std::memcpy(static_cast<char*>(room_.data()) + copy.to + offset_, copy.from + offset_,
                static_cast<std::size_t>(count));
    copied += count;
    offset_ += count;
    if (offset_ == copy.bytes) {
      ++at_;
      offset_ = 0;
    }
    if (timed && copied >= kAtOnce && std::chrono::steady_clock::now() - began > kSlice) break;
  }
  waiting_ = copied == 0 && !done();
  if (done()) {
    arrays_.Clear();
    warmer_.reset();
  }
  return {};
}

void SlicedCopy::Release() noexcept {
  try {
    warmer_.reset();
    shared_->buffers.Give(std::move(room_));
  } catch (const std::bad_alloc&) {
    // The pool could not grow its list: the room is freed instead.
  }
}

}  // namespace pike
