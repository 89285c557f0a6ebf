// Checkpoint files: the input as it is, and again with correct checksums, so that the code behind
// them is reached. Both read modes give the same result. What can be loaded can be saved, and
// saving the loaded file again gives the same bytes.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/io/internal/checksum.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message_limits.h"
#include "tests/fuzz/require.h"
#include "tests/interop/memory_disk.h"
#include "tests/io/memory_file.h"
#include "tests/memory_use.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void RequireReadError(const absl::Status& status) {
  RequireError(status,
               {StatusCode::kDataLoss, StatusCode::kUnimplemented, StatusCode::kResourceExhausted});
}

absl::StatusOr<CheckpointReader> Open(const std::string& bytes, ReadMode mode, bool verify) {
  MemoryFile file(bytes);
  return CheckpointReader::Open("x",
                                {.io = {.mode = mode, .file_system = &file}, .verify = verify});
}

// Requires that both are OK or the same error.
void RequireSame(const absl::Status& a, const absl::Status& b) {
  if (a == b) return;
  Require(false,
          absl::StrCat("both modes give the same status: ", a.ToString(), " and ", b.ToString()));
}

void CheckEntries(const CheckpointItemInfo& item, int64_t file_size) {
  for (uint32_t place = 0; place < item.size(); ++place) {
    const EntryInfo entry = item.entry(place);
    if (entry.value != nullptr || entry.base != 0) continue;
    Require(entry.offset >= 0 && entry.stored_size >= 0 &&
                entry.offset + entry.stored_size <= file_size,
            "segments are in the file");
  }
  uint32_t walked = 0;
  const absl::Status status = item.ForEachPath([&](uint32_t place, absl::string_view path) {
    Require(path == item.PathText(place), "visited paths equal the printed ones");
    ++walked;
  });
  if (status.ok()) {
    Require(walked == item.size(), "each path is visited");
  } else {
    RequireReadError(status);
  }
}

// Loads an item in every way. Returns whether all of it can be read.
bool CheckItem(const CheckpointReader& mapped, const CheckpointReader& read,
               const CheckpointItemInfo& item) {
  CheckEntries(item, mapped.file_size());
  absl::StatusOr<ParamStore> store = mapped.Load(item.name());
  const absl::StatusOr<ParamStore> other = read.Load(item.name());
  // If several leaves are damaged, the two modes may name different ones.
  Require(store.ok() == other.ok(), "what one mode can load, the other can");
  // A damaged leaf does not prevent loading the others.
  for (uint32_t place = 0; place < std::min<uint32_t>(item.size(), 16); ++place) {
    const absl::StatusOr<ParamStore> one =
        mapped.Load(item.name(), {.places = std::vector<uint32_t>{place}});
    if (!one.ok()) {
      Require(!store.ok(), "if an item can be read, each of its leaves can be");
      RequireReadError(one.status());
    } else if (store.ok()) {
      Require(one->leaf(0) == store->leaf(place), "a leaf loaded alone is the same");
    }
  }
  const absl::StatusOr<ParamStore> some = mapped.Load(item.name(), {.filter = IsStatic()});
  if (!some.ok()) {
    // Loose paths may not form a tree; filters cannot be evaluated then.
    RequireError(some.status(), {StatusCode::kInvalidArgument});
    Require(!item.layout().has_def(), "static leaves of a tree can always be loaded");
  }
  if (!store.ok()) {
    RequireReadError(store.status());
    return false;
  }
  for (uint32_t place = 0; place < store->size(); ++place) {
    Require(store->leaf(place) == other->leaf(place), "both modes give the same leaves");
  }
  Require(mapped.LoadInto(item.name(), &*store).ok(),
          "an item fits the store that was loaded from it");
  return true;
}

std::string Saved(const CheckpointReader& reader) {
  MemoryDisk disk;
  SaveOptions options;
  options.io.durable = false;
  options.io.file_system = &disk;
  options.metadata = reader.metadata();
  CheckpointWriter writer = CheckpointWriter::Create("x", std::move(options)).value();
  for (const std::string& name : reader.items()) {
    const CheckpointItemInfo item = reader.GetItem(name).value();
    const absl::Status added =
        writer.AddItem({name, reader.Load(name).value(), {item.grouping(), item.metadata()}});
    Require(added.ok(), "what was loaded can be saved");
  }
  Require(writer.Finish().ok(), "the file can be finished");
  return disk.bytes();
}

void CheckFile(const std::string& bytes) {
  const MemoryUse use;
  const absl::StatusOr<CheckpointReader> read = Open(bytes, ReadMode::kRead, true);
  Require(use.peak() < MostMemoryFor(bytes.size()), "memory is limited by the length of the file");
  const absl::StatusOr<CheckpointReader> mapped = Open(bytes, ReadMode::kMap, true);
  RequireSame(read.status(), mapped.status());
  if (!mapped.ok()) {
    RequireReadError(mapped.status());
    return;
  }
  bool all = true;
  for (const std::string& name : mapped->items()) {
    all = CheckItem(*mapped, *read, mapped->GetItem(name).value()) && all;
  }
  const absl::Status verified = mapped->Verify();
  RequireSame(verified, read->Verify());
  if (!verified.ok()) RequireReadError(verified);
  if (!all) return;
  const std::string saved = Saved(*mapped);
  const absl::StatusOr<CheckpointReader> again = Open(saved, ReadMode::kMap, true);
  Require(again.ok() && again->Verify().ok(), "what was saved can be read");
  Require(Saved(*again) == saved, "saving again gives the same file");
}

uint64_t ChecksumOf(const std::string& bytes, size_t begin, size_t size) {
  return internal::Checksum(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()) + begin, size));
}

// Returns the file with a correct preamble, footer and manifest checksum, if it is long enough.
std::string Repaired(std::string bytes) {
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
  footer.manifest_checksum = ChecksumOf(bytes, static_cast<size_t>(footer.manifest_offset),
                                        static_cast<size_t>(footer.manifest_size));
  const auto encoded = internal::EncodeFooter(footer);
  std::memcpy(bytes.data() + footer_begin, encoded.data(), encoded.size());
  return bytes;
}

void Run(const std::string& bytes) {
  CheckFile(bytes);
  CheckFile(Repaired(bytes));
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
