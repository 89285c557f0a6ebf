// Parses headers. An ordinary header, such as the reference writes, is parsed in place (simdjson's
// On-Demand API). If that finds anything else, even an error, the header is parsed again into a
// document (simdjson's DOM), which reports exactly what is wrong.
#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "simdjson.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/internal/header_builder.h"

namespace leafstore::internal {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

// With padding and two more bytes for each `-0` (json_text.cc) simdjson itself reports the limit.
static_assert(kMostSafetensorsHeader + simdjson::SIMDJSON_PADDING <=
              simdjson::SIMDJSON_MAXSIZE_BYTES);

// A document, which has been checked to be JSON.
class Document {
 public:
  using Value = dom::element;
  using Object = dom::object;
  using Array = dom::array;
  static constexpr bool kReportsErrors = true;

  explicit Document(absl::string_view text)
      : has_escapes_(text.find('\\') != absl::string_view::npos) {}

  // Returns whether a key is the text without the quote at its end.
  static bool IsKey(std::string_view key, absl::string_view with_quote) {
    return ToAbslView(key) == with_quote.substr(0, with_quote.size() - 1);
  }
  // The text is UTF-8, but an escape may denote half a character.
  absl::Status GetText(std::string_view raw, absl::string_view* out) const {
    *out = ToAbslView(raw);
    if (!has_escapes_ || IsValidUtf8(*out)) return absl::OkStatus();
    return DamagedJson("header", "strings in UTF-8", QuotedForMessage(*out));
  }
  template <typename T>
  static bool Get(const Value& value, T* out) {
    return value.get(*out) == simdjson::SUCCESS;
  }
  static bool GetString(const Value& value, std::string_view* out) { return Get(value, out); }
  static bool GetCount(const Value& value, int64_t* out) { return Get(value, out) && *out >= 0; }
  static bool IsNull(const Value& value) { return value.is_null(); }
  static absl::string_view Kind(const Value& value) { return JsonKind(value); }
  static std::string Text(const Value& value) { return JsonForMessage(value); }

  template <typename Visit>
  static absl::Status ForEachField(const Object& object, const Visit& visit) {
    for (const dom::key_value_pair field : object) {
      LEAFSTORE_RETURN_IF_ERROR(visit(field.key, field.value));
    }
    return absl::OkStatus();
  }
  template <typename Visit>
  static absl::Status ForEachElement(const Array& array, const Visit& visit) {
    for (const dom::element element : array) LEAFSTORE_RETURN_IF_ERROR(visit(element));
    return absl::OkStatus();
  }

 private:
  const bool has_escapes_;  // whether any string has an escape
};

// A text that is parsed while it is read. All errors are the same.
class Stream {
 public:
  using Value = ondemand::value;
  using Object = ondemand::object;
  using Array = ondemand::array;
  static constexpr bool kReportsErrors = false;

  explicit Stream(absl::string_view text)
      : text_(text), has_escapes_(std::memchr(text.data(), '\\', text.size()) != nullptr) {}

  static absl::Status NotOrdinary() { return absl::DataLossError("not an ordinary header"); }

  // The padding is longer than any of these keys.
  static bool IsKey(ondemand::raw_json_string key, absl::string_view with_quote) {
    return std::memcmp(key.raw(), with_quote.data(), with_quote.size()) == 0;
  }
  absl::Status GetText(ondemand::raw_json_string raw, absl::string_view* out) const {
    const char* begin = raw.raw();
    const char* text_end = text_.data() + text_.size();
    if (begin < text_.data() || begin > text_end) return NotOrdinary();
    const auto* end =
        static_cast<const char*>(std::memchr(begin, '"', static_cast<size_t>(text_end - begin)));
    if (end == nullptr) return NotOrdinary();
    *out = absl::string_view(begin, static_cast<size_t>(end - begin));
    const bool is_plain = !has_escapes_ || std::memchr(begin, '\\', out->size()) == nullptr;
    return is_plain ? absl::OkStatus() : NotOrdinary();
  }
  static bool Get(Value value, Object* out) {
    return value.get_object().get(*out) == simdjson::SUCCESS;
  }
  static bool Get(Value value, Array* out) {
    return value.get_array().get(*out) == simdjson::SUCCESS;
  }
  static bool GetString(Value value, ondemand::raw_json_string* out) {
    return value.get_raw_json_string().get(*out) == simdjson::SUCCESS;
  }
  static bool GetCount(Value value, int64_t* out) {
    uint64_t count = 0;
    if (value.get_uint64().get(count) != simdjson::SUCCESS) return false;
    *out = static_cast<int64_t>(count);
    return *out >= 0;
  }
  static bool IsNull(const Value&) { return false; }
  static absl::string_view Kind(const Value&) { return ""; }
  static absl::string_view Text(const Value&) { return ""; }

