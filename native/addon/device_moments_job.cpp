#include "addon/device_moments_job.h"

#include <memory>
#include <optional>
#include <utility>

#include "addon/cancellation_object.h"
#include "addon/device_rows.h"
#include "addon/environment.h"
#include "addon/moments_job.h"
#include "addon/promise_job.h"
#include "addon/results.h"
#include "addon/staged_call.h"
#include "addon/update_options.h"

namespace pike {
namespace {

class DeviceMomentsJob final : public PromiseJob {
 public:
  DeviceMomentsJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation,
                   std::shared_ptr<EngineSlot> engine, MomentsInput input, DeviceRows rows,
                   std::optional<cuda::WeightUpdate> update, bool keeps_row_scalars)
      : PromiseJob(env, std::move(cancellation)),
        engine_(std::move(engine)),
        input_(std::move(input)),
        rows_(std::move(rows)),
        update_(std::move(update)),
        keeps_row_scalars_(keeps_row_scalars) {}

  Inputs* host() { return rows_.host(); }

 private:
  Status Compute(const Cancellation& cancellation) override {
    cuda::Engine* engine;
    if (Status status = engine_->Get(&engine); !status.ok()) return status;
    return engine->Measure(input_, rows_.source, update_ ? &*update_ : nullptr, cancellation, &result_);
  }
  void ReleaseInputs() noexcept override { rows_.ReleaseCopies(); }
  Napi::Value Result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    if (!keeps_row_scalars_) {
      result_.moments.row_deviation.reset();
      result_.moments.row_alignment.reset();
    }
    object.Set("moments", ToObject(env, result_.moments));
    object.Set("solved", result_.solved ? Napi::Value(ToObject(env, *result_.solved)) : env.Null());
    object.Set("milliseconds", result_.milliseconds);
    object.Set("graph", result_.graph);
    return object;
  }

  std::shared_ptr<EngineSlot> engine_;
  MomentsInput input_;
  DeviceRows rows_;  // holds the owners until this job is deleted, after its end on the device
  std::optional<cuda::WeightUpdate> update_;
  bool keeps_row_scalars_;  // a launch forms them in any case
  cuda::DeviceResult result_;
};

/// { options, inputs } or null.
Status ReadUpdate(Napi::Value value, std::size_t tasks, std::optional<cuda::WeightUpdate>* update) {
  if (!value.IsObject()) return {};
  const auto object = value.As<Napi::Object>();
  auto inputs = ReadNumbers<double>(object.Get("inputs"), napi_float64_array);
  if (!inputs || inputs->size() != int{math::kInputParts} * tasks)
    return {StatusCode::kShape, "an update of another number of tasks"};
  *update =
      cuda::WeightUpdate{ReadUpdateOptions(object.Get("options").As<Napi::Object>()), *std::move(inputs)};
  return {};
}

}  // namespace

Napi::Value SubmitDeviceMoments(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const Napi::Object object = info[0].As<Napi::Object>();
    Environment& environment = Environment::Of(env);
    MomentsInput input;
    DeviceRows rows;
    std::optional<cuda::WeightUpdate> update;
    Status status = ReadMomentsRequest(object, &input);
    if (status.ok()) {
      status = rows.Read(object, object.Get("preconditioner"), input.layout, input.samples.size(),
                         environment.shared);
    }
    if (status.ok()) status = ReadUpdate(object.Get("update"), input.rows_per_task.size(), &update);
    if (!status.ok()) return ToObject(env, status);
    input.rows = std::move(rows.rows);
    input.preconditioner = std::move(rows.preconditioner);

    const bool keeps_row_scalars = input.row_scalars || object.Get("rowScalarsIfThere").ToBoolean();
    DeviceExecutor& device = environment.devices.Of(object.Get("device").ToNumber().Int32Value());
    auto job = std::make_unique<DeviceMomentsJob>(env, CancellationObject::Of(info[1]), device.engine,
                                                  std::move(input), std::move(rows), std::move(update),
                                                  keeps_row_scalars);
    Stages* const host = job->host() ? &job->host()->copy : nullptr;
    return StagedCall::Submit(env, device.executor, std::move(job), host, info[2]);
  });
}

}  // namespace pike
