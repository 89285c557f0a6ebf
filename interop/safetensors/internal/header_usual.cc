#include <cstring>

#include "simdjson.h"

#include "leafstore/interop/safetensors/internal/header_builder.h"

namespace leafstore::internal {
namespace {

namespace ondemand = simdjson::ondemand;

class UsualParser {
 public:
  UsualParser(absl::string_view text, SafetensorsHeaderBuilder* builder)
      : text_(text),
        builder_(builder),
        has_escapes_(std::memchr(text.data(), '\\', text.size()) != nullptr) {}

  bool Parse() {
    ondemand::document document;
    ondemand::object root;
    const simdjson::padded_string_view padded(text_.data(), text_.size(),
                                              text_.size() + simdjson::SIMDJSON_PADDING);
    if (parser_.iterate(padded).get(document) != simdjson::SUCCESS) return false;
    if (document.get_object().get(root) != simdjson::SUCCESS) return false;
    for (auto next : root) {
      ondemand::field field;
      absl::string_view name;
      if (std::move(next).get(field) != simdjson::SUCCESS || !Get(field.key(), &name)) return false;
      const bool good = name == kSafetensorsMetadataName ? ParseMetadata(field.value())
                                                         : ParseEntry(name, field.value());
      if (!good) return false;
    }
    return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  }

 private:
  // Returns whether the string equals `expected`, including the closing quote, which must not be
  // longer than the padding.
  static bool Is(ondemand::raw_json_string raw, absl::string_view with_quote) {
    return std::memcmp(raw.raw(), with_quote.data(), with_quote.size()) == 0;
  }

  // Returns the string if it has no escapes.
  bool Get(ondemand::raw_json_string raw, absl::string_view* out) const {
    const char* begin = raw.raw();
    if (begin < text_.data() || begin > text_.data() + text_.size()) return false;
    const auto rest = static_cast<size_t>(text_.data() + text_.size() - begin);
    const auto* end = static_cast<const char*>(std::memchr(begin, '"', rest));
    if (end == nullptr) return false;
    *out = absl::string_view(begin, static_cast<size_t>(end - begin));
    return !has_escapes_ || std::memchr(begin, '\\', out->size()) == nullptr;
  }

  bool GetString(ondemand::value value, absl::string_view* out) const {
    ondemand::raw_json_string raw;
    return value.get_raw_json_string().get(raw) == simdjson::SUCCESS && Get(raw, out);
  }

  static bool GetCount(simdjson::simdjson_result<ondemand::value> value, int64_t* out) {
    uint64_t count = 0;
    if (value.get_uint64().get(count) != simdjson::SUCCESS) return false;
    *out = static_cast<int64_t>(count);
    return *out >= 0;
  }

  bool ParseMetadata(ondemand::value value) {
    ondemand::object object;
    if (met_metadata_ || value.get_object().get(object) != simdjson::SUCCESS) return false;
    met_metadata_ = true;
    Metadata metadata;
    for (auto next : object) {
      ondemand::field field;
      absl::string_view key;
      absl::string_view text;
      if (std::move(next).get(field) != simdjson::SUCCESS || !Get(field.key(), &key) ||
          !GetString(field.value(), &text) ||
          !metadata.try_emplace(std::string(key), std::string(text)).second) {
        return false;
      }
    }
    builder_->SetMetadata(std::move(metadata));
    return true;
  }

  bool ParseEntry(absl::string_view name, ondemand::value value) {
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return false;
    absl::string_view dtype;
    int64_t offsets[2] = {0, 0};
    size_t met = 0;  // one bit per field that was parsed
    for (auto next : object) {
      ondemand::field field;
      if (std::move(next).get(field) != simdjson::SUCCESS) return false;
      const ondemand::raw_json_string key = field.key();
      size_t bit = 0;
      if (Is(key, "dtype\"")) {
        bit = 1;
        if (!GetString(field.value(), &dtype)) return false;
      } else if (Is(key, "shape\"")) {
        bit = 2;
        if (!ParseShape(field.value())) return false;
      } else if (Is(key, "data_offsets\"")) {
        bit = 4;
        if (!ParseOffsets(field.value(), offsets)) return false;
      }
      if (bit == 0 || (met & bit) != 0) return false;
      met |= bit;
    }
    return met == 7 && builder_->Add(name, dtype, shape_, offsets[0], offsets[1]).ok();
  }

  bool ParseShape(ondemand::value value) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return false;
    shape_.clear();
    for (auto extent : array) {
      int64_t count = 0;
      if (!GetCount(extent, &count) || shape_.size() == kMaxRank) return false;
      shape_.push_back(count);
    }
    return true;
  }

  static bool ParseOffsets(ondemand::value value, int64_t* offsets) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return false;
    size_t count = 0;
    for (auto offset : array) {
      if (count == 2 || !GetCount(offset, &offsets[count++])) return false;
    }
    return count == 2;
  }

  const absl::string_view text_;
  SafetensorsHeaderBuilder* const builder_;
  const bool has_escapes_;  // whether any string has an escape
  ondemand::parser parser_;
  bool met_metadata_ = false;
  Shape shape_;
};

}  // namespace

bool ParseUsualSafetensorsHeader(absl::string_view text, SafetensorsHeaderBuilder* builder) {
  return UsualParser(text, builder).Parse();
}

}  // namespace leafstore::internal
