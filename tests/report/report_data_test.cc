// The data of a report equal the stores.
#include "leafstore/tools/report/report_data.h"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/numeric/stats.h"
#include "leafstore/select/grouping.h"
#include "leafstore/tools/report/report_item.h"

#include "tests/interop/safetensors_attacks.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using tools::CompareLeaves;
using tools::LeafChange;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

Leaf Floats(std::vector<float> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::From<float>({count}, values).value();
}

class ReportDataTest : public testing::Test {
 protected:
  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
  const std::string second_ = dir_.File("b.leaf");
};

class ReportTreeTest : public ReportDataTest {
 protected:
  // Returns the tree of a report of two files that have these paths.
  json TreeOf(const std::vector<Path>& before, const std::vector<Path>& after) {
    SavePaths(path_, before);
    SavePaths(second_, after);
    return ReportJsonOf({path_, second_})["items"][0]["tree"];
  }
  static void SavePaths(const std::string& file, const std::vector<Path>& paths) {
    std::vector<std::pair<Path, Leaf>> entries;
    for (const Path& path : paths) entries.emplace_back(path, Floats({1}));
    Save(file, ParamStore::FromEntries(std::move(entries)).value());
  }
};

TEST_F(ReportTreeTest, Node_IsIdentifiedByParentAndKey) {
  const json tree = TreeOf({Path().Attribute("a"), Path().Attribute("b").Item("a")},
                           {Path().Attribute("a"), Path().Attribute("b").Attribute("a")});
  EXPECT_THAT(tree["step"], ElementsAre("", ".a", ".b", ".a", "['a']"));
  EXPECT_THAT(tree["key"], ElementsAre("", "a", "b", "a", "a"));
  EXPECT_THAT(tree["parent"], ElementsAre(-1, 0, 0, 2, 2));
}

TEST_F(ReportTreeTest, Nodes_AreInPreorderAndSiblingsInTheOrderOfTheLaterFile) {
  const auto paths = [](const std::vector<const char*>& texts) {
    std::vector<Path> list;
    for (const char* text : texts) list.push_back(Path::Parse(text).value());
    return list;
  };
  const json tree = TreeOf(paths({".b.y", ".c.z"}), paths({".a", ".b.x", ".d"}));
  EXPECT_THAT(tree["step"], ElementsAre("", ".a", ".b", ".x", ".y", ".d", ".c", ".z"));
  EXPECT_THAT(tree["parent"], ElementsAre(-1, 0, 0, 2, 2, 0, 0, 6));
}

