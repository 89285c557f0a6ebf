// Align: matches the leaves of one store with those of another.
//
//   Alignment where = Align(file, params, AlignBy::kDotted);
//   where[0];              // the place in `params` of the first leaf of `file`, or kNoPlace
//   where.Unexpected();    // places of `file` without a match in `params`
//   where.Missing();       // places of `params` without a match in `file`
//
// By path, a leaf of `from` matches the leaf of `to` with the same canonical path, or with an alias
// at that path. Aliases of `from` are not leaves and are ignored. By dotted form (path.h), a leaf
// without a match by path matches the only leaf with its dotted form: `['head.bias']` of a file
// matches `.head.bias` of a struct.
//
// Cost. If the Layouts are equal, leaves match by slot: O(1) each. Otherwise the two trees are
// walked side by side, from the root to the leaves requested: O(nodes above them * log children),
// without printing paths. Matching by text costs O(length) per leaf; it is needed if one Layout's
// paths do not form a tree, for `names`, and by dotted form.
//
// Threads: thread-safe.
#ifndef LEAFSTORE_STORE_ALIGN_H_
#define LEAFSTORE_STORE_ALIGN_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"

#include "leafstore/store/leaf_specs.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

enum class AlignBy : uint8_t { kPath, kDotted };

class Alignment {
 public:
  // A place of one side that could match two places of the other.
  struct Conflict {
    uint32_t place;
    uint32_t first;
    uint32_t second;
  };

  // Returns the place in `to` that `place` of `from` matches, or kNoPlace if none or ambiguous.
  uint32_t operator[](uint32_t place) const { return places_[place]; }
  absl::Span<const uint32_t> places() const { return places_; }
  std::vector<uint32_t> TakePlaces() && { return std::move(places_); }
  // Returns the inverse: by place of `to`, the first place of `from` that matches it, or kNoPlace.
  // O(leaves).
  std::vector<uint32_t> Sources() const;

  // Returns the places of `from` that match nothing and are not ambiguous, ascending. O(leaves).
  std::vector<uint32_t> Unexpected() const;
  // Returns the places of `to` that no leaf of `from` matches, ascending. O(leaves).
  std::vector<uint32_t> Missing() const;
  // Returns the places of `to` that two of `from` match, by an alias or by dotted form, ascending.
  // O(leaves); O(1) if the Layouts are equal, as none exist.
  std::vector<Conflict> Collisions() const;
  // Returns the places of `from` whose dotted form two leaves of `to` have, ascending.
  const std::vector<Conflict>& ambiguous() const { return ambiguous_; }

 private:
  friend Alignment Align(const LeafSpecs& from, const LeafSpecs& to, AlignBy by,
                         absl::Span<const std::string> names);

  std::vector<uint32_t> places_;
  std::vector<Conflict> ambiguous_;
  uint32_t to_size_ = 0;
  bool by_slot_ = false;  // so that collisions are impossible
};

// Matches the leaves of `from` with those of `to`. `names`, if not empty, has for each place of
// `from` the canonical path to match instead of the leaf's own (RenameMap creates these). By dotted
// form, leaves of `from` after the first 64 MiB of text match nothing, as a tree of few strings can
// have gigabytes of paths.
Alignment Align(const LeafSpecs& from, const LeafSpecs& to, AlignBy by = AlignBy::kPath,
                absl::Span<const std::string> names = {});

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_ALIGN_H_
