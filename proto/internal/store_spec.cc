#include "leafstore/proto/internal/store_spec.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore::internal {
namespace {

void EncodeValue(const Value& value, proto::Values* out) {
  out->mutable_kinds()->push_back(static_cast<char>(value.kind()));
  switch (value.kind()) {
    case ValueKind::kBool:
      out->mutable_bools()->push_back(*value.As<bool>() ? 1 : 0);
      break;
    case ValueKind::kInt:
      out->add_ints(*value.As<int64_t>());
      break;
    case ValueKind::kFloat:
      out->add_floats(std::bit_cast<uint64_t>(*value.As<double>()));
      break;
    case ValueKind::kString:
      AddString(*value.As<std::string>(), out->mutable_strings());
      break;
    case ValueKind::kBytes:
      AddString(value.As<Bytes>()->data, out->mutable_strings());
      break;
  }
}

// Reads the values of a message in order.
class ValueDecoder {
 public:
  // `strings` are those of `in`. The arguments must outlive this object.
  ValueDecoder(const proto::Values& in, const std::vector<absl::string_view>& strings,
               absl::string_view where)
      : in_(in), where_(where), texts_(strings, where, "values.strings") {}

  // Adds the next value to `out`.
  absl::Status Next(LeafColumns* out) {
    uint8_t kind = 0;
    if (!kinds_.Next(&kind)) return kinds_.TooShort();
    switch (static_cast<ValueKind>(kind)) {
      case ValueKind::kBool:
        return AddBool(out);
      case ValueKind::kInt:
        return Add<int64_t>(&ints_, out, [](int64_t value) { return Value(value); });
      case ValueKind::kFloat:
        return Add<uint64_t>(&floats_, out,
                             [](uint64_t bits) { return Value(std::bit_cast<double>(bits)); });
      case ValueKind::kString:
        return Add<absl::string_view>(&texts_, out,
                                      [](absl::string_view text) { return Value(text); });
      case ValueKind::kBytes:
        return Add<absl::string_view>(
            &texts_, out, [](absl::string_view text) { return Value(Bytes{std::string(text)}); });
    }
    return kinds_.Wrong("a kind from 1 to 5", kind);
  }

  absl::Status CheckUsed() const { return CheckAllUsed(kinds_, bools_, ints_, floats_, texts_); }

 private:
  absl::Status AddBool(LeafColumns* out) {
    uint8_t value = 0;
    if (!bools_.Next(&value)) return bools_.TooShort();
    if (value > 1) return bools_.Wrong("0 or 1 for a bool", value);
    out->AddValue(Value(value == 1));
    return absl::OkStatus();
  }
  // Adds the value that `make` returns for the next entry of a column.
  template <typename T, typename Entries, typename Make>
  static absl::Status Add(Entries* entries, LeafColumns* out, const Make& make) {
    T entry{};
    if (!entries->Next(&entry)) return entries->TooShort();
    Value value = make(entry);
    if (!value.IsValid()) return entries->Wrong("a str in UTF-8", value.ToString());
    out->AddValue(std::move(value));
    return absl::OkStatus();
  }

  const proto::Values& in_;
  const absl::string_view where_;
  Column<std::string> kinds_{in_.kinds(), where_, "values.kinds"};
  Column<std::string> bools_{in_.bools(), where_, "values.bools"};
  Column<google::protobuf::RepeatedField<int64_t>> ints_{in_.ints(), where_, "values.ints"};
  Column<google::protobuf::RepeatedField<uint64_t>> floats_{in_.floats(), where_, "values.floats"};
  Column<std::vector<absl::string_view>> texts_;
};

std::string EncodePresence(const SlotSet& slots) {
  if (slots.is_all() || slots.size() == slots.universe()) return {};
  std::string bits((slots.universe() + 7) / 8, '\0');
  for (uint32_t place = 0; place < slots.size(); ++place) {
    const Slot slot = slots.SlotAt(place);
    bits[slot / 8] = static_cast<char>(bits[slot / 8] | (1 << (slot % 8)));
  }
  return bits;
}

absl::StatusOr<SlotSet> DecodePresence(const std::string& bits, uint32_t universe,
                                       absl::string_view where) {
  if (bits.empty()) return SlotSet::All(universe);
  const std::string column = absl::StrCat(where, ", column presence");
  if (bits.size() != (size_t{universe} + 7) / 8) {
    return WrongMessage(column, absl::StrCat((size_t{universe} + 7) / 8, " bytes"), bits.size());
  }
  if (universe % 8 != 0 && (static_cast<uint8_t>(bits.back()) >> (universe % 8)) != 0) {
    return WrongMessage(column, absl::StrCat("bits of ", universe, " slots"), "more");
  }
  std::vector<Slot> slots;
  for (uint32_t byte = 0; byte < bits.size(); ++byte) {
    for (auto rest = static_cast<uint8_t>(bits[byte]); rest != 0; rest &= rest - 1) {
      slots.push_back(byte * 8 + static_cast<uint32_t>(std::countr_zero(rest)));
    }
  }
  return SlotSet::FromSorted(universe, std::move(slots));
}

// Reads the ranks and extents of tensors, one tensor after another.
class TensorDecoder {
 public:
  TensorDecoder(const proto::Leaves& in, absl::string_view where)
      : dims_(in.dims()), where_(where), ranks_(in.ranks(), where, "ranks") {}

