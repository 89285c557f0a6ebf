#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header.h"

namespace leafstore::internal {
namespace {

// The order in which the reference writes tensors: its enumeration, reversed.
constexpr std::array<DType, 22> kOrder = {
    DType::kU64,    DType::kI64,        DType::kF64,        DType::kC64,    DType::kF32,
    DType::kU32,    DType::kI32,        DType::kBF16,       DType::kF16,    DType::kU16,
    DType::kI16,    DType::kF8E5M2FNUZ, DType::kF8E4M3FNUZ, DType::kF8E8M0, DType::kF8E4M3,
    DType::kF8E5M2, DType::kI8,         DType::kU8,         DType::kF6E3M2, DType::kF6E2M3,
    DType::kF4,     DType::kBool};

struct DTypeEntry {
  std::string name;  // that of DTypeName in upper case
  size_t rank = 0;   // its index in kOrder
};

const DTypeEntry& EntryOf(DType dtype) {
  static const auto* const entries = [] {
    auto* made = new std::array<DTypeEntry, kOrder.size() + 1>();
    for (size_t i = 0; i < kOrder.size(); ++i) {
      made->at(static_cast<size_t>(kOrder[i])) = {absl::AsciiStrToUpper(DTypeName(kOrder[i])), i};
    }
    return made;
  }();
  return (*entries)[static_cast<size_t>(dtype)];
}

absl::Status CheckNames(absl::Span<const SafetensorsEntry> entries) {
  HashSet<absl::string_view> names;
  names.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) {
    LEAFSTORE_RETURN_IF_ERROR(CheckJsonString(entry.name, "a name"));
    if (entry.name == kSafetensorsMetadataName) {
      return absl::InvalidArgumentError(
          "expected a tensor's name, found '__metadata__', the key of the metadata");
    }
    if (!names.insert(entry.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected tensors with different names, found two called ",
                       QuotedForMessage(entry.name)));
    }
  }
  return absl::OkStatus();
}

void AppendMetadata(const Metadata& metadata, std::string* out) {
  AppendJsonString(kSafetensorsMetadataName, out);
  absl::StrAppend(out, ":{");
  bool first = true;
  for (const auto& [key, value] : metadata) {
    if (!std::exchange(first, false)) out->push_back(',');
    AppendJsonString(key, out);
    out->push_back(':');
    AppendJsonString(value, out);
  }
  out->push_back('}');
}

void AppendEntry(const SafetensorsEntry& entry, int64_t begin, int64_t end, std::string* out) {
  AppendJsonString(entry.name, out);
  absl::StrAppend(out, ":{\"dtype\":\"", SafetensorsDTypeName(entry.spec.dtype()),
                  "\",\"shape\":[");
  const ShapeRef shape = entry.spec.shape();
  for (size_t i = 0; i < shape.size(); ++i) {
    absl::StrAppend(out, i == 0 ? "" : ",", shape[i]);
  }
  absl::StrAppend(out, "],\"data_offsets\":[", begin, ",", end, "]}");
}

}  // namespace

absl::string_view SafetensorsDTypeName(DType dtype) { return EntryOf(dtype).name; }

std::optional<DType> SafetensorsDTypeOf(absl::string_view name) {
  for (const DType dtype : kOrder) {
    if (EntryOf(dtype).name == name) return dtype;
  }
  return std::nullopt;
}

std::vector<uint32_t> SafetensorsOrder(absl::Span<const SafetensorsEntry> entries) {
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const DType dtype_a = entries[a].spec.dtype();
    const DType dtype_b = entries[b].spec.dtype();
    if (dtype_a != dtype_b) return EntryOf(dtype_a).rank < EntryOf(dtype_b).rank;
    return entries[a].name < entries[b].name;
  });
  return order;
}

absl::StatusOr<std::string> EncodeSafetensorsHeader(absl::Span<const SafetensorsEntry> entries,
                                                    const std::optional<Metadata>& metadata) {
  constexpr size_t kPrefix = sizeof(uint64_t);
  constexpr size_t kAlignment = 8;
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(entries));
  if (metadata.has_value()) LEAFSTORE_RETURN_IF_ERROR(CheckMetadata(*metadata));
  std::string out(kPrefix, '\0');
  out.push_back('{');
  if (metadata.has_value()) AppendMetadata(*metadata, &out);
  int64_t begin = 0;
  for (const SafetensorsEntry& entry : entries) {
    int64_t end = 0;
    if (__builtin_add_overflow(begin, entry.spec.byte_size(), &end)) {
      return absl::ResourceExhaustedError("expected tensors of less than 2^63 bytes, found more");
    }
    if (out.back() != '{') out.push_back(',');
    AppendEntry(entry, begin, end, &out);
    begin = end;
    if (out.size() > kMaxSafetensorsHeader + kPrefix) break;
  }
  out.push_back('}');
  out.append((kAlignment - out.size() % kAlignment) % kAlignment, ' ');
  const uint64_t length = out.size() - kPrefix;
  if (length > static_cast<uint64_t>(kMaxSafetensorsHeader)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("expected a header of at most ", kMaxSafetensorsHeader,
                     " bytes, found more; save in shards, or with shorter names"));
  }
  std::memcpy(out.data(), &length, kPrefix);
  return out;
}

}  // namespace leafstore::internal
