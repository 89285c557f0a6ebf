#include "leafstore/select/rename_map.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/treedef_builder.h"

#include "tests/core/random_keys.h"
#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

using Rules = std::vector<RenameRule>;

// Returns the new paths of `texts`, in their order.
absl::StatusOr<std::vector<RenamedPath>> Applied(const Rules& rules,
                                                 const std::vector<std::string>& texts,
                                                 bool allow_unused_rules = false) {
  std::vector<Path> paths;
  for (const std::string& text : texts) paths.push_back(PathFrom(text));
  const Layout layout = Layout::Create(paths).value();
  const auto by_slot = RenameMap::Create(rules).value().Apply(layout, allow_unused_rules);
  if (!by_slot.ok()) return by_slot.status();
  std::vector<RenamedPath> renamed;
  for (const std::string& text : texts) renamed.push_back((*by_slot)[layout.SlotOf(text)]);
  return renamed;
}

std::vector<std::string> Renamed(const Rules& rules, const std::vector<std::string>& texts) {
  const std::vector<RenamedPath> paths = Applied(rules, texts).value();
  std::vector<std::string> to;
  for (const RenamedPath& path : paths) to.push_back(path.to);
  return to;
}

// Returns the new path of a single path.
std::string One(const std::string& pattern, const std::string& replacement,
                const std::string& text) {
  return Renamed({{pattern, replacement}}, {text})[0];
}

TEST(RenameMapTest, NoRules_KeepEveryPath) {
  const std::vector<RenamedPath> paths = RenameMap().Apply(SampleParams().layout()).value();
  ASSERT_EQ(paths.size(), 8u);
  EXPECT_EQ(paths[1].from, ".head.bias");
  EXPECT_EQ(paths[1].to, ".head.bias");
  EXPECT_EQ(paths[1].rule, std::nullopt);
}

TEST(RenameMapTest, Create_AcceptsRulesInBraces) {
  EXPECT_EQ(RenameMap::Create({{"a", "b"}})->rules().size(), 1u);
  EXPECT_EQ(RenameMap::Create({{"a.*", "b.*"}, {"c", "d"}})->rules()[1].replacement, "d");
  EXPECT_TRUE(RenameMap::Create({})->rules().empty());
}

TEST(RenameMapTest, RepeatedWildcards_KeepTheirOrder) {
  EXPECT_EQ(One("encoder.*.w", "body.*.weight", ".encoder[0].w"), ".body[0].weight");
  EXPECT_EQ(One("module.**", "**", ".module.a[1].b"), ".a[1].b");
  EXPECT_EQ(One("**", "model.**", ".a.b"), ".model.a.b");
  EXPECT_EQ(One("**.gamma", "**.scale", ".a.b.gamma"), ".a.b.scale");
  EXPECT_EQ(One("**.gamma", "**.scale", ".gamma"), ".scale");
  EXPECT_EQ(One("block_?.*_w", "layer?.weight_*", ".block_1.q_w"), ".layer1.weight_q");
  EXPECT_EQ(One("a.b", "c", ".a.b"), ".c");
}

TEST(RenameMapTest, IndexedWildcards_MayBeReordered) {
  EXPECT_EQ(One("*.*.w", "{2}.{1}.weight", ".a.b.w"), ".b.a.weight");
  EXPECT_EQ(One("**.l_?.*", "{1}.layer{2}.{3}", ".net.l_7.w"), ".net.layer7.w");
  EXPECT_EQ(One("*.w", "{1}.{1}_w", ".a.w"), ".a.a_w");
  EXPECT_EQ(One("*.w.*", "w.{2}", ".a.w.b"), ".w.b");
}

TEST(RenameMapTest, Wildcards_MayBeOmitted) {
  EXPECT_EQ(One("**.lm_head.w", "head.weight", ".model.decoder.lm_head.w"), ".head.weight");
}

TEST(RenameMapTest, Backslash_MakesTheNextCharacterLiteral) {
  EXPECT_EQ(One(R"(a\.b)", R"(c\.d)", ".'a.b'"), ".'c.d'");
  EXPECT_EQ(One(R"(\*)", R"(\{1\}\*\\)", "['*']"), R"(['{1}*\\'])");
}

