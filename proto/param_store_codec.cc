#include "leafstore/proto/param_store_codec.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/internal/store_spec.h"
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore {
namespace {

// Returns the leaf at `place` and removes its bytes from the front of `*data`.
absl::StatusOr<Leaf> DecodeLeaf(const LeafColumns& leaves, uint32_t place,
                                absl::string_view* data) {
  if (!leaves.is_tensor(place)) return Leaf(leaves.value(place));
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor,
                             Tensor::Uninitialized(leaves.dtype(place), leaves.shape(place)));
  const auto size = static_cast<size_t>(tensor.byte_size());
  if (size > 0) std::memcpy(TensorAccess::bytes(&tensor).data(), data->data(), size);
  if (tensor.dtype() == DType::kBool && !AreBools(tensor.bytes())) {
    return internal::WrongMessage("store, data", "bools to be 0 or 1", "another value");
  }
  data->remove_prefix(size);
  return Leaf(std::move(tensor));
}

}  // namespace

absl::StatusOr<std::string> EncodeParamStore(const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("encode"));
  const internal::StoreSpec spec = internal::StoreSpec::Of(store);
  const int64_t size = spec.leaves.total_bytes();
  if (size > std::numeric_limits<int32_t>::max()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("store: expected tensors of less than 2 GiB (a protobuf message's limit), ",
                     "found ", size, " bytes; a checkpoint has no such limit"));
  }
  proto::ParamStore message;
  LEAFSTORE_RETURN_IF_ERROR(internal::EncodeSpec(spec, &message));
  std::string* data = message.mutable_data();
  data->reserve(static_cast<size_t>(size));
  for (const Leaf& leaf : store.leaves()) {
    if (!leaf.is_tensor()) continue;
    data->append(reinterpret_cast<const char*>(leaf.tensor().raw_data()),
                 static_cast<size_t>(leaf.tensor().byte_size()));
  }
  return internal::Serialize(message, "store");
}

absl::StatusOr<ParamStore> DecodeParamStore(absl::string_view bytes) {
  proto::ParamStore message;
  LEAFSTORE_ASSIGN_OR_RETURN(internal::StoreSpec spec, internal::DecodeSpec(bytes, &message));
  // Checks, before any tensor is made, that the declared sizes match the bytes.
  if (static_cast<uint64_t>(spec.leaves.total_bytes()) != message.data().size()) {
    return internal::WrongMessage(
        "store, data",
        absl::StrCat(spec.leaves.total_bytes(), " bytes, as dtypes and shapes require"),
        message.data().size());
  }
  absl::string_view data = message.data();
  std::vector<Leaf> leaves;
  leaves.reserve(spec.leaves.size());
  for (uint32_t place = 0; place < spec.leaves.size(); ++place) {
    LEAFSTORE_ASSIGN_OR_RETURN(Leaf leaf, DecodeLeaf(spec.leaves, place, &data));
    leaves.push_back(std::move(leaf));
  }
  return ParamStore::Create(std::move(spec.layout), std::move(spec.slots), std::move(leaves));
}

}  // namespace leafstore
