// Layout: the paths of a dictionary and their order, immutable and shared.
//
//   Layout layout = flat.params.layout();
//   layout.Find(".layers[0].weight");   // path to slot
//   layout.PathText(slot);              // slot to path
//
// A Layout is made from a TreeDef, whose leaves are its slots, or from paths alone (Create(paths)),
// for dictionaries that were filled by hand or come from a format without structure. Paths alone
// are sorted by Path's order, and def() makes containers from their keys: attributes make a struct,
// items a dict, indices 0..n-1 a list, other indices a dict with int keys.
//
// Identity. Layouts of the same TreeDef are equal, and equal structures share one TreeDef. Stores
// with equal Layouts (parameters, gradients, optimizer state, groups of them) are zipped and merged
// by position, without hashing strings. A Layout of paths alone equals only its copies.
//
// The index from text to slot is built by the first Find and kept while the TreeDef lives. A path
// through an alias resolves to the owner's slot.
//
// Threads: immutable, cheap to copy; all calls are thread-safe.
#ifndef LEAFSTORE_STORE_LAYOUT_H_
#define LEAFSTORE_STORE_LAYOUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/path.h"
#include "leafstore/store/slot_set.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

class Layout {
 public:
  // Creates a Layout without paths.
  Layout();
  explicit Layout(TreeDef def);
  // Creates a Layout from paths, in any order. error AlreadyExists: a path occurs twice. error
  // InvalidArgument: a key is not UTF-8. error ResourceExhausted: one text exceeds
  // Path::kMaxTextSize, or all together exceed 64 MiB + 256 bytes per path. O(n log n).
  static absl::StatusOr<Layout> Create(std::vector<Path> paths);

  // Returns the number of slots.
  uint32_t size() const;

  // Returns the slot of a canonical path, or nullopt. Expected O(length). If the structure has
  // aliases, a text that is not the path of a leaf is searched key by key.
  std::optional<Slot> Find(absl::string_view path_text) const {
    const Slot slot = SlotOf(path_text);
    return slot == kNoSlot ? std::nullopt : std::optional<Slot>(slot);
  }
  // Like Find, but returns kNoSlot instead of nullopt, which is measurably faster.
  Slot SlotOf(absl::string_view path_text) const;
  // Like Find, but returns an error. NotFound: no such leaf, with suggestions. InvalidArgument: the
  // text is not a path, or is the path of a container.
  absl::StatusOr<Slot> Get(absl::string_view path_text) const;
  // Returns the slot of a dotted form. error InvalidArgument: two nodes have it (names both), or it
  // is a container's. error NotFound: no node has it, with suggestions.
  absl::StatusOr<Slot> GetDotted(absl::string_view dotted) const;
  // Returns the slots of all leaves and aliases with a dotted form. For paths alone, an index is
  // made at the first call and kept.
  std::vector<Slot> SlotsOfDotted(absl::string_view dotted) const;

  // Returns the path of a slot, which must be less than size(), or its canonical or dotted text. A
  // text over Path::kMaxTextSize is shortened as for messages. O(length).
  Path PathOf(Slot slot) const;
  std::string PathText(Slot slot) const;
  std::string Dotted(Slot slot) const;
  // Returns the canonical text for messages: "(root)" for the root, and without its middle if long.
  // O(1).
  std::string PathForMessage(Slot slot) const;
  // Calls `visit` for each of these slots, in order, with its place and its text, which is valid
  // during the call. Prints each key once, so it is several times faster than calling PathText.
  // error ResourceExhausted: a text exceeds Path::kMaxTextSize, or all texts together exceed 64 MiB
  // plus 256 bytes per slot; the paths before it were visited. O(nodes + length of the text).
  absl::Status ForEachPath(
      const SlotSet& slots, PathForm form,
      absl::FunctionRef<void(uint32_t place, absl::string_view text)> visit) const;

  // Returns the structure. For paths alone, it is made from the keys at the first call and kept.
  // error InvalidArgument: the paths do not form a tree (one is a prefix of another, or the keys
  // below one path have different kinds); names both paths.
  absl::StatusOr<TreeDef> def() const;
  // Returns whether this Layout was made from a TreeDef.
  bool has_def() const { return loose_ == nullptr; }

  // Returns the TreeDef's hash, or for paths alone XXH3-64 of their texts. Equal Layouts have equal
  // fingerprints, as do Layouts made from the same paths alone, but not a Layout of a TreeDef and
  // one of its paths alone.
  uint64_t fingerprint() const;

  friend bool operator==(const Layout& a, const Layout& b) {
    return a.loose_ == b.loose_ && (a.loose_ != nullptr || a.def_ == b.def_);
  }

 private:
  struct Loose;
  Slot FindAgain(absl::string_view path_text) const;
  Slot FindByWalking(absl::string_view path_text) const;
  explicit Layout(std::shared_ptr<const Loose> loose) : loose_(std::move(loose)) {}

  TreeDef def_;                         // if loose_ is null
  std::shared_ptr<const Loose> loose_;  // paths alone
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_LAYOUT_H_
