#include "leafstore/tools/source/formats.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"

namespace leafstore::tools {
namespace {

constexpr absl::string_view kLeafMagic("\x89LEAF\r\n\x1a", 8);
constexpr absl::string_view kIndexSuffix = ".safetensors.index.json";
constexpr absl::string_view kSafetensorsSuffix = ".safetensors";

constexpr absl::string_view kNpyMagic("\x93NUMPY", 6);
constexpr absl::string_view kZipMagic("PK\x03\x04", 4);
constexpr absl::string_view kEmptyZipMagic("PK\x05\x06", 4);

// The formats of files whose first bytes do not decide.
constexpr std::pair<absl::string_view, SourceFormat> kSuffixes[] = {
    {".leaf", SourceFormat::kLeaf},
    {kSafetensorsSuffix, SourceFormat::kSafetensors},
    {kIndexSuffix, SourceFormat::kSafetensors},
    {".npz", SourceFormat::kNpz},
    {".npy", SourceFormat::kNpy}};

// Returns whether `head` begins with a length that fits into the file, and an object.
bool IsSafetensors(absl::string_view head, int64_t file_size) {
  if (head.size() < 9 || head[8] != '{') return false;
  uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof(length));
  return length >= 2 && length <= static_cast<uint64_t>(file_size) - 8;
}

bool IsIndex(absl::string_view head) {
  const size_t first = head.find_first_not_of(" \t\r\n");
  return first != absl::string_view::npos && head[first] == '{';
}

// Returns whether `head` begins with `magic`, or is a prefix of it.
bool Begins(absl::string_view head, absl::string_view magic) {
  const size_t size = std::min(head.size(), magic.size());
  return size > 0 && head.substr(0, size) == magic.substr(0, size);
}

}  // namespace

absl::StatusOr<SourceFormat> DetectFormat(const std::string& file) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> opened,
                             FileSystem::Posix().Open(file));
  std::string head(static_cast<size_t>(std::min<int64_t>(opened->size(), 16)), '\0');
  LEAFSTORE_RETURN_IF_ERROR(
      opened->ReadAt(0, absl::MakeSpan(reinterpret_cast<std::byte*>(head.data()), head.size())));
  if (Begins(head, kLeafMagic)) return SourceFormat::kLeaf;
  if (Begins(head, kNpyMagic)) return SourceFormat::kNpy;
  if (Begins(head, kZipMagic) || Begins(head, kEmptyZipMagic)) return SourceFormat::kNpz;
  if (IsSafetensors(head, opened->size()) || IsIndex(head)) return SourceFormat::kSafetensors;
  for (const auto& [suffix, kind] : kSuffixes) {
    if (absl::EndsWith(file, suffix)) return kind;
  }
  // It may be a checkpoint whose first bytes are damaged, hence "preamble".
  return absl::DataLossError(absl::StrCat(
      "preamble: expected '", absl::CHexEscape(kLeafMagic),
      "' (a checkpoint), a header's length "
      "and '{' (safetensors), '{' (an index of safetensors), 'PK' (npz) or '\\x93NUMPY' (npy), ",
      head.empty() ? "found an empty file" : absl::StrCat("found '", absl::CHexEscape(head), "'")));
}

absl::StatusOr<std::string> FileOfDirectory(const std::string& directory) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                             FileSystem::Posix().List(directory));
  for (const absl::string_view suffix : {kIndexSuffix, kSafetensorsSuffix}) {
    std::vector<std::string> found;
    for (const std::string& name : names) {
      if (absl::EndsWith(name, suffix)) found.push_back(name);
    }
    if (found.size() == 1) return absl::StrCat(directory, "/", found[0]);
    if (found.size() > 1) {
      constexpr size_t kMostNamed = 10;
      if (found.size() > kMostNamed) {
        found.resize(kMostNamed);
        found.emplace_back("...");
      }
      return absl::InvalidArgumentError(absl::StrCat(directory, ": expected one *", suffix,
                                                     ", found ", absl::StrJoin(found, ", "),
                                                     "; name the file that is meant"));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      directory,
      ": expected a directory of checkpoints (step-<20 digits>.leaf) or of safetensors "
      "(*.safetensors.index.json, or one *.safetensors), found neither among ",
      names.size(), names.size() == 1 ? " name" : " names", "; name a checkpoint's file"));
}

}  // namespace leafstore::tools
