// Says of each number of bytes that it is given whether it may be had.
#include <cstdio>
#include <cstdlib>

#include "core/memory.h"

int main(int count, char** numbers) {
  for (int i = 1; i < count; ++i) std::puts(pike::MayBeHad(std::atoll(numbers[i])) ? "yes" : "no");
}
