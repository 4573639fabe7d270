#include "cuda/launch_dtype.h"

namespace pike::cuda {

template Status LaunchMomentsOf<Dtype::kBFloat16>(const MomentsPlan&, const MomentsArguments&, dim3, unsigned,
                                                  Stream);
template Status LaunchWelfordOf<Dtype::kBFloat16>(const WelfordArguments&, dim3, Stream);

}  // namespace pike::cuda
