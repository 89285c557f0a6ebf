// Everyday operations on whole stores: gradients clipped, precisions changed, leaves mapped and
// zipped, several stores updated as one.
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
// What keeps its place. Results have the Layout and slots of what they are made from, so that they
// can be zipped with it. Static leaves are no numbers: operations pass them on as they are, sharing
// them, and take the first store's where there are two.
//
// By position. Zip and UpdateEach take stores of one Layout and one set of slots, which is compared
// in O(1) for groups of one plan and for whole stores; dtypes and shapes are compared by
// fingerprint, O(1) after the first time. No string is made or hashed unless there is an error.
//
// Errors name the path, what was expected and what was found: InvalidArgument where stores do not
// fit, FailedPrecondition where a borrow is open, ResourceExhausted where there is no memory. A
// failed call changes nothing.
//
// Determinism. All results have the same bits on every machine and instruction set, however the
// numbers lie in memory (GlobalNorm of a pack and of its store are equal).
//
// Threads: const arguments may be used in other threads meanwhile.
#ifndef LEAFSTORE_NUMERIC_OPS_H_
#define LEAFSTORE_NUMERIC_OPS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/pack/pack.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// Whether two stores have one Layout, the same slots, and at each place the same kind, dtype and
// shape. OK, or error InvalidArgument: names what differs (the Layouts; the first slot; or the
// first leaf, with both specs). O(1) where they are groups of one plan and fingerprints are known.
absl::Status CheckAlike(const ParamStore& a, const ParamStore& b);
// The same, of Layout and slots alone.
absl::Status CheckSamePlaces(const ParamStore& a, const ParamStore& b);

// The same leaves, all numbers zero. O(bytes).
absl::StatusOr<ParamStore> ZerosLike(const ParamStore& store);

// `fn` of each tensor, in order. Its errors come back with the path before the message. The result
// may have any dtype and shape, and must not be null (error InvalidArgument).
absl::StatusOr<ParamStore> Map(const ParamStore& store,
                               absl::FunctionRef<absl::StatusOr<Tensor>(const Tensor&)> fn);
// `fn` of each leaf with its place, static ones too.
absl::StatusOr<ParamStore> MapLeaves(
    const ParamStore& store, absl::FunctionRef<absl::StatusOr<Leaf>(uint32_t, const Leaf&)> fn);
// `fn` of each two tensors that have the same place. error InvalidArgument: other Layouts or slots;
// or one leaf is a tensor and the other is static.
absl::StatusOr<ParamStore> Zip(
    const ParamStore& a, const ParamStore& b,
    absl::FunctionRef<absl::StatusOr<Tensor>(const Tensor&, const Tensor&)> fn);

// Which tensors Cast converts.
enum class CastWhat : uint8_t {
  kSameFamily,  // floating ones to a floating type, integers to an integer type; c64 and bool never
  kAll,         // all
};

// Converts tensors to `to`, which is f64, f32, f16, bf16 or an integer type; tensors that are of
// it, or that `what` leaves out, are shared as they are. Read as a number:
//   to floating   rounded once, to nearest, ties to even; too large becomes infinite; NaN stays NaN
//   to integer    cut towards zero; what is out of range becomes the nearest number in range, NaN 0
// (the saturating rule of WebAssembly's trunc_sat and of Rust's `as`, so that no result depends on
// the machine).
// error InvalidArgument: another `to`; or c64 under kAll, which is no real number: names the path.
absl::StatusOr<ParamStore> Cast(const ParamStore& store, DType to,
                                CastWhat what = CastWhat::kSameFamily);
// One tensor, whatever its dtype. Errors as Cast with kAll, without a path.
absl::StatusOr<Tensor> CastTensor(const Tensor& tensor, DType to);

// The L2 norm of all floating and complex numbers together; of integers, bools and static leaves
// nothing. Sums of squares are taken in double, in blocks of 1024 numbers by 8 lanes, then by leaf
// in the order of places: a fixed order, so the same bits everywhere. NaN or infinite where a
// number is (or where the square of an f64 exceeds a double). O(bytes). error FailedPrecondition: a
// borrow is open.
absl::StatusOr<double> GlobalNorm(const ParamStore& store);
absl::StatusOr<double> GlobalNorm(const Packed& packed);

struct ClipOptions {
  // error FailedPrecondition, and nothing is scaled, where the norm is NaN or infinite. Otherwise,
  // as in PyTorch, a NaN norm makes all numbers NaN, an infinite one makes them 0 (or NaN).
  bool error_if_nonfinite = false;
};

// Scales all that GlobalNorm counts by max_norm / (norm + 1e-6) where that is below 1, and returns
// the norm from before (torch.nn.utils.clip_grad_norm_). f64 is multiplied in double, f32, c64, f16
// and bf16 in float. Where nothing has to be scaled nothing is written, and no generation changes.
// error InvalidArgument: max_norm is negative or NaN; or a tensor that must be scaled is of an 8, 6
// or 4 bit type: names the path. O(bytes).
absl::StatusOr<double> ClipByGlobalNorm(ParamStore* store, double max_norm,
                                        const ClipOptions& options = {});
