#include "leafstore/interop/safetensors/internal/index.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {
namespace {

namespace dom = simdjson::dom;

class IndexParser {
 public:
  explicit IndexParser(const SafetensorsLeniency& lenient) : lenient_(lenient) {}

  absl::StatusOr<SafetensorsIndex> Parse(absl::string_view text) {
    JsonDocument document;
    LEAFSTORE_ASSIGN_OR_RETURN(const dom::element root, document.Parse(text, "index"));
    dom::object object;
    if (root.get(object) != simdjson::SUCCESS) {
      return DamagedJson("index", "an object", JsonKind(root));
    }
    bool found_map = false;
    bool found_metadata = false;
    for (const dom::key_value_pair field : object) {
      const absl::string_view key = ToAbslView(field.key);
      if (key == "weight_map") {
        if (std::exchange(found_map, true)) return DamagedJson("index", "one weight_map", "two");
        LEAFSTORE_RETURN_IF_ERROR(ParseMap(field.value));
      } else if (key == "metadata") {
        if (std::exchange(found_metadata, true)) return DamagedJson("index", "one metadata", "two");
        LEAFSTORE_RETURN_IF_ERROR(ParseMetadata(field.value));
      } else if (!lenient_.unknown_fields) {
        return DamagedJson("index", "the fields metadata and weight_map",
                           absl::StrCat("another, ", QuotedForMessage(key)));
      }
    }
    if (!found_map) return DamagedJson("index", "a field weight_map", "none");
    Sort();
    return std::move(out_);
  }

 private:
  absl::Status ParseMap(const dom::element& element) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      return DamagedJson("index, weight_map", "an object", JsonKind(element));
    }
    absl::flat_hash_set<absl::string_view> names;
    for (const dom::key_value_pair field : object) {
      const absl::string_view name = ToAbslView(field.key);
      const auto wrong = [&](absl::string_view expected, absl::string_view found) {
        return DamagedJson(absl::StrCat("index, tensor ", QuotedForMessage(name)), expected, found);
      };
      if (!internal::IsValidUtf8(name)) return wrong("a name in UTF-8", "another");
      if (!names.insert(name).second) return wrong("it once", "it twice");
      std::string_view file;
      if (field.value.get(file) != simdjson::SUCCESS) {
        return wrong("the name of a file", JsonKind(field.value));
      }
      if (!IsPlainFileName(ToAbslView(file))) {
        return wrong("the name of a file, without a directory", QuotedForMessage(ToAbslView(file)));
      }
      const auto [at, is_new] = files_.try_emplace(std::string(file), out_.files.size());
      if (is_new) out_.files.emplace_back(file);
      out_.tensors.emplace_back(field.key, at->second);
    }
    return absl::OkStatus();
  }

  // Other fields are allowed: newer writers also store the number of parameters.
  absl::Status ParseMetadata(const dom::element& element) {
    dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      return DamagedJson("index, metadata", "an object", JsonKind(element));
    }
    bool found_size = false;
    for (const dom::key_value_pair field : object) {
      if (field.key != "total_size") continue;
      if (std::exchange(found_size, true)) {
        return DamagedJson("index, metadata", "one total_size", "two");
      }
      int64_t size = 0;
      if (field.value.get(size) == simdjson::SUCCESS && size >= 0) {
        out_.total_size = size;
      } else if (!lenient_.any_total_size) {
        return DamagedJson("index, metadata, total_size", "an integer from 0 to 2^63 - 1",
                           JsonForMessage(field.value));
      }
    }
    return absl::OkStatus();
  }

  void Sort() {
    std::vector<std::string> sorted = out_.files;
    std::sort(sorted.begin(), sorted.end());
    for (uint32_t i = 0; i < sorted.size(); ++i) files_[sorted[i]] = i;
    for (auto& [name, file] : out_.tensors) file = files_[out_.files[file]];
    std::sort(out_.tensors.begin(), out_.tensors.end());
    out_.files = std::move(sorted);
  }

  const SafetensorsLeniency& lenient_;
  SafetensorsIndex out_;
  absl::flat_hash_map<std::string, uint32_t> files_;
};

}  // namespace

absl::StatusOr<SafetensorsIndex> ParseSafetensorsIndex(absl::string_view text,
                                                       const SafetensorsLeniency& lenient) {
  return IndexParser(lenient).Parse(text);
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
