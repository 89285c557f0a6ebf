// Compares with the results of Inox for random trees (tests/testdata/inox_cases*.jsonl). Each case
// is run with every way of flattening, partitioning and merging, and each must have Inox's result.
//
// A case has `tree`, `filters`, `paths` in flatten order, `groups` (lists of paths, one more than
// filters), `drop` (without this path, exactly `missing` is missing) and `extra` (with this path,
// exactly `unexpected` is unexpected). LEAFSTORE_INOX_CASES may name another file of cases.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"

#include "tests/core/status_matchers.h"
#include "tests/source_dir.h"
#include "tests/store/sample_models.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::nlohmann::json;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

using Texts = std::vector<std::string>;

struct CaseFile {
  std::string path;
  std::vector<json> cases;
};

std::vector<json> ReadCases(const std::string& path) {
  std::vector<json> cases;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) cases.push_back(json::parse(line));
  }
  return cases;
}

const std::vector<CaseFile>& CaseFiles() {
  static const auto* const files = [] {
    Texts paths;
    for (const auto& entry : std::filesystem::directory_iterator(SourcePath("tests/testdata"))) {
      const std::string name = entry.path().filename();
      if (name.rfind("inox_cases", 0) == 0 && entry.path().extension() == ".jsonl") {
        paths.push_back(entry.path());
      }
    }
    std::sort(paths.begin(), paths.end());
    if (const char* more = std::getenv("LEAFSTORE_INOX_CASES")) paths.emplace_back(more);
    auto* read = new std::vector<CaseFile>;
    for (std::string& path : paths) read->push_back({path, ReadCases(path)});
    return read;
  }();
  return *files;
}

// Each tensor has different bytes, so that no two can be confused.
Tensor MakeTensor(const json& node, int* made) {
  const std::string name = node["dtype"];
  const DType dtype = ParseDType(name).value();
  Tensor tensor = Tensor::Zeros(dtype, node["shape"].get<std::vector<int64_t>>()).value();
  MutableTensor open = tensor.Mutate().value();
  ++*made;
  for (std::byte& byte : open.bytes()) byte = static_cast<std::byte>(*made);
  open.Close();
  return tensor;
}

Tree MakeTree(const json& node, int* made) {
  const std::string type = node["t"];
  if (type == "none") return Tree::None();
  if (type == "array") return MakeTensor(node, made);
  if (type == "int") return Value(node["v"].get<int64_t>());
  if (type == "float") return Value(node["v"].get<double>());
  if (type == "str") return Value(node["v"].get<std::string>());
  if (type == "bool") return Value(node["v"].get<bool>());
  if (type == "list" || type == "tuple") {
    Tree tree = type == "list" ? Tree::List() : Tree::Tuple();
    for (const json& child : node["c"]) tree.Add(MakeTree(child, made));
    return tree;
  }
  EXPECT_TRUE(type == "dict" || type == "struct") << type;
  Tree tree = type == "dict" ? Tree::Dict() : Tree::Struct();
  for (const auto& [name, child] : node["c"].items()) tree.With(name, MakeTree(child, made));
  return tree;
}

Filter MakeKindFilter(const std::string& kind) {
  if (kind == "array") return IsTensor();
  if (kind == "none") return KindIs(NodeKind::kNone);
  if (kind == "dict") return KindIs(NodeKind::kDict);
  if (kind == "list") return KindIs(NodeKind::kList);
  if (kind == "tuple") return KindIs(NodeKind::kTuple);
  if (kind == "struct") return KindIs(NodeKind::kStruct);
  if (kind == "int") return ValueIs(ValueKind::kInt);
  if (kind == "float") return ValueIs(ValueKind::kFloat);
  if (kind == "str") return ValueIs(ValueKind::kString);
  EXPECT_EQ(kind, "bool");
  return ValueIs(ValueKind::kBool);
}

