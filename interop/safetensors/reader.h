// Reading safetensors: one file, or a set of shards with an index, as a dictionary of paths.
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
//   SafetensorsReader::Open("llama/model.safetensors.index.json")  // or the folder "llama"
//
// What is opened. A path that ends in `.json` is an index: every shard that it names is opened and
// checked, and index and shards must agree on which tensor is where. A directory stands for the
// `model.safetensors.index.json` in it, or else for its `model.safetensors`. Anything else is one
// file. Shards lie beside the index; a name with a directory in it is refused.
//
// Opening reads and checks headers alone (safetensors_header.h); no tensor is touched, and nothing
// is made for a path.
//
// Numbers. Tensors are numbered in the order of their bytes, shard after shard by name of file.
// Leaves have places, as in a ParamStore: GetLeaves() is the dictionary, made at first need.
//
// Structure. Files that SaveSafetensors wrote of a TreeDef have it in their metadata
// (safetensors_structure.h), with static leaves, ties, tags and labels, and come back on the same
// Layout. All that it says is checked against the tensors. Of other files paths are made from the
// names (names.h).
//
// Modes. As CheckpointReader's: kMap (the default) gives views of the mapped file, which stays
// mapped as long as one of them lives; a tensor whose bytes do not begin at a multiple of its
// element's size is copied (the format asks for no alignment; a file that the reference or this
// library wrote never needs it). kRead gives tensors of their own, by plain reads.
//
// safetensors has no checksums: what is damaged inside a tensor is not noticed, save bools other
// than 0 and 1.
//
// Errors. NotFound: no such file, shard, tensor or path (with near names). DataLoss: damaged, or no
// safetensors; names the file and the tensor. Unimplemented: an unknown dtype. ResourceExhausted: a
// limit. Others as FileSystem's. All name the file.
//
// Threads: all calls are const and safe from many threads. Copies share the open files.
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
#include "absl/types/span.h"

#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/tensor.h"
#include "leafstore/interop/names.h"
#include "leafstore/interop/safetensors/header.h"
#include "leafstore/io/io_options.h"
#include "leafstore/select/filter.h"
#include "leafstore/select/labels.h"
#include "leafstore/select/load_into.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// What is done with the structure that a file's metadata may hold.
enum class StructureUse : uint8_t {
  kUse,     // paths and static leaves are its; one that is damaged is error DataLoss
  kIgnore,  // paths are made from names, and the structure is metadata like any other
};

struct SafetensorsReadOptions {
  IoOptions io = {};
  // How names become paths, where the file has no structure.
  NameStyle names = NameStyle::kSplit;
  StructureUse structure = StructureUse::kUse;
  SafetensorsLeniency lenient = {};
  // Of a set: `total_size` in the index may be anything that is JSON (an integer: of 64 bits), a
  // string or null too, but not there twice. (Some published ones count tied tensors twice.)
  bool any_total_size = false;
};

// What a header says of one tensor.
struct SafetensorsInfo {
  LeafSpec spec;       // valid while a reader of the file lives
  int64_t offset = 0;  // of its first byte, in the file of its shard
  uint32_t shard = 0;
};

// One file of a set, or the only one.
struct SafetensorsShard {
  std::string name;  // without a directory
  int64_t file_size = 0;
  uint32_t first_tensor = 0;
  uint32_t tensors = 0;
  std::optional<Metadata> metadata;  // as the file has it, the structure included
};

// The tensors and static leaves of a file as a dictionary. Valid while a reader of the file lives.
class SafetensorsLeaves {
 public:
  const Layout& layout() const { return layout_; }
  // The slots of the layout that are here.
  const SlotSet& slots() const { return slots_; }
  uint32_t size() const { return slots_.size(); }
  std::string PathText(uint32_t place) const { return layout_.PathText(slots_.SlotAt(place)); }
  // The number of the tensor at `place`; no value for a static leaf. O(1).
  std::optional<uint32_t> tensor(uint32_t place) const {
    if (numbers_[place] >= 0) return static_cast<uint32_t>(numbers_[place]);
    return std::nullopt;
  }
  // The static leaf at `place`; null for a tensor. O(1).
  const Value* value(uint32_t place) const {
    return numbers_[place] >= 0 ? nullptr : &values_[static_cast<size_t>(-1 - numbers_[place])];
  }
  // Named groups that were saved along.
  const std::optional<Labels>& labels() const { return labels_; }

 private:
  friend class SafetensorsFile;

  Layout layout_;
  SlotSet slots_;
  std::vector<int64_t> numbers_;  // by place: of the tensor, or -1 minus that of the value
  std::vector<Value> values_;
  std::optional<Labels> labels_;
};

