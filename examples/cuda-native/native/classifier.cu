#include <stdexcept>
#include <string>

#include "classifier.h"

namespace {

constexpr int kThreads = 128;

int Blocks(int threads) { return (threads + kThreads - 1) / kThreads; }

void Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorName(error) + ", " +
                           cudaGetErrorString(error));
}

/// One thread per sample: softmax(W x + b) − one-hot(label), and −log of the probability of the label.
__global__ void Residuals(const float* features, const std::int32_t* labels, const std::uint32_t* selected,
                          int count, const float* parameters, int width, int classes, float* residuals,
                          float* losses) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const float* const x = features + std::size_t{selected[i]} * width;
  const int label = labels[selected[i]];
  const float* const bias = parameters + classes * width;
  float* const p = residuals + i * classes;

  float largest = -INFINITY;
  for (int c = 0; c < classes; ++c) {
    float logit = bias[c];
    for (int f = 0; f < width; ++f) logit += parameters[c * width + f] * x[f];
    p[c] = logit;
    largest = fmaxf(largest, logit);
  }
  const float of_label = p[label];
  float sum = 0;
  for (int c = 0; c < classes; ++c) {
    p[c] = expf(p[c] - largest);
    sum += p[c];
  }
  for (int c = 0; c < classes; ++c) p[c] = p[c] / sum - (c == label ? 1.0f : 0.0f);
  losses[i] = logf(sum) - (of_label - largest);
}

/// One thread per parameter, which adds up the samples in order: the same bits every time. One more thread
/// takes the mean of the losses.
__global__ void MeanGradient(const float* features, const std::uint32_t* selected, int count, int width,
                             int classes, const float* residuals, const float* losses, float* gradient,
                             float* loss) {
  const int parameter = blockIdx.x * blockDim.x + threadIdx.x;
  const int weights = classes * width;
  float sum = 0;
  if (parameter < weights) {
    const int c = parameter / width;
    const int f = parameter % width;
    for (int i = 0; i < count; ++i)
      sum += residuals[i * classes + c] * features[std::size_t{selected[i]} * width + f];
    gradient[parameter] = sum / count;
  } else if (parameter < weights + classes) {
    const int c = parameter - weights;
    for (int i = 0; i < count; ++i) sum += residuals[i * classes + c];
    gradient[parameter] = sum / count;
  } else if (parameter == weights + classes) {
    for (int i = 0; i < count; ++i) sum += losses[i];
    *loss = sum / count;
  }
}

__global__ void Descend(float* parameters, const float* gradient, int count, float learning_rate) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) parameters[i] -= learning_rate * gradient[i];
}

}  // namespace

template <class T>
DeviceArray<T>::DeviceArray(std::size_t length) {
  Check(cudaMalloc(&data_, length * sizeof(T)), "no memory on the GPU");
}

template <class T>
DeviceArray<T>::~DeviceArray() {
  cudaFree(data_);  // waits for the GPU
}

Stream::Stream() {
  Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "no stream on the GPU");
}

Stream::~Stream() { cudaStreamDestroy(stream_); }

Classifier::Classifier(const Shape& shape, const std::vector<float>& features,
                       const std::vector<std::int32_t>& labels)
    : shape_(shape),
      features_(features.size()),
      labels_(labels.size()),
      parameters_(shape.parameters()),
      gradients_(std::size_t(shape.rows) * shape.parameters()),
      losses_(shape.rows),
      selected_(shape.batch),
      residuals_(std::size_t(shape.batch) * shape.classes),
      sample_losses_(shape.batch) {
  const auto copy = [&](void* to, const void* from, std::size_t bytes) {
    Check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream()), "the data could not be copied");
  };
  copy(features_.data(), features.data(), features.size() * sizeof(float));
  copy(labels_.data(), labels.data(), labels.size() * sizeof(std::int32_t));
  Check(cudaMemsetAsync(parameters_.data(), 0, shape.parameters() * sizeof(float), stream()),
        "the parameters could not be set");
  Check(cudaStreamSynchronize(stream()), "the data did not arrive");
}

float* Classifier::Row(int row) const { return gradients_.data() + std::size_t(row) * shape_.parameters(); }

const float* Classifier::Gradient(int row, const std::uint32_t* samples, int count) {
  // `samples` is ordinary memory, and has been read when the call returns.
  Check(cudaMemcpyAsync(selected_.data(), samples, count * sizeof(std::uint32_t), cudaMemcpyHostToDevice,
                        stream()),
        "the numbers of samples could not be copied");
  Residuals<<<Blocks(count), kThreads, 0, stream()>>>(features_.data(), labels_.data(), selected_.data(),
                                                      count, parameters_.data(), shape_.width, shape_.classes,
                                                      residuals_.data(), sample_losses_.data());
  MeanGradient<<<Blocks(shape_.parameters() + 1), kThreads, 0, stream()>>>(
      features_.data(), selected_.data(), count, shape_.width, shape_.classes, residuals_.data(),
      sample_losses_.data(), Row(row), losses_.data() + row);
  Check(cudaGetLastError(), "the gradient could not be launched");
  return Row(row);
}

void Classifier::Step(int row, float learning_rate) {
  const int count = shape_.parameters();
  Descend<<<Blocks(count), kThreads, 0, stream()>>>(parameters_.data(), Row(row), count, learning_rate);
  Check(cudaGetLastError(), "the step could not be launched");
}

void Classifier::ReadLosses(int rows, float* losses) { Read(losses_.data(), rows, losses); }

void Classifier::ReadGradient(int row, float* gradient) { Read(Row(row), shape_.parameters(), gradient); }

void Classifier::Read(const float* from, int count, float* to) {
  Check(cudaMemcpyAsync(to, from, count * sizeof(float), cudaMemcpyDeviceToHost, stream()),
        "a result could not be copied");
  Check(cudaStreamSynchronize(stream()), "the GPU has failed");
}
