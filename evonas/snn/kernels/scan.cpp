// One pass over all time steps of all neurons, forward and backward.
//
// Each thread takes blocks of neurons and runs all time steps of a block before the next one, so that states stay in
// the cache. The order of the floating point operations is that of Norse's steps, and the compiler must not contract a
// product and a sum into one operation: then the spikes are the same to the last bit. No result depends on the number
// of threads, because only whole numbers are summed across neurons here.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace {

constexpr int64_t BLOCK = 1024;  // neurons at most; their states and constants about fill a level 1 cache
constexpr int64_t SHORT_BLOCK = 128, SHORT_TIME = 8;  // few time steps are read side by side, in few streams

enum Kind : int64_t { LIF, BOX_VALUE, BOX_SUBTRACT, INTEGRATE, READOUT, ADAPTIVE };
enum Surrogate : int64_t { SUPER, TRIANGLE, TANH, CIRC, HEAVI_ERFC, DSPIKE, ATAN };

// A constant of the neurons: the value of neuron n is values[(n / inner) % size].
struct Constant {
  const void* values;
  int64_t inner;
  int64_t size;
};

}  // namespace

extern "C" {

struct Scan {
  int64_t kind;
  int64_t surrogate;
  int64_t time;
  int64_t neurons;
  int64_t threads;
  int64_t current_stride;      // elements from one time step to the next; 0 where the current is static
  int64_t gradient_stride;     // the same for the gradient of the outputs
  int64_t in_gradient_stride;  // the same for the gradient of the current; 0 sums it over time
  double width;
  double temperature;  // of dspike
  double leak;
  double reset;
  Constant mem;        // dt / tau_mem
  Constant syn;        // -dt / tau_syn
  Constant threshold;
  Constant adapt;      // -dt / tau_adapt
  Constant beta;       // what one unit of adaptation adds to the threshold
  const void* current;
  const void* potential;   // at the start, or null: at rest
  const void* synaptic;    // the same
  const void* adaptation;  // the same
  void* end_potential;     // behind the last step, or null: not needed
  void* end_synaptic;      // the same
  void* end_adaptation;    // the same
  void* outputs;
  void* membranes;         // potentials before the reset, or null: not needed
  const void* gradient;
  const void* end_potential_gradient;  // of the state behind the last step, or null: zero
  const void* end_synaptic_gradient;   // the same
  const void* end_adaptation_gradient; // the same
  void* in_gradient;
  void* potential_gradient;  // this and those below: null where not needed
  void* synaptic_gradient;
  void* adaptation_gradient;
  void* mem_gradient;        // of each neuron, summed over time
  void* syn_gradient;
  void* threshold_gradient;
  void* adapt_gradient;
  void* beta_gradient;
  int64_t* updates;  // of each time step: neurons with current or state other than zero are added; null: not needed
};

}  // extern "C"