Filter MakeFilter(const json& filter) {
  const std::string& op = filter.begin().key();
  const json& argument = filter.begin().value();
  if (op == "kind") return MakeKindFilter(argument);
  if (op == "has") return HasChild(argument.get<std::string>());
  if (op == "rank") return RankIs(argument.get<int>());
  if (op == "dtype") return DTypeIs(ParseDType(argument.get<std::string>()).value());
  if (op == "any") return filters::All();
  if (op == "not") return filters::Not(MakeFilter(argument));
  if (op == "and") return filters::And(MakeFilter(argument[0]), MakeFilter(argument[1]));
  EXPECT_EQ(op, "or");
  return filters::Or(MakeFilter(argument[0]), MakeFilter(argument[1]));
}

// A case, with its tree flattened and its partition compiled.
struct Case {
  explicit Case(const json& c) : answers(c), number(std::hash<std::string>()(c["id"].dump())) {
    int made = 0;
    tree = MakeTree(c["tree"], &made);
    absl::StatusOr<Flattened> flattened = Flatten(tree);
    EXPECT_THAT(flattened, IsOk());
    flat = *std::move(flattened);
    for (const json& filter : c["filters"]) filters.push_back(MakeFilter(filter));
  }

  Grouping plan() const { return Grouping::Compile(flat.params, filters).value(); }
  ParamStore copy() const { return flat.params.Snapshot().value(); }
  std::vector<ParamStore> groups() const { return plan().Split(flat.params).value().TakeStores(); }

  const json& answers;
  size_t number;  // varies what is done with the case
  Tree tree;
  Flattened flat;
  std::vector<Filter> filters;
};

// Runs `check` on each case of each file, and prints how many there were.
template <typename Check>
void ForEachCase(const Check& check) {
  for (const CaseFile& file : CaseFiles()) {
    size_t ran = 0;
    for (const json& answers : file.cases) {
      SCOPED_TRACE("case " + answers["id"].dump() + " of " + file.path);
      check(Case(answers));
      ++ran;
    }
    std::cout << ran << " cases ran, of " << file.path << "\n";
    EXPECT_GT(ran, 0u) << "no cases in " << file.path;
  }
  EXPECT_FALSE(CaseFiles().empty());
}

void ExpectGroups(const Case& c, const std::vector<ParamStore>& groups) {
  const json& expected = c.answers["groups"];
  ASSERT_EQ(groups.size(), expected.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    SCOPED_TRACE("group " + std::to_string(i));
    EXPECT_THAT(PathsOf(groups[i]), ElementsAreArray(expected[i].get<Texts>()));
    for (uint32_t place = 0; place < groups[i].size(); ++place) {
      EXPECT_EQ(groups[i].leaf(place), *c.flat.params.FindSlot(groups[i].slot(place)));
    }
  }
}

// Expects the complete store: the same Layout and the same leaves, bit for bit, in the same order.
void ExpectWhole(const Case& c, const ParamStore& store) {
  EXPECT_TRUE(store.layout() == c.flat.params.layout());
  EXPECT_TRUE(store.slots() == c.flat.params.slots());
  EXPECT_THAT(store.leaves(), ElementsAreArray(c.flat.params.leaves()));
  EXPECT_EQ(store.spec_fingerprint(), c.flat.params.spec_fingerprint());
}

// Expects that a report lists exactly `paths`, in `field`.
void ExpectOnly(const FitReport& report, Texts FitReport::*field, const Texts& paths) {
  EXPECT_THAT(report.*field, ElementsAreArray(paths));
  FitReport rest = report;
  (rest.*field).clear();
  EXPECT_TRUE(rest.ok()) << rest.ToString();
}