absl::StatusOr<double> ClipByGlobalNorm(Packed* packed, double max_norm,
                                        const ClipOptions& options = {});

namespace internal {

// Untyped core of UpdateEach: what is asked of stores before anything is written.
// error InvalidArgument: a store that is written is there twice, or they are not alike. Null
// pointers stand for arguments of the other kind.
absl::Status CheckUpdate(absl::Span<ParamStore* const> writable,
                         absl::Span<const ParamStore* const> readable);

// One argument of UpdateEach: a store to write (ParamStore*) or to read (const ParamStore&).
template <typename T>
class WritableStore {
 public:
  explicit WritableStore(ParamStore* store) : store_(store) {}
  absl::Status Open() {
    LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves leaves, store_->MutateAll());
    leaves_.emplace(std::move(leaves));
    return absl::OkStatus();
  }
  absl::Status Prepare(uint32_t place) { return leaves_->raw_data(place).status(); }
  absl::Span<T> At(uint32_t place) { return *leaves_->template GetSpan<T>(place); }

 private:
  ParamStore* store_;
  std::optional<MutableLeaves> leaves_;
};

template <typename T>
class ReadableStore {
 public:
  explicit ReadableStore(const ParamStore* store) : store_(store) {}
  absl::Status Open() { return store_->CheckNoBorrow("update from a store"); }
  absl::Status Prepare(uint32_t) { return absl::OkStatus(); }
  absl::Span<const T> At(uint32_t place) {
    const Tensor& tensor = store_->leaf(place).tensor();
    return absl::MakeConstSpan(reinterpret_cast<const T*>(tensor.raw_data()),
                               static_cast<size_t>(tensor.element_count()));
  }

 private:
  const ParamStore* store_;
};

template <typename T>
WritableStore<T> OpenLater(ParamStore* store) {
  return WritableStore<T>(store);
}
template <typename T>
ReadableStore<T> OpenLater(const ParamStore& store) {
  return ReadableStore<T>(&store);
}

inline ParamStore* Writable(ParamStore* store) { return store; }
inline ParamStore* Writable(const ParamStore&) { return nullptr; }
inline const ParamStore* Readable(ParamStore*) { return nullptr; }
inline const ParamStore* Readable(const ParamStore& store) { return &store; }

template <typename Store>
concept UpdateArgument = std::is_same_v<std::remove_cvref_t<Store>, ParamStore*> ||
                         std::is_same_v<std::remove_cvref_t<Store>, ParamStore>;

template <typename T, typename Fn, typename... Opened>
absl::Status UpdateOpened(const ParamStore& params, Fn& fn, Opened... opened) {
  absl::Status status;
  ((status.ok() ? void(status = opened.Open()) : void()), ...);
  LEAFSTORE_RETURN_IF_ERROR(status);
  const auto takes_part = [&params](uint32_t place) {
    const Leaf& leaf = params.leaf(place);
    return leaf.is_tensor() && leaf.tensor().dtype() == kDTypeOf<T>;
  };
  // Whatever must be cloned is cloned first: an error from here on would leave half an update.
  for (uint32_t place = 0; place < params.size(); ++place) {
    if (!takes_part(place)) continue;
    ((status.ok() ? void(status = opened.Prepare(place)) : void()), ...);
    LEAFSTORE_RETURN_IF_ERROR(status);
  }
  for (uint32_t place = 0; place < params.size(); ++place) {
    if (takes_part(place)) fn(opened.At(place)...);
  }
  return absl::OkStatus();
}

}  // namespace internal

// Calls `fn(absl::Span<T>, ...)` for every tensor of T's dtype in `params`, in order, with the
// numbers of all the stores at that place: an absl::Span<T> for a store given as pointer (it is
// written, as `params` is), an absl::Span<const T> for one given by reference. All must be alike
// (CheckAlike) and a store that is written may be there only once. Tensors of other dtypes and
// static leaves are left alone, with their generations. Written leaves get new generations, in all
// stores that are written. error InvalidArgument, FailedPrecondition: as above. error
// ResourceExhausted: no memory to clone what is shared. After an error no number has changed. Costs
// nothing but `fn` and about 20 ns a tensor; clones what a snapshot shares.
template <typename T, typename Fn, typename... Others>
requires(internal::UpdateArgument<Others>&&...) absl::Status
    UpdateEach(ParamStore* params, Fn&& fn, Others&&... others) {
  const std::array<ParamStore*, sizeof...(Others) + 1> writable = {params,
                                                                   internal::Writable(others)...};
  const std::array<const ParamStore*, sizeof...(Others)> readable = {internal::Readable(others)...};
  LEAFSTORE_RETURN_IF_ERROR(internal::CheckUpdate(writable, readable));
  return internal::UpdateOpened<T>(*params, fn, internal::OpenLater<T>(params),
                                   internal::OpenLater<T>(others)...);
}

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_OPS_H_
