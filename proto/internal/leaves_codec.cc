// Converts Leaves and Values (proto/param_store.proto) between messages and columns.
#include <array>
#include <bit>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/proto/internal/messages.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/proto/param_store.pb.h"

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
  ValueDecoder(const proto::Values& in, absl::string_view where)
      : in_(in), where_(absl::StrCat(where, ", column values")) {}

  absl::Status Begin() {
    LEAFSTORE_ASSIGN_OR_RETURN(strings_, DecodeStrings(in_.strings(), where_));
    return absl::OkStatus();
  }

  // Adds the next value to `out`.
  absl::Status Next(LeafColumns* out) {
    if (next_ == in_.kinds().size()) return Short("kinds");
    const auto kind = static_cast<uint8_t>(in_.kinds()[next_++]);
    switch (static_cast<ValueKind>(kind)) {
      case ValueKind::kBool: {
        if (bools_ == in_.bools().size()) return Short("bools");
        const char value = in_.bools()[bools_++];
        if (value != 0 && value != 1) {
          return WrongMessage(where_, "0 or 1 for a bool", static_cast<uint8_t>(value));
        }
        out->AddValue(Value(value == 1));
        return absl::OkStatus();
      }
      case ValueKind::kInt:
        if (ints_ == in_.ints_size()) return Short("ints");
        out->AddValue(Value(in_.ints(ints_++)));
        return absl::OkStatus();
      case ValueKind::kFloat:
        if (floats_ == in_.floats_size()) return Short("floats");
        out->AddValue(Value(std::bit_cast<double>(in_.floats(floats_++))));
        return absl::OkStatus();
      case ValueKind::kString:
      case ValueKind::kBytes:
        return NextString(static_cast<ValueKind>(kind), out);
    }
    return WrongMessage(where_, "a kind from 1 to 5", kind);
  }

  absl::Status CheckUsed() const {
    if (next_ != in_.kinds().size()) return Left("kinds");
    if (bools_ != in_.bools().size()) return Left("bools");
    if (ints_ != in_.ints_size()) return Left("ints");
    if (floats_ != in_.floats_size()) return Left("floats");
    return used_strings_ == strings_.size() ? absl::OkStatus() : Left("strings");
  }

 private:
  absl::Status NextString(ValueKind kind, LeafColumns* out) {
    if (used_strings_ == strings_.size()) return Short("strings");
    const absl::string_view text = strings_[used_strings_++];
    Value value = kind == ValueKind::kString ? Value(text) : Value(Bytes{std::string(text)});
    if (!value.IsValid()) return WrongMessage(where_, "a str in UTF-8", value.ToString());
    out->AddValue(std::move(value));
    return absl::OkStatus();
  }
  absl::Status Short(absl::string_view column) const {
    return WrongMessage(absl::StrCat(where_, ".", column), "an entry for each static leaf",
                        "fewer");
  }
  absl::Status Left(absl::string_view column) const {
    return WrongMessage(absl::StrCat(where_, ".", column), "an entry for each static leaf", "more");
  }

  const proto::Values& in_;
  std::string where_;
  std::vector<absl::string_view> strings_;
  size_t next_ = 0;
  size_t bools_ = 0;
  int ints_ = 0;
  int floats_ = 0;
  size_t used_strings_ = 0;
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

// For each integer below 256 the bytes of an element of that dtype; 0 if it is not a DType, or the type
// is narrower than a byte.
std::array<uint8_t, 256> MakeElementBytes() {
  std::array<uint8_t, 256> bytes{};
  for (const DType dtype : AllDTypes()) {
    const size_t bits = DTypeBits(dtype);
    bytes[static_cast<uint8_t>(dtype)] = static_cast<uint8_t>(bits % 8 == 0 ? bits / 8 : 0);
  }
  return bytes;
}

// Returns ByteSize if it is a simple product, as in nearly all cases; -1 if ByteSize must be called.
int64_t PlainByteSize(uint8_t dtype, ShapeRef shape) {
  static const std::array<uint8_t, 256> element_bytes = MakeElementBytes();
  int64_t bytes = element_bytes[dtype];
  if (bytes == 0) return -1;
  for (const int64_t extent : shape) {
    if (extent <= 0 || __builtin_mul_overflow(bytes, extent, &bytes)) return -1;
  }
  return bytes;
}