class SafetensorsFile;  // safetensors_file.h

class SafetensorsReader {
 public:
  // error: see above. O(headers).
  static absl::StatusOr<SafetensorsReader> Open(const std::string& path,
                                                const SafetensorsReadOptions& options = {});

  // What is asked of a reader and is no value of its own (names, shapes, metadata, GetLeaves()) is
  // valid while a reader of the file lives.

  // As it was given.
  const std::string& path() const&;
  const std::string& path() && = delete;  // would dangle; and so on
  // Whether it is a set with an index.
  bool is_set() const;
  // In order of name.
  absl::Span<const SafetensorsShard> shards() const&;
  absl::Span<const SafetensorsShard> shards() && = delete;
  // Of all files together, without the index.
  int64_t file_size() const;

  // Number of tensors.
  uint32_t size() const;
  // Of the tensor with this number, which must be less than size(). O(1), or O(log shards).
  absl::string_view name(uint32_t tensor) const&;
  absl::string_view name(uint32_t tensor) && = delete;
  SafetensorsInfo entry(uint32_t tensor) const&;
  SafetensorsInfo entry(uint32_t tensor) && = delete;
  // Bytes of all tensors.
  int64_t tensor_bytes() const;
  // Returns the index of a tensor. error NotFound, with suggestions. O(length), expected; an index is made
  // at the first call.
  absl::StatusOr<uint32_t> GetIndex(absl::string_view name) const;

  // The metadata, without the structure where that is used. Of a set that of all shards together
  // (where two differ in a key, the first by name wins; see shards()). No value where no file has
  // any.
  const std::optional<Metadata>& metadata() const&;
  const std::optional<Metadata>& metadata() && = delete;
  // Names of tensors that were left out (SafetensorsLeniency::unknown_dtypes).
  std::vector<std::string> left_out() const;
  // Whether the file has a structure, and it is used.
  bool has_structure() const;
  // How names and paths belong together: as the structure says, or as the options do.
  NameStyle name_style() const;

  // One tensor. error DataLoss: a bool that is neither 0 nor 1. error InvalidArgument: no tensor
  // has this number. O(1), or O(bytes) where it is read, copied or bool.
  absl::StatusOr<Tensor> LoadTensor(uint32_t tensor) const;
  absl::StatusOr<Tensor> LoadTensor(absl::string_view name) const;

  // The dictionary. Made at the first call and kept; an error is not. error InvalidArgument: with
  // NameStyle::kCanonical a name is no canonical text. error ResourceExhausted: as Layout::Create.
  absl::StatusOr<const SafetensorsLeaves*> GetLeaves() const&;
  absl::StatusOr<const SafetensorsLeaves*> GetLeaves() && = delete;
  // Its structure. error InvalidArgument: one path is the beginning of another; names both.
  absl::StatusOr<TreeDef> GetDef() const;

  // Loads all leaves, or those that `options` choose. error: as GetLeaves and LoadTensor; see
  // LoadOptions. O(leaves), and O(bytes) where they are read.
  absl::StatusOr<ParamStore> Load(const LoadOptions& options = {}) const;
  // Loads the leaf at a canonical path. error NotFound, with suggestions; InvalidArgument: not a
  // path.
  absl::StatusOr<Leaf> LoadLeaf(absl::string_view path) const;
  // The plan of a partition. No tensor is read, unless a Callable may look at bytes. error:
  // PartitionPlan::Compile's; InvalidArgument as GetDef().
  absl::StatusOr<PartitionPlan> CompilePlan(std::vector<Filter> filters,
                                            const PartitionOptions& options = {}) const;

  // Replaces leaves of a store by those of the file (load_into.h). Names of PyTorch's state dict
  // find the members of a struct by AlignBy::kDotted. error: as leaves(), LoadInto and LoadTensor.
  absl::StatusOr<RestoreReport> LoadInto(ParamStore* store,
                                         const RestoreOptions& options = {}) const;

  // Whether the file (of a set: each shard) is byte for byte what the writer would make of it: in
  // its order, without white space, holes or other bytes. O(headers). error: the file system's.
  absl::StatusOr<bool> IsCanonical() const;

  // Reads every tensor and checks all that can be checked. O(bytes).
  absl::Status Verify() const;

 private:
  explicit SafetensorsReader(std::shared_ptr<const SafetensorsFile> file)
      : file_(std::move(file)) {}

  std::shared_ptr<const SafetensorsFile> file_;
};

// Loads all leaves of a file or a set. error: as SafetensorsReader::Open and Load.
absl::StatusOr<ParamStore> LoadSafetensors(const std::string& path,
                                           const SafetensorsReadOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_SAFETENSORS_READER_H_
