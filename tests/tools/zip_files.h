// Zip archives for tests, of stored members.
#ifndef LEAFSTORE_TESTS_TOOLS_ZIP_FILES_H_
#define LEAFSTORE_TESTS_TOOLS_ZIP_FILES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace leafstore {

inline uint32_t ZipCrc32(const std::string& bytes) {
  uint32_t crc = ~uint32_t{0};
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

// Returns an archive with these members: names and bytes.
inline std::string ZipOf(const std::vector<std::pair<std::string, std::string>>& members) {
  const auto little = [](uint64_t number, int size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(number >> (8 * i)));
    return bytes;
  };
  std::string files;
  std::string directory;
  for (const auto& [name, bytes] : members) {
    // Version, flags, method, time, date (1980-01-01), CRC, sizes, lengths of the name and of more.
    const std::string fields = absl::StrCat(
        little(20, 2), little(0, 6), little(33, 2), little(ZipCrc32(bytes), 4),
        little(bytes.size(), 4), little(bytes.size(), 4), little(name.size(), 2), little(0, 2));
    absl::StrAppend(&directory, "PK\1\2", little(20, 2), fields, little(0, 10),
                    little(files.size(), 4), name);
    absl::StrAppend(&files, "PK\3\4", fields, name, bytes);
  }
  const std::string count = little(members.size(), 2);
  return absl::StrCat(files, directory, "PK\5\6", little(0, 4), count, count,
                      little(directory.size(), 4), little(files.size(), 4), little(0, 2));
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_TOOLS_ZIP_FILES_H_