// ---- kinds of keys ----

TEST(RenameMapTest, CapturedKeys_KeepTheirKind) {
  EXPECT_EQ(One("x.*.*.*", "y.*.*.*", ".x['a b'][3].c"), ".y['a b'][3].c");
  EXPECT_EQ(One("x.**", "**", ".x['0'][0]"), "['0'][0]");
}

TEST(RenameMapTest, IntegerKey_IsAnIndex) {
  EXPECT_EQ(One("layer_*.w", "layers.*.w", ".layer_3.w"), ".layers[3].w");
  EXPECT_EQ(One("layers.*.w", "layer_{1}.w", ".layers[3].w"), ".layer_3.w");
  EXPECT_EQ(One("layer_*.w", "layers.*.w", "['layer_-3']['w']"), "['layers'][-3]['w']");
  EXPECT_EQ(One("layer_*.w", "layers.*.w", ".layer_03.w"), ".layers.'03'.w") << "no integer";
  EXPECT_EQ(One("a.0", "a.1", "['a']['0']"), "['a']['1']") << "where it was none";
  EXPECT_EQ(One("a.0", "a.1", "['a'][0]"), "['a'][1]");
}

TEST(RenameMapTest, NewName_HasTheKindOfTheOldOne) {
  EXPECT_EQ(One("encoder.*.w", "body.*.weight", "['encoder'][0]['w']"), "['body'][0]['weight']");
  EXPECT_EQ(One("params.a.w", "params.b.v", ".params['a'].w"), ".params['b'].v");
  EXPECT_EQ(One("layers.*.w", "model.layers.*.w", "['layers'][0]['w']"),
            "['model']['layers'][0]['w']");
  EXPECT_EQ(One("*", "a.b", "[0]"), ".a.b") << "where there was none";
}

// ---- which rule ----

TEST(RenameMapTest, FirstMatchingRule_Applies) {
  const std::vector<RenamedPath> paths =
      Applied({{"a.w", "first"}, {"a.*", "second.*"}, {"**.b", "**.third"}},
              {".a.w", ".a.b", ".c.b", ".d"})
          .value();
  std::vector<std::string> to;
  for (const RenamedPath& path : paths) to.push_back(path.to);
  EXPECT_THAT(to, ElementsAre(".first", ".second.b", ".c.third", ".d"));
  EXPECT_EQ(paths[0].rule, 0u);
  EXPECT_EQ(paths[1].rule, 1u);
  EXPECT_EQ(paths[2].rule, 2u);
  EXPECT_EQ(paths[3].rule, std::nullopt);
}

TEST(RenameMapTest, Leaves_AreRenamedAtOnce) {
  EXPECT_THAT(Renamed({{"a", "b"}, {"b", "a"}}, {".a", ".b"}), ElementsAre(".b", ".a"));
  EXPECT_THAT(Renamed({{"a", "b"}, {"b", "c"}}, {".a", ".b"}), ElementsAre(".b", ".c"));
}

TEST(RenameMapTest, RuleThatMatchesAContainer_IsUnused) {
  EXPECT_THAT(
      Applied({{"head", "neck"}}, {".a", ".head.w"}),
      StatusIs(kInvalid, HasSubstr("rename 0 ('head' -> 'neck') matches no leaf, but a node "
                                   "above '.head.w'; to rename all leaves below it, end both "
                                   "with `.**`")));
}

TEST(RenameMapTest, Apply_RenamesSomeSlotsOfALayout) {
  const Layout layout = SampleParams().layout();
  const RenameMap map = RenameMap::Create(Rules{{"head.*", "neck.*"}}).value();
  const std::vector<RenamedPath> all = map.Apply(layout).value();
  ASSERT_EQ(all.size(), 8u);
  EXPECT_EQ(all[1].to, ".neck.bias");
  EXPECT_EQ(all[0].to, ".activation");
  const std::vector<RenamedPath> some =
      map.Apply(LeafSpecs(layout, SlotSet::Create(8, {2, 7}).value())).value();
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[0].from, ".head.weight");
  EXPECT_EQ(some[0].to, ".neck.weight");
  EXPECT_EQ(some[1].to, ".steps");
  EXPECT_EQ(map.rules()[0].pattern, "head.*");
}

