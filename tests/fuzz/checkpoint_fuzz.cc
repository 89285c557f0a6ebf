// Checkpoint files: the input as it is, and again with correct checksums, so that the code behind
// them is reached. All read modes give the same result, also for rows. What can be loaded can be
// saved, and saving the loaded file again gives the same bytes.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"

#include "tests/fuzz/checkpoint_inputs.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/message_limits.h"
#include "tests/fuzz/require.h"
#include "tests/interop/memory_disk.h"
#include "tests/memory_use.h"

namespace leafstore {
namespace {

using absl::StatusCode;

void RequireReadError(const absl::Status& status) {
  RequireError(status,
               {StatusCode::kDataLoss, StatusCode::kUnimplemented, StatusCode::kResourceExhausted});
}

// Requires that both are OK or the same error.
void RequireSame(const absl::Status& a, const absl::Status& b) {
  if (a == b) return;
  Require(false,
          absl::StrCat("all modes give the same status: ", a.ToString(), " and ", b.ToString()));
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

// Requires that each mode gives the same rows of a leaf, those of `whole` if it can be loaded.
void CheckRows(const std::vector<CheckpointReader>& readers, const CheckpointItemInfo& item,
               uint32_t place, const absl::StatusOr<ParamStore>& whole) {
  const std::string path = item.PathText(place);
  const LeafSpec spec = item.entry(place).spec;
  const int64_t count = spec.shape().empty() ? 1 : spec.shape()[0];
  for (const RowRange rows :
       {RowRange{0, count}, RowRange{0, 1}, RowRange{count / 2, count}, RowRange{count, count}}) {
    const absl::StatusOr<Tensor> first = readers[0].LoadRows(item.name(), path, rows);
    if (!first.ok()) {
      RequireError(first.status(), {StatusCode::kInvalidArgument, StatusCode::kDataLoss,
                                    StatusCode::kUnimplemented, StatusCode::kResourceExhausted});
      Require(!whole.ok() || absl::IsInvalidArgument(first.status()),
              "if a leaf can be read, each of its rows can be");
    } else if (whole.ok() && !first->bytes().empty()) {
      const auto all = whole->leaf(0).tensor().bytes();
      const size_t begin =
          all.size() / static_cast<size_t>(count) * static_cast<size_t>(rows.begin);
      Require(first->bytes() == all.subspan(begin, first->bytes().size()),
              "rows are those of the tensor");
    } else if (!whole.ok() && rows.begin == 0 && rows.end == count) {
      Require(false, "if all rows can be read, the leaf can be");
    }
    for (size_t i = 1; i < readers.size(); ++i) {
      const absl::StatusOr<Tensor> other = readers[i].LoadRows(item.name(), path, rows);
      RequireSame(first.status(), other.status());
      Require(!other.ok() || other->bytes() == first->bytes(), "all modes give the same rows");
    }
  }
}

// Loads an item in every way. Returns whether all of it can be read.
bool CheckItem(const std::vector<CheckpointReader>& readers, const CheckpointItemInfo& item) {
  const CheckpointReader& mapped = readers[0];
  CheckEntries(item, mapped.file_size());
  absl::StatusOr<ParamStore> store = mapped.Load(item.name());
  for (size_t i = 1; i < readers.size(); ++i) {
    const absl::StatusOr<ParamStore> other = readers[i].Load(item.name());
    // If several leaves are damaged, the modes may name different ones.
    Require(store.ok() == other.ok(), "what one mode can load, the others can");
    for (uint32_t place = 0; store.ok() && place < store->size(); ++place) {
      Require(store->leaf(place) == other->leaf(place), "all modes give the same leaves");
    }
  }
  // A damaged leaf does not prevent loading the others.
  for (uint32_t place = 0; place < std::min<uint32_t>(item.size(), 16); ++place) {
    const LoadOptions alone = {.places = std::vector<uint32_t>{place}};
    const absl::StatusOr<ParamStore> one = mapped.Load(item.name(), alone);
    for (size_t i = 1; i < readers.size(); ++i) {
      RequireSame(one.status(), readers[i].Load(item.name(), alone).status());
    }
    if (!one.ok()) {
      Require(!store.ok(), "if an item can be read, each of its leaves can be");
      RequireReadError(one.status());
    } else if (store.ok()) {
      Require(one->leaf(0) == store->leaf(place), "a leaf loaded alone is the same");
    }
    // A structure whose paths are too long to print can still be loaded by place.
    if (item.entry(place).value == nullptr) CheckRows(readers, item, place, one);
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
  std::vector<CheckpointReader> readers;
  absl::Status first;
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead, ReadMode::kDirect}) {
    const MemoryUse use;
    absl::StatusOr<CheckpointReader> reader = OpenBytes(bytes, mode);
    Require(mode == ReadMode::kMap || use.peak() < MostMemoryFor(bytes.size()),
            "memory is limited by the length of the file");
    if (mode == ReadMode::kMap) first = reader.status();
    RequireSame(first, reader.status());
    if (reader.ok()) readers.push_back(*std::move(reader));
  }
  if (!first.ok()) return RequireReadError(first);
  const CheckpointReader& mapped = readers[0];
  bool all = true;
  for (const std::string& name : mapped.items()) {
    all = CheckItem(readers, mapped.GetItem(name).value()) && all;
  }
  const absl::Status verified = mapped.Verify();
  for (const CheckpointReader& reader : readers) RequireSame(verified, reader.Verify());
  if (!verified.ok()) RequireReadError(verified);
  if (!all) return;
  const std::string saved = Saved(mapped);
  const absl::StatusOr<CheckpointReader> again = OpenBytes(saved, ReadMode::kMap);
  Require(again.ok() && again->Verify().ok(), "what was saved can be read");
  Require(Saved(*again) == saved, "saving again gives the same file");
}

void Run(const std::string& bytes) {
  CheckFile(bytes);
  CheckFile(Repaired(bytes));
}

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Run(leafstore::FileOf(std::string(reinterpret_cast<const char*>(data), size)));
  return 0;
}
