// Suggestions for a glob that matches nothing, for the end of an error message. For the library
// alone.
//
//   GlobSuggestions names = GlobSuggestions::Of(def);
//   names.DidYouMean(glob);   // of `**.bais`: "; no key is 'bais'; did you mean bias?"
//
// A key that the glob names in full and that is nowhere is what is wrong with it; where all its
// keys are somewhere, the dotted names that are near to the whole of it are suggested.
//
// Bounds: so many names, and of so many bytes, as are worth a look (suggest.h), whatever the
// model is.
#ifndef LEAFSTORE_SELECT_INTERNAL_GLOB_SUGGESTIONS_H_
#define LEAFSTORE_SELECT_INTERNAL_GLOB_SUGGESTIONS_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/path.h"
#include "leafstore/select/glob.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class GlobSuggestions {
 public:
  // Returns the names of all nodes.
  static GlobSuggestions Of(const TreeDef& def);
  // Those of a path as well.
  void Add(const Path& path);

  // Empty where nothing is near.
  std::string DidYouMean(const GlobPattern& glob) const;

 private:
  static constexpr size_t kMostNames = 4096;

  void AddKey(const KeyRef& key);
  void AddDotted(const std::string& name);
  bool IsKnown(absl::string_view key) const;

  // No indices: that one of them is missing says nothing of the name.
  absl::flat_hash_set<std::string> keys_;
  std::vector<std::string> dotted_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_GLOB_SUGGESTIONS_H_
