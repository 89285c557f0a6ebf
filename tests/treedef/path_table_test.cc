#include "leafstore/treedef/internal/path_table.h"

#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/reference_tree.h"
#include "tests/treedef/teller.h"

namespace leafstore {
namespace {

using internal::PathTable;

using testing::AllOf;
using testing::HasSubstr;

std::vector<std::string> TextsOf(const PathTable& table) {
  std::vector<std::string> texts;
  for (uint32_t number = 0; number < table.size(); ++number) texts.emplace_back(table.text(number));
  return texts;
}

TEST(PathTableTest, Create_HasTheLeavesOfATreeDefInOrder) {
  Teller t;
  t.Struct().Attribute("b").List().Leaf().None().Leaf().End();
  t.Attribute("c").Dict().Index(-1).Dict().End().Index(5).Leaf().End();
  t.Attribute("d").Alias(1).Attribute("e").Leaf();
  const PathTable table = PathTable::Create(t.End().Def()).value();
  EXPECT_THAT(TextsOf(table), testing::ElementsAre(".b[0]", ".b[2]", ".c[5]", ".e"));
  EXPECT_EQ(table.Find(".b[2]"), 1u);
  EXPECT_EQ(table.Find(".e"), 3u);
}

TEST(PathTableTest, Find_ContainersAndAliases_AreNotFound) {
  const TreeDef def = Teller().List().List().Leaf().End().Alias(1).End().Def();
  const PathTable table = PathTable::Create(def).value();
  EXPECT_EQ(table.Find(""), PathTable::kNotFound);
  EXPECT_EQ(table.Find("[0]"), PathTable::kNotFound);
  EXPECT_EQ(table.Find("[1]"), PathTable::kNotFound);
  EXPECT_EQ(table.Find("[0][0]"), 0u);
}

TEST(PathTableTest, LeafAtTheRoot_HasTheEmptyPath) {
  const PathTable table = PathTable::Create(Teller().Leaf().Def()).value();
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table.text(0), "");
  EXPECT_EQ(table.Find(""), 0u);
  EXPECT_EQ(table.Find("a"), PathTable::kNotFound);
}

TEST(PathTableTest, Table_MayBeEmpty) {
  const PathTable table = PathTable::Create(TreeDef()).value();
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(table.Find(""), PathTable::kNotFound);
  EXPECT_EQ(PathTable::Create(absl::Span<const std::string>()).value().size(), 0u);
}

TEST(PathTableTest, Create_FromTexts_KeepsTheirOrder) {
  const PathTable table = PathTable::Create({"['a']", "['b']", ""}).value();
  EXPECT_EQ(table.Find("['b']"), 1u);
  EXPECT_EQ(table.Find(""), 2u);
  EXPECT_EQ(table.text(0), "['a']");
}

TEST(PathTableTest, Create_DuplicateText_IsAnError) {
  EXPECT_THAT(PathTable::Create({".a", ".b", ".c", ".b"}),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       "path .b: expected it once, found it at indices 1 and 3"));
}

TEST(PathTableTest, Find_PrefixOrSuffixOfAText_IsNotFound) {
  const PathTable table = PathTable::Create({".ab", ".abc", ".x"}).value();
  for (const char* text : {".a", "ab", ".abcd", ".ab.abc", ".abc.x", "b", "x", "."}) {
    EXPECT_EQ(table.Find(text), PathTable::kNotFound) << text;
  }
}

TEST(PathTableTest, Find_AcceptsAnyBytes) {
  const PathTable table = PathTable::Create({".a", ".b", ".last"}).value();
  const std::string nul(1, '\0');
  const std::vector<std::string> queries = {nul,
                                            ".a" + nul,
                                            nul + ".a",
                                            ".a" + nul + ".b",
                                            ".a\x02" + nul + nul + nul,
                                            ".last" + nul,
                                            std::string(5, '\0'),
                                            "\xFF\xFE",
                                            std::string(100000, 'x')};
  for (const std::string& query : queries) EXPECT_EQ(table.Find(query), PathTable::kNotFound);
}

TEST(PathTableTest, Find_TextLikeTheLast_ReadsNothingBeyondTheArena) {
  const PathTable table = PathTable::Create({".x"}).value();  // for AddressSanitizer
  for (size_t size = 0; size < 300; ++size) {
    const std::string query = ".x" + std::string(size, 'y');
    EXPECT_EQ(table.Find(query), size == 0 ? 0 : PathTable::kNotFound);
  }
}