// Reads the extents of tensors, one tensor after another.
class TensorDecoder {
 public:
  explicit TensorDecoder(const proto::Leaves& in) : in_(in) {}

  // Adds the next tensor to `out`. Returns false and sets the error if it is invalid.
  bool Next(uint8_t dtype, LeafColumns* out, absl::Status* error) {
    if (tensor_ == in_.ranks().size()) return Fail("expected its rank, found none", error);
    const auto rank = static_cast<uint8_t>(in_.ranks()[tensor_++]);
    if (rank > kMaxRank) {
      return Fail(absl::StrCat("expected a rank of at most ", kMaxRank, ", found ", rank), error);
    }
    if (in_.dims_size() - dim_ < rank) {
      return Fail(absl::StrCat("expected ", rank, " extents, found ", in_.dims_size() - dim_),
                  error);
    }
    // Extents of 2^63 and more are negative here, and ByteSize rejects them.
    const ShapeRef shape(reinterpret_cast<const int64_t*>(in_.dims().data()) + dim_, rank);
    dim_ += rank;
    int64_t bytes = PlainByteSize(dtype, shape);
    if (bytes < 0) {
      if (!IsDType(dtype)) {
        return Fail(absl::StrCat("expected a dtype's number or 0, found ", dtype), error);
      }
      const absl::StatusOr<int64_t> checked = ByteSize(static_cast<DType>(dtype), shape);
      if (!checked.ok()) return Fail(checked.status().message(), error);
      bytes = *checked;
    }
    out->AddTensor(static_cast<DType>(dtype), shape, bytes);
    return true;
  }

  absl::Status CheckUsed(absl::string_view where) const {
    if (tensor_ != in_.ranks().size()) {
      return WrongMessage(absl::StrCat(where, ", column ranks"),
                          absl::StrCat("those of ", tensor_, " tensors"), in_.ranks().size());
    }
    if (dim_ != in_.dims_size()) {
      return WrongMessage(absl::StrCat(where, ", column dims"), absl::StrCat(dim_, " extents"),
                          static_cast<uint64_t>(in_.dims_size()));
    }
    return absl::OkStatus();
  }

 private:
  static bool Fail(absl::string_view what, absl::Status* error) {
    *error = absl::DataLossError(what);
    return false;
  }

  const proto::Leaves& in_;
  size_t tensor_ = 0;
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
  LEAFSTORE_ASSIGN_OR_RETURN(SlotSet slots, DecodePresence(in.presence(), layout.size(), where));
  if (in.dtypes().size() != slots.size()) {
    return WrongMessage(absl::StrCat(where, ", column dtypes"),
                        absl::StrCat(slots.size(), " entries, one a leaf"), in.dtypes().size());
  }
  LeafColumns leaves;
  leaves.Reserve(in.dtypes().size(), in.ranks().size(), static_cast<size_t>(in.dims_size()));
  ValueDecoder values(in.values(), where);
  LEAFSTORE_RETURN_IF_ERROR(values.Begin());
  TensorDecoder tensors(in);
  for (uint32_t place = 0; place < slots.size(); ++place) {
    const auto dtype = static_cast<uint8_t>(in.dtypes()[place]);
    if (dtype == 0) {
      LEAFSTORE_RETURN_IF_ERROR(values.Next(&leaves));
    } else if (absl::Status error; !tensors.Next(dtype, &leaves, &error)) {
      return AsDataLoss(
          error, absl::StrCat(where, ", '", layout.PathForMessage(slots.SlotAt(place)), "'"));
    }
  }
  LEAFSTORE_RETURN_IF_ERROR(values.CheckUsed());
  LEAFSTORE_RETURN_IF_ERROR(tensors.CheckUsed(where));
  return DecodedLeaves{std::move(slots), std::move(leaves)};
}

}  // namespace leafstore::internal
