// Reads safetensors: one file, or a set of shards with an index, as a dictionary of paths.
//
//   ParamStore all = LoadSafetensors("model.safetensors").value();
//
//   SafetensorsReader reader = SafetensorsReader::Open("model.safetensors").value();
//   for (uint32_t i = 0; i < reader.size(); ++i) reader.name(i), reader.entry(i);
//   Tensor bias = reader.LoadTensor("head.bias").value();
//   ParamStore params = reader.Load().value();                     // ['head']['bias'], ...
//   ParamStore norms = reader.Load({.filter = Glob("**.norm.**")}).value();
//   reader.LoadInto(&params, {.by = AlignBy::kDotted}).value();    // `head.bias` to .head.bias
//
//   SafetensorsReader::Open("llama/model.safetensors.index.json")  // or the directory "llama"
//
// Paths. A path is a file, an index, or a directory. A file is recognized as an index by its
// content, whatever its name. All shards of an index are opened and checked. Each tensor must be in
// the shard that the index names; tensors that the index does not list are not in the set. Shards
// are in the directory of the index, or below it. A directory means
//   1. its `model.safetensors.index.json`, or its only `*.safetensors.index*.json`;
//   2. its `model.safetensors`, or its only `*.safetensors`;
//   3. all its shards `<stem>-1-of-3.safetensors`, ..., read as a set although there is no index.
// A file is a shard if its name says so, or if an index in its directory lists it. A shard is never
// read as the complete model: it stands for its set, with or without an index. It is an error if
// the set lacks a shard, its index is damaged, or its directory cannot be listed (see `one_shard`).
// A name like `model-1-of-3`, without `.safetensors`, is error NotFound, as its set cannot be found.
// Where the name does not say so, only the index of the directory and those with the file's stem are
// read. Hidden files are ignored.
//
// Unusual files. A file that differs from the format or from common practice, but is unambiguous,
// is read, and notes() reports the differences: white space around a header, additional fields,
// metadata that is null, a wrong `total_size`, a shard with tensors that the index does not list,
// shards in a subdirectory, a set without an index, another model in the directory. With `strict`
// they are errors, reported after any damage. Damaged and ambiguous files (sizes that do not match,
// overlapping tensors, duplicate names) are always errors.
//
// Unreadable tensors, of an unknown dtype or a rank over kMaxRank, do not affect the others:
// unreadable() lists them. With `strict` they are errors of Open.
//
// Opening reads and checks only the headers. It reads no tensor and makes no paths.
//
// Indices. Tensors are in the order of their bytes, shard after shard by file name.
// Leaves have places, as in a ParamStore: GetLeaves() is the dictionary, made on first use.
//
// Structure. Files that SaveSafetensors wrote from a store with a TreeDef have it in their
// metadata, with static leaves, ties, tags and groups, and load on the same Layout. It is
// checked against the tensors. For other files paths are made from the names (names.h).
//
// Modes (io_options.h). kAuto (the default) chooses one of the others for each load. kMap returns
// views of the mapped file, which stays mapped while any of them exists. A tensor whose bytes are
// not aligned to its element size is copied (the format does not require alignment; files written
// by the reference or this library are aligned). kRead and kDirect read the bytes into new memory.
//
// safetensors has no checksums: damage inside a tensor is not detected, except bools other than 0
// and 1.
//
// Errors. NotFound: no such file, tensor or path (with suggestions), or a set lacks shards
// (ErrorReason::kIncomplete; names all of them). DataLoss: damaged, ambiguous (kAmbiguous), or with
// `strict` unusual (kUnusual); names the file and the tensor. InvalidArgument: a file in another
// format (kForeign; names the format and says what to do), or a directory with several models.
// Unimplemented: an unreadable tensor is requested, or found with `strict`. ResourceExhausted: a
// limit. Other errors: see FileSystem. All name the file.
//
// Threads: all calls are const and thread-safe. Copies share the open files.
#ifndef LEAFSTORE_INTEROP_SAFETENSORS_READER_H_
#define LEAFSTORE_INTEROP_SAFETENSORS_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/metadata.h"
#include "leafstore/core/tensor.h"
#include "leafstore/interop/names.h"
#include "leafstore/io/io_options.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// The longest header that the reference reads and writes, in bytes.
inline constexpr int64_t kMaxSafetensorsHeader = 100'000'000;
// The largest value of SafetensorsLeniency::max_header.
inline constexpr int64_t kMaxLenientSafetensorsHeader = (int64_t{1} << 32) - 4096;