TEST_F(ReportTreeTest, LongKeys_AreCutAndStayDistinct) {
  const std::string stem(100'000, 'k');
  const json tree = TreeOf({Path().Item(stem + "a")}, {Path().Item(stem + "b")});
  ASSERT_EQ(tree["key"].size(), 3u);
  for (const std::string key : tree["key"]) EXPECT_LE(key.size(), 1024u);
}

TEST_F(ReportDataTest, Columns_HaveAnEntryPerLeaf) {
  SaveSample(path_);
  const json report = ReportJsonOf({path_});
  EXPECT_EQ(report["schema"], 2);
  EXPECT_EQ(report["mode"], "model");
  EXPECT_EQ(report["title"], "a.leaf");
  EXPECT_EQ(report["verified"], true);
  EXPECT_EQ(report["files"][0]["has_checksums"], true);
  EXPECT_EQ(report["files"][0]["name"], path_);
  EXPECT_EQ(report["files"][0]["metadata"], json({{"run", "seven"}}));
  ASSERT_EQ(report["items"].size(), 2u);
  for (const json& item : report["items"]) {
    const size_t leaves = item["leaves"]["node"].size();
    ASSERT_EQ(item["sides"].size(), 1u);
    for (const auto& [name, column] : item["sides"][0].items()) {
      EXPECT_EQ(column.size(), leaves) << name;
    }
    EXPECT_EQ(item["totals"][0]["leaves"], leaves);
  }
}

TEST_F(ReportDataTest, Statistics_EqualThoseOfTheStore) {
  const ParamStore store = NetworkStore(2, 16, 0.1f);
  Save(path_, store);
  const json report = ReportJsonOf({path_});
  const json item = report["items"][0];
  const json side = item["sides"][0];
  const std::vector<TensorStats> stats =
      StatsOfLeaves(store, {.histogram_bins = tools::kReportBins}).value();
  const std::vector<std::string> paths = LeafPathsOf(item);
  ASSERT_EQ(paths.size(), store.size());
  for (uint32_t i = 0; i < store.size(); ++i) {
    EXPECT_EQ(paths[i], store.layout().Dotted(i));
    EXPECT_EQ(side["kind"][i], "tensor");
    EXPECT_EQ(side["dtype"][i], "f32");
    EXPECT_EQ(side["bytes"][i], stats[i].bytes);
    EXPECT_EQ(side["count"][i], stats[i].count);
    EXPECT_EQ(side["min"][i], stats[i].min);
    EXPECT_EQ(side["max"][i], stats[i].max);
    EXPECT_EQ(side["mean"][i], stats[i].mean);
    EXPECT_EQ(side["std"][i], stats[i].stddev());
    EXPECT_EQ(side["l2"][i], stats[i].l2());
    EXPECT_EQ(side["histogram"][i], stats[i].histogram->bins);
  }
}

TEST_F(ReportDataTest, Statistics_AreEqualForAnyThreadCount) {
  Save(path_, NetworkStore(8, 96, 0.1f));
  EXPECT_EQ(ReportJsonOf({path_, "--threads", "1"}), ReportJsonOf({path_, "--threads", "7"}));
}

TEST_F(ReportDataTest, TiesTagsAndValues_AreIncluded) {
  SaveSample(path_);
  const json report = ReportJsonOf({path_, "--item", "params"});
  ASSERT_EQ(report["items"].size(), 1u);
  const json item = report["items"][0];
  const std::vector<std::string> paths = LeafPathsOf(item);
  const auto place = [&paths](const std::string& path) {
    return static_cast<size_t>(std::find(paths.begin(), paths.end(), path) - paths.begin());
  };
  ASSERT_EQ(item["aliases"]["node"].size(), 1u);
  const size_t alias = item["aliases"]["node"][0], target = item["aliases"]["target"][0];
  EXPECT_EQ(item["tree"]["step"][alias], ".head");
  EXPECT_EQ(item["tree"]["step"][target], ".embed");
  EXPECT_THAT(item["tags"]["tag"], ElementsAre("no_decay", "no_decay"));
  const json side = item["sides"][0];
  EXPECT_EQ(side["kind"][place("activation")], "static");
  EXPECT_EQ(side["value"][place("activation")], "gelu");
  EXPECT_EQ(side["dtype"][place("heads")], "int");
  EXPECT_EQ(side["value"][place("heads")], 8);
  EXPECT_EQ(side["l2"][place("heads")], nullptr);
  EXPECT_EQ(side["nan"][place("scale")], 1);
  EXPECT_EQ(side["max"][place("scale")], 2.0);
}

TEST_F(ReportDataTest, SavedGroups_HaveTotalsAndStatistics) {
  SaveSample(path_);
  const json report = ReportJsonOf({path_, "--item", "params"});
  const json item = report["items"][0];
  EXPECT_EQ(item["groups_saved"], true);
  const Flattened model = SampleParams();
  const Grouping grouping = Grouping::Compile(model.params, {{"bias", Glob("layers.*.bias")},
                                                             {"first", Glob("layers.0")},
                                                             {"other", Rest()}})
                                .value();
  const std::vector<TensorStats> stats =
      StatsOfGroups(grouping.Split(model.params).value()).value();
  ASSERT_EQ(item["groups"].size(), 3u);
  for (uint32_t group = 0; group < 3; ++group) {
    const json found = item["groups"][group];
    EXPECT_EQ(found["name"], grouping.name(group));
    EXPECT_EQ(found["leaves"], grouping.SlotsOf(group).size());
    EXPECT_EQ(found["bytes"], stats[group].bytes);
    EXPECT_EQ(found["nan"], stats[group].nan_count);
    EXPECT_NEAR(found["l2"], stats[group].l2(), 1e-12);
  }
  const json groups = item["leaves"]["group"];
  for (Slot slot = 0; slot < model.params.size(); ++slot) {
    EXPECT_EQ(groups[slot], grouping.GroupOf(slot)) << model.params.layout().PathText(slot);
  }
}

TEST_F(ReportDataTest, GroupsByFilter_EndWithTheRest) {
  Save(path_, NetworkStore(1, 8, 1));
  const json report = ReportJsonOf({path_, "--group", "bias=**.bias", "--group", "all mlp=**.mlp"});
  const json item = report["items"][0];
  EXPECT_EQ(item["groups_saved"], false);
  ASSERT_EQ(item["groups"].size(), 3u);
  EXPECT_EQ(item["groups"][0]["leaves"], 3);
  EXPECT_EQ(item["groups"][1]["leaves"], 2);
  EXPECT_EQ(item["groups"][2]["name"], "rest");
  EXPECT_EQ(item["groups"][2]["rest"], true);
  EXPECT_EQ(item["root_group"], nullptr);
}

TEST_F(ReportDataTest, Match_SelectsLeaves) {
  Save(path_, NetworkStore(2, 8, 1));
  const json report = ReportJsonOf({path_, "--match", "layers.1.mlp"});
  EXPECT_THAT(LeafPathsOf(report["items"][0]),
              ElementsAre("layers.1.mlp.bias", "layers.1.mlp.weight"));
  EXPECT_EQ(report["items"][0]["totals"][0]["leaves"], 2);
}

TEST_F(ReportDataTest, NanAndInfinities_AreNullOrText) {
  const ParamStore store =
      ParamStore::FromEntries(
          {{Path().Attribute("big"), Value(int64_t{9007199254740993})},
           {Path().Attribute("empty"), Tensor::Zeros(DType::kF32, {0}).value()},
           {Path().Attribute("inf"), Value(std::numeric_limits<double>::infinity())},
           {Path().Attribute("odd"), Floats({kNaN, kInf, -kInf})}})
          .value();
  Save(path_, store);
  const json report = ReportJsonOf({path_});
  const json side = report["items"][0]["sides"][0];
  EXPECT_EQ(side["value"][0], "9007199254740993");
  EXPECT_EQ(side["count"][1], 0);
  EXPECT_EQ(side["mean"][1], nullptr);
  EXPECT_EQ(side["histogram"][1], nullptr);
  EXPECT_EQ(side["value"][2], "inf");
  EXPECT_EQ(side["nan"][3], 1);
  EXPECT_EQ(side["inf"][3], 2);
  EXPECT_EQ(side["min"][3], nullptr);
  EXPECT_EQ(side["l2"][3], 0.0);
}

TEST_F(ReportDataTest, Text_IsAsciiAndEscaped) {
  Save(path_, HostileStore());
  const Ran ran = RunLeafstore({"report", path_, "--json", "--title", "<b>\xe2\x80\xae"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  for (const char c : ran.out) ASSERT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f));
  const json report = json::parse(ran.out);
  EXPECT_EQ(report["title"], "<b>\\u202e");
  const std::vector<std::string> keys = report["items"][0]["tree"]["key"];
  EXPECT_THAT(keys, testing::Contains("<img src=x onerror=alert(1)>"));
  EXPECT_THAT(keys, testing::Contains(HasSubstr("\\u202efdp.exe")));
  EXPECT_THAT(keys, testing::Contains("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"));
}

TEST_F(ReportDataTest, NotesOfTheFile_AreIncluded) {
  const std::string file = dir_.File("odd.safetensors");
  WriteFile(file, SafetensorsFileOf(
                      "{" + BytesEntry("w", 0, 4) +
                          R"(,"q":{"dtype":"NF4","shape":[4],"data_offsets":[4,6]}})" + "\n",
                      6));
  const json notes = ReportJsonOf({file})["notes"];
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_THAT(notes[0].get<std::string>(), HasSubstr("odd.safetensors: header: expected '}'"));
  EXPECT_THAT(notes[1].get<std::string>(),
              HasSubstr("1 leaf is not readable and not shown, such as 'q'"));
}

TEST(CompareLeavesTest, EachKindOfDifference_IsReported) {
  const Leaf floats = Floats({1, 2, 3});
  EXPECT_EQ(CompareLeaves(floats, Floats({1, 2, 3})).what, "same");
  EXPECT_EQ(CompareLeaves(floats, Value(1)).what, "kind");
  EXPECT_EQ(CompareLeaves(Value(1), Value(2)).what, "value");
  EXPECT_EQ(CompareLeaves(Value("a"), Value("a")).what, "same");
  EXPECT_EQ(CompareLeaves(floats, Floats({1, 2})).what, "shape");
  EXPECT_EQ(CompareLeaves(floats, Leaf()).what, "removed");
  EXPECT_EQ(CompareLeaves(Leaf(), floats).what, "added");
  const Leaf integers = Tensor::From<int32_t>({3}, {1, 2, 3}).value();
  EXPECT_EQ(CompareLeaves(floats, integers).what, "dtype");
  EXPECT_EQ(CompareLeaves(floats, integers).differing, std::nullopt);
}

TEST(CompareLeavesTest, Numbers_AreComparedAsByDiff) {
  const LeafChange change = CompareLeaves(Floats({1, 2, 0, 4}), Floats({1, 5, 4, 4}));
  EXPECT_EQ(change.what, "numbers");
  EXPECT_EQ(change.differing, 2);
  EXPECT_EQ(change.max_abs, 4);
  EXPECT_EQ(change.max_rel, 1);
  EXPECT_EQ(change.l2, 5);
}

TEST(CompareLeavesTest, NormOfLargeChange_IsNotZero) {
  const Leaf zero = Tensor::From<double>({1}, {0}).value();
  const Leaf large = Tensor::From<double>({1}, {1e200}).value();
  const Leaf lowest = Tensor::From<double>({1}, {std::numeric_limits<double>::lowest()}).value();
  EXPECT_EQ(CompareLeaves(zero, large).l2, kInf);
  EXPECT_EQ(CompareLeaves(large, lowest).l2, kInf);
}

TEST(CompareLeavesTest, Norm_CoversNumbersThatAreFiniteOnBothSides) {
  const LeafChange change = CompareLeaves(Floats({kNaN, 1, kInf, 2}), Floats({1, kNaN, 0, 5}));
  EXPECT_EQ(change.differing, 4);
  EXPECT_EQ(change.l2, 3);
  EXPECT_EQ(CompareLeaves(Floats({kNaN, 1}), Floats({kNaN, 1})).what, "same");
}

TEST(ReportJsonTest, NamesOfMetadata_StayDistinct) {
  tools::Source source;
  source.metadata = {{"a\n", "newline"}, {"a\\n", "backslash"}};
  source.metrics = {{"m\x01", 1}, {"m\\x01", 2}};
  const json file = tools::ReportFileJson(source);
  EXPECT_EQ(file["metadata"], json({{"a\\n", "newline"}, {"a\\\\n", "backslash"}}));
  EXPECT_EQ(file["metrics"], json({{"m\\x01", 1}, {"m\\\\x01", 2}}));
}

// Searching each name among the previous ones would take minutes.
TEST(ReportJsonTest, MuchMetadata_TakesLinearTime) {
  tools::Source source;
  for (int i = 0; i < 400'000; ++i) source.metadata[absl::StrCat("key", i)] = "value";
  const auto begin = std::chrono::steady_clock::now();
  const std::string text = tools::JsonText(tools::ReportFileJson(source));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_THAT(text, HasSubstr("\"key399999\":\"value\""));
}

using ReportChangeTest = ReportDataTest;

TEST_F(ReportChangeTest, Leaves_AreComparedByPath) {
  const auto at = [](const char* path) { return Path::Parse(path).value(); };
  Save(path_, ParamStore::FromEntries({{at(".a"), Floats({1, 2})},
                                       {at(".gone"), Floats({7})},
                                       {at(".same"), Floats({3})},
                                       {at(".shape"), Floats({3})},
                                       {at(".v"), Value("x")}})
                  .value());
  Save(second_, ParamStore::FromEntries({{at(".a"), Floats({1, 5})},
                                         {at(".new"), Floats({7})},
                                         {at(".same"), Floats({3})},
                                         {at(".shape"), Floats({3, 3})},
                                         {at(".v"), Value("y")}})
                    .value());
  const json report = ReportJsonOf({path_, second_});
  EXPECT_EQ(report["mode"], "compare");
  EXPECT_EQ(report["title"], "a.leaf and b.leaf");
  const json item = report["items"][0];
  EXPECT_THAT(LeafPathsOf(item), ElementsAre("a", "new", "same", "shape", "v", "gone"));
  EXPECT_THAT(item["change"]["what"],
              ElementsAre("numbers", "added", "same", "shape", "value", "removed"));
  EXPECT_THAT(item["change"]["l2"], ElementsAre(3, nullptr, 0, nullptr, nullptr, nullptr));
  EXPECT_THAT(item["change"]["differing"], ElementsAre(1, nullptr, 0, nullptr, nullptr, nullptr));
  EXPECT_THAT(item["sides"][0]["l2"], ElementsAre(std::sqrt(5.0), nullptr, 3, 3, nullptr, 7));
  EXPECT_THAT(item["sides"][1]["max"], ElementsAre(5, 7, 3, 3, nullptr, nullptr));
  EXPECT_THAT(item["sides"][0]["value"][4], "x");
  EXPECT_THAT(item["sides"][1]["value"][4], "y");
}

TEST_F(ReportChangeTest, Histograms_HaveOneRange) {
  const auto store = [](std::vector<float> values) {
    return ParamStore::FromEntries({{Path().Attribute("w"), Floats(std::move(values))}}).value();
  };
  Save(path_, store({0, 0, 16}));
  Save(second_, store({31, 32}));
  const json report = ReportJsonOf({path_, second_});
  const std::vector<int64_t> before = report["items"][0]["sides"][0]["histogram"][0];
  const std::vector<int64_t> after = report["items"][0]["sides"][1]["histogram"][0];
  ASSERT_EQ(before.size(), 32u);
  EXPECT_EQ(before[0], 2);
  EXPECT_EQ(before[16], 1);
  EXPECT_EQ(after[31], 2);
}

TEST_F(ReportChangeTest, ItemOfOneFile_IsAddedOrRemoved) {
  Save(path_, NetworkStore(1, 4, 1), "old");
  Save(second_, NetworkStore(1, 4, 1), "new");
  const json report = ReportJsonOf({path_, second_});
  ASSERT_EQ(report["items"].size(), 2u);
  EXPECT_EQ(report["items"][0]["name"], "new");
  EXPECT_THAT(report["items"][0]["change"]["what"], testing::Each("added"));
  EXPECT_THAT(report["items"][0]["totals"][0], nullptr);
  EXPECT_EQ(report["items"][1]["name"], "old");
  EXPECT_THAT(report["items"][1]["change"]["what"], testing::Each("removed"));
}

TEST_F(ReportChangeTest, TieOfOneSide_IsALeaf) {
  SampleModel untied;
  untied.head = std::make_shared<Tensor>(*untied.embed);
  const Flattened other = Flatten(std::move(untied)).value();
  const Flattened model = SampleParams();
  ASSERT_TRUE(
      SaveCheckpoint(path_, {{"params", model.def, model.params}}, {.io = {.durable = false}})
          .ok());
  ASSERT_TRUE(
      SaveCheckpoint(second_, {{"params", other.def, other.params}}, {.io = {.durable = false}})
          .ok());
  const json report = ReportJsonOf({path_, second_});
  const json item = report["items"][0];
  EXPECT_TRUE(item["aliases"]["node"].empty());
  const std::vector<std::string> paths = LeafPathsOf(item);
  const auto head = std::find(paths.begin(), paths.end(), "head") - paths.begin();
  EXPECT_EQ(item["change"]["what"][static_cast<size_t>(head)], "added");
  EXPECT_THAT(item["change"]["structure"][0], HasSubstr(".head"));
}

class ReportStepsTest : public ReportDataTest {
 protected:
  const std::string run_ = dir_.File("run");
};

TEST_F(ReportStepsTest, NormsAndChanges_EqualThoseOfTheSteps) {
  const std::vector<ParamStore> stores = GrowingStores(3, 1, 8);
  SaveSteps(run_, {10, 20, 40}, stores);
  const json report = ReportJsonOf({run_});
  EXPECT_EQ(report["mode"], "steps");
  EXPECT_EQ(report["title"], "run");
  EXPECT_THAT(report["steps"], ElementsAre(10, 20, 40));
  EXPECT_THAT(report["metrics"]["accuracy"], ElementsAre(0.5, 0.6, 0.7));
  EXPECT_TRUE(report["skipped"].empty());
  const json item = report["items"][0];
  for (uint32_t leaf = 0; leaf < stores[0].size(); ++leaf) {
    for (size_t step = 0; step < 3; ++step) {
      const double l2 = StatsOf(stores[step].leaf(leaf).tensor()).value().l2();
      EXPECT_NEAR(item["series"]["l2"][leaf][step], l2, 1e-5 * l2);
      if (step == 0) {
        EXPECT_EQ(item["series"]["change"][leaf][step], nullptr);
        continue;
      }
      const double change = CompareLeaves(stores[step - 1].leaf(leaf), stores[step].leaf(leaf)).l2;
      EXPECT_NEAR(item["series"]["change"][leaf][step], change, 1e-5 * change);
    }
  }
  // The newest is shown in full.
  EXPECT_EQ(item["sides"][0]["l2"][0], StatsOf(stores[2].leaf(0).tensor()).value().l2());
}

TEST_F(ReportStepsTest, DamagedStep_IsSkippedAndNamed) {
  SaveSteps(run_, {1, 2, 3}, GrowingStores(3, 1, 8));
  const std::string file = run_ + "/step-00000000000000000002.leaf";
  std::string bytes = ReadFile(file);
  bytes[4096] ^= 1;
  WriteFile(file, bytes);
  const json report = ReportJsonOf({run_});
  EXPECT_THAT(report["steps"], ElementsAre(1, 3));
  ASSERT_EQ(report["skipped"].size(), 1u);
  EXPECT_EQ(report["skipped"][0]["step"], 2);
  EXPECT_THAT(std::string(report["skipped"][0]["why"]), HasSubstr("checksum"));
  EXPECT_EQ(report["items"][0]["series"]["l2"][0].size(), 2u);
}

// A step that fails while it is read is left out, and the next one is compared with the last intact
// one.
TEST_F(ReportStepsTest, StepAfterADamagedOne_IsComparedWithTheLastIntactStep) {
  const std::vector<ParamStore> stores = GrowingStores(3, 1, 8);
  SaveSteps(run_, {1, 2, 3}, stores);
  const std::string file = run_ + "/step-00000000000000000002.leaf";
  std::string bytes = ReadFile(file);
  bytes[4096] ^= 1;
  WriteFile(file, bytes);
  const json item = ReportJsonOf({run_})["items"][0];
  for (uint32_t leaf = 0; leaf < stores[0].size(); ++leaf) {
    const double change = CompareLeaves(stores[0].leaf(leaf), stores[2].leaf(leaf)).l2;
    EXPECT_NEAR(item["series"]["change"][leaf][1], change, 1e-5 * change);
  }
}

TEST_F(ReportStepsTest, ManySteps_AreThinnedWithANote) {
  std::vector<int64_t> steps;
  for (int64_t i = 0; i < 11; ++i) steps.push_back(10 * i);
  SaveSteps(run_, steps, GrowingStores(11, 1, 4));
  const json report = ReportJsonOf({run_, "--steps", "3"});
  EXPECT_THAT(report["steps"], ElementsAre(0, 50, 100));
  EXPECT_THAT(report["notes"], ElementsAre(HasSubstr("11 steps, of which 3")));
}

TEST_F(ReportStepsTest, NamedStep_IsAModel) {
  SaveSteps(run_, {1, 2}, GrowingStores(2, 1, 4));
  EXPECT_EQ(ReportJsonOf({run_ + "@1"})["mode"], "model");
  EXPECT_EQ(ReportJsonOf({run_, "--step", "1"})["files"][0]["step"], 1);
  const json change = ReportJsonOf({run_ + "@1", run_ + "@2"});
  EXPECT_EQ(change["mode"], "compare");
  EXPECT_EQ(change["title"], "run, step 1 and run, step 2");
}

}  // namespace
}  // namespace leafstore
