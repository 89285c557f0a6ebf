// Safetensors files: both read modes give the same result, and so do headers with and without
// escapes. What can be loaded is saved in canonical form, and saving it again gives the same
// bytes.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"

#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/interop/safetensors/internal/structure.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/interop/safetensors/writer.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/require.h"
#include "tests/interop/memory_disk.h"
#include "tests/io/memory_file.h"
#include "tests/memory_use.h"

namespace leafstore {

using internal::DecodeSafetensorsStructure;
using internal::EncodeSafetensorsIndex;
using internal::EncodeSafetensorsStructure;
using internal::ParseSafetensorsIndex;

namespace {

using absl::StatusCode;

void RequireReadError(const absl::Status& status) {
  RequireError(status, {StatusCode::kDataLoss, StatusCode::kUnimplemented,
                        StatusCode::kResourceExhausted, StatusCode::kInvalidArgument});
}

absl::StatusOr<SafetensorsReader> Open(const std::string& bytes, SafetensorsReadOptions options) {
  MemoryFile file(bytes);
  options.io.file_system = &file;
  return SafetensorsReader::Open("x", options);
}

// Requires equal headers, except that the offsets in `b` are greater by `shift`.
void RequireSameHeader(const SafetensorsReader& a, const SafetensorsReader& b, int64_t shift = 0) {
  Require(a.size() == b.size() && a.metadata() == b.metadata(), "the same header");
  for (uint32_t i = 0; i < a.size(); ++i) {
    const EntryInfo one = a.entry(i);
    const EntryInfo other = b.entry(i);
    Require(a.name(i) == b.name(i) && one.spec == other.spec && one.offset + shift == other.offset,
            "the same tensors");
  }
}

// Adds an entry whose name has an escape, so that strings are copied, with a field that is skipped,
// so that the complete header is parsed too. Requires the same tensors. The entry itself, without
// bytes, is left out.
void CheckWithEscapes(const std::string& bytes, const SafetensorsReader& reader) {
  std::string entry = R"("\u0001left out":{"dtype":"none","x":{},"shape":[],"data_offsets":[0,0]})";
  if (reader.is_set() || !absl::IsNotFound(reader.GetIndex("\1left out").status())) return;
  const size_t brace = bytes.find('{', 8);
  Require(brace != std::string::npos, "the header is an object");
  if (bytes[bytes.find_first_not_of(" \t\r\n", brace + 1)] != '}') entry += ",";
  std::string other = bytes;
  other.insert(brace + 1, entry);
  uint64_t length = 0;
  std::memcpy(&length, other.data(), sizeof(length));
  length += entry.size();
  std::memcpy(other.data(), &length, sizeof(length));
  SafetensorsReadOptions options;
  options.ignore_structure = true;
  options.lenient.max_header += static_cast<int64_t>(entry.size());
  const absl::StatusOr<SafetensorsReader> found = Open(other, options);
  Require(found.ok(), "the header is accepted with escapes");
  std::vector<std::string> left_out;
  for (const UnreadableLeaf& one : found->unreadable()) left_out.push_back(one.name);
  std::vector<std::string> before = {"\1left out"};
  for (const UnreadableLeaf& one : reader.unreadable()) before.push_back(one.name);
  std::sort(before.begin(), before.end());
  std::sort(left_out.begin(), left_out.end());
  Require(left_out == before, "only the added entry is left out");
  RequireSameHeader(reader, *found, static_cast<int64_t>(entry.size()));
}

std::string Saved(const ParamStore& store, const SafetensorsReader& reader) {
  MemoryDisk disk;
  SafetensorsSaveOptions options;
  options.metadata = reader.metadata();
  if (reader.has_structure()) options.structure = StructureSave::kAlways;
  options.names = reader.name_style();
  options.io.durable = false;
  options.io.file_system = &disk;
  Require(SaveSafetensors("x", store, options).ok(), "what was loaded can be saved");
  return disk.bytes();
}

void CheckLoaded(const SafetensorsReader& reader, const ParamStore& store) {
  const std::string saved = Saved(store, reader);
  SafetensorsReadOptions options;
  const absl::StatusOr<SafetensorsReader> again = Open(saved, options);
  Require(again.ok(), "what was saved can be read");
  Require(again->IsCanonical().value(), "the saved file is canonical");
  const absl::StatusOr<ParamStore> loaded = again->Load();
  Require(loaded.ok() && loaded->size() == store.size(), "the saved file can be loaded");
  for (uint32_t place = 0; place < store.size(); ++place) {
    Require(loaded->PathText(place) == store.PathText(place) &&
                loaded->leaf(place) == store.leaf(place),
            "the same store");
  }
  Require(Saved(*loaded, *again) == saved, "saving again gives the same file");
}

void CheckFile(const std::string& bytes, const SafetensorsReadOptions& base) {
  SafetensorsReadOptions options = base;
  const MemoryUse use;
  const absl::StatusOr<SafetensorsReader> mapped = Open(bytes, options);
  // simdjson allocates most of it, and much of that at the start.
  Require(use.peak() < (int64_t{1} << 20) + 700 * static_cast<int64_t>(bytes.size()),
          "memory is limited by the length of the file");
  options.io.mode = ReadMode::kRead;
  const absl::StatusOr<SafetensorsReader> read = Open(bytes, options);
  Require(mapped.status() == read.status(), "both modes give the same status");
  if (!mapped.ok()) {
    RequireReadError(mapped.status());
    return;
  }
  Require(!options.strict || (mapped->notes().empty() && mapped->unreadable().empty()),
          "strict reading accepts nothing unusual");
  RequireSameHeader(*mapped, *read);
  const absl::StatusOr<ParamStore> store = mapped->Load();
  const absl::StatusOr<ParamStore> other = read->Load();
  Require(store.ok() == other.ok() && mapped->Verify().ok() == store.ok(),
          "both modes load, or both fail");
  if (!store.ok()) {
    RequireReadError(store.status());
    return;
  }
  for (uint32_t place = 0; place < store->size(); ++place) {
    Require(store->leaf(place) == other->leaf(place), "both modes load the same leaves");
  }
  if (!base.ignore_structure) {
    CheckLoaded(*mapped, *store);
  } else if (!base.lenient.holes) {
    CheckWithEscapes(bytes, *mapped);
  }
}

// Returns a file with these bytes as its header, a correct length, and some bytes for tensors.
std::string AsHeader(const std::string& header) {
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + std::string(32, '\1');
}

// An index, and the same file under every other name.
class SetInMemory : public MemoryFile {
 public:
  SetInMemory(const std::string& index, const std::string& shard)
      : MemoryFile(shard), index_(index) {}
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    return path == "x.json" ? index_.Open(path) : MemoryFile::Open(path);
  }