namespace {

template <typename T>
T exponential(T x) {  // for x <= 0; branchless, so that loops over it become vector code
  using Bits = std::conditional_t<std::is_same_v<T, float>, int32_t, int64_t>;
  constexpr bool single = std::is_same_v<T, float>;
  constexpr T log2e = T(1.442695040888963407), high = single ? T(0.693359375) : T(6.93147180369123816490e-01);
  constexpr T low = single ? T(-2.12194440e-4) : T(1.90821492927058770002e-10);
  constexpr T magic = single ? T(12582912.0) : T(6755399441055744.0);  // adding it rounds to an integer
  constexpr Bits mantissa = single ? 23 : 52, bias = single ? 127 : 1023;
  x = x > (single ? T(-87) : T(-708)) ? x : (single ? T(-87) : T(-708));
  const T shifted = x * log2e + magic;
  const T whole = shifted - magic;
  const T r = (x - whole * high) - whole * low;
  T sum;
  if constexpr (single) {
    sum = T(1) + r * (T(1) + r * (T(1.0 / 2) + r * (T(1.0 / 6) + r * (T(1.0 / 24) + r * (T(1.0 / 120) + r * (T(1.0 / 720) + r * T(1.0 / 5040)))))));
  } else {
    sum = T(1.0 / 6227020800.0);
    constexpr double factorials[] = {479001600.0, 39916800.0, 3628800.0, 362880.0, 40320.0, 5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0};
    for (double factorial : factorials) sum = T(1.0 / factorial) + r * sum;
  }
  Bits bits, base;
  std::memcpy(&bits, &shifted, sizeof(T));
  std::memcpy(&base, &magic, sizeof(T));
  const Bits scale_bits = (bits - base + bias) << mantissa;
  T scale;
  std::memcpy(&scale, &scale_bits, sizeof(T));
  return sum * scale;
}

template <typename T>
T sech_squared(T x) {  // 1 - tanh(x)^2, without its cancellation
  const T e = exponential(T(-2) * std::abs(x));
  const T sum = T(1) + e;
  return T(4) * e / (sum * sum);
}

// The stand-in for the derivative of the spike at `membrane - threshold`, for `count` neurons.
template <typename T, typename Bump>
void each(int64_t count, const T* membrane, const T* threshold, T width, T* out, Bump bump) {
  if (width == T(1)) {
#pragma GCC ivdep
    for (int64_t k = 0; k < count; ++k) out[k] = bump(membrane[k] - threshold[k]);
  } else {
    const T height = T(1) / width;
#pragma GCC ivdep
    for (int64_t k = 0; k < count; ++k) out[k] = bump((membrane[k] - threshold[k]) / width) * height;
  }
}

template <typename T>
void derivative(const Scan& scan, int64_t count, const T* membrane, const T* threshold, T* out) {
  const T width = T(scan.width), one = T(1);
  switch (scan.surrogate) {
    case SUPER:
      return each(count, membrane, threshold, width, out, [=](T x) {
        const T s = std::abs(x) + one;
        return one / (s * s);
      });
    case TRIANGLE:
      return each(count, membrane, threshold, width, out, [=](T x) {
        const T left = one - std::abs(x);
        return left > T(0) ? left : T(0);
      });
    case TANH:
      return each(count, membrane, threshold, width, out, [](T x) { return sech_squared(x); });
    case CIRC:
      return each(count, membrane, threshold, width, out, [=](T x) {
        const T s = one + x * x;
        return one / (s * std::sqrt(s));
      });
    case HEAVI_ERFC: {
      const T height = T(2 / double(std::sqrt(3.14159265358979323846f)));  // Norse's root of pi has single precision
      return each(count, membrane, threshold, width, out, [=](T x) { return height * exponential(-(x * x)); });
    }
    case ATAN: {
      const T pi = T(3.141592653589793238);
      return each(count, membrane, threshold, width, out, [=](T x) {
        const T s = pi * x;
        return one / (one + s * s);
      });
    }
    default: {
      const T b = T(scan.temperature), height = T(scan.temperature / (2 * std::tanh(scan.temperature / 2)));
      return each(count, membrane, threshold, width, out, [=](T x) {
        const T bump = height * sech_squared(b * x);
        return std::abs(x) < T(0.5) ? bump : T(0);
      });
    }
  }
}

// Writes the constant of neurons first, first + 1, ... to `out`.
template <typename T>
void spread(const Constant& constant, int64_t first, int64_t count, T* out) {
  const T* values = static_cast<const T*>(constant.values);
  if (values == nullptr) return;
  if (constant.size == 1) {
    std::fill_n(out, count, values[0]);
  } else if (constant.inner == 1) {
    const int64_t period = std::min(count, constant.size), from = first % constant.size;
    const int64_t run = std::min(period, constant.size - from);
    std::memcpy(out, values + from, run * sizeof(T));
    std::memcpy(out + run, values, (period - run) * sizeof(T));
    for (int64_t k = period; k < count; k += std::min(k, count - k))  // doubles what is written
      std::memcpy(out + k, out, std::min(k, count - k) * sizeof(T));
  } else {
    for (int64_t k = 0; k < count;) {
      const int64_t row = (first + k) / constant.inner;
      const int64_t run = std::min(count - k, (row + 1) * constant.inner - (first + k));
      std::fill_n(out + k, run, values[row % constant.size]);
      k += run;
    }
  }
}

template <typename T>
void store(void* target, int64_t first, int64_t count, const T* from) {
  if (target != nullptr) std::memcpy(static_cast<T*>(target) + first, from, count * sizeof(T));
}

template <typename T>
void start(const void* given, int64_t first, int64_t count, T* out) {
  if (given == nullptr)
    std::fill_n(out, count, T(0));
  else
    std::memcpy(out, static_cast<const T*>(given) + first, count * sizeof(T));
}

// Returns the potential after the reset; the products are Norse's, also for infinite potentials.
template <typename T, int64_t KIND>
T after_reset(T membrane, T threshold, T reset) {
  if constexpr (KIND == READOUT) return membrane;
  const T spike = membrane - threshold > T(0) ? T(1) : T(0);
  if constexpr (KIND == BOX_SUBTRACT) return (T(1) - spike) * membrane + spike * (membrane - threshold);
  return (T(1) - spike) * membrane + spike * reset;
}

template <typename T>
struct Scratch {
  T mem[BLOCK], syn[BLOCK], threshold[BLOCK], adapt[BLOCK], beta[BLOCK];
  T v[BLOCK], i[BLOCK], adaptation[BLOCK], slope[BLOCK];
  T mem_sum[BLOCK], syn_sum[BLOCK], threshold_sum[BLOCK], adapt_sum[BLOCK], beta_sum[BLOCK];
};

template <typename T>
void spread_all(const Scan& scan, int64_t first, int64_t count, Scratch<T>& s) {
  spread(scan.mem, first, count, s.mem);
  spread(scan.syn, first, count, s.syn);
  spread(scan.threshold, first, count, s.threshold);
  spread(scan.adapt, first, count, s.adapt);
  spread(scan.beta, first, count, s.beta);
}

// Moves the adaptations `a` over a time step with these membranes, and writes the thresholds of the step to `now`.
template <typename T>
void adapt(int64_t count, const T* __restrict membrane, const Scratch<T>& s, T* __restrict a, T* __restrict now) {
#pragma GCC ivdep
  for (int64_t k = 0; k < count; ++k) {
    now[k] = s.threshold[k] + s.beta[k] * a[k];
    const T spike = membrane[k] - now[k] > T(0) ? T(1) : T(0);
    a[k] = (a[k] + s.adapt[k] * a[k]) + spike;
  }
}

template <typename T, int64_t KIND, bool KEEP>
void forward_step(
    int64_t count, const T* __restrict x, Scratch<T>& s, T leak, T reset, T* __restrict out, T* __restrict membranes) {
  T *__restrict v = s.v, *__restrict i = s.i, *__restrict w = s.adaptation;
  const T *__restrict a = s.mem, *__restrict b = s.syn, *__restrict th = s.threshold;
  const T *__restrict c = s.adapt, *__restrict beta = s.beta;
#pragma GCC ivdep
  for (int64_t k = 0; k < count; ++k) {
    T membrane;
    if constexpr (KIND == LIF) {
      const T jumped = i[k] + x[k];
      membrane = v[k] + a[k] * ((leak - v[k]) + jumped);
      i[k] = jumped + b[k] * jumped;
    } else if constexpr (KIND == INTEGRATE) {
      membrane = v[k] + x[k];
    } else if constexpr (KIND == READOUT) {
      membrane = v[k] + a[k] * ((leak - v[k]) + x[k]);
    } else {
      membrane = v[k] + a[k] * ((x[k] + leak) - v[k]);
    }
    if constexpr (KEEP) membranes[k] = membrane;
    if constexpr (KIND == READOUT) {
      out[k] = membrane;
      v[k] = membrane;
    } else {
      const T now = KIND == ADAPTIVE ? th[k] + beta[k] * w[k] : th[k];
      const T spike = membrane - now > T(0) ? T(1) : T(0);
      out[k] = spike;
      v[k] = after_reset<T, KIND>(membrane, now, reset);
      if constexpr (KIND == ADAPTIVE) w[k] = (w[k] + c[k] * w[k]) + spike;
    }
  }
}

// Returns the number of neurons with non-zero current or state.
template <typename T, int64_t KIND>
int64_t active(int64_t count, const T* __restrict x, const Scratch<T>& s) {
  int32_t total = 0;
  for (int64_t k = 0; k < count; ++k) {
    bool is_active = (x[k] != T(0)) | (s.v[k] != T(0));
    if constexpr (KIND == LIF) is_active |= s.i[k] != T(0);
    if constexpr (KIND == ADAPTIVE) is_active |= s.adaptation[k] != T(0);
    total += is_active;
  }
  return total;
}

template <typename T, int64_t KIND, bool KEEP>
void forward_block(const Scan& scan, int64_t first, int64_t count, Scratch<T>& s, std::vector<int64_t>& updates) {
  spread_all(scan, first, count, s);
  start(scan.potential, first, count, s.v);
  if (KIND == LIF) start(scan.synaptic, first, count, s.i);
  if (KIND == ADAPTIVE) start(scan.adaptation, first, count, s.adaptation);
  const T* current = static_cast<const T*>(scan.current) + first;
  T* out = static_cast<T*>(scan.outputs) + first;
  T* membranes = KEEP ? static_cast<T*>(scan.membranes) + first : nullptr;
  for (int64_t t = 0; t < scan.time; ++t) {
    if (scan.updates != nullptr) updates[t] += active<T, KIND>(count, current + t * scan.current_stride, s);
    forward_step<T, KIND, KEEP>(
        count, current + t * scan.current_stride, s, T(scan.leak), T(scan.reset),
        out + t * scan.neurons, KEEP ? membranes + t * scan.neurons : nullptr);
  }
  store(scan.end_potential, first, count, s.v);
  store(scan.end_synaptic, first, count, s.i);
  store(scan.end_adaptation, first, count, s.adaptation);
}

// CONSTANTS: gradients of time constants or thresholds are needed; those of time constants (the integrator has none)
// take the current and the potentials before the step.
template <typename T, int64_t KIND, bool CONSTANTS>
void backward_step(
    int64_t count, Scratch<T>& s, T leak, T reset, const T* __restrict membrane, const T* __restrict th,
    const T* __restrict before, const T* __restrict adaptation, const T* __restrict x, const T* __restrict gradient,
    T* out, bool add) {
  T *__restrict gv = s.v, *__restrict gi = s.i, *__restrict gw = s.adaptation;
  T *slope = s.slope, *target = add ? slope : out;
  const T *__restrict a = s.mem, *__restrict b = s.syn, *__restrict c = s.adapt, *__restrict beta = s.beta;
  T *__restrict adapt_sum = s.adapt_sum, *__restrict beta_sum = s.beta_sum;
  T *__restrict mem_sum = s.mem_sum, *__restrict syn_sum = s.syn_sum, *__restrict th_sum = s.threshold_sum;
#pragma GCC ivdep
  for (int64_t k = 0; k < count; ++k) {
    T g;  // of the potential before the reset
    if constexpr (KIND == READOUT) {
      g = gradient[k] + gv[k];
    } else {
      const T spike = membrane[k] - th[k] > T(0) ? T(1) : T(0);
      const T jump = KIND == BOX_SUBTRACT ? (membrane[k] - th[k]) - membrane[k] : reset - membrane[k];
      T of_spike = gradient[k] + gv[k] * jump;
      if constexpr (KIND == ADAPTIVE) of_spike += gw[k];
      const T through = of_spike * slope[k];
      g = through + (KIND == BOX_SUBTRACT ? gv[k] : gv[k] * (T(1) - spike));
      if constexpr (CONSTANTS) th_sum[k] -= KIND == BOX_SUBTRACT ? through + gv[k] * spike : through;
      if constexpr (KIND == ADAPTIVE) {
        if constexpr (CONSTANTS) adapt_sum[k] += gw[k] * adaptation[k], beta_sum[k] -= through * adaptation[k];
        gw[k] = (gw[k] + c[k] * gw[k]) - beta[k] * through;
      }
    }
    T gx;
    if constexpr (KIND == INTEGRATE) {
      gx = g;
      gv[k] = g;
    } else {
      const T driven = a[k] * g;
      gv[k] = g - driven;
      if constexpr (KIND == LIF) {
        gx = driven + (gi[k] + b[k] * gi[k]);
        if constexpr (CONSTANTS) syn_sum[k] += gi[k] * x[k];
        gi[k] = gx;
      } else {
        gx = driven;
      }
      if constexpr (CONSTANTS) mem_sum[k] += g * ((leak - before[k]) + x[k]);
    }
    target[k] = gx;
  }
  if (add) {
#pragma GCC ivdep
    for (int64_t k = 0; k < count; ++k) out[k] += slope[k];
  }
}

template <typename T, int64_t KIND, bool CONSTANTS>
void backward_block(const Scan& scan, int64_t first, int64_t count, Scratch<T>& s, std::vector<T>& history) {
  spread_all(scan, first, count, s);
  const T leak = T(scan.leak), reset = T(scan.reset);
  const T* current = static_cast<const T*>(scan.current) + first;
  const T* membranes = static_cast<const T*>(scan.membranes) + first;
  const T* gradient = static_cast<const T*>(scan.gradient) + first;
  T* out = static_cast<T*>(scan.in_gradient) + first;
  if (CONSTANTS && KIND == LIF) {  // recompute the synaptic currents
    history.resize(scan.time * BLOCK);
    start(scan.synaptic, first, count, s.i);
    for (int64_t t = 0; t < scan.time; ++t) {
      const T* x = current + t * scan.current_stride;
      T* jumped = history.data() + t * BLOCK;
      for (int64_t k = 0; k < count; ++k) {
        jumped[k] = s.i[k] + x[k];
        s.i[k] = jumped[k] + s.syn[k] * jumped[k];
      }
    }
  }
  if (KIND == ADAPTIVE) {  // recompute the adaptations before each step, and the thresholds of each step behind them
    history.resize(2 * scan.time * BLOCK);
    start(scan.adaptation, first, count, s.adaptation);
    for (int64_t t = 0; t < scan.time; ++t) {
      T* before = history.data() + t * BLOCK;
      std::memcpy(before, s.adaptation, count * sizeof(T));
      adapt(count, membranes + t * scan.neurons, s, s.adaptation, before + scan.time * BLOCK);
    }
  }
  start(scan.end_potential_gradient, first, count, s.v);
  start(scan.end_synaptic_gradient, first, count, s.i);
  if (KIND == ADAPTIVE) start(scan.end_adaptation_gradient, first, count, s.adaptation);
  for (T* sums : {s.mem_sum, s.syn_sum, s.threshold_sum, s.adapt_sum, s.beta_sum}) std::fill_n(sums, count, T(0));
  T before[BLOCK];
  for (int64_t t = scan.time - 1; t >= 0; --t) {
    const T* membrane = membranes + t * scan.neurons;
    const T* x = nullptr;
    const T* adaptation = KIND == ADAPTIVE ? history.data() + t * BLOCK : nullptr;
    const T* threshold = KIND == ADAPTIVE ? adaptation + scan.time * BLOCK : s.threshold;
    if constexpr (CONSTANTS && KIND != INTEGRATE) {
      x = KIND == LIF ? history.data() + t * BLOCK : current + t * scan.current_stride;
      if (t == 0) {
        start(scan.potential, first, count, before);
      } else {
        const T* last = membrane - scan.neurons;
        const T* then = KIND == ADAPTIVE ? threshold - BLOCK : threshold;
        for (int64_t k = 0; k < count; ++k) before[k] = after_reset<T, KIND>(last[k], then[k], reset);
      }
    }
    if (KIND != READOUT) derivative(scan, count, membrane, threshold, s.slope);
    const bool add = scan.in_gradient_stride == 0 && t != scan.time - 1;
    backward_step<T, KIND, CONSTANTS>(
        count, s, leak, reset, membrane, threshold, before, adaptation, x, gradient + t * scan.gradient_stride,
        out + t * scan.in_gradient_stride, add);
  }
  store(scan.potential_gradient, first, count, s.v);
  store(scan.synaptic_gradient, first, count, s.i);
  store(scan.adaptation_gradient, first, count, s.adaptation);
  store(scan.mem_gradient, first, count, s.mem_sum);
  store(scan.syn_gradient, first, count, s.syn_sum);
  store(scan.threshold_gradient, first, count, s.threshold_sum);
  store(scan.adapt_gradient, first, count, s.adapt_sum);
  store(scan.beta_gradient, first, count, s.beta_sum);
}

template <typename T, int64_t KIND>
void run(const Scan& scan, bool backward) {
  const int64_t size = scan.time <= SHORT_TIME ? SHORT_BLOCK : BLOCK;
  const int64_t blocks = (scan.neurons + size - 1) / size;
  const bool constants =
      scan.mem_gradient != nullptr || scan.syn_gradient != nullptr || scan.threshold_gradient != nullptr;
#pragma omp parallel num_threads(int(scan.threads)) if (scan.threads > 1)
  {
    Scratch<T> scratch;
    std::vector<T> history;
    std::vector<int64_t> updates(scan.updates == nullptr ? 0 : scan.time);
#pragma omp for schedule(static)
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t first = block * size, count = std::min(size, scan.neurons - first);
      if (!backward && scan.membranes != nullptr)
        forward_block<T, KIND, true>(scan, first, count, scratch, updates);
      else if (!backward)
        forward_block<T, KIND, false>(scan, first, count, scratch, updates);
      else if (constants)
        backward_block<T, KIND, true>(scan, first, count, scratch, history);
      else
        backward_block<T, KIND, false>(scan, first, count, scratch, history);
    }
#pragma omp critical
    for (size_t t = 0; t < updates.size(); ++t) scan.updates[t] += updates[t];  // whole numbers: in any order
  }
}

template <typename T>
void run_kind(const Scan& scan, bool backward) {
  switch (scan.kind) {
    case LIF: return run<T, LIF>(scan, backward);
    case BOX_VALUE: return run<T, BOX_VALUE>(scan, backward);
    case BOX_SUBTRACT: return run<T, BOX_SUBTRACT>(scan, backward);
    case INTEGRATE: return run<T, INTEGRATE>(scan, backward);
    case ADAPTIVE: return run<T, ADAPTIVE>(scan, backward);
    default: return run<T, READOUT>(scan, backward);
  }
}

}  // namespace

extern "C" {

void scan_float(const Scan* scan, int backward) { run_kind<float>(*scan, backward != 0); }
void scan_double(const Scan* scan, int backward) { run_kind<double>(*scan, backward != 0); }

}  // extern "C"