TEST(RenameMapTest, Aliases_AreNotRenamed) {
  const std::vector<RenamedPath> paths = RenameMap::Create(Rules{{"embedding.**", "table.**"}})
                                             .value()
                                             .Apply(TiedParams().layout())
                                             .value();
  ASSERT_EQ(paths.size(), 2u);
  EXPECT_EQ(paths[0].to, ".table.table");
  EXPECT_EQ(paths[1].to, ".scale");
}

// ---- errors ----

TEST(RenameMapTest, TwoLeavesWithOneNewPath_AreAnError) {
  EXPECT_THAT(Applied({{"*.w", "w"}}, {".a.w", ".b.w", ".c"}),
              StatusIs(kInvalid,
                       "renames: expected a different new path for each leaf:\n"
                       "  '.a.w' (by rename 0) and '.b.w' (by rename 0) would both be '.w'"));
  EXPECT_THAT(Applied({{"a", "b"}}, {".a", ".b"}),
              StatusIs(kInvalid, HasSubstr("'.a' (by rename 0) and '.b' (unchanged) would both be "
                                           "'.b'")));
  std::vector<std::string> many;
  for (int i = 0; i < 20; ++i) many.push_back(absl::StrCat("[", i, "]"));
  EXPECT_THAT(Applied({{"*", "x"}}, many),
              StatusIs(kInvalid, AllOf(HasSubstr("'[10]' (by rename 0) would both be '.x'"),
                                       EndsWith("\n  and 9 more"))));
}

TEST(RenameMapTest, UnusedRule_IsAnErrorUnlessAllowed) {
  const Rules rules = {{"encodr.**", "body.**"}, {"**", "**"}, {"encoder.*", "x.*"}};
  EXPECT_THAT(
      Applied(rules, {".encoder.w"}),
      StatusIs(kInvalid,
               "renames: expected every rule to rename a leaf, found 2 unused:\n"
               "  rename 0 ('encodr.**' -> 'body.**') matches no leaf; no key is 'encodr'; did you "
               "mean encoder?\n"
               "  rename 2 ('encoder.*' -> 'x.*') matches '.encoder.w', which is renamed by "
               "rename 1 before"));
  EXPECT_EQ(Applied(rules, {".encoder.w"}, /*allow_unused_rules=*/true)->at(0).to, ".encoder.w");
  EXPECT_THAT(Applied(Rules(12, {"a", "b"}), {}),
              StatusIs(kInvalid, AllOf(HasSubstr("found 12 unused"), EndsWith("and 2 more"))));
}

TEST(RenameMapTest, EmptyNewKey_IsAnError) {
  EXPECT_THAT(Applied({{"w*.a", "*.a"}}, {".w.a"}),
              StatusIs(kInvalid,
                       "rename 0 ('w*.a' -> '*.a'), of '.w.a': key 0 of the new path would be "
                       "empty"));
}

