// The current of a population: batch norms and gains of what its connections deliver, and their sum, in few passes.
//
// All lies channels last: rows of channels, one row for each time step, sample and position. Rows are taken together to
// lanes of about LANES numbers, so that few channels fill a vector as well. Sums go over chunks of a fixed size, which
// are added in their order: no result depends on the number of threads.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

constexpr int64_t LANES = 256;  // at least; a few such patterns of constants fit into a level 1 cache
constexpr int64_t CHUNK = 16;   // times the lanes are added in the type of the data, before double precision takes over

}  // namespace

extern "C" {

// What one connection delivers; without `weight` it is multiplied by `gain`, else normalised.
struct Delivered {
  int64_t rows;  // fewer than the current's where it is static: the same at each time step
  int64_t plain_mean;  // the running statistics are the mean of all batches, whatever the momentum
  double gain;
  double momentum;  // of the running statistics
  double epsilon;   // is added to the variance
  const void* values;
  const void* weight;
  const void* bias;
  void* running_mean;
  void* running_variance;
  int64_t* batches;  // in the running statistics so far
  double* mean;  // of each channel, written forward and read backward
  double* rate;  // one over the standard deviation; the same
  void* gradient;         // of the values; this and those below: null where not wanted
  void* weight_gradient;
  void* bias_gradient;
};

struct Currents {
  int64_t count;
  int64_t rows;
  int64_t channels;
  int64_t threads;
  const Delivered* delivered;
  void* current;  // written forward; backward its gradient, read
};

}  // extern "C"

namespace {

// One number for each lane, from one for each channel.
template <typename T>
std::vector<T> spread(const std::vector<double>& by_channel, int64_t lanes) {
  std::vector<T> out(lanes);
  for (int64_t k = 0; k < lanes; ++k) out[k] = T(by_channel[k % by_channel.size()]);
  return out;
}

// Calls body(first, count) for pieces of at most `piece` of `size` elements.
template <typename Body>
void in_pieces(int64_t size, int64_t piece, int64_t threads, Body body) {
  const int64_t pieces = (size + piece - 1) / piece;
#pragma omp parallel for schedule(static) num_threads(int(threads)) if (threads > 1)
  for (int64_t index = 0; index < pieces; ++index) body(index * piece, std::min(piece, size - index * piece));
}

// The sums over rows, by channel, of what `term(i, k)` makes of element i in lane k.
template <typename T, typename Term>
std::vector<double> sums(int64_t rows, int64_t channels, int64_t lanes, int64_t threads, Term term) {
  const int64_t size = rows * channels, piece = CHUNK * lanes, pieces = (size + piece - 1) / piece;
  std::vector<double> parts(pieces * channels, 0.0);
  in_pieces(size, piece, threads, [&](int64_t first, int64_t count) {
    thread_local std::vector<T> lane_sums;
    lane_sums.assign(lanes, T(0));
    T* __restrict lane = lane_sums.data();
    for (int64_t row = 0; row < count; row += lanes) {
      const int64_t until = std::min(lanes, count - row), begin = first + row;
#pragma GCC ivdep
      for (int64_t k = 0; k < until; ++k) lane[k] += term(begin + k, k);
    }
    double* part = parts.data() + first / piece * channels;
    for (int64_t row = 0; row < lanes; row += channels)
      for (int64_t c = 0; c < channels; ++c) part[c] += double(lane[row + c]);
  });
  std::vector<double> out(channels, 0.0);
  for (int64_t part = 0; part < pieces; ++part)
    for (int64_t c = 0; c < channels; ++c) out[c] += parts[part * channels + c];
  return out;
}

// Writes mean and rate of each channel, which the running ones follow.
template <typename T>
void measure(const Currents& all, const Delivered& one, int64_t lanes) {
  const int64_t channels = all.channels;
  const double count = double(one.rows);
  T *running_mean = static_cast<T*>(one.running_mean), *running_variance = static_cast<T*>(one.running_variance);
  const T* x = static_cast<const T*>(one.values);
  std::vector<double> mean = sums<T>(one.rows, channels, lanes, all.threads, [=](int64_t i, int64_t) { return x[i]; });
  for (double& value : mean) value /= count;
  const std::vector<T> means = spread<T>(mean, lanes);
  const T* m = means.data();
  const std::vector<double> squares = sums<T>(one.rows, channels, lanes, all.threads, [=](int64_t i, int64_t k) {
    const T off = x[i] - m[k];
    return off * off;
  });
  *one.batches += 1;
  const double momentum = one.plain_mean ? 1.0 / double(*one.batches) : one.momentum;
  for (int64_t c = 0; c < channels; ++c) {
    one.mean[c] = mean[c];
    one.rate[c] = 1 / std::sqrt(squares[c] / count + one.epsilon);
    running_mean[c] = T((1 - momentum) * running_mean[c] + momentum * mean[c]);
    running_variance[c] = T((1 - momentum) * running_variance[c] + momentum * squares[c] / (count - 1));
  }
}

// What each channel is multiplied by.
template <typename T>
std::vector<double> factors(const Currents& all, const Delivered& one) {
  std::vector<double> out(all.channels, one.gain);
  if (one.weight != nullptr)
    for (int64_t c = 0; c < all.channels; ++c) out[c] = double(static_cast<const T*>(one.weight)[c]) * one.rate[c];
  return out;
}

template <typename T>
void forward(const Currents& all) {
  const int64_t channels = all.channels, lanes = channels * ((LANES + channels - 1) / channels);
  std::vector<std::vector<T>> scales;
  std::vector<double> shift(channels, 0.0);
  int64_t step = all.rows * channels;  // elements after which something is read again
  for (int64_t index = 0; index < all.count; ++index) {
    const Delivered& one = all.delivered[index];
    if (one.weight != nullptr) measure<T>(all, one, lanes);
    const std::vector<double> by_channel = factors<T>(all, one);
    if (one.weight != nullptr)
      for (int64_t c = 0; c < channels; ++c)
        shift[c] += double(static_cast<const T*>(one.bias)[c]) - one.mean[c] * by_channel[c];
    scales.push_back(spread<T>(by_channel, lanes));
    step = std::min(step, one.rows * channels);
  }
  const std::vector<T> shifts = spread<T>(shift, lanes);
  for (int64_t from = 0; from < all.rows * channels; from += step) {
    in_pieces(step, CHUNK * lanes, all.threads, [&](int64_t first, int64_t count) {
      for (int64_t row = first; row < first + count; row += lanes) {
        const int64_t until = std::min(lanes, first + count - row);
        T* __restrict out = static_cast<T*>(all.current) + from + row;
        std::copy_n(shifts.data(), until, out);
        for (int64_t index = 0; index < all.count; ++index) {
          const Delivered& one = all.delivered[index];
          const T* __restrict x = static_cast<const T*>(one.values) + (one.rows < all.rows ? 0 : from) + row;
          const T* __restrict scale = scales[index].data();
#pragma GCC ivdep
          for (int64_t k = 0; k < until; ++k) out[k] += x[k] * scale[k];
        }
      }
    });
  }
}

// The gradient of a normalised value x is a (g - mean(g) - y mean(g y)), with y = (x - mean) rate and a = weight rate.
template <typename T>
void backward_norm(const Currents& all, const Delivered& one, const T* g, const std::vector<double>& sum) {
  const int64_t channels = all.channels, lanes = channels * ((LANES + channels - 1) / channels);
  const T* x = static_cast<const T*>(one.values);
  const std::vector<double> mean(one.mean, one.mean + channels);
  const std::vector<T> means = spread<T>(mean, lanes);
  const T* m = means.data();
  const std::vector<double> with_x =
      sums<T>(one.rows, channels, lanes, all.threads, [=](int64_t i, int64_t k) { return g[i] * (x[i] - m[k]); });
  const std::vector<double> by_channel = factors<T>(all, one);
  std::vector<double> slope(channels), offset(channels);
  for (int64_t c = 0; c < channels; ++c) {
    const double of_weight = with_x[c] * one.rate[c];
    if (one.weight_gradient != nullptr) static_cast<T*>(one.weight_gradient)[c] = T(of_weight);
    if (one.bias_gradient != nullptr) static_cast<T*>(one.bias_gradient)[c] = T(sum[c]);
    slope[c] = -by_channel[c] * one.rate[c] * of_weight / double(one.rows);
    offset[c] = -by_channel[c] * sum[c] / double(one.rows);
  }
  if (one.gradient == nullptr) return;
  const std::vector<T> scales = spread<T>(by_channel, lanes), slopes = spread<T>(slope, lanes);
  const std::vector<T> offsets = spread<T>(offset, lanes);
  const T *a = scales.data(), *p = slopes.data(), *q = offsets.data();
  in_pieces(one.rows * channels, CHUNK * lanes, all.threads, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; row += lanes) {
      const int64_t until = std::min(lanes, first + count - row);
      T* __restrict out = static_cast<T*>(one.gradient) + row;
      const T *__restrict gs = g + row, *__restrict xs = x + row;
#pragma GCC ivdep
      for (int64_t k = 0; k < until; ++k) out[k] = a[k] * gs[k] + ((xs[k] - m[k]) * p[k] + q[k]);
    }
  });
}

