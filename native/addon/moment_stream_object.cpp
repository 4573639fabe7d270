#include "addon/moment_stream_object.h"

#include <utility>

#include "addon/cancellation_object.h"
#include "addon/environment.h"
#include "addon/inputs.h"
#include "addon/promise_job.h"
#include "addon/results.h"
#include "addon/staged_call.h"

namespace pike {
namespace {

class AddJob final : public PromiseJob {
 public:
  AddJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation, MomentStreamObject& owner,
         std::shared_ptr<MomentStream> stream, Inputs inputs, std::size_t task, double samples, int threads)
      : PromiseJob(env, std::move(cancellation)),
        shared_(Environment::Of(env).shared),
        owner_(owner),
        owner_reference_(Napi::Persistent(owner.Value())),
        stream_(std::move(stream)),
        inputs_(std::move(inputs)),
        task_(task),
        samples_(samples),
        threads_(threads) {}

  Inputs& inputs() { return inputs_; }

 private:
  Status Compute(const Cancellation& cancellation) override {
    Status status = stream_->Add(task_, inputs_.rows[0], samples_, inputs_.preconditioner, shared_->threads,
                                 threads_, cancellation);
    bytes_ = stream_->bytes();
    return status;
  }
  void ReleaseInputs() noexcept override {
    inputs_.Release();
    stream_.reset();  // the last of a disposed stream goes here, not on the JS thread
  }
  Napi::Value Result(Napi::Env env) override {
    owner_.ReportMemory(env, bytes_);
    return env.Undefined();
  }

  std::shared_ptr<SharedResources> shared_;
  MomentStreamObject& owner_;
  Napi::ObjectReference owner_reference_;  // keeps owner_
  std::shared_ptr<MomentStream> stream_;
  Inputs inputs_;
  std::size_t task_;
  double samples_;
  int threads_;
  std::int64_t bytes_ = 0;
};

class CollectJob final : public PromiseJob {
 public:
  CollectJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation, std::shared_ptr<MomentStream> stream,
             int threads)
      : PromiseJob(env, std::move(cancellation)),
        shared_(Environment::Of(env).shared),
        stream_(std::move(stream)),
        threads_(threads) {}

 private:
  Status Compute(const Cancellation& cancellation) override {
    return stream_->Collect(shared_->threads, threads_, cancellation, &moments_);
  }
  void ReleaseInputs() noexcept override { stream_.reset(); }
  Napi::Value Result(Napi::Env env) override { return ToObject(env, moments_); }

  std::shared_ptr<SharedResources> shared_;
  std::shared_ptr<MomentStream> stream_;
  int threads_;
  Moments moments_;
};

/// Frees a stream after the jobs before it: unmapping gigabytes takes milliseconds.
class ReleaseJob final : public Job {
 public:
  explicit ReleaseJob(std::shared_ptr<MomentStream> stream) : stream_(std::move(stream)) {}
  void Run() noexcept override { stream_.reset(); }

 private:
  std::shared_ptr<MomentStream> stream_;
};

}  // namespace

Napi::Function MomentStreamObject::Define(Napi::Env env) {
  return DefineClass(env, "MomentStream",
                     {InstanceMethod<&MomentStreamObject::Add>("add"),
                      InstanceMethod<&MomentStreamObject::Collect>("moments"),
                      InstanceMethod<&MomentStreamObject::Dispose>("dispose")});
}

MomentStreamObject::MomentStreamObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  try {
    opening_ = Open(info[0]);
  } catch (const Napi::Error& error) {
    opening_ = {StatusCode::kInternal, error.Message()};
  } catch (const std::exception& error) {
    opening_ = ToStatus(error);
  }
}

/// { tasks, dtypes, lengths, inner, threads }
Status MomentStreamObject::Open(Napi::Value value) {
  if (!value.IsObject()) return {StatusCode::kShape, "the options are no object"};
  const Napi::Object options = value.As<Napi::Object>();
  const std::int64_t tasks = options.Get("tasks").ToNumber().Int64Value();
  std::optional<Layout> layout = ReadLayout(options.Get("dtypes"), options.Get("lengths"));
  threads_ = options.Get("threads").ToNumber().Int32Value();
  const bool inner = options.Get("inner").ToBoolean();
  if (tasks < 1 || !layout) return {StatusCode::kShape, "the layout is not valid"};
  stream_ = std::make_shared<MomentStream>(static_cast<std::size_t>(tasks), *std::move(layout), inner);
  return {};
}

Status MomentStreamObject::Usable() const {
  if (!opening_.ok()) return opening_;
  if (!stream_) return {StatusCode::kDisposed, "the measurement was disposed"};
  return {};
}

/// add(task, tensors, samples, preconditioner | null, lengths, cancellation | null, inSlices?)
Napi::Value MomentStreamObject::Add(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    // What is read of the arguments may run script, and that dispose of the stream.
    const std::int64_t task = info[0].ToNumber().Int64Value();
    const double samples = info[2].ToNumber().DoubleValue();
    if (Status status = Usable(); !status.ok()) return ToObject(env, status);
    const std::shared_ptr<MomentStream> stream = stream_;
    Environment& environment = Environment::Of(env);
    if (task < 0 || task >= static_cast<std::int64_t>(stream->tasks())) {
      return ToObject(env, Status{StatusCode::kShape, "there is no such task"});
    }
    Inputs inputs(environment.shared);
    Status status = inputs.ReadRows(info[1].As<Napi::Array>(), stream->layout(), 1);
    if (status.ok()) status = inputs.ReadPreconditioner(info[3], info[4]);
    if (status.ok()) status = inputs.copy.Begin();
    if (!status.ok()) return ToObject(env, status);

    auto job = std::make_unique<AddJob>(env, CancellationObject::Of(info[5]), *this, stream,
                                        std::move(inputs), static_cast<std::size_t>(task), samples, threads_);
    Stages& copy = job->inputs().copy;
    return StagedCall::Submit(env, environment.executor, std::move(job), &copy, info[6]);
  });
}

/// moments(cancellation | null)
Napi::Value MomentStreamObject::Collect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    if (Status status = Usable(); !status.ok()) return ToObject(env, status);
    auto job = std::make_unique<CollectJob>(env, CancellationObject::Of(info[0]), stream_, threads_);
    return PromiseJob::Submit(Environment::Of(env).executor, std::move(job));
  });
}

Napi::Value MomentStreamObject::Dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    Release(env);
    return env.Undefined();
  });
}

void MomentStreamObject::Release(Napi::Env env) {
  if (!stream_) return;
  ReportMemory(env, 0);
  Environment::Of(env).executor.Submit(env, std::make_unique<ReleaseJob>(std::move(stream_)));
}

/// When nobody disposed it. Not on the executor: a finalizer may call little of Node-API, and at the end of
/// an environment there is no executor any more.
void MomentStreamObject::Finalize(Napi::BasicEnv env) { ReportMemory(env, 0); }

void MomentStreamObject::ReportMemory(Napi::BasicEnv env, std::int64_t bytes) {
  if (!stream_ && bytes > 0) return;  // disposed meanwhile
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes - reported_);
  reported_ = bytes;
}

}  // namespace pike