TEST(RenameMapTest, BadRule_NamesTheColumn) {
  const struct {
    const char* pattern;
    const char* replacement;
    const char* words;
  } kCases[] = {
      {"a..b", "c", "glob 'a..b', column 3: expected a key, found an empty one"},
      {"", "c", "glob '', column 1: expected a key, found no pattern"},
      {"a{b,c}", "c", "glob 'a{b,c}', column 2: found a brace"},
      {"a\xff", "c", "pattern, column 2: expected UTF-8, found byte 0xff"},
      {"a", "", "replacement '', column 1: expected a key, found no replacement"},
      {"a", "b\xff", "replacement, column 2: expected UTF-8, found byte 0xff"},
      {"a", "b..c", "replacement 'b..c', column 3: expected a key, found an empty one"},
      {"a", ".b", "column 1: expected a key, found an empty one"},
      {"a", "b.", "column 3: expected a key, found the end"},
      {"a", "b[0]", "column 2: found a bracket; expected the dotted form"},
      {"a", "b\\", "column 2: expected a character after the backslash, found the end"},
      {"a", "b}", "column 2: found a brace; expected the index of a wildcard in two, as {1}"},
      {"*", "b{", "column 2: expected the index of one of the pattern's 1 wildcards in braces"},
      {"*", "{}", "column 1: expected the index of one of"},
      {"*", "{0}", "column 1: expected the index of one of"},
      {"*", "a.{2}", "column 3: expected the index of one of"},
      {"*", "{-1}", "column 1: expected the index of one of"},
      {"*", "{99999999999999999999}", "column 1: expected the index of one of"},
      {"a", "*", "column 1: expected no more than the pattern's 0 wildcards, found `*`"},
      {"*.*", "*.b",
       "column 4: expected all 2 wildcards of the pattern, found 1; to omit one, refer to "
       "them as {1}"},
      {"*.**", "**.*",
       "column 1: expected the pattern's wildcards in their order, here `*`, found `**`; for "
       "another order, refer to them as {1}"},
      {"a?", "b*",
       "column 2: expected the pattern's wildcards in their order, here `?`, found `*`"},
      {"*.*", "{1}.*", "column 5: expected wildcards or their indices, found both"},
      {"*.*", "*.{2}", "column 3: expected wildcards or their indices, found both"},
      {"**", "a**", "column 1: expected `**`, or its index, alone between dots"},
      {"**.*", "x.a{1}", "column 3: expected `**`, or its index, alone between dots"},
  };
  for (const auto& c : kCases) {
    const Rules rules = {{"fine", "too"}, {c.pattern, c.replacement}};
    EXPECT_THAT(RenameMap::Create(rules),
                StatusIs(kInvalid, AllOf(HasSubstr("rename 1: "), HasSubstr(c.words))))
        << c.pattern << " -> " << c.replacement;
  }
}

// ---- bounds ----