// Expects that every way of merging fails with this report and leaves the groups unchanged.
void ExpectMergeFails(const Case& c, std::vector<ParamStore> groups, Texts FitReport::*field,
                      const Texts& paths) {
  const Layout& layout = c.flat.params.layout();
  ExpectOnly(CheckMerge(layout, PointersTo(groups)), field, paths);

  std::vector<Texts> before;
  for (const ParamStore& group : groups) before.push_back(PathsOf(group));
  const absl::Status shared = MergeGroups(layout, PointersTo(groups)).status();
  const absl::Status given = MergeGroups(layout, std::move(groups)).status();
  ASSERT_EQ(groups.size(), before.size());
  for (size_t i = 0; i < groups.size(); ++i) EXPECT_EQ(PathsOf(groups[i]), before[i]);

  EXPECT_EQ(shared, given);
  const std::string title = field == &FitReport::missing ? "missing" : "unexpected";
  EXPECT_THAT(given, StatusIs(absl::StatusCode::kInvalidArgument,
                              HasSubstr(title + " (" + std::to_string(paths.size()) + "):")));
  for (const std::string& path : paths) {
    EXPECT_THAT(std::string(given.message()), HasSubstr("\n  " + internal::QuotedPath(path)));
  }
}

TEST(InoxOracleTest, Flatten_HasTheSameOrder) {
  ForEachCase([](const Case& c) {
    EXPECT_THAT(PathsOf(c.flat.params), ElementsAreArray(c.answers["paths"].get<Texts>()));
    for (uint32_t place = 0; place < c.flat.params.size(); ++place) {
      const std::string path = c.flat.params.PathText(place);
      EXPECT_EQ(c.flat.params.Find(path), &c.flat.params.leaf(place));
    }
  });
}

TEST(InoxOracleTest, Partition_HasTheSameGroups) {
  ForEachCase([](const Case& c) {
    const absl::StatusOr<std::vector<ParamStore>> groups = Partition(c.flat.params, c.filters);
    ASSERT_THAT(groups, IsOk());
    ExpectGroups(c, *groups);
    EXPECT_EQ(PathsOf(c.flat.params), c.answers["paths"].get<Texts>());  // only read
  });
}

TEST(InoxOracleTest, Partition_OfConstStoreAndRvalue_AreEqual) {
  ForEachCase([](const Case& c) {
    const Grouping plan = c.plan();
    ExpectGroups(c, plan.Split(c.flat.params).value().TakeStores());
    ParamStore given = c.copy();
    ExpectGroups(c, plan.Split(std::move(given)).value().TakeStores());
    EXPECT_TRUE(given.empty());
  });
}

TEST(InoxOracleTest, Grouping_SplitsEqualStores) {
  ForEachCase([](const Case& c) {
    const Grouping plan = c.plan();
    absl::StatusOr<ParamStore> other = FlattenLike(c.flat.def, c.tree);
    ASSERT_THAT(other, IsOk());
    absl::StatusOr<Groups> groups = plan.Split(*std::move(other));
    ASSERT_THAT(groups, IsOk());
    ExpectGroups(c, std::move(*groups).TakeStores());
  });
}

TEST(InoxOracleTest, Explain_NamesTheGroupOfEachLeaf) {
  ForEachCase([](const Case& c) {
    const Grouping plan = c.plan();
    const json& groups = c.answers["groups"];
    for (size_t i = 0; i < groups.size(); ++i) {
      for (const std::string path : groups[i]) {
        const Explanation why = plan.Explain(path).value();
        EXPECT_EQ(why.group, i) << why.text;
        EXPECT_EQ(why.filter.has_value(), i + 1 < groups.size()) << why.text;
      }
    }
  });
}

TEST(InoxOracleTest, Merge_InAnyOrder_RestoresEveryBit) {
  ForEachCase([](const Case& c) {
    std::mt19937_64 random(c.number);
    for (int round = 0; round < 3; ++round) {
      std::vector<ParamStore> groups = c.groups();
      std::shuffle(groups.begin(), groups.end(), random);
      ExpectWhole(c, MergeGroups(c.flat.params.layout(), PointersTo(groups)).value());
      EXPECT_TRUE(CheckMerge(c.flat.params.layout(), PointersTo(groups)).ok());
      ExpectWhole(c, MergeGroups(std::move(groups)).value());
    }
  });
}

