// `new Classifier({ features, labels, width, classes, rows, batch })`: classifier.h for JavaScript.
//
// An address is all that pike-mixer needs to know of a gradient, and the handle of a stream all that it needs
// to know of when the gradient is there. Both go to JavaScript as BigInt: a Number would lose bits.
#include <napi.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "classifier.h"

namespace {

/// Runs a call. What it throws becomes an Error of JavaScript.
template <class Call>
auto Guarded(Napi::Env env, Call&& call) {
  try {
    return call();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

Napi::BigInt ToBigInt(Napi::Env env, const void* handle) {
  return Napi::BigInt::New(env, static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(handle)));
}

class ClassifierObject : public Napi::ObjectWrap<ClassifierObject> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Classifier",
                       {
                           InstanceAccessor<&ClassifierObject::GetStream>("stream"),
                           InstanceAccessor<&ClassifierObject::GetParameters>("parameters"),
                           InstanceMethod<&ClassifierObject::Gradient>("gradient"),
                           InstanceMethod<&ClassifierObject::Step>("step"),
                           InstanceMethod<&ClassifierObject::ReadLosses>("readLosses"),
                           InstanceMethod<&ClassifierObject::ReadGradient>("readGradient"),
                           InstanceMethod<&ClassifierObject::Dispose>("dispose"),
                       });
  }

  explicit ClassifierObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ClassifierObject>(info) {
    const Napi::Env env = info.Env();
    const auto options = info[0].As<Napi::Object>();
    const auto features = options.Get("features").As<Napi::Float32Array>();
    const auto labels = options.Get("labels").As<Napi::Int32Array>();
    const auto number = [&](const char* name) {
      const std::int32_t value = options.Get(name).As<Napi::Number>().Int32Value();
      if (value < 1) throw Napi::RangeError::New(env, std::string(name) + " must be at least 1");
      return value;
    };
    Classifier::Shape shape;
    shape.samples = static_cast<int>(labels.ElementLength());
    shape.width = number("width");
    shape.classes = number("classes");
    shape.rows = number("rows");
    shape.batch = number("batch");
    if (shape.samples == 0 || features.ElementLength() != labels.ElementLength() * shape.width)
      throw Napi::RangeError::New(env, "features must hold `width` numbers for each label");
    for (std::size_t i = 0; i < labels.ElementLength(); ++i) {
      if (labels[i] < 0 || labels[i] >= shape.classes)
        throw Napi::RangeError::New(env, "labels must be numbers from 0 to classes − 1");
    }
    Guarded(env, [&] {
      classifier_.emplace(shape,
                          std::vector<float>(features.Data(), features.Data() + features.ElementLength()),
                          std::vector<std::int32_t>(labels.Data(), labels.Data() + labels.ElementLength()));
    });
  }

 private:
  Napi::Value GetStream(const Napi::CallbackInfo& info) { return ToBigInt(info.Env(), Get(info).stream()); }

  Napi::Value GetParameters(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), Get(info).shape().parameters());
  }

  /// gradient(row, samples: Uint32Array): the address of the row
  Napi::Value Gradient(const Napi::CallbackInfo& info) {
    Classifier& classifier = Get(info);
    const int row = Row(info);
    const auto samples = info[1].As<Napi::Uint32Array>();
    const auto count = static_cast<int>(samples.ElementLength());
    if (count < 1 || count > classifier.shape().batch)
      throw Napi::RangeError::New(info.Env(), "samples must be from 1 to `batch` numbers");
    for (int i = 0; i < count; ++i) {
      if (samples[i] >= static_cast<std::uint32_t>(classifier.shape().samples))
        throw Napi::RangeError::New(info.Env(), "there is no sample " + std::to_string(samples[i]));
    }
    return Guarded(info.Env(),
                   [&] { return ToBigInt(info.Env(), classifier.Gradient(row, samples.Data(), count)); });
  }

  /// step(row, learningRate)
  void Step(const Napi::CallbackInfo& info) {
    Classifier& classifier = Get(info);
    const int row = Row(info);
    const float learning_rate = info[1].As<Napi::Number>().FloatValue();
    Guarded(info.Env(), [&] { classifier.Step(row, learning_rate); });
  }

  /// readLosses(rows): Float32Array
  Napi::Value ReadLosses(const Napi::CallbackInfo& info) {
    Classifier& classifier = Get(info);
    const int rows = info[0].As<Napi::Number>().Int32Value();
    if (rows < 0 || rows > classifier.shape().rows)
      throw Napi::RangeError::New(info.Env(), "there are not so many rows");
    auto losses = Napi::Float32Array::New(info.Env(), static_cast<std::size_t>(rows));
    Guarded(info.Env(), [&] { classifier.ReadLosses(rows, losses.Data()); });
    return losses;
  }

  /// readGradient(row): Float32Array
  Napi::Value ReadGradient(const Napi::CallbackInfo& info) {
    Classifier& classifier = Get(info);
    const int row = Row(info);
    auto gradient =
        Napi::Float32Array::New(info.Env(), static_cast<std::size_t>(classifier.shape().parameters()));
    Guarded(info.Env(), [&] { classifier.ReadGradient(row, gradient.Data()); });
    return gradient;
  }

  /// Frees the memory of the GPU now, and not when the garbage collector comes by.
  void Dispose(const Napi::CallbackInfo&) { classifier_.reset(); }

  Classifier& Get(const Napi::CallbackInfo& info) {
    if (!classifier_) throw Napi::Error::New(info.Env(), "this classifier has been disposed of");
    return *classifier_;
  }

  int Row(const Napi::CallbackInfo& info) {
    const int row = info[0].As<Napi::Number>().Int32Value();
    if (row < 0 || row >= Get(info).shape().rows)
      throw Napi::RangeError::New(info.Env(), "there is no row " + std::to_string(row));
    return row;
  }

  std::optional<Classifier> classifier_;
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Classifier", ClassifierObject::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(cuda_native, Init)