// Each field allows one deviation that is an error otherwise. Files with duplicate names,
// overlapping tensors, or sizes that do not match are always errors.
struct SafetensorsLeniency {
  // Skips values of `__metadata__` that are not strings.
  bool metadata_values = false;
  // Allows bytes between tensors, or before the first, that belong to no tensor.
  bool holes = false;
  // Allows bytes after the last tensor.
  bool trailing_bytes = false;
  // The longest header, and the longest index, in bytes. Clamped to [0,
  // kMaxLenientSafetensorsHeader]; the parser cannot handle more.
  int64_t max_header = kMaxSafetensorsHeader;
};

struct SafetensorsReadOptions {
  IoOptions io = {};
  // How names become paths if the file has no structure.
  NameStyle names = NameStyle::kSplit;
  // Makes paths from names even if the file has a structure, which is ordinary metadata then.
  // Otherwise paths and static leaves come from it, and a damaged one is error DataLoss.
  bool ignore_structure = false;
  // Rejects everything that notes() would report, and unreadable tensors.
  bool strict = false;
  // Without a selection, Load() leaves out unreadable tensors, instead of returning error
  // Unimplemented.
  bool skip_unreadable = false;
  // Reads only the file, even if its name says that it is a shard.
  bool one_shard = false;
  SafetensorsLeniency lenient = {};
};

namespace internal {
class SafetensorsFile;
}  // namespace internal

// The tensors and static leaves of a file as a dictionary. Valid while a reader of the file exists.
class SafetensorsLeaves {
 public:
  const Layout& layout() const { return layout_; }
  // Returns the slots of the layout that are present.
  const SlotSet& slots() const { return slots_; }
  uint32_t size() const { return slots_.size(); }
  std::string PathText(uint32_t place) const { return layout_.PathText(slots_.SlotAt(place)); }
  // Returns the index of the tensor at `place`; nullopt for a static leaf. O(1).
  std::optional<uint32_t> tensor(uint32_t place) const {
    if (indices_[place] >= 0) return static_cast<uint32_t>(indices_[place]);
    return std::nullopt;
  }
  // Returns the entry of the leaf at `place`. O(1), or O(log shards).
  EntryInfo entry(uint32_t place) const;
  // Returns the named groups that were saved with the store.
  const std::optional<Grouping>& grouping() const { return grouping_; }

 private:
  friend class internal::SafetensorsFile;

  const internal::SafetensorsFile* file_ = nullptr;
  Layout layout_;
  SlotSet slots_;
  std::vector<int64_t> indices_;  // by place: index of the tensor, or -1 minus index of the value
  std::vector<Value> values_;
  std::optional<Grouping> grouping_;
};

class SafetensorsReader {
 public:
  // Opens a file, a set of shards or a directory. error: see above. O(headers).
  static absl::StatusOr<SafetensorsReader> Open(const std::string& path,
                                                const SafetensorsReadOptions& options = {});

  // References that a reader returns (names, shapes, metadata, GetLeaves()) are valid while a
  // reader of the file exists.

  // Returns the path that was passed to Open.
  const std::string& path() const&;
  const std::string& path() && = delete;  // would dangle; likewise below
  // Returns the file that was opened: for a directory or a shard, the index, or the only file; for
  // a set without an index, the directory.
  const std::string& file() const&;
  const std::string& file() && = delete;
  // Returns whether the reader opened a set of shards.
  bool is_set() const;
  // Returns the names of the shards, ascending, as in the index: relative to its directory.
  std::vector<std::string> shards() const;
  // Returns what is unusual about the file or the set, a line for each kind: where it is, what was
  // expected, and what was found. Notes of a set name the file. Empty for most files.
  const std::vector<std::string>& notes() const&;
  const std::vector<std::string>& notes() && = delete;
  // Returns the total size of all files, excluding the index.
  int64_t file_size() const;

