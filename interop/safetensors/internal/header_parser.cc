#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "simdjson.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/internal/header_builder.h"

namespace leafstore::internal {
namespace {

// With padding, simdjson itself reports the limit.
static_assert(kMaxLenientSafetensorsHeader + simdjson::SIMDJSON_PADDING <=
              simdjson::SIMDJSON_MAXSIZE_BYTES);

// Passes the entries of a header to a builder.
class SafetensorsHeaderParser {
 public:
  using Value = JsonReader::Value;
  using Field = JsonReader::Field;

  SafetensorsHeaderParser(JsonReader* json, const SafetensorsLeniency& lenient,
                          SafetensorsHeaderBuilder* builder)
      : json_(*json), lenient_(lenient), builder_(*builder) {}

  // Parses one field of the header: a tensor, or the metadata.
  absl::Status Parse(Field& field) {
    absl::string_view name;
    LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &name));
    if (name != kSafetensorsMetadataName) return ParseEntry(name, field.value());
    if (!std::exchange(found_metadata_, true)) return ParseMetadata(field.value());
    return AmbiguousJson("header", "one __metadata__", "two");
  }

 private:
  absl::Status ParseMetadata(Value& value) {
    constexpr absl::string_view kWhere = "header, __metadata__";
    const absl::string_view kind = JsonReader::Kind(value);
    JsonReader::Object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) {
      const auto wrong = [&] { return DamagedJson(kWhere, "an object of strings", kind); };
      if (kind != "null") return wrong();
      builder_.notes().Add("null metadata", wrong);
      return absl::OkStatus();
    }
    Metadata metadata;
    std::vector<std::string> not_strings;
    absl::Status status = json_.ForEach(object, [&](Field& field) -> absl::Status {
      absl::string_view key;
      absl::string_view text;
      LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &key));
      if (JsonReader::IsString(field.value())) {
        LEAFSTORE_RETURN_IF_ERROR(json_.GetString(field.value(), &text));
      } else if (lenient_.metadata_values) {
        not_strings.emplace_back(key);
      } else {
        return DamagedJson(absl::StrCat(kWhere, ", key ", QuotedForMessage(key)), "a string",
                           JsonReader::Kind(field.value()));
      }
      if (metadata.try_emplace(std::string(key), std::string(text)).second) return absl::OkStatus();
      return AmbiguousJson(kWhere, "different keys", absl::StrCat("two ", QuotedForMessage(key)));
    });
    if (!status.ok()) return status;
    for (const std::string& key : not_strings) metadata.erase(key);
    builder_.SetMetadata(std::move(metadata));
    return absl::OkStatus();
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status ParseEntry(absl::string_view name, Value& value) {
    JsonReader::Object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) {
      return DamagedJson(TensorForMessage(name), "an object with dtype, shape and data_offsets",
                         JsonReader::Kind(value));
    }
    found_[0] = found_[1] = found_[2] = false;
    LEAFSTORE_RETURN_IF_ERROR(
        json_.ForEach(object, [&](Field& field) { return ParseField(name, field); }));
    const size_t i = !found_[0] ? 0 : !found_[1] ? 1 : !found_[2] ? 2 : 3;
    if (i == 3) return builder_.Add(name, dtype_, shape_, offsets_[0], offsets_[1]);
    return DamagedJson(TensorForMessage(name), absl::StrCat("a field ", ToAbslView(kFields[i])),
                       "none");
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status ParseField(absl::string_view name, Field& field) {
    size_t i = FieldInPlace(field.key());
    if (i == 3) {  // another, or with escapes
      absl::string_view key;
      LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &key));
      for (i = 0; i < 3 && key != ToAbslView(kFields[i]);) ++i;
      if (i == 3) {
        builder_.notes().Add("a field", [&] {
          return DamagedJson(TensorForMessage(name), "the fields dtype, shape and data_offsets",
                             absl::StrCat("another, ", QuotedForMessage(key)));
        });
        return absl::OkStatus();
      }
    }
    if (std::exchange(found_[i], true)) {
      return AmbiguousJson(TensorForMessage(name),
                           absl::StrCat("one field ", ToAbslView(kFields[i])), "two");
    }
    if (i == 1) return ParseShape(name, field.value());
    if (i == 2) return ParseOffsets(name, field.value());
    if (JsonReader::IsString(field.value())) return json_.GetString(field.value(), &dtype_);
    return DamagedJson(TensorForMessage(name), "a string as dtype",
                       JsonReader::Kind(field.value()));
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status ParseShape(absl::string_view name, Value& value) {
    JsonReader::Array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) {
      return DamagedJson(TensorForMessage(name), "a list as shape", JsonReader::Kind(value));
    }
    shape_.clear();
    return json_.ForEach(array, [&](Value& extent) -> absl::Status {
      shape_.push_back(0);
      if (JsonReader::GetCount(extent, &shape_.back())) return absl::OkStatus();
      return DamagedJson(TensorForMessage(name, "shape"), "integers from 0 to 2^63 - 1",
                         json_.ForMessage(extent));
    });
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status ParseOffsets(absl::string_view name, Value& value) {
    const auto wrong = [&](absl::string_view expected) {
      return DamagedJson(TensorForMessage(name, "data_offsets"), expected, json_.ForMessage(value));
    };
    JsonReader::Array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return wrong("a list of two integers");
    size_t count = 0;
    bool are_counts = true;
    LEAFSTORE_RETURN_IF_ERROR(json_.ForEach(array, [&](Value& offset) -> absl::Status {
      if (count < 2 && !JsonReader::GetCount(offset, &offsets_[count])) are_counts = false;
      ++count;
      return absl::OkStatus();
    }));
    if (count != 2) return wrong("a list of two integers");
    return are_counts ? absl::OkStatus() : wrong("integers from 0 to 2^63 - 1");
  }

  static constexpr std::string_view kFields[] = {"dtype", "shape", "data_offsets"};
  // Returns the index of a key in kFields; 3 if it is another one, or has escapes.
  static size_t FieldInPlace(simdjson::ondemand::raw_json_string key) {
    if (key.unsafe_is_equal(kFields[0])) return 0;
    if (key.unsafe_is_equal(kFields[1])) return 1;
    return key.unsafe_is_equal(kFields[2]) ? 2 : 3;
  }

  JsonReader& json_;
  const SafetensorsLeniency& lenient_;
  SafetensorsHeaderBuilder& builder_;
  bool found_metadata_ = false;
  absl::string_view dtype_;  // this and the rest: of the current entry
  Shape shape_;
  int64_t offsets_[2] = {0, 0};
  bool found_[3] = {};  // in the order of kFields
};

