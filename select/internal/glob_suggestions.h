// GlobSuggestions: suggestions for a glob that matches nothing, for the end of an error message.
//
//   GlobSuggestions names = GlobSuggestions::Of(def);
//   names.DidYouMean(glob);   // for `**.bais`: "; no key is 'bais'; did you mean bias?"
//
// If a literal key of the glob does not exist, keys similar to it are suggested; otherwise, dotted
// names similar to the full glob.
//
// Bounds: the number and length of names are limited (suggest.h), regardless of the model's size.
#ifndef LEAFSTORE_SELECT_INTERNAL_GLOB_SUGGESTIONS_H_
#define LEAFSTORE_SELECT_INTERNAL_GLOB_SUGGESTIONS_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "leafstore/core/path.h"
#include "leafstore/select/internal/glob.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

class GlobSuggestions {
 public:
  // Returns the names of all nodes.
  static GlobSuggestions Of(const TreeDef& def);
  // Adds the names of a path.
  void Add(const Path& path);

  // Returns the end of a message, or "" if nothing is similar.
  std::string DidYouMean(const GlobPattern& glob) const;

 private:
  static constexpr size_t kMaxNames = 4096;

  void AddKey(const KeyRef& key);
  void AddDotted(const std::string& name);

  // Without indices: a missing index does not mean a misspelt name.
  std::set<std::string, std::less<>> keys_;
  std::vector<std::string> dotted_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_GLOB_SUGGESTIONS_H_
