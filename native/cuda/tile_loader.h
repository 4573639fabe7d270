// Walks over the tiles of a virtual block and loads this thread's pieces of each.
#pragma once

#include "cuda/arguments.h"
#include "cuda/element.h"
#include "cuda/platform.h"

namespace pike::cuda {

/// What one thread holds of a tile. Piece p is the sixteen bytes at lane `thread % lanes` of row
/// `(p · kThreads + thread) / lanes`.
struct TilePieces {
  Packed packed[kPieces];
};

template <Dtype dtype>
class TileLoader {
 public:
  using Type = typename Element<dtype>::Type;

  __device__ __forceinline__ TileLoader(int first_chunk, int end_chunk)
      : next_chunk_(first_chunk), end_chunk_(end_chunk) {}

  /// False after the last tile. √D of the tile's columns goes to `roots`, unless the rows are given means.
  __device__ __forceinline__ bool Load(const MomentsArguments& a, const Set& set, const TileShape& shape,
                                       const Shared<float>& roots, TilePieces& pieces) {
    if (at_ >= count_) {
      if (next_chunk_ == end_chunk_) return false;
      EnterChunk(a, set, shape);
    }
    const int lane = static_cast<int>(threadIdx.x) % shape.lanes;
    const int column = at_ + lane * Element<dtype>::kColumns;
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      pieces.packed[p] = {{0, 0, 0, 0}};
      if (row_[p] != nullptr) {
        pieces.packed[p] = LoadPacked<dtype>(row_[p], column, count_, aligned_ >> p & 1u);
      }
    }
    if (static_cast<int>(threadIdx.x) < shape.lanes && !shape.given_means) {
      float root[Element<dtype>::kColumns];
      LoadRoots<false>(a.metric, a.columns.chunks + next_chunk_ - 1, column, root);
#pragma unroll
      for (int c = 0; c < Element<dtype>::kColumns; c += 4) {
        StoreShared4(roots, c * shape.lanes + lane * 4, {root[c], root[c + 1], root[c + 2], root[c + 3]});
      }
    }
    at_ += shape.columns;
    return true;
  }

 private:
  __device__ __forceinline__ void EnterChunk(const MomentsArguments& a, const Set& set,
                                             const TileShape& shape) {
    const Chunk chunk = a.columns.chunks[next_chunk_++];
    count_ = chunk.count;
    at_ = 0;
    aligned_ = 0;
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      const int local = (p * kThreads + static_cast<int>(threadIdx.x)) / shape.lanes;
      row_[p] = nullptr;
      if (local >= shape.rows) continue;
      const bool second = set.rectangle > 0 && local >= set.rectangle;
      const std::int64_t row = second ? set.second_row + local - set.rectangle : set.first_row + local;
      row_[p] = static_cast<const Type*>(a.rows[row * a.tensors + chunk.tensor]) + chunk.offset;
      if (IsAligned(row_[p])) aligned_ |= 1u << p;
    }
  }

  int next_chunk_;
  int end_chunk_;
  int count_ = 0;  // columns of the current chunk
  int at_ = 0;     // its next tile
  const Type* row_[kPieces];
  unsigned aligned_ = 0;
};

}  // namespace pike::cuda
