// CheckpointReader::LoadInto: how the leaves of an item are matched with those of a store of
// another structure.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/treedef/treedef_builder.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Leaf Zeros(DType dtype, const Shape& shape) { return Tensor::Zeros(dtype, shape).value(); }

// Returns a store of static leaves by path.
using Values = std::vector<std::pair<std::string, int64_t>>;

ParamStore Store(const Values& values) {
  std::vector<std::pair<Path, Leaf>> entries;
  for (const auto& [path, value] : values) {
    entries.emplace_back(Path::Parse(path).value(), Value(value));
  }
  return ParamStore::FromEntries(std::move(entries)).value();
}

Values ValuesOf(const ParamStore& store) {
  Values values;
  for (uint32_t place = 0; place < store.size(); ++place) {
    values.emplace_back(store.PathText(place), *store.leaf(place).value().As<int64_t>());
  }
  return values;
}

class RestoreTest : public testing::Test {
 protected:
  void SaveAsParams(const ParamStore& store) {
    EXPECT_THAT(SaveCheckpoint(path_, {{"params", store}}, {.io = {.durable = false}}), IsOk());
  }
  CheckpointReader Saved(const ParamStore& store) {
    SaveAsParams(store);
    return CheckpointReader::Open(path_).value();
  }
  // Checks that the message names the file and has these words, and that the store is unchanged.
  void ExpectRefused(const CheckpointReader& reader, const RestoreOptions& options,
                     ParamStore* store, const std::string& words) {
    const StoreState before(*store);
    EXPECT_THAT(reader.LoadInto("params", store, options),
                StatusIs(StatusCode::kInvalidArgument,
                         AllOf(StartsWith(path_ + ": item 'params': "), HasSubstr(words))));
    EXPECT_EQ(StoreState(*store), before) << words;
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

// .head is an alias of .embed: the store has as many leaves as the item, but one of them twice.
TEST_F(RestoreTest, LeafMatchedTwice_DoesNotHideAMissingOne) {
  const ParamStore saved = EveryKindStore();
  const CheckpointReader reader = Saved(saved);
  const Path pair = Path().Attribute("named").Item("\xc3\xa9");
  ParamStore store =
      ParamStore::FromEntries({{Path().Attribute("act"), Value("relu")},
                               {Path().Attribute("by_number").Index(-3), Value(0)},
                               {Path().Attribute("embed"), Zeros(DType::kF32, {2, 3})},
                               {Path().Attribute("head"), Zeros(DType::kF32, {2, 3})},
                               {Path(pair).Index(0), Value(Bytes{""})},
                               {Path(pair).Index(1).Index(0), Zeros(DType::kBF16, {0, 4})}})
          .value();
  ASSERT_EQ(store.size(), saved.size());
  EXPECT_THAT(reader.LoadInto("params", &store),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(".named['a b']")));
  EXPECT_TRUE(*store.Find(".act") == Leaf(Value("relu"))) << "changed after an error";
  ASSERT_THAT(reader.LoadInto("params", &store, {.allow_unexpected = true}), IsOk());
  EXPECT_TRUE(*store.Find(".embed") == saved.leaf(2));
  EXPECT_TRUE(*store.Find(".head") == saved.leaf(2));
}

// A string of a megabyte at each of ten levels, and ten thousand leaves below: the texts of their
// paths would be a hundred gigabytes.
TEST_F(RestoreTest, DifferentStructures_MatchWithoutPathTexts) {
  constexpr int kLevels = 10;
  constexpr int kLeaves = 10'000;
  const auto deep = [&](bool with_none) {
    const std::string key(1 << 20, 'k');
    TreeDefBuilder builder;
    for (int i = 0; i < kLevels; ++i) {
      builder.Open(NodeKind::kDict);
      builder.SetKey(KeyRef::Item(key));
    }
    builder.Open(NodeKind::kList);
    for (int i = 0; i < kLeaves; ++i) builder.Leaf();
    if (with_none) builder.None();  // another structure of the same paths
    for (int i = 0; i <= kLevels; ++i) builder.Close();
    return std::move(builder).Build().value();
  };
  const auto store_of = [](const TreeDef& def, int value) {
    return ParamStore::Create(def, std::vector<Leaf>(kLeaves, Value(value))).value();
  };
  const TreeDef def = deep(false);
  const CheckpointReader reader = Saved(store_of(def, 1));
  ParamStore store = store_of(deep(true), 0);
  ASSERT_THAT(reader.LoadInto("params", &store), IsOk());
  EXPECT_TRUE(store.leaf(kLeaves - 1) == Leaf(Value(1)));
  EXPECT_THAT(SaveCheckpoint(path_, {{"params", def, store}}, {.io = {.durable = false}}), IsOk());
}

// A thousand paths of a megabyte: a successful report is as short as an error.
TEST_F(RestoreTest, Report_OfManyLongPaths_IsShort) {
  constexpr int kLeaves = 1'000;
  TreeDefBuilder builder;
  builder.Open(NodeKind::kDict);
  builder.SetKey(KeyRef::Item(std::string(1 << 20, 'k')));
  builder.Open(NodeKind::kList);
  for (int i = 0; i < kLeaves; ++i) builder.Leaf();
  builder.Close();
  builder.Close();
  const TreeDef def = std::move(builder).Build().value();
  const CheckpointReader reader =
      Saved(ParamStore::Create(def, std::vector<Leaf>(kLeaves, Value(1))).value());
  ParamStore store;
  const RestoreReport report =
      reader.LoadInto("params", &store, {.allow_unexpected = true}).value();
  ASSERT_EQ(report.unexpected.size(), 1'000u);
  EXPECT_THAT(report.unexpected.back(), testing::EndsWith("kk'][999]"));
  EXPECT_LT(report.unexpected.back().size(), 1'000u);
}

// ---- a filter ----

TEST_F(RestoreTest, Filter_ChoosesTheReplacedLeaves) {
  const CheckpointReader reader =
      Saved(Store({{".body[0].w", 1}, {".body[1].w", 2}, {".head", 3}}));
  ParamStore store = Store({{".body[0].w", 0}, {".body[1].w", 0}, {".tail", 0}});
  const RestoreReport report =
      reader.LoadInto("params", &store, {.filter = Glob("body.1.**")}).value();
  EXPECT_EQ(ValuesOf(store), (Values{{".body[0].w", 0}, {".body[1].w", 2}, {".tail", 0}}));
  EXPECT_EQ(report.restored, 1u);
  EXPECT_THAT(report.missing, IsEmpty()) << ".tail was not asked for";
  EXPECT_THAT(report.unexpected, ElementsAre(".head")) << "the store has .body[0].w";
}

TEST_F(RestoreTest, Filter_MissingLeavesInItAreErrors) {
  const CheckpointReader reader = Saved(Store({{".body", 1}, {".head", 2}}));
  ParamStore store = Store({{".body", 0}, {".tail", 0}});
  ExpectRefused(reader, {.filter = Glob("tail")}, &store,
                "item 'params': the leaves do not fit the store:\nmissing (1):\n  '.tail'");
  EXPECT_THAT(reader.LoadInto("params", &store, {.allow_missing = true, .filter = Glob("tail")})
                  .value()
                  .missing,
              ElementsAre(".tail"));
  EXPECT_EQ(ValuesOf(store), (Values{{".body", 0}, {".tail", 0}}));
}

TEST_F(RestoreTest, Filter_LeavesOutsideItMayDiffer) {
  const CheckpointReader reader = Saved(Store({{".body", 1}, {".head", 2}}));
  ParamStore store =
      ParamStore::FromEntries({{Path().Attribute("body"), Value(0)},
                               {Path().Attribute("head"), Zeros(DType::kF32, {10, 4})}})
          .value();
  ExpectRefused(reader, {}, &store, "'.head': expected f32[10, 4], found static int");
  EXPECT_EQ(
      reader.LoadInto("params", &store, {.filter = filters::Not(Glob("head"))}).status().code(),
      StatusCode::kInvalidArgument)
      << "which matches the root";
  ASSERT_THAT(reader.LoadInto("params", &store, {.filter = LeavesOnly(filters::Not(Glob("head")))}),
              IsOk());
  EXPECT_TRUE(*store.Find(".body") == Leaf(Value(1)));
}

TEST_F(RestoreTest, Filter_ThatMatchesNothingOrIsInvalid_IsAnError) {
  const CheckpointReader reader = Saved(Store({{".body", 1}}));
  ParamStore store = Store({{".body", 0}});
  ExpectRefused(reader, {.filter = Glob("bdoy.**")}, &store,
                "filter 0 (bdoy.**) matches nothing; no key is 'bdoy'; did you mean body?");
  ExpectRefused(reader, {.filter = Glob("a..b")}, &store, "glob 'a..b', column 3");
}

TEST_F(RestoreTest, Filter_AppliesToEqualLayouts) {
  const CheckpointReader reader = Saved(EveryKindStore());
  ParamStore store = EveryKindStore();
  ASSERT_THAT(store.Set(".act", Value("relu")), IsOk());
  ASSERT_THAT(store.Set(".by_number[-3]", Value(5)), IsOk());
  const RestoreReport report = reader.LoadInto("params", &store, {.filter = Glob("act")}).value();
  EXPECT_EQ(report.restored, 1u);
  EXPECT_THAT(report.unexpected, IsEmpty());
  EXPECT_TRUE(*store.Find(".act") == Leaf(Value("gelu")));
  EXPECT_TRUE(*store.Find(".by_number[-3]") == Leaf(Value(5)));
}

// ---- renames ----

TEST_F(RestoreTest, Renames_MapPathsOfTheItemToThoseOfTheStore) {
  const CheckpointReader reader =
      Saved(Store({{".encoder[0].w", 1}, {".encoder[1].w", 2}, {".norm", 3}}));
  ParamStore store = Store({{".body[0].weight", 0}, {".body[1].weight", 0}, {".norm", 0}});
  const RestoreReport report =
      reader.LoadInto("params", &store, {.renames = {{"encoder.*.w", "body.*.weight"}}}).value();
  EXPECT_EQ(report.restored, 3u);
  EXPECT_EQ(ValuesOf(store),
            (Values{{".body[0].weight", 1}, {".body[1].weight", 2}, {".norm", 3}}));
}

TEST_F(RestoreTest, Renames_MaySwapNames) {
  const CheckpointReader reader = Saved(Store({{".a", 1}, {".b", 2}}));
  ParamStore store = Store({{".a", 0}, {".b", 0}});
  ASSERT_THAT(reader.LoadInto("params", &store, {.renames = {{"a", "b"}, {"b", "a"}}}), IsOk());
  EXPECT_EQ(ValuesOf(store), (Values{{".a", 2}, {".b", 1}}));
}

TEST_F(RestoreTest, Renames_ApplyBeforeTheFilter) {
  const CheckpointReader reader = Saved(Store({{".encoder.w", 1}, {".old_head", 2}}));
  ParamStore store = Store({{".body.w", 0}, {".head", 0}});
  const RestoreReport report =
      reader
          .LoadInto("params", &store,
                    {.filter = Glob("body"), .renames = {{"encoder.**", "body.**"}}})
          .value();
  EXPECT_EQ(ValuesOf(store), (Values{{".body.w", 1}, {".head", 0}}));
  EXPECT_THAT(report.unexpected, ElementsAre(".old_head"));
}

TEST_F(RestoreTest, Renames_ReportsHaveTheNewNames) {
  const CheckpointReader reader = Saved(Store({{".encoder.w", 1}, {".encoder.b", 2}}));
  ParamStore store = Store({{".body.w", 0}, {".body.bias", 0}});
  const RestoreOptions options{.renames = {{"encoder.*", "body.*"}}};
  ExpectRefused(
      reader, options, &store,
      "missing (1):\n  '.body.bias'; did you mean .body.b?\nunexpected (1):\n  '.body.b'");
}

// A checkpoint of dicts, as imports make them, and a model of structs.
TEST_F(RestoreTest, Renames_MatchByDottedForm) {
  const CheckpointReader reader =
      Saved(Store({{"['encoder']['0']['w']", 1}, {"['norm']", 2}, {"['x']", 3}}));
  ParamStore store = Store({{".body[0].weight", 0}, {".norm", 0}, {".x", 0}});
  const RestoreReport report =
      reader
          .LoadInto("params", &store,
                    {.allow_missing = true,
                     .allow_unexpected = true,
                     .renames = {{"encoder.*.w", "body.*.weight"}, {"norm", "norm"}}})
          .value();
  EXPECT_EQ(ValuesOf(store), (Values{{".body[0].weight", 1}, {".norm", 2}, {".x", 0}}));
  EXPECT_THAT(report.missing, ElementsAre(".x")) << "no rule took it";
  EXPECT_THAT(report.unexpected, ElementsAre("['x']"));
}

TEST_F(RestoreTest, AmbiguousDottedForm_IsAnError) {
  const CheckpointReader reader = Saved(Store({{"['a']", 1}, {"['d']", 2}}));
  ParamStore store = Store({{".a.b", 0}, {".'a.b'", 0}});
  ExpectRefused(reader, {.renames = {{"a", "a.b"}}}, &store,
                "ambiguous (1):\n  ['a'] could be '.a.b' or .'a.b'");
}

TEST_F(RestoreTest, TwoLeavesForOne_AreNamed) {
  const CheckpointReader reader = Saved(Store({{".a.w", 1}, {".b.w", 2}, {"['c']", 3}}));
  ParamStore store = Store({{".c", 0}});
  ExpectRefused(reader, {.renames = {{"*.w", "c"}}}, &store,
                "'.a.w' (by rename 0) and '.b.w' (by rename 0) would both be '.c'");
  ExpectRefused(reader, {.renames = {{"a.w", "c"}, {"c", "c"}}}, &store,
                "duplicate (1):\n  '.c' would be both '.a.w' and ['c']");
}

TEST_F(RestoreTest, Renames_InvalidOrUnused_AreErrors) {
  const CheckpointReader reader = Saved(Store({{".a", 1}}));
  ParamStore store = Store({{".a", 0}});
  ExpectRefused(reader, {.renames = {{"*", "{2}"}}}, &store,
                "item 'params': rename 0: replacement '{2}', column 1: expected the index of");
  const RestoreOptions unused{.renames = {{"b", "c"}}};
  ExpectRefused(reader, unused, &store, "rename 0 ('b' -> 'c') matches no leaf");
  RestoreOptions allowed = unused;
  allowed.allow_unused_renames = true;
  ASSERT_THAT(reader.LoadInto("params", &store, allowed), IsOk());
  EXPECT_EQ(ValuesOf(store), (Values{{".a", 1}}));
}

// The error is found before a byte is read: the tensor's bytes are damaged.
TEST_F(RestoreTest, Mismatch_IsFoundBeforeReading) {
  SaveAsParams(EveryKindStore());
  std::string bytes = ReadFile(path_);
  bytes[64] ^= 1;  // .embed
  WriteFile(path_, bytes);
  const CheckpointReader reader = CheckpointReader::Open(path_).value();
  ParamStore store = EveryKindStore();
  const StoreState before(store);
  EXPECT_THAT(reader.LoadInto("params", &store, {.renames = {{"act", "embed"}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("would both be '.embed'")));
  EXPECT_THAT(reader.LoadInto("params", &store, {.filter = IsTensor()}),
              StatusIs(StatusCode::kDataLoss, HasSubstr("'.embed'")));
  EXPECT_EQ(StoreState(store), before);
  EXPECT_THAT(reader.LoadInto("params", &store, {.filter = IsStatic()}), IsOk())
      << "which reads no tensor";
}

// .head of the item is an alias of .embed: no rule applies to it, and it keeps its name.
TEST_F(RestoreTest, Aliases_OfTheItemAreNotRenamed) {
  const ParamStore saved = EveryKindStore();
  const CheckpointReader reader = Saved(saved);
  ParamStore store =
      ParamStore::FromEntries({{Path().Attribute("table"), Zeros(DType::kF32, {2, 3})},
                               {Path().Attribute("head"), Zeros(DType::kF32, {2, 3})},
                               {Path().Attribute("embed"), Zeros(DType::kF32, {2, 3})}})
          .value();
  const RestoreReport report =
      reader
          .LoadInto(
              "params", &store,
              {.allow_missing = true, .allow_unexpected = true, .renames = {{"embed", "table"}}})
          .value();
  EXPECT_TRUE(*store.Find(".table") == saved.leaf(2));
  EXPECT_TRUE(*store.Find(".head") == saved.leaf(2));
  EXPECT_THAT(report.missing, ElementsAre(".embed")) << "which was renamed";
}

// .head of the store is an alias of .embed.
TEST_F(RestoreTest, Renames_MayTargetAnAliasOfTheStore) {
  const ParamStore saved = EveryKindStore();
  const CheckpointReader reader =
      Saved(ParamStore::FromEntries({{Path().Attribute("lm_head"), saved.leaf(2)}}).value());
  ParamStore store = EveryKindStore();
  ASSERT_THAT(store.Set(".embed", Zeros(DType::kF32, {2, 3})), IsOk());
  const RestoreReport report =
      reader.LoadInto("params", &store, {.allow_missing = true, .renames = {{"lm_head", "head"}}})
          .value();
  EXPECT_EQ(report.restored, 1u);
  EXPECT_TRUE(*store.Find(".embed") == saved.leaf(2));
}

}  // namespace
}  // namespace leafstore
