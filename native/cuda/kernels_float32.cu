#include "cuda/launch_dtype.h"

namespace pike::cuda {

template Status LaunchMomentsOf<Dtype::kFloat32>(const MomentsPlan&, const MomentsArguments&, dim3, unsigned,
                                                 Stream);
template Status LaunchWelfordOf<Dtype::kFloat32>(const WelfordArguments&, dim3, Stream);

}  // namespace pike::cuda
