// EntryInfo: a leaf's entry in a file. LoadOptions: selects the leaves to load. The readers of all
// formats share them.
//
//   reader.Load("params", {.filter = Glob("**.norm.**")})     // the leaves that a filter matches
//   reader.Load("params", {.subtree = ".layers[0]"})          // those below a node
//   reader.Load("params", {.places = std::vector<uint32_t>{0, 3}})               // at these places
//
// Only the selected leaves are read and verified.
#ifndef LEAFSTORE_CHECKPOINT_LOAD_OPTIONS_H_
#define LEAFSTORE_CHECKPOINT_LOAD_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"

#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/value.h"
#include "leafstore/select/filter.h"

namespace leafstore {

// The entry of one leaf in a file. A format that does not have a field leaves it at its default.
struct EntryInfo {
  LeafSpec spec;                 // valid while a reader of the file lives
  const Value* value = nullptr;  // of a static leaf; null for a tensor, which has the fields below
  int64_t stored_size = 0;       // in bytes
  int64_t offset = 0;            // of the first stored byte in its file; 0 if there are none
  uint64_t checksum = 0;         // XXH3-64 of the stored bytes
  uint8_t codec = 0;             // 0: stored unchanged
  uint32_t base = 0;             // 0: in this file; n: in the nth other file, counted from 1
  // XXH3-64 of each block of 1 MiB of the stored bytes; empty if there is only one block, or if the
  // file does not have them (docs/format.md, version 3). Valid while a reader of the file lives.
  absl::Span<const uint64_t> block_checksums = {};
};

// A range of rows of a tensor, along its first axis: from `begin` up to but not including `end`.
struct RowRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// At most one of these may be set. By default, all leaves are loaded.
struct LoadOptions {
  // Loads the leaves that this filter selects, as the first group of a Partition, on the Layout of
  // the complete item. Errors: those of CompileGrouping. O(nodes).
  std::optional<Filter> filter = {};
  // Loads the leaves below the node at this canonical path, on the Layout of TreeDef::Subtree, in
  // which their paths begin at the node. error NotFound, InvalidArgument: no such path; or the
  // paths are not those of a tree. O(nodes of the subtree).
  std::optional<std::string> subtree = {};
  // Loads the leaves at these places, strictly ascending, as a group. error InvalidArgument: they
  // are not ascending, or one is not below the leaf count. O(places).
  std::optional<std::vector<uint32_t>> places = {};
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_LOAD_OPTIONS_H_
