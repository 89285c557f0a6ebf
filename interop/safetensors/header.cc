#include "leafstore/interop/safetensors/header.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "simdjson.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header_builder.h"

namespace leafstore {

using internal::DamagedJson;
using internal::JsonDocument;
using internal::JsonForMessage;
using internal::JsonKind;
using internal::kSafetensorsMetadataName;
using internal::MostSafetensorsHeader;
using internal::ParseUsualSafetensorsHeader;
using internal::QuotedForMessage;
using internal::SafetensorsHeaderBuilder;
using internal::ToAbslView;

namespace {

namespace dom = simdjson::dom;

// With padding and two more bytes for each `-0` (json_text.cc) simdjson itself reports the limit.
static_assert(kMostSafetensorsHeader + simdjson::SIMDJSON_PADDING <=
              simdjson::SIMDJSON_MAXSIZE_BYTES);

// Strips the padding after the object, and with leniency white space before it.
absl::StatusOr<absl::string_view> TrimAndCheckEnds(absl::string_view text,
                                                   const SafetensorsLeniency& lenient) {
  constexpr absl::string_view kJsonSpaces = " \t\r\n";
  const absl::string_view behind = lenient.white_space ? kJsonSpaces : " ";
  text.remove_suffix(text.size() - (text.find_last_not_of(behind) + 1));
  if (lenient.white_space) {
    text.remove_prefix(std::min(text.find_first_not_of(kJsonSpaces), text.size()));
  }
  if (text.empty() || text.front() != '{') {
    return DamagedJson("header", "'{' as its first byte",
                       text.empty() ? "none" : QuotedForMessage(text.substr(0, 1)));
  }
  if (text.back() != '}') {
    return DamagedJson("header", "'}' and spaces at its end",
                       QuotedForMessage(text.substr(text.size() - 1)));
  }
  return text;
}

// Parses the complete document and reports exactly what is wrong.
class DocumentParser {
 public:
  DocumentParser(absl::string_view text, const SafetensorsLeniency& lenient,
                 SafetensorsHeaderBuilder* builder)
      : text_(text),
        lenient_(lenient),
        builder_(builder),
        has_escapes_(text.find('\\') != absl::string_view::npos) {}

  absl::Status Parse() {
    JsonDocument document;
    LEAFSTORE_ASSIGN_OR_RETURN(const dom::element root, document.Parse(text_, "header"));
    dom::object object;
    if (root.get(object) != simdjson::SUCCESS) {
      return DamagedJson("header", "a JSON object", JsonKind(root));
    }
    bool met_metadata = false;
    for (const dom::key_value_pair field : object) {
      const absl::string_view key = ToAbslView(field.key);
      LEAFSTORE_RETURN_IF_ERROR(CheckUtf8(key));
      if (key != kSafetensorsMetadataName) {
        LEAFSTORE_RETURN_IF_ERROR(ParseEntry(key, field.value));
      } else if (std::exchange(met_metadata, true)) {
        return DamagedJson("header", "one __metadata__", "two");
      } else {
        LEAFSTORE_RETURN_IF_ERROR(ParseMetadata(field.value));
      }
    }
    return absl::OkStatus();
  }

 private:
  // The three fields of an entry, as far as they have been parsed.
  struct Fields {
    std::optional<absl::string_view> dtype;
    bool shape = false;
    bool offsets = false;
    int64_t begin = 0;
    int64_t end = 0;
  };

  static std::string Tensor(absl::string_view name, absl::string_view field = "") {
    return absl::StrCat("tensor ", QuotedForMessage(name), field.empty() ? "" : ", ", field);
  }

  // The text is UTF-8, but an escape may denote half a character.
  absl::Status CheckUtf8(absl::string_view text) const {
    if (!has_escapes_ || internal::IsValidUtf8(text)) return absl::OkStatus();
    return DamagedJson("header", "strings in UTF-8", QuotedForMessage(text));
  }

  absl::Status ParseMetadata(const dom::element& element) {
    constexpr absl::string_view kWhere = "header, __metadata__";
    if (element.is_null() && lenient_.null_metadata) return absl::OkStatus();
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      return DamagedJson(kWhere, "an object of strings", JsonKind(element));
    }
    Metadata metadata;
    std::vector<std::string> no_strings;
    for (const dom::key_value_pair field : object) {
      std::string_view value;
      const bool is_string = field.value.get(value) == simdjson::SUCCESS;
      LEAFSTORE_RETURN_IF_ERROR(CheckUtf8(ToAbslView(field.key)));
      LEAFSTORE_RETURN_IF_ERROR(CheckUtf8(ToAbslView(value)));
      const auto key = [&] { return QuotedForMessage(ToAbslView(field.key)); };
      if (!is_string && !lenient_.metadata_values) {
        return DamagedJson(absl::StrCat(kWhere, ", key ", key()), "a string",
                           JsonKind(field.value));
      }
      if (!metadata.try_emplace(std::string(field.key), std::string(value)).second) {
        return DamagedJson(kWhere, "different keys", absl::StrCat("two ", key()));
      }
      if (!is_string) no_strings.emplace_back(field.key);
    }
    for (const std::string& key : no_strings) metadata.erase(key);
    builder_->SetMetadata(std::move(metadata));
    return absl::OkStatus();
  }

