// A convolution of binary spikes, forward and its weight gradient, that touches only the spikes.
//
// Images lie channels last. The spikes of an image are listed once, in the order in which they lie in memory, each as
// `x * channels + channel` within its row of pixels. So all spikes that one row of a kernel sees are neighbours in the
// list, and each one names a row of the packed weights, `(kernel, kernel * in_channels, lanes)`: the output is the sum
// of these rows, and the weight gradient of each of these rows is the sum of output gradients.

#include <algorithm>
#include <cstdint>
#include <cstring>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

extern "C" {

struct EventConvolution {
  int64_t images, in_channels, height, width;
  int64_t out_channels, out_height, out_width;
  int64_t kernel, stride, padding;
  int64_t lanes;         // out_channels, rounded up to whole vectors
  int64_t threads;
  const float* spikes;   // (images, height, width, in_channels)
  uint16_t* events;      // (images, height * width * in_channels + LANES), of which an image uses the first ones
  int32_t* starts;       // (images, height * width + 1) index of the first event of each pixel
  const float* weights;  // (kernel, kernel * in_channels, lanes)
  float* outputs;        // (images, out_height, out_width, out_channels)
  const float* gradient;     // of the outputs
  float* weight_gradient;    // (threads, kernel, kernel * in_channels, lanes)
};

}  // extern "C"

namespace {

constexpr int LANES = 16;
typedef float Lane __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

// The rows of a kernel and of an image that meet, and what is the same for all pixels of the output row.
struct Meeting {
  const EventConvolution& c;
  const int32_t* starts;   // of the row of pixels
  const uint16_t* events;  // of the image
  int64_t first_row;       // of the weights of this row of the kernel

  struct Seen {
    const uint16_t* begin;
    const uint16_t* end;
    int64_t base;
  };

