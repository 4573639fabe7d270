#include "addon/device_stream_object.h"

#include <optional>
#include <utility>

#include "addon/cancellation_object.h"
#include "addon/device_rows.h"
#include "addon/environment.h"
#include "addon/promise_job.h"
#include "addon/results.h"
#include "addon/staged_call.h"

namespace pike {
namespace {

class DeviceAddJob final : public PromiseJob {
 public:
  DeviceAddJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation,
               std::shared_ptr<DeviceStreamSlot> slot, DeviceRows rows, std::int32_t task, double samples)
      : PromiseJob(env, std::move(cancellation)),
        slot_(std::move(slot)),
        rows_(std::move(rows)),
        task_(task),
        samples_(samples) {}

  Inputs* host() { return rows_.host(); }

 private:
  Status Compute(const Cancellation& cancellation) override {
    cuda::DeviceMomentStream* stream;
    if (Status status = slot_->Get(&stream); !status.ok()) return status;
    return stream->Add(task_, rows_.rows[0], samples_, rows_.preconditioner, rows_.source, cancellation);
  }
  void ReleaseInputs() noexcept override { rows_.ReleaseCopies(); }
  Napi::Value Result(Napi::Env env) override { return env.Undefined(); }

  std::shared_ptr<DeviceStreamSlot> slot_;
  DeviceRows rows_;  // holds the owners until this job is deleted, after its end on the device
  std::int32_t task_;
  double samples_;
};

class DeviceCollectJob final : public PromiseJob {
 public:
  DeviceCollectJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation,
                   std::shared_ptr<DeviceStreamSlot> slot)
      : PromiseJob(env, std::move(cancellation)), slot_(std::move(slot)) {}

 private:
  Status Compute(const Cancellation& cancellation) override {
    cuda::DeviceMomentStream* stream;
    if (Status status = slot_->Get(&stream); !status.ok()) return status;
    return stream->Collect(cancellation, &moments_);
  }
  Napi::Value Result(Napi::Env env) override { return ToObject(env, moments_); }

  std::shared_ptr<DeviceStreamSlot> slot_;
  Moments moments_;
};

/// Frees a stream, after the jobs before it, where waiting for the GPU does no harm.
class DeviceReleaseJob final : public Job {
 public:
  explicit DeviceReleaseJob(std::shared_ptr<DeviceStreamSlot> slot) : slot_(std::move(slot)) {}
  void Run() noexcept override { slot_->stream.reset(); }

 private:
  std::shared_ptr<DeviceStreamSlot> slot_;
};

}  // namespace

Status DeviceStreamSlot::Get(cuda::DeviceMomentStream** opened) {
  cuda::Engine* found;
  Status status = engine->Get(&found);
  if (status.ok() && !stream) status = found->OpenStream(tasks, layout, inner, &stream);
  *opened = stream.get();
  return status;
}

Napi::Function DeviceStreamObject::Define(Napi::Env env) {
  return DefineClass(env, "DeviceMomentStream",
                     {InstanceMethod<&DeviceStreamObject::Add>("add"),
                      InstanceMethod<&DeviceStreamObject::Collect>("moments"),
                      InstanceMethod<&DeviceStreamObject::Dispose>("dispose")});
}

DeviceStreamObject::DeviceStreamObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  try {
    opening_ = Open(info.Env(), info[0]);
  } catch (const Napi::Error& error) {
    opening_ = {StatusCode::kInternal, error.Message()};
  } catch (const std::exception& error) {
    opening_ = ToStatus(error);
  }
}

/// { device, tasks, dtypes, lengths, inner }
Status DeviceStreamObject::Open(Napi::Env env, Napi::Value value) {
  if (!value.IsObject()) return {StatusCode::kShape, "the options are no object"};
  const Napi::Object options = value.As<Napi::Object>();
  std::optional<Layout> layout = ReadLayout(options.Get("dtypes"), options.Get("lengths"));
  const std::int32_t tasks = options.Get("tasks").ToNumber().Int32Value();
  device_ = options.Get("device").ToNumber().Int32Value();
  const bool inner = options.Get("inner").ToBoolean();
  if (tasks < 1 || !layout) return {StatusCode::kShape, "the layout is not valid"};
  auto slot = std::make_shared<DeviceStreamSlot>();
  slot->engine = Environment::Of(env).devices.Of(device_).engine;
  slot->tasks = tasks;
  slot->layout = *std::move(layout);
  slot->inner = inner;
  slot_ = std::move(slot);
  return {};
}

Status DeviceStreamObject::Usable() const {
  if (!opening_.ok()) return opening_;
  if (!slot_) return {StatusCode::kDisposed, "the measurement was disposed"};
  return {};
}

/// add(task, rows, samples, preconditioner | null, cancellation | null, inSlices?)
Napi::Value DeviceStreamObject::Add(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    // What is read of the arguments may run script, and that dispose of the stream.
    const std::int32_t task = info[0].ToNumber().Int32Value();
    const double samples = info[2].ToNumber().DoubleValue();
    if (Status status = Usable(); !status.ok()) return ToObject(env, status);
    const std::shared_ptr<DeviceStreamSlot> slot = slot_;
    Environment& environment = Environment::Of(env);
    if (task < 0 || task >= slot->tasks)
      return ToObject(env, Status{StatusCode::kShape, "there is no such task"});
    DeviceRows rows;
    Status status = rows.Read(info[1].As<Napi::Object>(), info[3], slot->layout, 1, environment.shared);
    if (!status.ok()) return ToObject(env, status);

    auto job = std::make_unique<DeviceAddJob>(env, CancellationObject::Of(info[4]), slot, std::move(rows),
                                              task, samples);
    Stages* const host = job->host() ? &job->host()->copy : nullptr;
    return StagedCall::Submit(env, environment.devices.Of(device_).executor, std::move(job), host, info[5]);
  });
}

/// moments(cancellation | null)
Napi::Value DeviceStreamObject::Collect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    if (Status status = Usable(); !status.ok()) return ToObject(env, status);
    auto job = std::make_unique<DeviceCollectJob>(env, CancellationObject::Of(info[0]), slot_);
    return PromiseJob::Submit(Environment::Of(env).devices.Of(device_).executor, std::move(job));
  });
}

Napi::Value DeviceStreamObject::Dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    if (slot_) {
      Environment::Of(env).devices.Of(device_).executor.Submit(
          env, std::make_unique<DeviceReleaseJob>(std::move(slot_)));
    }
    return env.Undefined();
  });
}

/// When nobody disposed it. Jobs that still run have the slot, too.
void DeviceStreamObject::Finalize(Napi::BasicEnv) { slot_.reset(); }

}  // namespace pike
