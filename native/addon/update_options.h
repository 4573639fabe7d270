// The options of native/math as lib/backends/weight-update.ts writes them: numbers all, true as 1.
#pragma once

#include <napi.h>

#include "math/layout.h"

inline pike::math::UpdateOptions ReadUpdateOptions(const Napi::Object& given) {
  const auto number = [&](const char* name) { return given.Get(name).As<Napi::Number>().DoubleValue(); };
  pike::math::UpdateOptions options;
  const double rule = number("rule");
  if (!(rule >= 0 && rule <= static_cast<double>(pike::math::Rule::kBalanced)))
    throw Napi::RangeError::New(given.Env(), "there is no such rule");
  options.rule = static_cast<pike::math::Rule>(static_cast<int>(rule));
  options.batch_size = number("batchSize");
  options.zeta1 = number("zeta1");
  options.zeta2 = number("zeta2");
  options.relative = number("relative") != 0;
  options.min_weight = number("minWeight");
  options.max_log_step = number("maxLogStep");
  options.prior_pull = number("priorPull");
  options.smoothing = number("smoothing");
  options.clip_norms = number("clipNorms") != 0;
  options.tau = number("tau");
  options.loss_scale_mean = number("lossScaleMean") != 0;
  options.learning_rate = number("learningRate");
  options.smoothness = number("smoothness");
  options.alpha = number("alpha");
  options.beta = number("beta");
  options.gamma = number("gamma");
  return options;
}
