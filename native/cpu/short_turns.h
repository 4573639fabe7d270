// How threads of ours share processors with the thread that JavaScript runs on. A thread that wakes where one
// of ours is at work may have to wait for the next tick of the kernel's clock, four milliseconds as a rule,
// before it is looked at again: so ours give way of their own accord.
#pragma once

namespace pike {

/// Asks that the calling thread be given its processor time in short turns, without changing its share, so
/// that it loses little where it gives one up. Linux 6.12 and later do so.
void TakeShortTurns();

/// To be called between pieces of work: lets another thread run, if one waits, unless that was done within
/// the last millisecond. Only on threads of short turns; on others, such as that of JavaScript, nothing is
/// done. Whether it did so.
bool GiveWay();

}  // namespace pike