  // Adds the next tensor to `out`. Errors do not have `where`.
  absl::Status Next(uint8_t dtype, LeafColumns* out) {
    uint8_t rank = 0;
    if (!ranks_.Next(&rank)) return absl::DataLossError("expected its rank, found none");
    if (rank > kMaxRank) {
      return absl::DataLossError(
          absl::StrCat("expected a rank of at most ", kMaxRank, ", found ", rank));
    }
    if (dims_.size() - dim_ < rank) {
      return absl::DataLossError(
          absl::StrCat("expected ", rank, " extents, found ", dims_.size() - dim_));
    }
    // Extents of 2^63 and more are negative here, and ByteSize rejects them.
    const ShapeRef shape(reinterpret_cast<const int64_t*>(dims_.data()) + dim_, rank);
    dim_ += rank;
    int64_t bytes = PlainByteSize(static_cast<DType>(dtype), shape);
    if (bytes < 0) {
      if (!IsDType(dtype)) {
        return absl::DataLossError(absl::StrCat("expected a dtype or 0, found ", dtype));
      }
      LEAFSTORE_ASSIGN_OR_RETURN(bytes, ByteSize(static_cast<DType>(dtype), shape));
    }
    out->AddTensor(static_cast<DType>(dtype), shape, bytes);
    return absl::OkStatus();
  }

  absl::Status CheckUsed() const {
    LEAFSTORE_RETURN_IF_ERROR(ranks_.CheckUsed());
    if (dim_ == dims_.size()) return absl::OkStatus();
    return WrongMessage(absl::StrCat(where_, ", column dims"), absl::StrCat(dim_, " extents"),
                        dims_.size());
  }

 private:
  const google::protobuf::RepeatedField<uint64_t>& dims_;
  const absl::string_view where_;
  Column<std::string> ranks_;
  int dim_ = 0;
};

}  // namespace

void EncodeLeaves(const SlotSet& slots, const LeafColumns& leaves, proto::Leaves* out) {
  if (std::string bits = EncodePresence(slots); !bits.empty()) out->set_presence(std::move(bits));
  const auto to_bytes = [](absl::Span<const uint8_t> column) {
    return std::string(column.begin(), column.end());
  };
  out->set_dtypes(to_bytes(leaves.dtypes()));
  out->set_ranks(to_bytes(leaves.ranks()));
  out->mutable_dims()->Assign(leaves.dims().begin(), leaves.dims().end());
  for (const Value& value : leaves.values()) EncodeValue(value, out->mutable_values());
}

absl::StatusOr<DecodedLeaves> DecodeLeaves(const proto::Leaves& in, const Layout& layout,
                                           absl::string_view where) {
  DecodedLeaves out;
  LEAFSTORE_ASSIGN_OR_RETURN(out.slots, DecodePresence(in.presence(), layout.size(), where));
  if (in.dtypes().size() != out.slots.size()) {
    return WrongMessage(absl::StrCat(where, ", column dtypes"),
                        absl::StrCat(out.slots.size(), " entries, one per leaf"),
                        in.dtypes().size());
  }
  out.leaves.Reserve(in.dtypes().size(), in.ranks().size(), static_cast<size_t>(in.dims_size()));
  LEAFSTORE_ASSIGN_OR_RETURN(
      const auto strings,
      DecodeStrings(in.values().strings(), absl::StrCat(where, ", column values.strings")));
  ValueDecoder values(in.values(), strings, where);
  TensorDecoder tensors(in, where);
  for (uint32_t place = 0; place < out.slots.size(); ++place) {
    const auto dtype = static_cast<uint8_t>(in.dtypes()[place]);
    if (dtype == 0) {
      LEAFSTORE_RETURN_IF_ERROR(values.Next(&out.leaves));
    } else if (absl::Status status = tensors.Next(dtype, &out.leaves); !status.ok()) {
      return absl::DataLossError(absl::StrCat(
          where, ", ", internal::QuotedPath(layout.PathForMessage(out.slots.SlotAt(place))), ": ",
          status.message()));
    }
  }
  LEAFSTORE_RETURN_IF_ERROR(values.CheckUsed());
  LEAFSTORE_RETURN_IF_ERROR(tensors.CheckUsed());
  return out;
}

StoreSpec StoreSpec::Of(const ParamStore& store, std::optional<Grouping> grouping) {
  return {store.layout(), store.slots(), LeafColumns::Of(store.leaves()), std::move(grouping)};
}

absl::Status CheckSpec(const Layout& layout, const SlotSet& slots, const LeafColumns& leaves,
                       const std::optional<Grouping>& grouping) {
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    if (leaves.is_tensor(place) || leaves.value(place).IsValid()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(internal::QuotedPath(layout.PathForMessage(slots.SlotAt(place))),
                     ": expected a str in UTF-8, found ", leaves.value(place).ToString()));
  }
  if (!grouping.has_value() || grouping->layout() == layout) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "expected a grouping on the Layout that is saved, found a different one");
}

absl::StatusOr<std::string> EncodeStoreSpec(const StoreSpec& spec) {
  proto::StoreSpec message;
  LEAFSTORE_RETURN_IF_ERROR(EncodeSpec(spec, &message));
  if (spec.grouping.has_value()) EncodeGrouping(*spec.grouping, message.mutable_labels());
  return Serialize(message, "store");
}

absl::StatusOr<StoreSpec> DecodeStoreSpec(absl::string_view bytes) {
  proto::StoreSpec message;
  LEAFSTORE_ASSIGN_OR_RETURN(StoreSpec spec, DecodeSpec(bytes, &message));
  if (message.has_labels()) {
    LEAFSTORE_ASSIGN_OR_RETURN(spec.grouping,
                               DecodeGrouping(message.labels(), spec.layout, "store"));
  }
  return spec;
}

}  // namespace leafstore::internal
