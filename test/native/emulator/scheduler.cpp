#include "emulator/scheduler.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <numeric>
#include <utility>

#include "emulator/collectives.h"
#include "emulator/weak_memory.h"

namespace emulator {
namespace {

/// Without preemption a thread gives way after so many memory operations all the same: it may be waiting in a
/// loop for a thread that has to run.
constexpr std::uint64_t kLongTurn = 1 << 16;

/// All threads of the resident blocks have stacks at once.
constexpr unsigned kMaximumThreads = 16 * 1024;

void DrawTurn() {
  const unsigned chance = machine.configuration.preemption;
  machine.turn = chance == 0 ? kLongTurn : 1 + Random() % (2 * chance - 1);
  machine.turn_left = machine.turn;
}

/// The lowest function on the stack of every thread.
void RunThread() {
  Context::Enter(machine.scheduler);
  Thread& thread = *machine.current;
  try {
    machine.kernel(machine.arguments);
    NoteReturn(thread);
  } catch (const Defect& defect) {
    machine.defect.emplace(defect);
  } catch (const std::exception& error) {
    machine.defect.emplace(Kind::kKernelThrew, Name(thread) + ": " + error.what());
  } catch (...) {
    machine.defect.emplace(Kind::kKernelThrew, Name(thread));
  }
  GiveWay();
  std::terminate();  // nobody comes back
}

void Resume(Thread& thread) {
  machine.current = &thread;
  machine.scheduler.SwitchTo(thread.context);
  machine.current = nullptr;
  machine.steps += 1 + machine.turn - machine.turn_left;
}

bool IsOverBudget() { return machine.steps > machine.configuration.step_budget; }

/// One launch: which blocks run and which are to come.
class Grid {
 public:
  Grid(unsigned blocks, unsigned threads, unsigned shared_bytes)
      : threads_(threads), shared_bytes_(shared_bytes), order_(blocks) {
    const Configuration& configuration = machine.configuration;
    std::iota(order_.begin(), order_.end(), 0u);
    if (configuration.order == Order::kReverse) std::reverse(order_.begin(), order_.end());
    if (configuration.order == Order::kRandom) {
      for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[Random() % i]);
    }
    const unsigned resident =
        std::clamp(std::min(configuration.resident, kMaximumThreads / threads), 1u, blocks);
    while (machine.blocks.size() < resident) machine.blocks.push_back(std::make_unique<Block>());
    for (unsigned i = 0; i < resident; ++i) free_.push_back(resident - 1 - i);
  }

  void Run() {
    for (;;) {
      while (!free_.empty() && next_ < order_.size()) StartBlock();
      if (live_.empty()) return;
      const bool progress = machine.configuration.order == Order::kRandom ? RunSome() : RunAll();
      if (!machine.defect && IsOverBudget()) ReportRunaway();
      if (machine.defect) return;
      RetireBlocks();
      if (!progress && !ReleaseHeld()) {
        ReportStandstill();
        return;
      }
    }
  }

 private:
  void StartBlock() {
    const unsigned slot = free_.back();
    free_.pop_back();
    live_.push_back(slot);
    Block& block = *machine.blocks[slot];
    block.number = order_[next_++];
    block.index = {block.number % machine.grid.x, block.number / machine.grid.x};
    block.waiting = block.returned = 0;
    block.first_interval = ++block.interval;
    block.fences = 0;
    block.has_done_atomics = false;
    block.acquired.Clear();
    block.shared_bytes = shared_bytes_;
    // Bits that are a NaN in every floating-point type, and no sensible integer.
    SharedLine poison;
    std::fill(std::begin(poison.bytes), std::end(poison.bytes), static_cast<unsigned char>(0xff));
    block.shared.assign((shared_bytes_ + 15) / 16, poison);
    if (block.shadows.size() < (shared_bytes_ + 3) / 4) block.shadows.resize((shared_bytes_ + 3) / 4);

    const unsigned warps = (threads_ + 31) / 32;
    if (block.warps.size() < warps) block.warps.resize(warps);
    block.threads.resize(threads_);
    for (unsigned i = 0; i < warps; ++i) block.warps[i].meetings.clear();
    for (unsigned i = 0; i < threads_; ++i) {
      Thread& thread = block.threads[i];
      thread.block = &block;
      thread.warp = &block.warps[i / 32];
      thread.index = i;
      thread.lane = i % 32;
      thread.state = State::kRunnable;
      thread.released.Clear();
      thread.met.Clear();
      thread.acquired.Clear();
      thread.context.Prepare(machine.stacks.Top(std::size_t{slot} * threads_ + i), RunThread);
    }
  }

  bool RunIfAble(Thread& thread) {
    if (thread.state != State::kRunnable) return false;
    DrawTurn();
    Resume(thread);
    return true;
  }

  /// Gives every thread a turn.
  bool RunAll() {
    bool progress = false;
    const bool reverse = machine.configuration.order == Order::kReverse;
    for (const unsigned slot : live_) {
      std::vector<Thread>& threads = machine.blocks[slot]->threads;
      for (std::size_t i = 0; i < threads.size(); ++i) {
        progress |= RunIfAble(threads[reverse ? threads.size() - 1 - i : i]);
        if (machine.defect || IsOverBudget()) return true;
      }
    }
    return progress;
  }

