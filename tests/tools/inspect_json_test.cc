// `leafstore inspect --json`: its output equals the store.
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/checkpoint/reader.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/select/partition.h"

#include "tests/tools/run_program.h"
#include "tests/tools/sample_checkpoints.h"

namespace leafstore {
namespace {

using JsonValue = nlohmann::json;

class InspectJsonTest : public testing::Test {
 protected:
  JsonValue Inspect(std::vector<std::string> args) {
    args.insert(args.begin(), {"inspect", path_, "--json"});
    const Ran ran = RunLeafstore(std::move(args));
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    JsonValue parsed = JsonValue::parse(ran.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(parsed.is_discarded()) << ran.out;
    return parsed;
  }
  // Returns the rows of the only item, by value, so that a loop over them does not read a destroyed
  // object.
  JsonValue Rows(const std::vector<std::string>& args) {
    const JsonValue found = Inspect(args);
    EXPECT_EQ(found["items"].size(), 1u);
    return found["items"][0]["rows"];
  }
  static JsonValue Fields(const JsonValue& from, const std::vector<std::string>& names) {
    JsonValue fields;
    for (const std::string& name : names) fields[name] = from.value(name, JsonValue());
    return fields;
  }
  static JsonValue TotalsOf(const ParamStore& store) {
    int64_t tensors = 0, parameters = 0, bytes = 0;
    for (const Leaf& leaf : store.leaves()) {
      if (!leaf.is_tensor()) continue;
      ++tensors;
      parameters += leaf.tensor().element_count();
      bytes += leaf.byte_size();
    }
    return {{"leaves", store.size()},
            {"tensors", tensors},
            {"parameters", parameters},
            {"bytes", bytes},
            {"stored_bytes", bytes}};
  }
  const std::vector<std::string> kTotals = {"leaves", "tensors", "parameters", "bytes",
                                            "stored_bytes"};

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

TEST_F(InspectJsonTest, Head_DescribesTheFile) {
  SaveSample(path_);
  const JsonValue found = Inspect({});
  EXPECT_EQ(found["schema"], 2);
  EXPECT_EQ(found["file"], path_);
  EXPECT_EQ(found["file_bytes"], ReadFile(path_).size());
  EXPECT_EQ(found["format_version"], 1);
  EXPECT_EQ(found["verified"], false);
  EXPECT_EQ(found["metadata"], JsonValue({{"run", "seven"}}));
  ASSERT_EQ(found["items"].size(), 2u);
  EXPECT_EQ(found["items"][0]["name"], "params");
  EXPECT_EQ(found["items"][0]["metadata"], JsonValue({{"note", "after warm-up"}}));
  EXPECT_EQ(found["items"][1]["name"], "progress");
  EXPECT_FALSE(found["items"][1].contains("groups"));
}

TEST_F(InspectJsonTest, Rows_EqualTheLeavesOfTheStore) {
  SaveSample(path_);
  const ParamStore params = SampleParams().params;
  const JsonValue item = Inspect({"--item", "params"})["items"][0];
  EXPECT_EQ(item["totals"], TotalsOf(params));
  EXPECT_EQ(item["structure_leaves"], params.layout().size());
  std::map<std::string, JsonValue> rows;
  for (const JsonValue& row : item["rows"]) rows[row["path"]] = row;
  ASSERT_EQ(rows.size(), params.size() + 1);  // the alias
  const CheckpointReader reader = CheckpointReader::Open(path_).value();
  for (uint32_t place = 0; place < params.size(); ++place) {
    const Leaf& leaf = params.leaf(place);
    const JsonValue& row = rows[params.PathText(place)];
    EXPECT_EQ(row["dotted"], params.layout().Dotted(place));
    EXPECT_EQ(row["kind"], leaf.is_tensor() ? "tensor" : "static");
    if (!leaf.is_tensor()) continue;
    const EntryInfo entry = reader.GetItem("params").value().entry(place);
    EXPECT_EQ(row["dtype"], std::string(DTypeName(leaf.tensor().dtype())));
    EXPECT_EQ(row["shape"],
              std::vector<int64_t>(entry.spec.shape().begin(), entry.spec.shape().end()));
    EXPECT_EQ(row["bytes"], leaf.byte_size());
    EXPECT_EQ(row["parameters"], leaf.tensor().element_count());
    EXPECT_EQ(row["offset"], entry.offset);
    EXPECT_EQ(std::stoull(row["checksum"].get<std::string>(), nullptr, 16), entry.checksum);
  }
  EXPECT_EQ(rows[".activation"]["value"], "gelu");
  EXPECT_EQ(rows[".heads"]["value"], 8);
  EXPECT_EQ(rows[".heads"]["value_kind"], "int");
  EXPECT_EQ(rows[".layers[0].bias"]["tags"], JsonValue::array({"no_decay"}));
  // The layer is further out than the bias.
  EXPECT_EQ(rows[".layers[0].bias"]["group"], "first");
  EXPECT_EQ(rows[".layers[1].bias"]["group"], "bias");
  EXPECT_EQ(rows[".head"], JsonValue({{"path", ".head"},
                                      {"dotted", "head"},
                                      {"kind", "alias"},
                                      {"target", ".embed"},
                                      {"target_dotted", "embed"}}));
}

TEST_F(InspectJsonTest, Groups_EqualThoseOfPartition) {
  SaveSample(path_);
  const std::vector<std::string> filters = {"**.bias", "type:Layer", "dtype:bf16 or kind:str"};
  std::vector<Filter> parsed;
  std::vector<std::string> args = {"--item", "params"};
  for (size_t i = 0; i < filters.size(); ++i) {
    parsed.push_back(Filter::Parse(filters[i]).value());
    args.push_back("--group");
    args.push_back(absl::StrCat("g", i, "=", filters[i]));
  }
  const auto groups = Partition(SampleParams().params, parsed).value();
  const JsonValue item = Inspect(args)["items"][0];
  EXPECT_EQ(item["groups_saved"], false);
  EXPECT_EQ(item["root_group"], nullptr);
  ASSERT_EQ(item["groups"].size(), groups.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(item["groups"][i]["name"], i < 3 ? absl::StrCat("g", i) : "rest");
    EXPECT_EQ(Fields(item["groups"][i], kTotals), TotalsOf(groups[i]));
    for (uint32_t place = 0; place < groups[i].size(); ++place) {
      for (const JsonValue& row : item["rows"]) {
        if (row["path"] == groups[i].PathText(place)) {
          EXPECT_EQ(row["group"], item["groups"][i]["name"]);
        }
      }
    }
  }
  EXPECT_EQ(Inspect({"--group", "x=not rank:7"})["items"][0]["root_group"], "x");
}

TEST_F(InspectJsonTest, SavedGroups_MayOmitLeaves) {
  const Flattened model = SampleParams();
  std::vector<uint32_t> numbers(model.params.size(), kNoGroup);
  numbers[0] = 0;
  const Grouping grouping = Grouping::Create(model.params.layout(), numbers, {"one"}).value();
  ASSERT_TRUE(SaveCheckpoint(path_, {{"params", model.params, {.grouping = grouping}}}).ok());
  const JsonValue item = Inspect({})["items"][0];
  ASSERT_EQ(item["groups"].size(), 2u);
  EXPECT_EQ(item["groups"][0]["name"], "one");
  EXPECT_EQ(item["groups"][1]["name"], nullptr);
  EXPECT_EQ(item["groups"][1]["leaves"], model.params.size() - 1);
}

TEST_F(InspectJsonTest, Rows_SumToTheTotalsAtEveryDepth) {
  SaveSample(path_);
  for (const std::string depth : {"0", "1", "2", "3"}) {
    const JsonValue item = Inspect({"--item", "params", "--depth", depth})["items"][0];
    std::map<std::string, int64_t> sums;
    for (const JsonValue& row : item["rows"]) {
      if (row["kind"] == "alias") continue;
      sums["leaves"] += row["kind"] == "subtree" ? row["leaves"].get<int64_t>() : 1;
      sums["parameters"] += row.value("parameters", int64_t{0});
      sums["bytes"] += row.value("bytes", int64_t{0});
    }
    EXPECT_EQ(JsonValue(sums), Fields(item["totals"], {"leaves", "parameters", "bytes"})) << depth;
    EXPECT_EQ(item["listed"], item["totals"]);
  }
}

TEST_F(InspectJsonTest, Subtree_ListsItsGroups) {
  SaveSample(path_);
  std::map<std::string, JsonValue> groups;
  for (const JsonValue& row : Rows({"--item", "params", "--depth", "2"})) {
    if (row["kind"] == "subtree") groups[row["path"]] = row["groups"];
  }
  EXPECT_EQ(groups, (std::map<std::string, JsonValue>{{".layers[0]", {"first"}},
                                                      {".layers[1]", {"bias", "other"}}}));
}

TEST_F(InspectJsonTest, Match_ReportsTheListedTotals) {
  SaveSample(path_);
  const JsonValue item = Inspect({"--item", "params", "--match", "**.bias"})["items"][0];
  EXPECT_EQ(item["totals"], TotalsOf(SampleParams().params));
  EXPECT_EQ(
      item["listed"],
      JsonValue(
          {{"leaves", 2}, {"tensors", 2}, {"parameters", 6}, {"bytes", 24}, {"stored_bytes", 24}}));
  EXPECT_EQ(item["rows"].size(), 2u);
  EXPECT_EQ(item["groups"][2]["leaves"], 0);
}

TEST_F(InspectJsonTest, Verbose_NamesTheReadMode) {
  SaveSample(path_);
  EXPECT_EQ(Inspect({"--verbose"})["read_mode"], "map");
  EXPECT_FALSE(Inspect({}).contains("read_mode"));
  EXPECT_THAT(RunLeafstore({"inspect", path_, "--verbose"}).out,
              testing::HasSubstr("\n  read mode: map\n"));
}

TEST_F(InspectJsonTest, Stats_EqualThoseOfTheStore) {
  SaveSample(path_);
  const ParamStore params = SampleParams().params;
  const std::vector<TensorStats> expected = StatsOfLeaves(params).value();
  const JsonValue found = Inspect({"--item", "params", "--stats"});
  EXPECT_EQ(found["verified"], true);
  const JsonValue item = found["items"][0];
  for (const JsonValue& row : item["rows"]) {
    if (row["kind"] != "tensor") {
      EXPECT_FALSE(row.contains("stats"));
      continue;
    }
    const TensorStats& stats = expected[params.GetPlace(row["path"].get<std::string>()).value()];
    EXPECT_EQ(row["stats"]["count"], stats.count);
    EXPECT_EQ(row["stats"]["min"], stats.min);
    EXPECT_EQ(row["stats"]["max"], stats.max);
    EXPECT_EQ(row["stats"]["mean"], stats.mean);
    EXPECT_EQ(row["stats"]["std"], stats.stddev());
    EXPECT_EQ(row["stats"]["l2"], stats.l2());
    EXPECT_EQ(row["stats"]["nan"], stats.nan_count);
    EXPECT_EQ(row["stats"]["inf"], stats.inf_count);
    EXPECT_EQ(row["stats"]["zero"], stats.zero_count);
  }
  EXPECT_EQ(item["groups"][2]["stats"]["nan"], 1);
}

TEST_F(InspectJsonTest, NanAndInfinities_AreNullOrText) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Save(path_, ParamStore::FromEntries({{Path().Item("t"), Tensor::From<double>({1}, {nan}).value()},
                                       {Path().Item("v"), Value(nan)},
                                       {Path().Item("b"), Value(Bytes{std::string("\0\xff", 2)})}})
                  .value());
  std::map<std::string, JsonValue> rows;
  for (const JsonValue& row : Rows({"--stats"})) rows[row["dotted"]] = row;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows["t"]["stats"]["min"], nullptr);
  EXPECT_EQ(rows["t"]["stats"]["nan"], 1);
  EXPECT_EQ(rows["v"]["value"], "nan");
  EXPECT_EQ(rows["b"]["value"], "00ff");
}

TEST_F(InspectJsonTest, HostileKeys_RoundTrip) {
  const std::string key = "\x1b[31m\n\"\\\xc2\x9b\xe2\x80\xae";
  Save(path_, ParamStore::FromEntries({{Path().Item(key), Value(key)}}).value());
  const JsonValue row = Inspect({})["items"][0]["rows"][0];
  EXPECT_EQ(row["path"], Path().Item(key).ToString());
  EXPECT_EQ(row["dotted"], key);
  EXPECT_EQ(row["value"], key);
}

TEST_F(InspectJsonTest, ManyLeavesAndNoLeaves_AreListed) {
  Save(path_, ManyLeaves(10'000));
  EXPECT_EQ(Inspect({"--stats"})["items"][0]["rows"].size(), 10'000u);
  Save(path_, ParamStore());
  EXPECT_EQ(Inspect({})["items"][0]["rows"], JsonValue::array());
  ASSERT_TRUE(SaveCheckpoint(path_, std::vector<CheckpointItem>{}).ok());
  EXPECT_EQ(Inspect({})["items"], JsonValue::array());
}

}  // namespace
}  // namespace leafstore