  absl::Status ParseEntry(absl::string_view name, const dom::element& element) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      return DamagedJson(Tensor(name), "an object with dtype, shape and data_offsets",
                         JsonKind(element));
    }
    Fields fields;
    shape_.clear();
    for (const dom::key_value_pair field : object) {
      LEAFSTORE_RETURN_IF_ERROR(ParseField(name, field, &fields));
    }
    const absl::string_view missing = !fields.dtype.has_value() ? "dtype"
                                      : !fields.shape           ? "shape"
                                      : !fields.offsets         ? "data_offsets"
                                                                : "";
    if (!missing.empty())
      return DamagedJson(Tensor(name), absl::StrCat("a field ", missing), "none");
    return builder_->Add(name, *fields.dtype, shape_, fields.begin, fields.end);
  }

  absl::Status ParseField(absl::string_view name, const dom::key_value_pair& field,
                          Fields* fields) {
    const absl::string_view key = ToAbslView(field.key);
    const auto twice = [&] {
      return DamagedJson(Tensor(name), absl::StrCat("one field ", key), "two");
    };
    if (key == "dtype") {
      std::string_view text;
      if (fields->dtype.has_value()) return twice();
      if (field.value.get(text) != simdjson::SUCCESS) {
        return DamagedJson(Tensor(name), "a string as dtype", JsonKind(field.value));
      }
      fields->dtype = ToAbslView(text);
      return absl::OkStatus();
    }
    if (key == "shape") {
      if (std::exchange(fields->shape, true)) return twice();
      return ParseShape(name, field.value);
    }
    if (key == "data_offsets") {
      if (std::exchange(fields->offsets, true)) return twice();
      return ParseOffsets(name, field.value, fields);
    }
    if (lenient_.unknown_fields) return absl::OkStatus();
    return DamagedJson(Tensor(name), "the fields dtype, shape and data_offsets",
                       absl::StrCat("another, ", QuotedForMessage(key)));
  }

  // Returns a count: an integer literal of 0 or more. Returns -1 otherwise.
  static int64_t CountOf(const dom::element& element) {
    int64_t count = 0;
    return element.get(count) == simdjson::SUCCESS && count >= 0 ? count : -1;
  }

  absl::Status ParseShape(absl::string_view name, const dom::element& element) {
    dom::array array;
    if (element.get(array) != simdjson::SUCCESS) {
      return DamagedJson(Tensor(name), "a list as shape", JsonKind(element));
    }
    for (const dom::element& extent : array) {
      const int64_t count = CountOf(extent);
      if (count < 0) {
        return DamagedJson(Tensor(name, "shape"), "integers from 0 to 2^63 - 1",
                           JsonForMessage(extent));
      }
      shape_.push_back(count);
    }
    return absl::OkStatus();
  }

  static absl::Status ParseOffsets(absl::string_view name, const dom::element& element,
                                   Fields* fields) {
    const auto wrong = [&](absl::string_view expected) {
      return DamagedJson(Tensor(name, "data_offsets"), expected, JsonForMessage(element));
    };
    dom::array array;
    if (element.get(array) != simdjson::SUCCESS || array.size() != 2) {
      return wrong("a list of two integers");
    }
    fields->begin = CountOf(array.at(0).value_unsafe());
    fields->end = CountOf(array.at(1).value_unsafe());
    return fields->begin < 0 || fields->end < 0 ? wrong("integers from 0 to 2^63 - 1")
                                                : absl::OkStatus();
  }

  const absl::string_view text_;
  const SafetensorsLeniency& lenient_;
  SafetensorsHeaderBuilder* const builder_;
  const bool has_escapes_;  // whether any string has an escape
  Shape shape_;             // of the current entry
};

// Returns the text with the padding that the parser requires: the text itself, or a copy.
absl::StatusOr<absl::string_view> WithPadding(absl::string_view text, int64_t readable_behind,
                                              Buffer* copy) {
  if (readable_behind >= static_cast<int64_t>(simdjson::SIMDJSON_PADDING)) return text;
  LEAFSTORE_ASSIGN_OR_RETURN(*copy, Buffer::AllocateUninitialized(static_cast<int64_t>(
                                        text.size() + simdjson::SIMDJSON_PADDING)));
  std::memcpy(copy->mutable_data(), text.data(), text.size());
  std::memset(copy->mutable_data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
  return absl::string_view(reinterpret_cast<const char*>(copy->data()), text.size());
}

}  // namespace

int64_t internal::MostSafetensorsHeader(const SafetensorsLeniency& lenient) {
  return std::clamp<int64_t>(lenient.max_header, 0, kMostSafetensorsHeader);
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
  if (length > rest) {
    return DamagedJson("header", absl::StrCat("a length of at most ", rest, ", as the file has"),
                       absl::StrCat(length, "; this is not a safetensors file, or it is truncated"));
  }
  const int64_t most = MostSafetensorsHeader(lenient);
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
  if (text.size() > static_cast<size_t>(kMostSafetensorsHeader)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "header: expected at most ", kMostSafetensorsHeader, " bytes, found ", text.size()));
  }
  const char* const end = text.data() + text.size();
  LEAFSTORE_ASSIGN_OR_RETURN(text, TrimAndCheckEnds(text, lenient));
  readable_behind += end - (text.data() + text.size());  // the stripped padding
  Buffer copy;
  LEAFSTORE_ASSIGN_OR_RETURN(text, WithPadding(text, readable_behind, &copy));
  {
    SafetensorsHeaderBuilder builder(text.size(), data_begin, data_size, lenient);
    if (ParseUsualSafetensorsHeader(text, &builder)) return std::move(builder).Finish();
  }
  return ParseDocument(text, data_begin, data_size, lenient);
}

absl::StatusOr<SafetensorsHeader> SafetensorsHeader::ParseDocument(
    absl::string_view text, int64_t data_begin, int64_t data_size,
    const SafetensorsLeniency& lenient) {
  SafetensorsHeaderBuilder builder(text.size(), data_begin, data_size, lenient);
  LEAFSTORE_RETURN_IF_ERROR(DocumentParser(text, lenient, &builder).Parse());
  return std::move(builder).Finish();
}

}  // namespace leafstore