TEST(PathTableTest, Move_KeepsTextsAndIndex) {
  PathTable first = PathTable::Create({".a", ".b"}).value();
  PathTable second(std::move(first));
  EXPECT_EQ(second.Find(".b"), 1u);
  PathTable third = PathTable::Create({".z"}).value();
  third = std::move(second);
  EXPECT_EQ(third.Find(".a"), 0u);
  EXPECT_EQ(third.Find(".z"), PathTable::kNotFound);
  EXPECT_EQ(third.text(1), ".b");
}

TEST(PathTableTest, Table_ReportsItsMemory) {
  const PathTable table = PathTable::Create({".abc", ".d"}).value();
}

// Limits.

TEST(PathTableTest, Create_TotalTextOverTheLimit_IsAnError) {
  const std::string name(size_t{1} << 22, 'x');  // 4 MiB, of 64
  Teller t;
  t.List();
  for (int i = 0; i < 15; ++i) t.Struct().Attribute(name).Leaf().End();
  EXPECT_THAT(PathTable::Create(t.End().Def()), IsOk());
  Teller over;
  over.List();
  for (int i = 0; i < 17; ++i) over.Struct().Attribute(name).Leaf().End();
  EXPECT_THAT(PathTable::Create(over.End().Def()),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("the texts of 17 paths: expected at most 67113216 bytes"),
                             HasSubstr("found at least 71303"))));
}

TEST(PathTableTest, Create_FromTextsOverTheLimit_IsAnError) {
  EXPECT_THAT(
      PathTable::Create({std::string(size_t{65} << 20, 'x')}),
      StatusIs(absl::StatusCode::kResourceExhausted,
               "the texts of 1 paths: expected at most 67109120 bytes in all, found at least "
               "68157440"));
}

TEST(PathTableTest, Create_HostileDepth_FailsAtOnce) {
  // The texts of a million leaves, 3 bytes longer each, would be 1.5 TB.
  EXPECT_THAT(PathTable::Create(DeepLists(1000000, /*leaf_at_each_level=*/true)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1000001 paths")));
}

TEST(PathTableTest, Create_DepthWithoutLeaves_CostsNothing) {
  const std::string name(1000, 'x');
  TreeDefBuilder builder;
  builder.Open(NodeKind::kList);
  for (int i = 0; i < 1000000; ++i) {
    builder.Open(NodeKind::kStruct);
    builder.SetKey(KeyRef::Attribute(name));
  }
  builder.None();
  for (int i = 0; i < 1000000; ++i) builder.Close();
  builder.Leaf();
  builder.Close();
  const PathTable table = PathTable::Create(std::move(builder).Build().value()).value();
  EXPECT_THAT(TextsOf(table), testing::ElementsAre("[1]"));
}

// Comparison with the reference model.

TEST(PathTableTest, RandomTrees_MatchANaiveTree) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Random random(seed);
    const ReferenceTree tree(random, 80);
    const PathTable table = PathTable::Create(tree.Tell(random)).value();
    std::map<std::string, uint32_t> want;
    for (const ReferenceNode* node : tree.nodes()) {
      if (node->kind == NodeKind::kLeaf) want.emplace(node->path.ToString(), node->leaf_begin);
    }
    ASSERT_EQ(table.size(), want.size());
    for (const auto& [text, number] : want) {
      EXPECT_EQ(table.text(number), text);
      EXPECT_EQ(table.Find(text), number);
    }
    for (const ReferenceNode* node : tree.nodes()) {
      const std::string text = node->path.ToString();
      if (want.count(text) == 0) {
        EXPECT_EQ(table.Find(text), PathTable::kNotFound) << text;
      }
    }
    if (HasFailure()) return;
  }
}

// For ThreadSanitizer.
TEST(PathTableThreadsTest, Find_IsSafeFromManyThreads) {
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) texts.push_back(absl::StrCat("[", i, "]"));
  const PathTable table = PathTable::Create(texts).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (uint32_t n = 0; n < 1000; ++n) EXPECT_EQ(table.Find(texts[n]), n);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace leafstore
