// Stands in for the kernels of the dtypes that a test has no use for, to save the time of compiling them.
#include "cuda/launch.h"

namespace pike::cuda {
namespace {
const Status kNone = {StatusCode::kInternal, "this build has kernels of float32 only"};
}  // namespace

template <>
Status LaunchMomentsOf<Dtype::kBFloat16>(const MomentsPlan&, const MomentsArguments&, dim3, unsigned,
                                         Stream) {
  return kNone;
}
template <>
Status LaunchMomentsOf<Dtype::kFloat16>(const MomentsPlan&, const MomentsArguments&, dim3, unsigned, Stream) {
  return kNone;
}
template <>
Status LaunchWelfordOf<Dtype::kBFloat16>(const WelfordArguments&, dim3, Stream) {
  return kNone;
}
template <>
Status LaunchWelfordOf<Dtype::kFloat16>(const WelfordArguments&, dim3, Stream) {
  return kNone;
}

}  // namespace pike::cuda