 private:
  MemoryFile index_;
};

// Reads the bytes as an index of shards that all have the tensors `a`, `b` and `q`.
void CheckSet(const std::string& bytes) {
  static const std::string* const shard = new std::string([] {
    const std::string header = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                               R"("b":{"dtype":"BOOL","shape":[1],"data_offsets":[2,3]},)"
                               R"("q":{"dtype":"NF4","shape":[2],"data_offsets":[3,4]}})";
    const uint64_t length = header.size();
    std::string file(sizeof(length), '\0');
    std::memcpy(file.data(), &length, sizeof(length));
    return file + header + std::string(4, '\1');
  }());
  SetInMemory files(bytes, *shard);
  SafetensorsReadOptions options;
  options.io.file_system = &files;
  options.skip_unreadable = true;
  const absl::StatusOr<SafetensorsReader> set = SafetensorsReader::Open("x.json", options);
  if (!set.ok()) return RequireReadError(set.status());
  if (!set->is_set()) return;  // the bytes are a file with tensors
  for (uint32_t i = 0; i < set->size(); ++i) {
    Require(set->name(i) == "a" || set->name(i) == "b", "only tensors of the shards are read");
  }
  Require(set->Load().ok() && set->Verify().ok(), "the set can be loaded");
}

// Reads the lines as the names in a directory.
void CheckPlaces(const std::string& bytes) {
  std::vector<std::string> names = absl::StrSplit(bytes, '\n', absl::SkipEmpty());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  internal::Notes notes;
  const auto place = internal::FindInDirectory("d", names, &notes);
  for (const std::string& name : names) {
    const std::optional<internal::ShardName> shard = internal::ParseShardName(name);
    if (!shard.has_value()) continue;
    Require(shard->NameOf(shard->index) == name, "a shard's name can be made again");
    const auto set = internal::FindShards("d/" + name, *shard, names, &notes);
    if (!set.ok()) continue;
    Require(std::find(set->shards.begin(), set->shards.end(), name) != set->shards.end(),
            "a shard belongs to its set");
  }
  if (!place.ok()) {
    return RequireError(place.status(), {StatusCode::kNotFound, StatusCode::kInvalidArgument,
                                         StatusCode::kDataLoss});
  }
  const std::vector<std::string> read = place->kind == internal::SafetensorsPlace::kFile
                                            ? std::vector<std::string>{place->file.substr(2)}
                                            : place->shards;
  for (const std::string& name : read) {
    Require(std::binary_search(names.begin(), names.end(), name), "only what exists is read");
  }
}

void Run(const std::string& bytes) {
  CheckSet(bytes);
  CheckPlaces(bytes);
  SafetensorsReadOptions strict;
  strict.strict = true;
  SafetensorsReadOptions usual;
  usual.skip_unreadable = true;
  SafetensorsReadOptions ignoring;
  ignoring.ignore_structure = ignoring.skip_unreadable = true;
  SafetensorsReadOptions lenient = ignoring;
  lenient.lenient.metadata_values = lenient.lenient.holes = true;
  lenient.lenient.trailing_bytes = true;
  for (const std::string& file : {bytes, AsHeader(bytes)}) {
    for (const SafetensorsReadOptions& options : {strict, usual, ignoring, lenient}) {
      CheckFile(file, options);
    }
  }
  if (const auto structure = DecodeSafetensorsStructure(bytes); structure.ok()) {
    Require(EncodeSafetensorsStructure(*structure).ok(), "a structure can be encoded");
  } else {
    RequireReadError(structure.status());
  }
  if (const auto index = ParseSafetensorsIndex(bytes); index.ok()) {
    const auto again = ParseSafetensorsIndex(EncodeSafetensorsIndex(*index));
    Require(again.ok() && again->tensors == index->tensors, "an index can be encoded");
  } else {
    RequireReadError(index.status());
  }
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