  /// Gives some threads of one block a turn, in a random place and direction.
  bool RunSome() {
    std::vector<Thread>& threads = machine.blocks[live_[Random() % live_.size()]]->threads;
    const std::size_t start = Random() % threads.size();
    const std::size_t stride = Random() % 2 == 0 ? 1 : threads.size() - 1;
    const bool brief = Random() % 4 == 0;
    bool progress = false;
    for (std::size_t i = 0, at = start; i < threads.size(); ++i, at = (at + stride) % threads.size()) {
      if (!RunIfAble(threads[at])) continue;
      progress = true;
      if (machine.defect || IsOverBudget() || (brief && Random() % 4 == 0)) return true;
    }
    return progress || AnyRunnable();
  }

  bool AnyRunnable() const {
    return std::any_of(live_.begin(), live_.end(), [](unsigned slot) {
      const std::vector<Thread>& threads = machine.blocks[slot]->threads;
      return std::any_of(threads.begin(), threads.end(),
                         [](const Thread& thread) { return thread.state == State::kRunnable; });
    });
  }

  void RetireBlocks() {
    std::erase_if(live_, [&](unsigned slot) {
      Block& block = *machine.blocks[slot];
      if (block.returned < block.threads.size()) return false;
      EndBlockStores(block);
      free_.push_back(slot);
      return true;
    });
  }

  /// Lets one of the threads go on that wait after an atomic.
  bool ReleaseHeld() {
    std::vector<Thread*> held;
    for (const unsigned slot : live_) {
      for (Thread& thread : machine.blocks[slot]->threads) {
        if (thread.state == State::kHeld) held.push_back(&thread);
      }
    }
    if (held.empty()) return false;
    Thread* released = held.back();
    if (machine.configuration.order == Order::kReverse) released = held.front();
    if (machine.configuration.order == Order::kRandom) released = held[Random() % held.size()];
    released->state = State::kRunnable;
    return true;
  }

  /// Nothing can run and not all have returned. There must be lanes of a warp that wait for others: barriers
  /// that cannot open are noticed when threads come to them.
  void ReportStandstill();
  void ReportRunaway();

  const unsigned threads_;
  const unsigned shared_bytes_;
  std::vector<unsigned> order_;
  std::size_t next_ = 0;
  std::vector<unsigned> live_;  // places in machine.blocks
  std::vector<unsigned> free_;
};

/// Where the threads of a block are, in words.
std::string Account(const Block& block) {
  std::vector<std::pair<std::string, unsigned>> places;
  for (const Thread& thread : block.threads) {
    std::string place = thread.state == State::kReturned ? "returned" : "running";
    if (thread.state == State::kAtBarrier || thread.state == State::kInCollective) {
      place = Format("at %s (%s:%d)", thread.site->call, thread.site->file, thread.site->line);
      if (thread.state == State::kInCollective) place += Format(" in warp %u", thread.index / 32);
    }
    const auto found =
        std::find_if(places.begin(), places.end(), [&](const auto& entry) { return entry.first == place; });
    if (found == places.end()) {
      places.emplace_back(place, 1);
    } else {
      ++found->second;
    }
  }
  std::string account = Format("block %u:", block.number);
  for (const auto& [place, count] : places) account += Format(" %u threads ", count) + place + ";";
  return account;
}

void Grid::ReportStandstill() {
  std::string message = "lanes of the mask do not come;";
  for (const unsigned slot : live_) message += " " + Account(*machine.blocks[slot]);
  machine.defect.emplace(Kind::kDivergentCollective, message);
}

void Grid::ReportRunaway() {
  std::string message = Format("no end after %llu memory operations and switches;",
                               static_cast<unsigned long long>(machine.steps));
  for (const unsigned slot : live_) message += " " + Account(*machine.blocks[slot]);
  machine.defect.emplace(Kind::kRunaway, message);
}

}  // namespace

void GiveWay() { machine.current->context.SwitchTo(machine.scheduler); }

void Fail(Kind kind, const std::string& message) { throw Defect(kind, message); }

std::string Name(unsigned block, unsigned thread) {
  const unsigned width = machine.grid.x;
  if (machine.grid.y == 1) return Format("block %u, thread %u", block, thread);
  return Format("block (%u, %u), thread %u", block % width, block / width, thread);
}

void StallAfterAtomic() {
  if (!machine.configuration.stall_atomics) return;
  machine.current->state = State::kHeld;
  GiveWay();
}

void RunGrid(dim3 grid, unsigned threads, unsigned shared_bytes, void (*kernel)(void*), void* arguments) {
  // Launches from several threads of the process go one after another, as in one stream.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);

  machine.configuration = CurrentConfiguration();
  machine.grid = grid;
  machine.threads = threads;
  machine.random = machine.configuration.seed * 0x9e3779b97f4a7c15u | 1;
  machine.steps = 0;
  machine.kernel = kernel;
  machine.arguments = arguments;
  machine.defect.reset();

  StartLaunchStores();
  Grid(grid.x * grid.y, threads, shared_bytes).Run();
  if (machine.defect) throw Defect(*machine.defect);
  EndLaunchStores();
}

}  // namespace emulator
