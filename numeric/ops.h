// Operations on all leaves of a store: Map, Zip, Cast, ZerosLike, gradient clipping, and updates of
// several stores together.
//
//   ParamStore momentum = ZerosLike(params).value();
//   double norm = ClipByGlobalNorm(&grads, 1.0).value();
//   LEAFSTORE_RETURN_IF_ERROR(UpdateEach<float>(
//       &params,
//       [](absl::Span<float> p, absl::Span<float> m, absl::Span<const float> g) {
//         for (size_t i = 0; i < p.size(); ++i) {
//           m[i] = 0.9f * m[i] + g[i];
//           p[i] -= 0.1f * m[i];
//         }
//       },
//       &momentum, grads));
//
// A result has the Layout and slots of its input, so the two can be zipped. It shares the static
// leaves of its input, or of the first of two inputs.
//
// By position. Zip and UpdateEach require stores with the same Layout and slots. Comparing these is
// O(1) for groups of one partition and for complete stores; dtypes and shapes are compared by
// fingerprint, O(1) after the first time. No string is made or hashed unless an error occurs.
//
// Errors name the path, what was expected and what was found. InvalidArgument: the stores do not
// match. FailedPrecondition: a borrow is open. ResourceExhausted: out of memory. A failed call
// changes nothing.
//
// Determinism. Results have the same bits on every machine, with every instruction set, packed or
// not.
//
// Threads: other threads may use const arguments during a call.
#ifndef LEAFSTORE_NUMERIC_OPS_H_
#define LEAFSTORE_NUMERIC_OPS_H_

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/pack/pack.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// Checks that two stores have the same Layout, the same slots, and at each place the same kind,
// dtype and shape. error InvalidArgument: names the first difference (the Layouts; a slot; or a
// leaf, with both specs). O(1) for groups of one partition whose fingerprints are known.
absl::Status CheckAlike(const ParamStore& a, const ParamStore& b);
// Returns a store with the same leaves and all elements zero. O(bytes).
absl::StatusOr<ParamStore> ZerosLike(const ParamStore& store);

// Applies `fn` to each tensor, in order. `fn` may return any dtype and shape, but not null (error
// InvalidArgument). Errors of `fn` are returned, prefixed with the path.
absl::StatusOr<ParamStore> Map(const ParamStore& store,
                               absl::FunctionRef<absl::StatusOr<Tensor>(const Tensor&)> fn);
// Like Map, but applies `fn` to each pair of tensors at the same place. error InvalidArgument: the
// Layouts or slots differ; or one leaf is a tensor and the other is static.
absl::StatusOr<ParamStore> Zip(
    const ParamStore& a, const ParamStore& b,
    absl::FunctionRef<absl::StatusOr<Tensor>(const Tensor&, const Tensor&)> fn);

// Converts floating tensors to a floating type, or integer tensors to an integer type: `to` is f64,
// f32, f16, bf16 or an integer type. Other tensors, and those that already have this dtype, are
// shared unchanged.
//   to floating   rounded once, to nearest, ties to even; too large becomes infinite; NaN stays NaN
//   to integer    truncated towards zero; clamped to the range of the type; NaN becomes 0
// These are the saturating conversions of WebAssembly's trunc_sat and of Rust's `as`, so results do
// not depend on the machine. error InvalidArgument: any other `to`.
absl::StatusOr<ParamStore> Cast(const ParamStore& store, DType to);
// Converts one tensor of any dtype but c64, by the same rules; bools are 0 and 1. With Map, this
// converts all tensors of a store. error InvalidArgument: any other `to`, or a c64 tensor.
absl::StatusOr<Tensor> CastTensor(const Tensor& tensor, DType to);

// Returns the L2 norm of all floating and complex elements together; integers, bools and static
// leaves do not count. Squares are summed in double, in blocks of 1024 elements by 8 lanes, then by
// leaf in the order of places: a fixed order, so the result has the same bits everywhere. NaN or
// infinite if an element is (or if the square of an f64 overflows). O(bytes).
// error FailedPrecondition: a borrow is open.
absl::StatusOr<double> GlobalNorm(const ParamStore& store);
absl::StatusOr<double> GlobalNorm(const Packed& packed);
// Like GlobalNorm above, for all groups together. Their sums are added in the order of the groups.
absl::StatusOr<double> GlobalNorm(const Groups& groups);

