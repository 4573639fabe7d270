// A softmax regression whose data, parameters and gradients lie in the memory of a GPU and stay there. Calls
// queue work on the classifier's own stream and return at once, but for those that read a result.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

/// A fixed number of elements in device memory.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t length);
  ~DeviceArray();
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
};

/// A stream that runs beside all others.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class Classifier {
 public:
  struct Shape {
    int samples = 0;  ///< In the whole data set.
    int width = 0;    ///< Features of a sample.
    int classes = 0;
    int rows = 0;   ///< Gradients that can exist at the same time.
    int batch = 0;  ///< Most samples in one gradient.

    /// Weights [classes][width], then a bias per class.
    int parameters() const { return classes * (width + 1); }
  };

  /// `features` [samples][width] and `labels` [samples] are copied to the GPU. All parameters begin as zero.
  Classifier(const Shape& shape, const std::vector<float>& features, const std::vector<std::int32_t>& labels);

  /// Row `row` becomes the gradient of the mean loss over `count` samples of the data set, given by their
  /// numbers. The address stays the same for the life of the classifier.
  const float* Gradient(int row, const std::uint32_t* samples, int count);
  /// parameters −= learning_rate · gradient
  void Step(int row, float learning_rate);

  /// The mean losses that came with the gradients of rows 0 … rows − 1. Waits for them.
  void ReadLosses(int rows, float* losses);
  /// Waits, as well.
  void ReadGradient(int row, float* gradient);

  const Shape& shape() const { return shape_; }
  cudaStream_t stream() const { return stream_.get(); }

 private:
  float* Row(int row) const;
  void Read(const float* from, int count, float* to);

  Shape shape_;
  Stream stream_;
  DeviceArray<float> features_;
  DeviceArray<std::int32_t> labels_;
  DeviceArray<float> parameters_;
  DeviceArray<float> gradients_;         // [rows][parameters]
  DeviceArray<float> losses_;            // [rows]
  DeviceArray<std::uint32_t> selected_;  // [batch], the samples of the gradient under way
  DeviceArray<float> residuals_;         // [batch][classes]
  DeviceArray<float> sample_losses_;     // [batch]
};