  // Returns the number of tensors.
  uint32_t size() const;
  // Return the name and the entry of the tensor with this index, which must be less than size().
  // O(1), or O(log shards).
  absl::string_view name(uint32_t tensor) const&;
  absl::string_view name(uint32_t tensor) && = delete;
  // EntryInfo::base of a set is the index of the shard plus 1.
  EntryInfo entry(uint32_t tensor) const&;
  EntryInfo entry(uint32_t tensor) && = delete;
  // Returns the index of a tensor. error NotFound, with suggestions; error Unimplemented: it is
  // unreadable. O(length), expected; the first call builds an index.
  absl::StatusOr<uint32_t> GetIndex(absl::string_view name) const;

  // Returns the metadata, without the structure if that is used; nullopt if no file has any. For a
  // set, the metadata of all shards combined (if two differ in a key, the first shard by name
  // wins).
  const std::optional<Metadata>& metadata() const&;
  const std::optional<Metadata>& metadata() && = delete;
  // Returns the unreadable tensors, shard after shard, in the order of their bytes.
  std::vector<UnreadableLeaf> unreadable() const;
  // Returns the tensors in the shards that the index does not list; they are not read.
  std::vector<UnreadableLeaf> unlisted() const;
  // Returns whether the file has a structure that is used.
  bool has_structure() const;
  // Returns how names and paths correspond: according to the structure, or to the options.
  NameStyle name_style() const;

  // Loads one tensor. error DataLoss: a bool that is neither 0 nor 1. error InvalidArgument: the
  // index is out of range. O(1), or O(bytes) if it is read, copied or bool.
  absl::StatusOr<Tensor> LoadTensor(uint32_t tensor) const;
  absl::StatusOr<Tensor> LoadTensor(absl::string_view name) const;

  // Returns the dictionary, which the first call creates; an error is not cached. error
  // InvalidArgument: with NameStyle::kCanonical, a name is not a canonical path. error
  // ResourceExhausted: as Layout::Create.
  absl::StatusOr<const SafetensorsLeaves*> GetLeaves() const&;
  absl::StatusOr<const SafetensorsLeaves*> GetLeaves() && = delete;
  // Returns the structure. error InvalidArgument: one path is a prefix of another; names both.
  absl::StatusOr<TreeDef> GetDef() const;

  // Loads all leaves, or those that `options` select among the readable ones. error: as GetLeaves
  // and LoadTensor; see LoadOptions; Unimplemented: all are requested, and one is unreadable (see
  // SafetensorsReadOptions::skip_unreadable). O(leaves), and O(bytes) if they are read.
  absl::StatusOr<ParamStore> Load(const LoadOptions& options = {}) const;
  // Loads the leaf at a canonical path. error NotFound, with suggestions; InvalidArgument: not a
  // path.
  absl::StatusOr<Leaf> LoadLeaf(absl::string_view path) const;
  // Compiles a grouping of the leaves. Reads no tensor, unless a filter is a Callable, which may
  // read bytes. error: Grouping::Compile's; InvalidArgument as GetDef().
  absl::StatusOr<Grouping> CompileGrouping(std::vector<NamedFilter> filters,
                                           const GroupingOptions& options = {}) const;

  // Replaces leaves of a store with those of the file (load_into.h). With AlignBy::kDotted, the
  // names in a PyTorch state dict match the fields of a struct. error: as GetLeaves, LoadInto and
  // LoadTensor.
  absl::StatusOr<RestoreReport> LoadInto(ParamStore* store,
                                         const RestoreOptions& options = {}) const;

  // Returns whether the file (or each shard) has exactly the bytes that the writer would write: in
  // its order, without white space, holes or other bytes. O(headers). error: the file system's.
  absl::StatusOr<bool> IsCanonical() const;

  // Reads every tensor and checks everything that can be checked. O(bytes).
  absl::Status Verify() const;

 private:
  explicit SafetensorsReader(std::shared_ptr<const internal::SafetensorsFile> file)
      : file_(std::move(file)) {}

  std::shared_ptr<const internal::SafetensorsFile> file_;
};

// Loads all leaves of a file or a set. error: as SafetensorsReader::Open and Load.
absl::StatusOr<ParamStore> LoadSafetensors(const std::string& path,
                                           const SafetensorsReadOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_READER_H_
