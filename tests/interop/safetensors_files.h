// Writes safetensors files, sets and indexes as people have them, byte by byte.
#ifndef LEAFSTORE_TESTS_INTEROP_SAFETENSORS_FILES_H_
#define LEAFSTORE_TESTS_INTEROP_SAFETENSORS_FILES_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "tests/interop/safetensors_attacks.h"
#include "tests/io/temp_dir.h"

namespace leafstore {

// Returns a file with U8 tensors of these sizes.
inline std::string SmallFile(const std::vector<std::pair<std::string, int64_t>>& tensors) {
  std::vector<std::string> entries;
  int64_t end = 0;
  for (const auto& [name, size] : tensors) {
    entries.push_back(BytesEntry(name, end, end + size));
    end += size;
  }
  return SafetensorsFileOf(absl::StrCat("{", absl::StrJoin(entries, ","), "}"),
                           static_cast<size_t>(end));
}

inline std::string ShardNameOf(int number, int count, const std::string& stem = "model") {
  return absl::StrCat(stem, "-0000", number, "-of-0000", count, ".safetensors");
}

// Returns an index; `map` has pairs of a tensor and its file.
inline std::string IndexOf(const std::vector<std::pair<std::string, std::string>>& map,
                           const std::string& other_fields = "\"metadata\":{\"total_size\":6},") {
  std::vector<std::string> entries;
  for (const auto& [tensor, file] : map) {
    entries.push_back(absl::StrCat("\"", tensor, "\":\"", file, "\""));
  }
  return absl::StrCat("{", other_fields, "\"weight_map\":{", absl::StrJoin(entries, ","), "}}");
}

// Writes two shards with `a` (4 bytes) and `b` (2 bytes) into the directory, which it creates.
inline void WriteTwoShards(const std::string& directory, const std::string& stem = "model") {
  std::filesystem::create_directories(directory);
  WriteFile(directory + "/" + ShardNameOf(1, 2, stem), SmallFile({{"a", 4}}));
  WriteFile(directory + "/" + ShardNameOf(2, 2, stem), SmallFile({{"b", 2}}));
}

// Returns the index of these shards.
inline std::string IndexOfTwo(const std::string& other_fields = "\"metadata\":{\"total_size\":6},",
                              const std::string& stem = "model") {
  return IndexOf({{"a", ShardNameOf(1, 2, stem)}, {"b", ShardNameOf(2, 2, stem)}}, other_fields);
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_INTEROP_SAFETENSORS_FILES_H_