TEST(InoxOracleTest, Merge_OfNestedGroups_RestoresTheStore) {
  ForEachCase([](const Case& c) {
    std::vector<ParamStore> all;
    for (ParamStore& group : c.groups()) {
      std::vector<Filter> reversed(c.filters.rbegin(), c.filters.rend());
      std::vector<ParamStore> parts = Partition(std::move(group), std::move(reversed)).value();
      std::move(parts.begin(), parts.end(), std::back_inserter(all));
    }
    ExpectWhole(c, MergeGroups(std::move(all)).value());
  });
}

TEST(InoxOracleTest, Unflatten_ReturnsTheFlattenedTree) {
  ForEachCase([](const Case& c) {
    ParamStore whole = MergeGroups(c.groups()).value();
    const Tree read = Unflatten<Tree>(c.flat.def, whole).value();
    Tree given;
    ASSERT_THAT(Unflatten(c.flat.def, std::move(whole), &given), IsOk());
    for (const Tree* tree : {&read, static_cast<const Tree*>(&given)}) {
      const Flattened again = Flatten(*tree).value();
      EXPECT_EQ(again.def, c.flat.def);  // everything in a treedef: kinds, keys, type names
      ExpectWhole(c, again.params);
    }
  });
}

TEST(InoxOracleTest, Merge_ReportsExactlyTheMissingLeaves) {
  ForEachCase([](const Case& c) {
    const json drop = c.answers.value("drop", json());
    if (drop.is_null()) {  // nothing can be removed
      EXPECT_TRUE(c.flat.params.empty());
      return;
    }
    const std::string path = drop["path"];
    std::vector<ParamStore> groups = c.groups();
    size_t erased = 0;
    for (ParamStore& group : groups) {
      if (group.Find(path) == nullptr) continue;
      ASSERT_THAT(group.Erase(path), IsOk());
      ++erased;
    }
    ASSERT_EQ(erased, 1u);
    const Texts missing = drop["missing"];
    ExpectMergeFails(c, std::move(groups), &FitReport::missing, missing);
  });
}

TEST(InoxOracleTest, Merge_ReportsExactlyTheUnexpectedLeavesOfAGroup) {
  ForEachCase([](const Case& c) {
    const json& extra = c.answers["extra"];
    const std::string path = extra["path"];
    std::vector<ParamStore> groups = c.groups();
    ParamStore& group = groups[c.number % groups.size()];
    const Texts before = PathsOf(group);
    ASSERT_THAT(group.Insert(Path::Parse(path).value(), Value(1)), IsOk());
    // A dictionary is possible even if these paths do not form a tree.
    ASSERT_NE(group.Find(path), nullptr);
    EXPECT_EQ(group.size(), before.size() + 1);
    for (const std::string& old : before) {
      ASSERT_NE(group.Find(old), nullptr);
      EXPECT_EQ(*group.Find(old), *c.flat.params.Find(old));
    }
    ExpectMergeFails(c, std::move(groups), &FitReport::unexpected,
                     extra["unexpected"].get<Texts>());
  });
}

TEST(InoxOracleTest, Merge_ReportsExactlyAnUnexpectedGroup) {
  ForEachCase([](const Case& c) {
    const json& extra = c.answers["extra"];
    std::vector<std::pair<Path, Leaf>> entries;
    entries.emplace_back(Path::Parse(extra["path"].get<std::string>()).value(), Value(1));
    std::vector<ParamStore> groups = c.groups();
    const size_t at = c.number % (groups.size() + 1);
    groups.insert(groups.begin() + static_cast<std::ptrdiff_t>(at),
                  ParamStore::FromEntries(std::move(entries)).value());
    ExpectMergeFails(c, std::move(groups), &FitReport::unexpected,
                     extra["unexpected"].get<Texts>());
  });
}

}  // namespace
}  // namespace leafstore
