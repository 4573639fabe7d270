// A range of addresses that allocations are cut from, one behind the other and never the same twice.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulator {

class AddressRange {
 public:
  AddressRange();
  AddressRange(const AddressRange&) = delete;
  AddressRange& operator=(const AddressRange&) = delete;

  bool Contains(std::uintptr_t address) const { return address >= begin_ && address < begin_ + kBytes; }

  /// The address of so many bytes: a multiple of 256 and of no higher power of two, pages away from whatever
  /// else is taken. They can be touched until Close(). 0 when no addresses are left.
  std::uintptr_t Take(std::int64_t bytes);
  /// Gives the memory back, but not the addresses.
  void Discard(std::uintptr_t begin, std::int64_t bytes);

  /// Lets all that is taken be touched, or nothing of it.
  void Open();
  void Close();

 private:
  static constexpr std::size_t kBytes = std::size_t{1} << 36;

  std::uintptr_t begin_ = 0;
  std::size_t taken_ = 0;
  bool open_ = true;
};

}  // namespace emulator
