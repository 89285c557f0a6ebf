#include "leafstore/numeric/ops.h"

#include <string>

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/store/align.h"

namespace leafstore {
namespace {

absl::Status AtPath(const ParamStore& store, uint32_t place, const absl::Status& status) {
  return WithContext(status, absl::StrCat("at ", store.PathText(place)));
}

// Returns a leaf that only one has, such as ".bias is only in the first"; "" if there is none.
std::string OnlyInOne(const LeafSpecs& a, const LeafSpecs& b) {
  const auto text = [](const LeafSpecs& from, const LeafSpecs& to, absl::string_view where) {
    const std::vector<uint32_t> places = Align(from, to).Unexpected();
    if (places.empty()) return std::string();
    return absl::StrCat(from.layout().PathText(from.slot(places[0])), " is only in the ", where);
  };
  const std::string in_a = text(a, b, "first");
  return in_a.empty() ? text(b, a, "second") : in_a;
}

// Checks that the Layout and the slots are the same.
absl::Status CheckSamePlaces(const ParamStore& a, const ParamStore& b) {
  if (!(a.layout() == b.layout())) {
    const std::string difference = OnlyInOne(a.layout(), b.layout());
    return absl::InvalidArgumentError(absl::StrCat(
        "stores by position: expected equal Layouts, found two, of ", a.layout().size(), " and ",
        b.layout().size(), " paths", difference.empty() ? "" : "; ", difference));
  }
  if (a.slots() == b.slots()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "stores by position: expected the same leaves in both, found that ", OnlyInOne(a, b)));
}

// Applies `fn` to each leaf with its place.
absl::StatusOr<ParamStore> MapLeaves(
    const ParamStore& store, absl::FunctionRef<absl::StatusOr<Leaf>(uint32_t, const Leaf&)> fn) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("map a store"));
  std::vector<Leaf> leaves;
  leaves.reserve(store.size());
  for (uint32_t place = 0; place < store.size(); ++place) {
    absl::StatusOr<Leaf> leaf = fn(place, store.leaf(place));
    if (!leaf.ok()) return AtPath(store, place, leaf.status());
    if (leaf->null()) {
      return AtPath(store, place, absl::InvalidArgumentError("expected a leaf, found null"));
    }
    leaves.push_back(*std::move(leaf));
  }
  return ParamStore::FromParts(store.layout(), store.slots(), std::move(leaves));
}

// Checks that the stores of an UpdateEach are alike, and that each written one occurs once.
absl::Status CheckStores(absl::Span<ParamStore* const> writable,
                         absl::Span<const ParamStore* const> readable) {
  for (size_t i = 0; i < writable.size(); ++i) {
    const ParamStore* store = writable[i] != nullptr ? writable[i] : readable[i];
    LEAFSTORE_RETURN_IF_ERROR(CheckAlike(*writable[0], *store));
    for (size_t j = 0; j < writable.size(); ++j) {
      if (j == i || writable[j] != store) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "update: expected each written store to be passed once, found argument ", i, " twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAlike(const ParamStore& a, const ParamStore& b) {
  LEAFSTORE_RETURN_IF_ERROR(CheckSamePlaces(a, b));
  if (a.spec_fingerprint() == b.spec_fingerprint()) return absl::OkStatus();
  for (uint32_t place = 0; place < a.size(); ++place) {
    if (a.leaf(place).HasSameSpec(b.leaf(place))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("at ", a.PathText(place), ": expected ", a.leaf(place).spec().ToString(),
                     " as in the first store, found ", b.leaf(place).spec().ToString()));
  }
  return absl::OkStatus();
}

absl::StatusOr<ParamStore> Map(const ParamStore& store,
                               absl::FunctionRef<absl::StatusOr<Tensor>(const Tensor&)> fn) {
  return MapLeaves(store, [fn](uint32_t, const Leaf& leaf) -> absl::StatusOr<Leaf> {
    if (!leaf.is_tensor()) return leaf;
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor result, fn(leaf.tensor()));
    return Leaf(std::move(result));
  });
}

absl::StatusOr<ParamStore> ZerosLike(const ParamStore& store) {
  return Map(store, [](const Tensor& t) { return Tensor::Zeros(t.dtype(), t.shape()); });
}

absl::StatusOr<ParamStore> Zip(
    const ParamStore& a, const ParamStore& b,
    absl::FunctionRef<absl::StatusOr<Tensor>(const Tensor&, const Tensor&)> fn) {
  LEAFSTORE_RETURN_IF_ERROR(CheckSamePlaces(a, b));
  LEAFSTORE_RETURN_IF_ERROR(b.CheckNoBorrow("zip a store"));
  for (uint32_t place = 0; place < a.size(); ++place) {
    if (a.leaf(place).is_tensor() == b.leaf(place).is_tensor()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "at ", a.PathText(place), ": expected two tensors or two static leaves, found ",
        a.leaf(place).spec().ToString(), " and ", b.leaf(place).spec().ToString()));
  }
  return MapLeaves(a, [&b, fn](uint32_t place, const Leaf& leaf) -> absl::StatusOr<Leaf> {
    if (!leaf.is_tensor()) return leaf;
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor result, fn(leaf.tensor(), b.leaf(place).tensor()));
    return Leaf(std::move(result));
  });
}

namespace internal {

absl::StatusOr<Update> OpenUpdate(DType dtype, absl::Span<ParamStore* const> writable,
                                  absl::Span<const ParamStore* const> readable) {
  LEAFSTORE_RETURN_IF_ERROR(CheckStores(writable, readable));
  const ParamStore& params = *writable[0];
  Update update;
  for (size_t i = 0; i < writable.size(); ++i) {
    if (writable[i] == nullptr) {
      LEAFSTORE_RETURN_IF_ERROR(readable[i]->CheckNoBorrow("update from a store"));
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves leaves, writable[i]->MutateAll());
    update.open.push_back(std::move(leaves));
  }
  // Everything that must be cloned is cloned here: an error later would leave a partial update.
  for (uint32_t place = 0; place < params.size(); ++place) {
    const Leaf& leaf = params.leaf(place);
    if (!leaf.is_tensor() || leaf.tensor().dtype() != dtype) continue;
    size_t opened = 0;
    for (size_t i = 0; i < writable.size(); ++i) {
      if (writable[i] != nullptr) {
        LEAFSTORE_ASSIGN_OR_RETURN(std::byte * data, update.open[opened++].raw_data(place));
        update.data.push_back(data);
      } else {
        const std::byte* data = readable[i]->leaf(place).tensor().raw_data();
        update.data.push_back(const_cast<std::byte*>(data));  // becomes a Span<const T>
      }
    }
    update.counts.push_back(static_cast<size_t>(leaf.tensor().element_count()));
  }
  return update;
}

}  // namespace internal
}  // namespace leafstore