TEST(RenameMapTest, TooManyOrTooLongRules_AreAnError) {
  EXPECT_THAT(RenameMap::Create(Rules(10'001, {"a", "b"})),
              StatusIs(kExhausted, "renames: expected at most 10000 rules, found 10001"));
  EXPECT_THAT(RenameMap::Create(Rules{{"a", "b"}, {"a", std::string(4097, 'b')}}),
              StatusIs(kExhausted, "rename 1: expected at most 4096 bytes, found 4097"));
  EXPECT_THAT(RenameMap::Create(Rules{{std::string(4096, 'a'), std::string(4096, 'b')}}), IsOk());
}

TEST(RenameMapTest, TooLongNewPaths_AreAnError) {
  std::string replacement;
  for (int i = 0; i < 1000; ++i) replacement += "{1}";
  const Layout layout = Layout::Create({Path().Item(std::string(1 << 20, 'k'))}).value();
  EXPECT_THAT(RenameMap::Create(Rules{{"*", replacement}}).value().Apply(layout),
              StatusIs(kExhausted, EndsWith("': the new paths are too long")));
  EXPECT_THAT(RenameMap::Create(Rules{{"*", replacement.substr(0, 60)}}).value().Apply(layout),
              StatusIs(kExhausted, EndsWith("expected a path of at most 16777216 bytes, found a "
                                            "longer one")));
}

TEST(RenameMapTest, StructureWithTooMuchText_IsAnError) {
  TreeDefBuilder builder;
  const std::string key(1 << 20, 'k');
  for (int i = 0; i < 100; ++i) {
    builder.Open(NodeKind::kDict);
    builder.SetKey(KeyRef::Item(key));
  }
  builder.Leaf();
  for (int i = 0; i < 100; ++i) builder.Close();
  const Layout layout(std::move(builder).Build().value());
  EXPECT_EQ(RenameMap().Apply(layout).status().code(), kExhausted);
}

TEST(RenameMapTest, HostilePatterns_Terminate) {
  std::string pattern, segments;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  for (int i = 0; i < 30; ++i) segments += "**.a.";
  Path deep;
  for (int i = 0; i < 20'000; ++i) deep.Attribute("a");
  const Layout layout = Layout::Create({deep, Path().Item(std::string(100'000, 'a'))}).value();
  EXPECT_THAT(RenameMap::Create(Rules{{pattern + "b", "x"}, {segments + "b", "x"}})
                  .value()
                  .Apply(layout, /*allow_unused_rules=*/true),
              IsOk());
}

// ---- against rules written down naively ----

// Returns the keys of `path` that each wildcard of `pattern` matches. The pattern is dotted, of
// letters, `*` and `**`.
bool NaiveMatch(absl::Span<const std::string> pattern, absl::Span<const Key> keys,
                std::vector<std::vector<Key>>* captures) {
  if (pattern.empty()) return keys.empty();
  if (pattern[0] == "**") {
    for (size_t size = 0; size <= keys.size(); ++size) {  // as little as it can
      captures->push_back({keys.begin(), keys.begin() + static_cast<ptrdiff_t>(size)});
      const size_t before = captures->size();
      if (NaiveMatch(pattern.subspan(1), keys.subspan(size), captures)) return true;
      captures->resize(before - 1);
    }
    return false;
  }
  if (keys.empty() || (pattern[0] != "*" && pattern[0] != keys[0].name())) return false;
  const size_t before = captures->size();
  if (pattern[0] == "*") captures->push_back({keys[0]});
  if (NaiveMatch(pattern.subspan(1), keys.subspan(1), captures)) return true;
  captures->resize(before);
  return false;
}

TEST(RenameMapTest, RandomRules_AgreeWithANaiveRenamer) {
  int taken = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    std::vector<std::string> pattern;
    size_t wildcards = 0;
    for (size_t left = 1 + RandomBelow(random, 5); left > 0; --left) {
      static const char* const kSegments[] = {"a", "b", "*", "**"};
      const std::string segment = kSegments[RandomBelow(random, 4)];
      if (segment == "**" && !pattern.empty() && pattern.back() == "**") continue;
      pattern.push_back(segment);
      wildcards += segment[0] == '*';
    }
    if (wildcards == 0) continue;
    std::vector<size_t> order;
    std::string text, replacement;
    for (const std::string& segment : pattern) text += (text.empty() ? "" : ".") + segment;
    for (size_t left = 1 + RandomBelow(random, 4); left > 0; --left) {
      order.push_back(RandomBelow(random, wildcards));
      absl::StrAppend(&replacement, replacement.empty() ? "{" : ".{", order.back() + 1, "}");
    }
    const RenameMap map = RenameMap::Create(Rules{{text, replacement}}).value();
    for (int round = 0; round < 10; ++round) {
      Path path;
      for (size_t left = RandomBelow(random, 6); left > 0; --left) {
        path.Item(std::string(1, "abc"[RandomBelow(random, 3)]));
      }
      Path expected = path;
      std::vector<std::vector<Key>> captures;
      if (NaiveMatch(pattern, path.keys(), &captures)) {
        ++taken;
        expected = Path();
        for (const size_t wildcard : order) {
          for (const Key& key : captures[wildcard]) expected.Append(key);
        }
      }
      const auto found = map.Apply(Layout::Create({path}).value(), /*allow_unused_rules=*/true);
      ASSERT_THAT(found, IsOk());
      ASSERT_EQ(found->at(0).to, expected.ToString())
          << "seed " << seed << ": " << text << " -> " << replacement << " of " << path.ToString();
    }
  }
  EXPECT_GT(taken, 1000);
}

TEST(RenameMapTest, TwoQuotes_AreTheEmptyKey) {
  const auto renamed = [](const RenameRule& rule, const Path& path) {
    const ParamStore store = ParamStore::FromEntries({{path, Tensor::Scalar(1.0f)}}).value();
    return RenameMap::Create({rule})->Apply(store).value()[0].to;
  };
  EXPECT_EQ(renamed({"''", "w"}, Path().Item("")), "['w']");
  EXPECT_EQ(renamed({"a.*", "a.''.*"}, Path().Item("a").Item("b")), "['a']['']['b']");
  EXPECT_EQ(renamed({"a", "''"}, Path().Item("a")), "['']");
}

}  // namespace
}  // namespace leafstore