// Strips the padding after the object, and white space before it. Adds a note for white space
// other than spaces after it.
absl::StatusOr<absl::string_view> TrimAndCheckEnds(absl::string_view text, Notes* notes) {
  constexpr absl::string_view kJsonSpaces = " \t\r\n";
  const auto wrong_begin = [&] {
    return DamagedJson("header", "'{' as its first byte",
                       text.empty() ? "none" : QuotedForMessage(text.substr(0, 1)));
  };
  const auto wrong_end = [&] {
    return DamagedJson("header", "'}' and spaces at its end",
                       QuotedForMessage(text.substr(text.size() - 1)));
  };
  text.remove_suffix(text.size() - (text.find_last_not_of(' ') + 1));
  if (text.empty()) return wrong_begin();
  if (absl::StrContains(kJsonSpaces, text.front())) {
    notes->Add("white space before the header", wrong_begin);
    text.remove_prefix(std::min(text.find_first_not_of(kJsonSpaces), text.size()));
  }
  if (text.empty() || text.front() != '{') return wrong_begin();
  if (absl::StrContains(kJsonSpaces, text.back())) {
    notes->Add("white space after the header", wrong_end);
    text.remove_suffix(text.size() - (text.find_last_not_of(kJsonSpaces) + 1));
  }
  return text.back() == '}' ? absl::StatusOr<absl::string_view>(text) : wrong_end();
}

}  // namespace

int64_t MaxSafetensorsHeader(const SafetensorsLeniency& lenient) {
  return std::clamp<int64_t>(lenient.max_header, 0, kMaxLenientSafetensorsHeader);
}

absl::StatusOr<int64_t> SafetensorsHeader::ParseLength(absl::Span<const std::byte> prefix,
                                                       int64_t file_size,
                                                       const SafetensorsLeniency& lenient) {
  constexpr int64_t kPrefix = sizeof(uint64_t);
  if (file_size < kPrefix || prefix.size() < kPrefix) {
    return DamagedJson("header", "8 bytes with its length", absl::StrCat("a file of ", file_size));
  }
  uint64_t length = 0;
  std::memcpy(&length, prefix.data(), sizeof(length));
  const auto rest = static_cast<uint64_t>(file_size - kPrefix);
  if (length > rest && FileKindOf(AsText(prefix), file_size) == FileKind::kSafetensors) {
    return WithReason(
        DamagedJson("header", absl::StrCat("a length of at most ", rest, ", as the file has"),
                    absl::StrCat(length, ": the safetensors are truncated")),
        ErrorReason::kTruncated);
  }
  if (length > rest) {
    return DamagedJson(
        "header", absl::StrCat("a length of at most ", rest, ", as the file has"),
        absl::StrCat(length, "; this is not a safetensors file, or it is truncated"));
  }
  const int64_t most = MaxSafetensorsHeader(lenient);
  if (length > static_cast<uint64_t>(most)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("header: expected at most ", most, " bytes, found ", length));
  }
  return static_cast<int64_t>(length);
}

absl::StatusOr<SafetensorsHeader> SafetensorsHeader::Parse(absl::string_view text,
                                                           int64_t file_size,
                                                           const SafetensorsLeniency& lenient,
                                                           int64_t readable_behind) {
  const int64_t data_begin = static_cast<int64_t>(sizeof(uint64_t) + text.size());
  const int64_t data_size = file_size - data_begin;
  if (data_size < 0) {
    return DamagedJson("header", absl::StrCat("a file of at least ", data_begin, " bytes"),
                       absl::StrCat(file_size));
  }
  if (text.size() > static_cast<size_t>(kMaxLenientSafetensorsHeader)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "header: expected at most ", kMaxLenientSafetensorsHeader, " bytes, found ", text.size()));
  }
  const char* const end = text.data() + text.size();
  SafetensorsHeaderBuilder builder(text.size(), data_begin, data_size, lenient);
  LEAFSTORE_ASSIGN_OR_RETURN(text, TrimAndCheckEnds(text, &builder.notes()));
  readable_behind += end - (text.data() + text.size());  // the stripped padding
  JsonReader json(text, "header", readable_behind);
  SafetensorsHeaderParser parser(&json, lenient, &builder);
  LEAFSTORE_RETURN_IF_ERROR(
      json.Read([&](JsonReader::Field& field) { return parser.Parse(field); }));
  return std::move(builder).Finish();
}

}  // namespace leafstore::internal