  template <typename Visit>
  static absl::Status ForEachField(Object object, const Visit& visit) {
    for (auto next : object) {
      ondemand::field field;
      if (std::move(next).get(field) != simdjson::SUCCESS) return NotOrdinary();
      LEAFSTORE_RETURN_IF_ERROR(visit(field.key(), field.value()));
    }
    return absl::OkStatus();
  }
  template <typename Visit>
  static absl::Status ForEachElement(Array array, const Visit& visit) {
    for (auto next : array) {
      ondemand::value element;
      if (std::move(next).get(element) != simdjson::SUCCESS) return NotOrdinary();
      LEAFSTORE_RETURN_IF_ERROR(visit(element));
    }
    return absl::OkStatus();
  }

 private:
  const absl::string_view text_;
  const bool has_escapes_;
};

std::string Tensor(absl::string_view name, absl::string_view field = "") {
  return absl::StrCat("tensor ", QuotedForMessage(name), field.empty() ? "" : ", ", field);
}

// Passes the entries of a header to a builder. `Json` is Document or Stream.
template <typename Json>
class HeaderParser {
 public:
  HeaderParser(absl::string_view text, const SafetensorsLeniency& lenient,
               SafetensorsHeaderBuilder* builder)
      : json_(text), lenient_(lenient), builder_(builder) {}

  absl::Status Parse(typename Json::Object root) {
    bool found_metadata = false;
    return json_.ForEachField(root, [&](auto key, auto value) -> absl::Status {
      absl::string_view name;
      LEAFSTORE_RETURN_IF_ERROR(json_.GetText(key, &name));
      if (name != kSafetensorsMetadataName) return ParseEntry(name, value);
      if (!std::exchange(found_metadata, true)) return ParseMetadata(value);
      return DamagedJson("header", "one __metadata__", "two");
    });
  }

 private:
  using Value = typename Json::Value;

  absl::Status ParseMetadata(Value value) {
    constexpr absl::string_view kWhere = "header, __metadata__";
    if (lenient_.null_metadata && json_.IsNull(value)) return absl::OkStatus();
    typename Json::Object object;
    if (!json_.Get(value, &object)) {
      return DamagedJson(kWhere, "an object of strings", json_.Kind(value));
    }
    Metadata metadata;
    std::vector<std::string> not_strings;
    absl::Status status = json_.ForEachField(object, [&](auto raw, auto field) -> absl::Status {
      absl::string_view key;
      absl::string_view text;
      decltype(raw) string{};
      LEAFSTORE_RETURN_IF_ERROR(json_.GetText(raw, &key));
      if (json_.GetString(field, &string)) {
        LEAFSTORE_RETURN_IF_ERROR(json_.GetText(string, &text));
      } else if (lenient_.metadata_values && Json::kReportsErrors) {
        not_strings.emplace_back(key);
      } else {
        return DamagedJson(absl::StrCat(kWhere, ", key ", QuotedForMessage(key)), "a string",
                           json_.Kind(field));
      }
      if (metadata.try_emplace(std::string(key), std::string(text)).second) return absl::OkStatus();
      return DamagedJson(kWhere, "different keys", absl::StrCat("two ", QuotedForMessage(key)));
    });
    if (!status.ok()) return status;
    for (const std::string& key : not_strings) metadata.erase(key);
    builder_->SetMetadata(std::move(metadata));
    return absl::OkStatus();
  }

  static constexpr absl::string_view kFields[] = {"dtype\"", "shape\"", "data_offsets\""};
  static absl::string_view FieldName(size_t i) { return absl::StripSuffix(kFields[i], "\""); }

  absl::Status ParseEntry(absl::string_view name, Value value) {
    typename Json::Object object;
    if (!json_.Get(value, &object)) {
      return DamagedJson(Tensor(name), "an object with dtype, shape and data_offsets",
                         json_.Kind(value));
    }
    std::fill(found_, found_ + 3, false);
    LEAFSTORE_RETURN_IF_ERROR(json_.ForEachField(
        object, [&](auto key, auto field) { return ParseField(name, key, field); }));
    const auto i = static_cast<size_t>(std::find(found_, found_ + 3, false) - found_);
    if (i == 3) return builder_->Add(name, dtype_, shape_, offsets_[0], offsets_[1]);
    return DamagedJson(Tensor(name), absl::StrCat("a field ", FieldName(i)), "none");
  }

