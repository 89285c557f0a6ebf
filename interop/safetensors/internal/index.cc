#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {
namespace {

class IndexParser {
 public:
  using Value = JsonReader::Value;
  using Field = JsonReader::Field;

  IndexParser(absl::string_view text, const SafetensorsLeniency& lenient)
      : json_(text, "index"), lenient_(lenient) {}

  absl::StatusOr<SafetensorsIndex> Parse() {
    bool found_map = false;
    bool found_metadata = false;
    absl::Status status = json_.Read([&](Field& field) -> absl::Status {
      absl::string_view key;
      LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &key));
      if (key == "weight_map") {
        if (std::exchange(found_map, true)) return DamagedJson("index", "one weight_map", "two");
        return ParseObject("index, weight_map", field.value(),
                           [this](Field& entry) { return ParseTensor(entry); });
      }
      if (key == "metadata") {
        if (std::exchange(found_metadata, true)) return DamagedJson("index", "one metadata", "two");
        return ParseObject("index, metadata", field.value(),
                           [this](Field& entry) { return ParseMetadata(entry); });
      }
      if (lenient_.unknown_fields) return absl::OkStatus();
      return DamagedJson("index", "the fields metadata and weight_map",
                         absl::StrCat("another, ", QuotedForMessage(key)));
    });
    if (!status.ok()) return status;
    if (!found_map) return DamagedJson("index", "a field weight_map", "none");
    Sort();
    const auto twice = std::adjacent_find(out_.tensors.begin(), out_.tensors.end(),
                                          [](auto& a, auto& b) { return a.first == b.first; });
    if (twice == out_.tensors.end()) return std::move(out_);
    return WrongTensor(twice->first, "it once", "it twice");
  }

 private:
  template <typename Visit>
  absl::Status ParseObject(absl::string_view where, Value value, const Visit& visit) {
    JsonReader::Object object;
    if (value.get_object().get(object) == simdjson::SUCCESS) return json_.ForEach(object, visit);
    return DamagedJson(where, "an object", JsonReader::Kind(value));
  }

  absl::Status ParseTensor(Field& field) {
    absl::string_view name;
    absl::string_view file;
    LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &name));
    if (!JsonReader::IsString(field.value())) {
      return WrongTensor(name, "the name of a file", JsonReader::Kind(field.value()));
    }
    LEAFSTORE_RETURN_IF_ERROR(json_.GetString(field.value(), &file));
    if (!IsPlainFileName(file)) {
      return WrongTensor(name, "the name of a file, without a directory", QuotedForMessage(file));
    }
    const auto at = files_.try_emplace(std::string(file), files_.size()).first;
    out_.tensors.emplace_back(name, at->second);
    return absl::OkStatus();
  }

  // Other fields are allowed: newer writers also store the number of parameters.
  absl::Status ParseMetadata(Field& field) {
    absl::string_view key;
    LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &key));
    int64_t size = 0;
    if (key == "total_size") {
      if (std::exchange(found_size_, true)) {
        return DamagedJson("index, metadata", "one total_size", "two");
      }
      if (JsonReader::GetCount(field.value(), &size)) {
        out_.total_size = size;
        return absl::OkStatus();
      }
      if (!lenient_.any_total_size) {
        return DamagedJson("index, metadata, total_size", "an integer from 0 to 2^63 - 1",
                           json_.ForMessage(field.value()));
      }
    }
    return absl::OkStatus();
  }

  // Puts the files and the tensors in order.
  void Sort() {
    std::vector<uint32_t> ranks(files_.size());
    for (const auto& [file, id] : files_) {
      ranks[id] = static_cast<uint32_t>(out_.files.size());
      out_.files.push_back(file);
    }
    for (auto& [name, file] : out_.tensors) file = ranks[file];
    std::sort(out_.tensors.begin(), out_.tensors.end());
  }

  static absl::Status WrongTensor(absl::string_view name, absl::string_view expected,
                                  absl::string_view found) {
    return DamagedJson(absl::StrCat("index, tensor ", QuotedForMessage(name)), expected, found);
  }

  JsonReader json_;
  const SafetensorsLeniency& lenient_;
  SafetensorsIndex out_;
  bool found_size_ = false;
  std::map<std::string, uint32_t> files_;  // by name; in the order of first use, until Sort
};

}  // namespace

absl::StatusOr<SafetensorsIndex> ParseSafetensorsIndex(absl::string_view text,
                                                       const SafetensorsLeniency& lenient) {
  return IndexParser(text, lenient).Parse();
}

std::string EncodeSafetensorsIndex(const SafetensorsIndex& index) {
  nlohmann::json json;
  json["metadata"]["total_size"] = index.total_size.value_or(0);
  nlohmann::json& map = json["weight_map"] = nlohmann::json::object();
  for (const auto& [name, file] : index.tensors) map[name] = index.files[file];
  constexpr int kIndent = 2;
  constexpr bool kAsciiOnly = true;
  return absl::StrCat(json.dump(kIndent, ' ', kAsciiOnly), "\n");
}

}  // namespace leafstore::internal
