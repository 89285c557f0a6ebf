// Checked-in bytes of the format, so that no change of it goes unnoticed. After an intended change,
// run this with LEAFSTORE_UPDATE_GOLDEN=1 and review the difference.
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"

#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/source_dir.h"

namespace leafstore {
namespace {

const std::string kGolden = SourcePath("tests/testdata/every_kind.leaf");
const std::string kDocument = SourcePath("docs/format.md");
const char kExampleBegins[] = "<!-- example begins -->\n```\n";
const char kExampleEnds[] = "```\n<!-- example ends -->";

bool Updating() { return std::getenv("LEAFSTORE_UPDATE_GOLDEN") != nullptr; }

absl::Status SaveEveryKind(const std::string& path) {
  const ParamStore store = EveryKindStore();
  const uint32_t none = kNoGroup;
  const Grouping grouping =
      Grouping::Create(store.layout(), std::vector<uint32_t>{none, none, 0, 0, none, 1},
                       {"weights", "rest"})
          .value();
  const ParamStore group = ParamStore::Create(store.layout(), SlotSet::Create(6, {2, 3}).value(),
                                              {store.leaf(2), store.leaf(3)})
                               .value();
  const ParamStore loose =
      ParamStore::FromEntries({{Path().Item("flag"), Value(true)},
                               {Path().Item("rate"), Value(0.5)},
                               {Path().Item("w").Index(1), Tensor::Scalar(2.5)}})
          .value();
  SaveOptions options;
  options.metadata = {{"run", "golden"}};
  return SaveCheckpoint(path,
                        {{"params", store, {.grouping = grouping, .metadata = {{"step", "100"}}}},
                         {"moments", group},
                         {"loose", loose}},
                        options);
}

// The example of docs/format.md: one dict with a tensor and a static leaf.
absl::Status SaveExample(const std::string& path) {
  TreeDefBuilder builder;
  builder.Open(NodeKind::kDict);
  builder.SetKey(KeyRef::Item("n"));
  builder.Leaf();
  builder.SetKey(KeyRef::Item("w"));
  builder.Leaf();
  builder.Close();
  const TreeDef def = std::move(builder).Build().value();
  const ParamStore store =
      ParamStore::Create(def, {Value(7), Tensor::From<float>({2}, {1.0f, -2.0f}).value()}).value();
  return SaveCheckpoint(path, {{"params", def, store}});
}

// Returns the output of `xxd`, with only the first of consecutive lines of zeros.
std::string HexDump(const std::string& bytes) {
  std::string out;
  bool in_zeros = false;
  for (size_t line = 0; line < bytes.size(); line += 16) {
    const std::string row = bytes.substr(line, 16);
    const bool zeros = row == std::string(16, '\0');
    if (zeros && in_zeros) continue;
    in_zeros = zeros;
    absl::StrAppend(&out, absl::Hex(line, absl::kZeroPad4), " ");
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) {
      const auto byte = static_cast<unsigned char>(row[i]);
      absl::StrAppend(&out, i % 8 == 0 ? "  " : " ", absl::Hex(byte, absl::kZeroPad2));
      text.push_back(absl::ascii_isprint(byte) ? row[i] : '.');
    }
    absl::StrAppend(&out, "  ", text, zeros ? "  (and more)" : "", "\n");
  }
  return out;
}

TEST(GoldenTest, CheckedInFile_LoadsItsOriginalContents) {
  TempDir dir;
  if (Updating()) {
    ASSERT_THAT(SaveEveryKind(kGolden), IsOk());
  }
  const auto reader = CheckpointReader::Open(kGolden);
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->items(), testing::ElementsAre("params", "moments", "loose"));
  EXPECT_THAT(reader->Verify(), IsOk());
  const ParamStore params = reader->Load("params").value();
  const ParamStore expected = EveryKindStore();
  EXPECT_TRUE(params.layout() == expected.layout());
  for (uint32_t place = 0; place < expected.size(); ++place) {
    EXPECT_TRUE(expected.leaf(place) == params.leaf(place)) << expected.PathText(place);
  }
  EXPECT_EQ(reader->GetItem("params")->grouping()->GroupOf(5), 1u);
  EXPECT_EQ(reader->metadata().at("run"), "golden");
  EXPECT_TRUE(reader->LoadLeaf("loose", "['w'][1]").value() == Leaf(Tensor::Scalar(2.5)));
  EXPECT_EQ(reader->Load("moments").value().size(), 2u);
}

TEST(GoldenTest, SavingTheSameModel_ProducesTheSameBytes) {
  TempDir dir;
  const std::string path = dir.File("again.leaf");
  ASSERT_THAT(SaveEveryKind(path), IsOk());
  EXPECT_EQ(ReadFile(path), ReadFile(kGolden));
}

TEST(GoldenTest, SavingTheLoadedItems_ProducesTheSameBytes) {
  TempDir dir;
  const std::string path = dir.File("again.leaf");
  const CheckpointReader reader = CheckpointReader::Open(kGolden).value();
  SaveOptions options;
  options.metadata = reader.metadata();
  CheckpointWriter writer = CheckpointWriter::Create(path, options).value();
  for (const std::string& item : reader.items()) {
    ItemOptions item_options;
    item_options.grouping = reader.GetItem(item)->grouping();
    item_options.metadata = reader.GetItem(item)->metadata();
    ASSERT_THAT(writer.AddItem({item, reader.Load(item).value(), item_options}), IsOk());
  }
  ASSERT_THAT(writer.Finish(), IsOk());
  EXPECT_EQ(ReadFile(path), ReadFile(kGolden));
}

TEST(GoldenTest, DocumentedExample_IsARealFile) {
  TempDir dir;
  const std::string path = dir.File("example.leaf");
  ASSERT_THAT(SaveExample(path), IsOk());
  const std::string dump = HexDump(ReadFile(path));
  std::string document = ReadFile(kDocument);
  const size_t begin = document.find(kExampleBegins);
  const size_t end = document.find(kExampleEnds);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end);
  const size_t first = begin + sizeof(kExampleBegins) - 1;
  if (Updating()) {
    document.replace(first, end - first, dump);
    WriteFile(kDocument, document);
    return;
  }
  EXPECT_EQ(document.substr(first, end - first), dump);
}

}  // namespace
}  // namespace leafstore