  template <typename Key>
  absl::Status ParseField(absl::string_view name, Key key, Value field) {
    size_t i = 0;
    while (i < 3 && !json_.IsKey(key, kFields[i])) ++i;
    if (i == 3) return UnknownField(name, key);
    if (std::exchange(found_[i], true)) {
      return DamagedJson(Tensor(name), absl::StrCat("one field ", FieldName(i)), "two");
    }
    if (i == 1) return ParseShape(name, field);
    if (i == 2) return ParseOffsets(name, field);
    Key string{};
    if (json_.GetString(field, &string)) return json_.GetText(string, &dtype_);
    return DamagedJson(Tensor(name), "a string as dtype", json_.Kind(field));
  }

  template <typename Key>
  absl::Status UnknownField(absl::string_view name, Key key) const {
    if (lenient_.unknown_fields && Json::kReportsErrors) return absl::OkStatus();
    absl::string_view text;
    json_.GetText(key, &text).IgnoreError();
    return DamagedJson(Tensor(name), "the fields dtype, shape and data_offsets",
                       absl::StrCat("another, ", QuotedForMessage(text)));
  }

  absl::Status ParseShape(absl::string_view name, Value value) {
    typename Json::Array array;
    if (!json_.Get(value, &array)) {
      return DamagedJson(Tensor(name), "a list as shape", json_.Kind(value));
    }
    shape_.clear();
    return json_.ForEachElement(array, [&](Value extent) -> absl::Status {
      shape_.push_back(0);
      if (json_.GetCount(extent, &shape_.back())) return absl::OkStatus();
      return DamagedJson(Tensor(name, "shape"), "integers from 0 to 2^63 - 1", json_.Text(extent));
    });
  }

  absl::Status ParseOffsets(absl::string_view name, Value value) {
    const auto wrong = [&](absl::string_view expected) {
      return DamagedJson(Tensor(name, "data_offsets"), expected, json_.Text(value));
    };
    typename Json::Array array;
    if (!json_.Get(value, &array)) return wrong("a list of two integers");
    size_t count = 0;
    bool are_counts = true;
    LEAFSTORE_RETURN_IF_ERROR(json_.ForEachElement(array, [&](Value offset) -> absl::Status {
      if (count < 2 && !json_.GetCount(offset, &offsets_[count])) are_counts = false;
      ++count;
      return absl::OkStatus();
    }));
    if (count != 2) return wrong("a list of two integers");
    return are_counts ? absl::OkStatus() : wrong("integers from 0 to 2^63 - 1");
  }

  const Json json_;
  const SafetensorsLeniency& lenient_;
  SafetensorsHeaderBuilder* const builder_;
  absl::string_view dtype_;  // this and the rest: of the current entry
  Shape shape_;
  int64_t offsets_[2] = {0, 0};
  bool found_[3] = {};  // in the order of kFields
};

absl::Status ParseStream(absl::string_view text, const SafetensorsLeniency& lenient,
                         SafetensorsHeaderBuilder* builder) {
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object root;
  const simdjson::padded_string_view padded(text.data(), text.size(),
                                            text.size() + simdjson::SIMDJSON_PADDING);
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(root) != simdjson::SUCCESS) {
    return Stream::NotOrdinary();
  }
  LEAFSTORE_RETURN_IF_ERROR(HeaderParser<Stream>(text, lenient, builder).Parse(root));
  const bool at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  return at_end ? absl::OkStatus() : Stream::NotOrdinary();
}

absl::Status ParseDocument(absl::string_view text, const SafetensorsLeniency& lenient,
                           SafetensorsHeaderBuilder* builder) {
  JsonDocument document;
  LEAFSTORE_ASSIGN_OR_RETURN(const dom::element root, document.Parse(text, "header"));
  dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    return DamagedJson("header", "a JSON object", JsonKind(root));
  }
  return HeaderParser<Document>(text, lenient, builder).Parse(object);
}

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

int64_t MostSafetensorsHeader(const SafetensorsLeniency& lenient) {
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
    return DamagedJson(
        "header", absl::StrCat("a length of at most ", rest, ", as the file has"),
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
    if (ParseStream(text, lenient, &builder).ok()) return std::move(builder).Finish();
  }
  SafetensorsHeaderBuilder builder(text.size(), data_begin, data_size, lenient);
  LEAFSTORE_RETURN_IF_ERROR(ParseDocument(text, lenient, &builder));
  return std::move(builder).Finish();
}

}  // namespace leafstore::internal
