// Inputs of the fuzz targets of checkpoint files, and how they are opened: from memory, in the
// thread of the caller, so that an execution makes no system call.
#ifndef LEAFSTORE_TESTS_FUZZ_CHECKPOINT_INPUTS_H_
#define LEAFSTORE_TESTS_FUZZ_CHECKPOINT_INPUTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/io/internal/checksum.h"

#include "tests/io/memory_file.h"

namespace leafstore {

// A tensor with checksums of blocks has more than 1 MiB. To keep such inputs small, one that begins
// with this word has its zeros left out: two u32 follow, of which the first says where they are in
// the rest, and the second how many.
inline constexpr char kWithoutZeros[] = "ZEROS...";
inline constexpr size_t kWithoutZerosSize = 16;
inline constexpr uint32_t kMostZeros = 3 << 20;

inline std::string WithoutZeros(std::string file, uint32_t begin, uint32_t count) {
  file.erase(begin, count);
  std::string input(kWithoutZeros, 8);
  input.append(reinterpret_cast<const char*>(&begin), sizeof(begin));
  input.append(reinterpret_cast<const char*>(&count), sizeof(count));
  return input + file;
}

// Returns the file that an input stands for.
inline std::string FileOf(std::string input) {
  if (input.size() < kWithoutZerosSize || input.compare(0, 8, kWithoutZeros) != 0) return input;
  uint32_t begin = 0;
  uint32_t count = 0;
  std::memcpy(&begin, input.data() + 8, sizeof(begin));
  std::memcpy(&count, input.data() + 12, sizeof(count));
  input.erase(0, kWithoutZerosSize);
  input.insert(std::min<size_t>(begin, input.size()), std::min(count, kMostZeros), '\0');
  return input;
}

inline absl::StatusOr<CheckpointReader> OpenBytes(const std::string& bytes, ReadMode mode) {
  MemoryFile file(bytes);
  return CheckpointReader::Open(
      "x",
      {.io = {.mode = mode, .threads = 1, .max_bytes_in_flight = 1 << 20, .file_system = &file}});
}

// Returns the file with a correct preamble, footer and manifest checksum, if it is long enough.
inline std::string Repaired(std::string bytes) {
  constexpr auto kFixed = static_cast<size_t>(internal::kPreambleSize + internal::kFooterSize);
  if (bytes.size() < kFixed) return bytes;
  const auto preamble = internal::EncodePreamble({});
  std::memcpy(bytes.data(), preamble.data(), preamble.size());
  const size_t footer_begin = bytes.size() - static_cast<size_t>(internal::kFooterSize);
  uint64_t offset = 0;
  uint64_t size = 0;
  std::memcpy(&offset, bytes.data() + footer_begin + 8, sizeof(offset));
  std::memcpy(&size, bytes.data() + footer_begin + 16, sizeof(size));
  internal::Footer footer;
  footer.file_size = static_cast<int64_t>(bytes.size());
  footer.manifest_offset = static_cast<int64_t>(std::min<uint64_t>(offset, footer_begin));
  footer.manifest_size = static_cast<int64_t>(
      std::min<uint64_t>(size, footer_begin - static_cast<size_t>(footer.manifest_offset)));
  footer.manifest_checksum = internal::Checksum(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size())
          .subspan(static_cast<size_t>(footer.manifest_offset),
                   static_cast<size_t>(footer.manifest_size)));
  const auto encoded = internal::EncodeFooter(footer);
  std::memcpy(bytes.data() + footer_begin, encoded.data(), encoded.size());
  return bytes;
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_FUZZ_CHECKPOINT_INPUTS_H_