  // Returns the spikes under the kernel at output `x`; the weights of `event` are row `base + event`.
  Seen at(int64_t x) const {
    const int64_t left = x * c.stride - c.padding;
    const int64_t from = std::max<int64_t>(left, 0), to = std::max(from, std::min(left + c.kernel, c.width));
    return {events + starts[from], events + starts[to], first_row - left * c.in_channels};
  }
};

// Calls `work(meeting, output_row)` for each row of the kernel and each output row: the weights of a row of the kernel
// stay in the cache meanwhile.
template <typename Work>
void for_each_meeting(const EventConvolution& c, int64_t image, Work work) {
  const uint16_t* events = c.events + image * (c.height * c.width * c.in_channels + LANES);
  const int32_t* starts = c.starts + image * (c.height * c.width + 1);
  for (int64_t kernel_row = 0; kernel_row < c.kernel; ++kernel_row) {
    for (int64_t row = 0; row < c.out_height; ++row) {
      const int64_t y = row * c.stride - c.padding + kernel_row;
      if (y < 0 || y >= c.height) continue;
      work(Meeting{c, starts + y * c.width, events, kernel_row * c.kernel * c.in_channels}, row);
    }
  }
}

// A vector of output channels; of the last one only the first `remaining` may exist.
template <bool WHOLE>
inline Lane load(const float* from, int64_t remaining) {
  Lane lane = {};
  if (WHOLE || remaining >= LANES) std::memcpy(&lane, from, sizeof lane);
  else for (int64_t i = 0; i < remaining; ++i) lane[i] = from[i];
  return lane;
}

template <bool WHOLE>
inline void store(float* to, const Lane& lane, int64_t remaining) {
  if (WHOLE || remaining >= LANES) std::memcpy(to, &lane, sizeof lane);
  else for (int64_t i = 0; i < remaining; ++i) to[i] = lane[i];
}

inline const Lane* row(const float* weights, int64_t index, int64_t lanes) {
  return reinterpret_cast<const Lane*>(weights + index * lanes);
}

template <int VECTORS, bool WHOLE>
void sum_weights(const EventConvolution& c, int64_t image, int64_t channel) {
  float* outputs = c.outputs + image * c.out_height * c.out_width * c.out_channels + channel;
  const int64_t remaining = c.out_channels - channel;
  for (int64_t i = 0; i < c.out_height * c.out_width; ++i)
    for (int v = 0; v < VECTORS; ++v)
      store<WHOLE>(outputs + i * c.out_channels + v * LANES, Lane{}, remaining - v * LANES);
  for_each_meeting(c, image, [&](const Meeting& meeting, int64_t out_row) {
    float* output = outputs + out_row * c.out_width * c.out_channels;
    for (int64_t x = 0; x < c.out_width; ++x, output += c.out_channels) {
      const Meeting::Seen seen = meeting.at(x);
      const float* base = c.weights + channel + seen.base * c.lanes;
      Lane even[VECTORS], odd[VECTORS] = {};
      for (int v = 0; v < VECTORS; ++v) even[v] = load<WHOLE>(output + v * LANES, remaining - v * LANES);
      const uint16_t* event = seen.begin;
      for (; event + 1 < seen.end; event += 2) {  // two sums, so that an addition need not wait for the last one
        const Lane* one = row(base, event[0], c.lanes);
        const Lane* other = row(base, event[1], c.lanes);
        for (int v = 0; v < VECTORS; ++v) even[v] += one[v];
        for (int v = 0; v < VECTORS; ++v) odd[v] += other[v];
      }
      if (event < seen.end) {
        const Lane* one = row(base, event[0], c.lanes);
        for (int v = 0; v < VECTORS; ++v) even[v] += one[v];
      }
      for (int v = 0; v < VECTORS; ++v) store<WHOLE>(output + v * LANES, even[v] + odd[v], remaining - v * LANES);
    }
  });
}

template <int VECTORS, bool WHOLE>
void sum_gradients(const EventConvolution& c, int64_t image, int64_t channel, float* weight_gradient) {
  const float* gradients = c.gradient + image * c.out_height * c.out_width * c.out_channels + channel;
  const int64_t remaining = c.out_channels - channel;
  for_each_meeting(c, image, [&](const Meeting& meeting, int64_t out_row) {
    const float* from = gradients + out_row * c.out_width * c.out_channels;
    for (int64_t x = 0; x < c.out_width; ++x, from += c.out_channels) {
      const Meeting::Seen seen = meeting.at(x);
      Lane gradient[VECTORS];
      for (int v = 0; v < VECTORS; ++v) gradient[v] = load<WHOLE>(from + v * LANES, remaining - v * LANES);
      float* base = weight_gradient + channel + seen.base * c.lanes;
      for (const uint16_t* event = seen.begin; event < seen.end; ++event) {
        Lane* sum = reinterpret_cast<Lane*>(base + *event * c.lanes);
        for (int v = 0; v < VECTORS; ++v) sum[v] += gradient[v];
      }
    }
  });
}

template <template <int> class Work, typename... Rest>
void by_blocks(const EventConvolution& c, Rest... rest) {
  for (int64_t channel = 0; channel < c.lanes; channel += 4 * LANES) {
    switch (std::min<int64_t>(c.lanes - channel, 4 * LANES) / LANES) {
      case 1: Work<1>::run(c, channel, rest...); break;
      case 2: Work<2>::run(c, channel, rest...); break;
      case 3: Work<3>::run(c, channel, rest...); break;
      default: Work<4>::run(c, channel, rest...);
    }
  }
}

template <int VECTORS>
struct Forward {
  static void run(const EventConvolution& c, int64_t channel, int64_t image) {
    c.out_channels == c.lanes ? sum_weights<VECTORS, true>(c, image, channel)
                              : sum_weights<VECTORS, false>(c, image, channel);
  }
};

template <int VECTORS>
struct Backward {
  static void run(const EventConvolution& c, int64_t channel, int64_t image, float* weight_gradient) {
    c.out_channels == c.lanes ? sum_gradients<VECTORS, true>(c, image, channel, weight_gradient)
                              : sum_gradients<VECTORS, false>(c, image, channel, weight_gradient);
  }
};

// Writes the positions of one pixel's spikes to `events`; returns their number, or -1 if an element is neither 0 nor 1.
int64_t list_pixel(const float* spikes, int64_t channels, int64_t position, uint16_t* events) {
  int64_t count = 0;
  bool other = false;
#ifdef __AVX512F__
  const __m512i order = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512 one = _mm512_set1_ps(1.0f);
  for (int64_t channel = 0; channel < channels; channel += 16) {
    const __mmask16 present = channels - channel < 16 ? (1u << (channels - channel)) - 1 : 0xffff;
    const __m512 values = _mm512_maskz_loadu_ps(present, spikes + channel);
    const __mmask16 spiking = _mm512_cmp_ps_mask(values, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    other |= _mm512_mask_cmp_ps_mask(spiking, values, one, _CMP_NEQ_UQ) != 0;
    const __m512i positions = _mm512_add_epi32(order, _mm512_set1_epi32(static_cast<int>(position + channel)));
    const __m512i first = _mm512_maskz_compress_epi32(spiking, positions);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(events + count), _mm512_cvtepi32_epi16(first));
    count += __builtin_popcount(spiking);
  }
#else
  for (int64_t channel = 0; channel < channels; ++channel) {
    events[count] = static_cast<uint16_t>(position + channel);
    count += spikes[channel] != 0;
    other |= spikes[channel] != 0 && spikes[channel] != 1;
  }
#endif
  return other ? -1 : count;
}

// Lists the spikes of an image; returns their number, or -1 if some element is neither 0 nor 1.
int64_t list(const EventConvolution& c, int64_t image) {
  const int64_t pixels = c.height * c.width;
  const float* spikes = c.spikes + image * pixels * c.in_channels;
  uint16_t* events = c.events + image * (pixels * c.in_channels + LANES);
  int32_t* starts = c.starts + image * (pixels + 1);
  int64_t count = 0;
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    starts[pixel] = static_cast<int32_t>(count);
    const int64_t position = pixel % c.width * c.in_channels;
    const int64_t more = list_pixel(spikes + pixel * c.in_channels, c.in_channels, position, events + count);
    if (more < 0) return -1;
    count += more;
  }
  starts[pixels] = static_cast<int32_t>(count);
  return count;
}

}  // namespace

extern "C" {

// Returns the number of spikes, or -1 if some element is neither 0 nor 1.
int64_t list_events(const EventConvolution* c) {
  int64_t total = 0, other = 0;
#pragma omp parallel for num_threads(c->threads) reduction(+ : total, other) schedule(static)
  for (int64_t image = 0; image < c->images; ++image) {
    const int64_t count = list(*c, image);
    total += count;
    other += count < 0;
  }
  return other ? -1 : total;
}

void convolve(const EventConvolution* c) {
#pragma omp parallel for num_threads(c->threads) schedule(static)
  for (int64_t image = 0; image < c->images; ++image) by_blocks<Forward>(*c, image);
}

void weight_gradient(const EventConvolution* c) {
  const int64_t size = c->kernel * c->kernel * c->in_channels * c->lanes;
#pragma omp parallel for num_threads(c->threads) schedule(static)
  for (int64_t thread = 0; thread < c->threads; ++thread) {
    float* sums = c->weight_gradient + thread * size;
    std::fill(sums, sums + size, 0.0f);
    const int64_t first = c->images * thread / c->threads, last = c->images * (thread + 1) / c->threads;
    for (int64_t image = first; image < last; ++image) by_blocks<Backward>(*c, image, sums);
  }
}

}  // extern "C"