// Returns the factor that scales gradients with L2 norm `norm` to a norm of at most `max_norm`:
// min(1, max_norm / (norm + 1e-6)), as in torch.nn.utils.clip_grad_norm_. Used as the grad_scale
// of a step (optim/), it clips the gradients while they are read, without writing them.
// error InvalidArgument: `max_norm` is not positive, or `norm` is negative.
// error FailedPrecondition: `norm` is NaN or infinite. Such gradients cannot be used; a training
// loop may skip the step.
absl::StatusOr<double> ClipScale(double norm, double max_norm);

// Scales everything that GlobalNorm counts by ClipScale if that is below 1, and returns the norm
// before scaling. f64 is multiplied in double; f32, c64, f16 and bf16 in float. If nothing has to
// be scaled, nothing is written and no generation changes. O(bytes).
// error InvalidArgument: `max_norm` is not positive; or a tensor that must be scaled has an 8-, 6-
//       or 4-bit type: names the path.
// error FailedPrecondition: the norm is NaN or infinite, or a borrow is open.
absl::StatusOr<double> ClipByGlobalNorm(ParamStore* store, double max_norm);
absl::StatusOr<double> ClipByGlobalNorm(Packed* packed, double max_norm);

namespace internal {

// The stores of an UpdateEach, open for writing until this is destroyed.
struct Update {
  std::vector<MutableLeaves> open;
  std::vector<std::byte*> data;  // for each tensor that takes part, its bytes in each store
  std::vector<size_t> counts;    // for each of these tensors, its elements
};

// Checks and opens the stores, before anything is written. For each i, either writable[i] or
// readable[i] is null. error InvalidArgument: a store that is written occurs twice, or the stores
// are not alike.
absl::StatusOr<Update> OpenUpdate(DType dtype, absl::Span<ParamStore* const> writable,
                                  absl::Span<const ParamStore* const> readable);

inline ParamStore* Writable(ParamStore* store) { return store; }
inline ParamStore* Writable(const ParamStore&) { return nullptr; }
inline const ParamStore* Readable(ParamStore*) { return nullptr; }
inline const ParamStore* Readable(const ParamStore& store) { return &store; }

template <typename T>
absl::Span<T> SpanFor(ParamStore*, std::byte* data, size_t count) {
  return absl::MakeSpan(reinterpret_cast<T*>(data), count);
}
template <typename T>
absl::Span<const T> SpanFor(const ParamStore&, std::byte* data, size_t count) {
  return absl::MakeConstSpan(reinterpret_cast<const T*>(data), count);
}

}  // namespace internal

// Calls `fn(absl::Span<T>, ...)` for every tensor of T's dtype in `params`, in order, with the
// elements of all stores at that place: an absl::Span<T> for a store passed by pointer (it is
// written, like `params`), an absl::Span<const T> for a store passed by reference. All stores must
// be alike (CheckAlike), and a written store may occur only once. Other dtypes and static leaves
// are unchanged and keep their generations; written leaves get new ones in all written stores.
// error InvalidArgument, FailedPrecondition: as above. error ResourceExhausted: out of memory to
// clone shared bytes. After an error no element has changed. Costs about 20 ns per tensor in
// addition to `fn`, and the cloning of bytes that a snapshot shares.
template <typename T, typename Fn, typename... Others>
absl::Status UpdateEach(ParamStore* params, Fn&& fn, Others&&... others) {
  const std::array writable = {params, internal::Writable(others)...};
  const std::array readable = {internal::Readable(params), internal::Readable(others)...};
  LEAFSTORE_ASSIGN_OR_RETURN(const internal::Update update,
                             internal::OpenUpdate(kDTypeOf<T>, writable, readable));
  std::byte* const* data = update.data.data();
  for (const size_t count : update.counts) {
    [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
      fn(internal::SpanFor<T>(params, data[0], count),
         internal::SpanFor<T>(others, data[kIndex + 1], count)...);
    }
    (std::index_sequence_for<Others...>());
    data += writable.size();
  }
  return absl::OkStatus();
}

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_OPS_H_