template <typename T>
void backward(const Currents& all) {
  const int64_t channels = all.channels, lanes = channels * ((LANES + channels - 1) / channels);
  const T* gradient = static_cast<const T*>(all.current);
  std::vector<T> over_time;  // the gradient of what is static
  std::vector<double> sum;
  for (int64_t index = 0; index < all.count; ++index) {
    const Delivered& one = all.delivered[index];
    const T* g = gradient;
    const int64_t size = one.rows * channels;
    if (one.rows < all.rows) {
      if (over_time.empty()) {
        over_time.assign(gradient, gradient + size);
        for (int64_t from = size; from < all.rows * channels; from += size)
          for (int64_t k = 0; k < size; ++k) over_time[k] += gradient[from + k];
      }
      g = over_time.data();
    }
    if (one.weight != nullptr) {
      if (sum.empty()) sum = sums<T>(one.rows, channels, lanes, all.threads, [=](int64_t i, int64_t) { return g[i]; });
      backward_norm<T>(all, one, g, sum);
    } else if (one.gradient != nullptr) {
      T* out = static_cast<T*>(one.gradient);
      const T gain = T(one.gain);
      in_pieces(size, CHUNK * lanes, all.threads, [=](int64_t first, int64_t count) {
        for (int64_t k = first; k < first + count; ++k) out[k] = gain * g[k];
      });
    }
  }
}

}  // namespace

extern "C" {

void currents_float(const Currents* all, int is_backward) {
  is_backward ? backward<float>(*all) : forward<float>(*all);
}
void currents_double(const Currents* all, int is_backward) {
  is_backward ? backward<double>(*all) : forward<double>(*all);
}

}  // extern "C"
