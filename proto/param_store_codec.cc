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
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore {
namespace internal {
namespace {

absl::Status CheckEncodable(const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("encode"));
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Leaf& leaf = store.leaf(place);
    if (leaf.is_value() && !leaf.value().IsValid()) {
      return absl::InvalidArgumentError(absl::StrCat("'", store.PathText(place),
                                                     "': expected a str in UTF-8, found ",
                                                     leaf.value().ToString()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Layout> DecodeLayout(const proto::ParamStore& message) {
  if (!message.has_treedef()) return DecodePaths(message.paths(), "store, column paths");
  if (message.has_paths()) return WrongMessage("store", "a treedef or paths", "both");
  LEAFSTORE_ASSIGN_OR_RETURN(TreeDef def, DecodeTreeDefMessage(message.treedef(), {}));
  return Layout(std::move(def));
}

// Returns the leaf at `place` and removes its bytes from the front of `*data`.
absl::StatusOr<Leaf> DecodeLeaf(const LeafColumns& leaves, uint32_t place,
                                absl::string_view* data) {
  if (!leaves.is_tensor(place)) return Leaf(leaves.value(place));
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor,
                             Tensor::Uninitialized(leaves.dtype(place), leaves.shape(place)));
  const auto size = static_cast<size_t>(tensor.byte_size());
  if (size > 0) {
    LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor bytes, tensor.Mutate());
    std::memcpy(bytes.raw_data(), data->data(), size);
  }
  if (tensor.dtype() == DType::kBool && !AreBools(tensor.bytes())) {
    return WrongMessage("store, data", "bools, 0 or 1", "another byte");
  }
  data->remove_prefix(size);
  return Leaf(std::move(tensor));
}

}  // namespace
}  // namespace internal

absl::StatusOr<std::string> EncodeParamStore(const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(internal::CheckEncodable(store));
  const LeafColumns leaves = LeafColumns::Of(store.leaves());
  if (leaves.total_bytes() > std::numeric_limits<int32_t>::max()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "store: expected tensors of less than 2 GiB (a protobuf message's limit), found ",
        leaves.total_bytes(), " bytes; a checkpoint has no such limit"));
  }
  proto::ParamStore message;
  if (store.layout().has_def()) {
    LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, store.layout().def());
    LEAFSTORE_RETURN_IF_ERROR(internal::EncodeTreeDefMessage(def, message.mutable_treedef()));
  } else {
    internal::EncodePaths(store.layout(), message.mutable_paths());
  }
  internal::EncodeLeaves(store.slots(), leaves, message.mutable_leaves());
  std::string* data = message.mutable_data();
  data->reserve(static_cast<size_t>(leaves.total_bytes()));
  for (const Leaf& leaf : store.leaves()) {
    if (!leaf.is_tensor()) continue;
    data->append(reinterpret_cast<const char*>(leaf.tensor().raw_data()),
                 static_cast<size_t>(leaf.tensor().byte_size()));
  }
  return internal::Serialize(message, "store");
}

absl::StatusOr<ParamStore> DecodeParamStore(absl::string_view bytes) {
  proto::ParamStore message;
  LEAFSTORE_RETURN_IF_ERROR(internal::ParseMessage(bytes, "store", &message));
  LEAFSTORE_ASSIGN_OR_RETURN(Layout layout, internal::DecodeLayout(message));
  LEAFSTORE_ASSIGN_OR_RETURN(internal::DecodedLeaves decoded,
                             internal::DecodeLeaves(message.leaves(), layout, "store"));
  // Checks, before any tensor is made, that the declared sizes match the bytes.
  if (static_cast<uint64_t>(decoded.leaves.total_bytes()) != message.data().size()) {
    return internal::WrongMessage(
        "store, data",
        absl::StrCat(decoded.leaves.total_bytes(), " bytes, as dtypes and shapes ask for"),
        message.data().size());
  }
  absl::string_view data = message.data();
  std::vector<Leaf> leaves;
  leaves.reserve(decoded.leaves.size());
  for (uint32_t place = 0; place < decoded.leaves.size(); ++place) {
    LEAFSTORE_ASSIGN_OR_RETURN(Leaf leaf, internal::DecodeLeaf(decoded.leaves, place, &data));
    leaves.push_back(std::move(leaf));
  }
  return ParamStore::Create(std::move(layout), std::move(decoded.slots), std::move(leaves));
}

}  // namespace leafstore
