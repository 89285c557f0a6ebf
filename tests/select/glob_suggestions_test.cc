#include "leafstore/select/internal/glob_suggestions.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "leafstore/treedef/treedef_builder.h"

#include "tests/store/sample_models.h"

namespace leafstore::internal {
namespace {

std::string Hint(const GlobSuggestions& names, const std::string& glob) {
  return names.DidYouMean(internal::GlobPattern::Parse(glob).value());
}

TEST(GlobSuggestionsTest, UnknownKey_GetsSimilarKeys) {
  const GlobSuggestions names = GlobSuggestions::Of(SampleModel().def);
  EXPECT_EQ(Hint(names, "**.bais"), "; no key is 'bais'; did you mean bias?");
  EXPECT_EQ(Hint(names, "layer.*.bias"), "; no key is 'layer'; did you mean layers?");
  EXPECT_EQ(Hint(names, "layers.7.transformer"), "") << "nothing is near";
}

TEST(GlobSuggestionsTest, KnownKeys_GetSimilarDottedNames) {
  const GlobSuggestions names = GlobSuggestions::Of(SampleModel().def);
  EXPECT_EQ(Hint(names, "layers.bias"), "; did you mean layers.0.bias or layers.1.bias?");
  EXPECT_EQ(Hint(names, "head.weight.head"), "; did you mean head.weight?");
}

TEST(GlobSuggestionsTest, AddedPaths_AreSuggested) {
  GlobSuggestions names;
  names.Add(Path().Item("encoder").Index(0).Item("w"));
  names.Add(Path().Item("norm"));
  EXPECT_EQ(Hint(names, "encodr.**"), "; no key is 'encodr'; did you mean encoder?");
  EXPECT_EQ(Hint(names, "encoder.w"), "; did you mean encoder.0.w?");
}

TEST(GlobSuggestionsTest, LongNames_AreSkipped) {
  TreeDefBuilder builder;
  const std::string key(1 << 16, 'k');
  for (int i = 0; i < 10'000; ++i) {
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item(key));
  }
  builder.Leaf();
  for (int i = 0; i < 10'000; ++i) builder.Close();
  const GlobSuggestions names = GlobSuggestions::Of(std::move(builder).Build().value());
  EXPECT_EQ(Hint(names, "kk"), "");
}

}  // namespace
}  // namespace leafstore::internal
