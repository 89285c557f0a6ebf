#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include <nlohmann/json.hpp>

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {
namespace {

class IndexParser {
 public:
  using Value = JsonReader::Value;
  using Field = JsonReader::Field;

  explicit IndexParser(absl::string_view text) : text_(text), json_(text, "index") {}

  absl::StatusOr<SafetensorsIndex> Parse(bool has_mark) {
    if (has_mark) {
      out_.notes.Add("a mark", [] {
        return DamagedJson("index", "'{' as its first byte", "a byte order mark of UTF-8");
      });
    }
    absl::Status status = json_.Read([this](Field& field) { return ParseField(field); });
    if (!status.ok()) return status;
    if (!found_map_) {
      return ForeignJson(text_, "an index of safetensors, with a field weight_map");
    }
    const auto first = files_.begin();
    if (files_.size() > 0 && absl::EndsWith(first->first, ".bin")) {
      return ForeignPyTorchIndex(first->first);
    }
    // Checked last, because JSON without a weight_map is not an index with unknown fields.
    for (const absl::string_view key : others_) {
      out_.notes.Add("a field", [key] {
        return DamagedJson("index", "the fields metadata and weight_map",
                           absl::StrCat("another, ", QuotedForMessage(key)));
      });
    }
    Sort();
    const auto twice = std::adjacent_find(out_.tensors.begin(), out_.tensors.end(),
                                          [](auto& a, auto& b) { return a.first == b.first; });
    if (twice == out_.tensors.end()) return std::move(out_);
    return WithReason(WrongTensor(twice->first, "it once",
                                  absl::StrCat("it twice, in ", out_.files[twice->second],
                                               " and in ", out_.files[(twice + 1)->second])),
                      ErrorReason::kAmbiguous);
  }

 private:
  absl::Status ParseField(Field& field) {
    absl::string_view key;
    LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &key));
    const bool is_map = key == "weight_map";
    if (!is_map && key != "metadata") {
      others_.push_back(key);
      return absl::OkStatus();
    }
    if (std::exchange(is_map ? found_map_ : found_metadata_, true)) {
      return AmbiguousJson("index", absl::StrCat("one ", key), "two");
    }
    const absl::string_view kind = JsonReader::Kind(field.value());
    JsonReader::Object object;
    if (field.value().get_object().get(object) == simdjson::SUCCESS) {
      return json_.ForEach(
          object, [&](Field& entry) { return is_map ? ParseTensor(entry) : ParseMetadata(entry); });
    }
    const auto wrong = [&] { return DamagedJson(absl::StrCat("index, ", key), "an object", kind); };
    if (is_map) return wrong();
    out_.notes.Add("no metadata", wrong);
    return absl::OkStatus();
  }

  absl::Status ParseTensor(Field& field) {
    absl::string_view name;
    absl::string_view file;
    LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &name));
    if (!JsonReader::IsString(field.value())) {
      return WrongTensor(name, "the name of a file", JsonReader::Kind(field.value()));
    }
    LEAFSTORE_RETURN_IF_ERROR(json_.GetString(field.value(), &file));
    const auto wrong = [&] {
      return WrongTensor(name, "the name of a file, without a directory", QuotedForMessage(file));
    };
    const std::optional<std::string> inside = FileBelow(file);
    if (!inside.has_value() && LeavesDirectory(file)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "index, tensor ", QuotedForMessage(name), ": expected a file in the index's directory, ",
          "found ", QuotedForMessage(file),
          ", which is outside of it and is not opened; move it there, ",
          "and put its name into the index"));
    }
    if (!inside.has_value()) return wrong();
    if (*inside != file || absl::StrContains(file, '/')) {
      out_.notes.Add("a directory", wrong);
    }
    const auto at = files_.try_emplace(*inside, files_.size()).first;
    out_.tensors.emplace_back(name, at->second);
    return absl::OkStatus();
  }

  // Other fields are allowed: newer writers also store the number of parameters.
  absl::Status ParseMetadata(Field& field) {
    absl::string_view key;
    LEAFSTORE_RETURN_IF_ERROR(json_.GetKey(field, &key));
    if (key != "total_size") return absl::OkStatus();
    if (std::exchange(found_size_, true)) {
      return AmbiguousJson("index, metadata", "one total_size", "two");
    }
    int64_t size = 0;
    if (JsonReader::GetCount(field.value(), &size)) {
      out_.total_size = size;
      return absl::OkStatus();
    }
    out_.notes.Add("total_size", [&] {
      return DamagedJson("index, metadata, total_size", "an integer from 0 to 2^63 - 1",
                         json_.ForMessage(field.value()));
    });
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

  // Returns the name without empty components and `.`; nullopt if it does not name a file in the
  // directory of the index or below it.
  static std::optional<std::string> FileBelow(absl::string_view name) {
    std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
    if (parts.front().empty() || parts.back().empty() || parts.back() == ".") return std::nullopt;
    std::erase_if(parts, [](absl::string_view part) { return part.empty() || part == "."; });
    for (const absl::string_view part : parts) {
      if (!IsPlainFileName(part)) return std::nullopt;
    }
    return absl::StrJoin(parts, "/");
  }

  // Returns whether the name is a valid name of a file in another directory.
  static bool LeavesDirectory(absl::string_view name) {
    const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
    return parts.size() > 1 && parts.back().size() > 0 &&
           (parts.front().empty() ||
            std::find(parts.begin(), parts.end() - 1, "..") != parts.end() - 1);
  }

  static absl::Status WrongTensor(absl::string_view name, absl::string_view expected,
                                  absl::string_view found) {
    return DamagedJson(absl::StrCat("index, tensor ", QuotedForMessage(name)), expected, found);
  }

  absl::string_view text_;
  JsonReader json_;
  SafetensorsIndex out_;
  std::vector<absl::string_view> others_;  // other fields
  bool found_map_ = false;
  bool found_metadata_ = false;
  bool found_size_ = false;
  std::map<std::string, uint32_t> files_;  // by name; in the order of first use, until Sort
};

}  // namespace

absl::StatusOr<SafetensorsIndex> ParseSafetensorsIndex(absl::string_view text) {
  const bool has_mark = absl::ConsumePrefix(&text, "\xef\xbb\xbf");
  if (!absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "{")) {
    LEAFSTORE_RETURN_IF_ERROR(
        CheckNotForeign(text.substr(0, kForeignBegin), "an index of safetensors"));
  }
  return IndexParser(text).Parse(has_mark);
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
