#include "addon/host_tools.h"

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/promise_job.h"
#include "cpu/memory_probe.h"

namespace pike {
namespace {

Status Invalid(const char* message) { return {StatusCode::kInvalidOption, message}; }

/// Where a typed array lies. Not secured as gradients are (addon/inputs.h): who measures memory does not
/// transfer it meanwhile.
std::optional<ProbedMemory> MemoryOf(Napi::Env env, Napi::Value value, napi_typedarray_type* type) {
  static constexpr std::int64_t kElementBytes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  std::size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, type, &length, &data, nullptr, nullptr) != napi_ok)
    return std::nullopt;
  if (static_cast<std::size_t>(*type) >= std::size(kElementBytes) || length == 0) return std::nullopt;
  return ProbedMemory{data, static_cast<std::int64_t>(length) * kElementBytes[*type]};
}

/// Nothing unless it is a whole number from 1 to 1024.
std::optional<int> ReadThreads(Napi::Value value) {
  if (!value.IsNumber()) return std::nullopt;
  const double threads = value.As<Napi::Number>();
  const int whole = threads >= 1 && threads <= 1024 ? static_cast<int>(threads) : 0;
  return whole > 0 && whole == threads ? std::optional(whole) : std::nullopt;
}

class ProbeJob : public PromiseJob {
 public:
  ProbeJob(Napi::Env env, Napi::Object arrays, int threads)
      : PromiseJob(env, std::make_shared<Cancellation>()),
        shared_(Environment::Of(env).shared),
        kept_alive_(Napi::Persistent(arrays)),
        threads_(threads) {}

 protected:
  const std::shared_ptr<SharedResources> shared_;
  const Napi::ObjectReference kept_alive_;
  const int threads_;
};

class ReadJob final : public ProbeJob {
 public:
  ReadJob(Napi::Env env, Napi::Object arrays, std::vector<ProbedMemory> memory, bool eight_streams,
          int threads)
      : ProbeJob(env, arrays, threads), memory_(std::move(memory)), eight_streams_(eight_streams) {}

 private:
  Status Compute(const Cancellation&) override {
    result_ = ProbeRead(memory_, eight_streams_, shared_->threads, threads_);
    return {};
  }
  Napi::Value Result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("seconds", result_.seconds);
    object.Set("checksum", Napi::BigInt::New(env, result_.checksum));
    return object;
  }

  const std::vector<ProbedMemory> memory_;
  const bool eight_streams_;
  ReadResult result_{};
};

class UpdateJob final : public ProbeJob {
 public:
  UpdateJob(Napi::Env env, Napi::Object arrays, ProbedMemory mean, ProbedMemory gradient, float scale,
            int threads)
      : ProbeJob(env, arrays, threads), mean_(mean), gradient_(gradient), scale_(scale) {}

 private:
  Status Compute(const Cancellation&) override {
    float* const mean = static_cast<float*>(const_cast<void*>(mean_.data));
    const std::int64_t length = mean_.bytes / static_cast<std::int64_t>(sizeof(float));
    seconds_ = ProbeUpdate(mean, static_cast<const float*>(gradient_.data), length, scale_, shared_->threads,
                           threads_);
    return {};
  }
  Napi::Value Result(Napi::Env env) override { return Napi::Number::New(env, seconds_); }

  const ProbedMemory mean_;
  const ProbedMemory gradient_;
  const float scale_;
  double seconds_ = 0;
};

Napi::Value Submit(Napi::Env env, std::unique_ptr<ProbeJob> job) {
  return PromiseJob::Submit(Environment::Of(env).executor, std::move(job));
}

/// read(arrays, streams, threads)
Napi::Value Read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const std::optional<int> threads = ReadThreads(info[2]);
    if (!threads) return ToObject(env, Invalid("threads must be a whole number from 1 to 1024"));
    const std::optional<int> streams = ReadThreads(info[1]);
    if (streams != 1 && streams != 8) return ToObject(env, Invalid("streams must be 1 or 8"));
    if (!info[0].IsArray()) return ToObject(env, Invalid("arrays must be a list of typed arrays"));
    const auto given = info[0].As<Napi::Array>();
    // A list unknown to script, which may run while this one is made.
    const auto arrays = Napi::Array::New(env);
    for (std::uint32_t i = 0; i < given.Length(); ++i) arrays.Set(i, given.Get(i));
    std::vector<ProbedMemory> memory;
    for (std::uint32_t i = 0; i < arrays.Length(); ++i) {
      napi_typedarray_type type;
      const std::optional<ProbedMemory> each = MemoryOf(env, arrays.Get(i), &type);
      if (!each) return ToObject(env, Invalid("arrays must be typed arrays that are not empty"));
      memory.push_back(*each);
    }
    return Submit(env, std::make_unique<ReadJob>(env, arrays, std::move(memory), streams == 8, *threads));
  });
}

/// update(mean, gradient, scale, threads)
Napi::Value Update(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    napi_typedarray_type types[2];
    const std::optional<ProbedMemory> mean = MemoryOf(env, info[0], &types[0]);
    const std::optional<ProbedMemory> gradient = MemoryOf(env, info[1], &types[1]);
    if (!mean || !gradient || types[0] != napi_float32_array || types[1] != napi_float32_array ||
        mean->bytes != gradient->bytes)
      return ToObject(env, Invalid("mean and gradient must be Float32Arrays of one length, not empty"));
    if (!info[2].IsNumber()) return ToObject(env, Invalid("scale must be a number"));
    const std::optional<int> threads = ReadThreads(info[3]);
    if (!threads) return ToObject(env, Invalid("threads must be a whole number from 1 to 1024"));
    const auto arrays = Napi::Array::New(env, 2);
    arrays.Set(0u, info[0]);
    arrays.Set(1u, info[1]);
    const float scale = info[2].As<Napi::Number>().FloatValue();
    return Submit(env, std::make_unique<UpdateJob>(env, arrays, *mean, *gradient, scale, *threads));
  });
}

/// threadSeconds(): what this thread has computed for so far. Unlike a clock on the wall it stands still
/// while others have the core. −1 where the system does not tell.
Napi::Value ThreadSeconds(const Napi::CallbackInfo& info) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  std::timespec time{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0)
    return Napi::Number::New(info.Env(), static_cast<double>(time.tv_sec) + 1e-9 * time.tv_nsec);
#endif
  return Napi::Number::New(info.Env(), -1);
}

}  // namespace

Napi::Object HostToolsObject(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("instructionSet", ProbeInstructionSet());
  object.Set("read", Napi::Function::New<Read>(env, "read"));
  object.Set("update", Napi::Function::New<Update>(env, "update"));
  object.Set("threadSeconds", Napi::Function::New<ThreadSeconds>(env, "threadSeconds"));
  return object;
}

}  // namespace pike
