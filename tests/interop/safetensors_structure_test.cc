#include <string>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/internal/structure.h"
#include "leafstore/store/flatten.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_models.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(SafetensorsStructureTest, StructureStaticLeavesTiesAndTags_RoundTrip) {
  const TempDir dir;
  const ParamStore store = EveryKindStore();
  ASSERT_TRUE(store.layout().def()->has_aliases());
  ASSERT_THAT(SaveSafetensors(dir.File("x"), store, {.metadata = Metadata{{"format", "pt"}}}),
              IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(dir.File("x")).value();
  EXPECT_TRUE(reader.has_structure());
  // Equal structures are one object, so the loaded store can be zipped with the saved one.
  EXPECT_EQ(reader.GetDef().value(), store.layout().def().value());
  EXPECT_TRUE(reader.Load()->layout() == store.layout());
  EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(store));
  EXPECT_THAT(*reader.metadata(), ElementsAre(Pair("format", "pt")));
}

TEST(SafetensorsStructureTest, GroupsWithNames_RoundTrip) {
  const TempDir dir;
  const ParamStore whole = EveryKindStore();
  const ParamStore part = ParamStore::Create(whole.layout(), SlotSet::Create(6, {1, 2, 5}).value(),
                                             {whole.leaf(1), whole.leaf(2), whole.leaf(5)})
                              .value();
  const Grouping grouping =
      Grouping::Create(whole.layout(), std::vector<uint32_t>{0, 0, 1, kNoGroup, 0, 1}, {"x", "y"})
          .value();
  ASSERT_THAT(SaveSafetensors(dir.File("x"), part, {.grouping = grouping}), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(dir.File("x")).value();
  EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(part));
  EXPECT_EQ(reader.GetLeaves().value()->grouping(), grouping);
}

TEST(SafetensorsStructureTest, PathsThatNamesDoNotDetermine_RoundTrip) {
  const TempDir dir;
  const ParamStore store =
      ParamStore::FromEntries({{Path().Attribute("a").Index(0), PatternTensor(DType::kF32, {2})},
                               {Path().Attribute("n"), Value(3)}})
          .value();
  const std::pair<NameStyle, const char*> styles[] = {
      {NameStyle::kSplit, "a.0"}, {NameStyle::kCanonical, ".a[0]"}, {NameStyle::kSlash, "a/0"}};
  for (const auto& [style, name] : styles) {
    ASSERT_THAT(SaveSafetensors(dir.File("x"), store, {.names = style}), IsOk());
    const SafetensorsReader reader = SafetensorsReader::Open(dir.File("x")).value();
    EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(store));
    EXPECT_EQ(reader.name(0), name);
    EXPECT_EQ(reader.name_style(), style);
  }
}

TEST(SafetensorsStructureTest, NamesWithSlashes_KeepTheirFormThroughACheckpoint) {
  const TempDir dir;
  const ParamStore store =
      ParamStore::FromEntries({{Path().Item("a").Item("b.c"), PatternTensor(DType::kF32, {2})}})
          .value();
  for (const StructureSave structure : {StructureSave::kNever, StructureSave::kAuto}) {
    ASSERT_THAT(
        SaveSafetensors(dir.File("x"), store, {.structure = structure, .names = NameStyle::kSlash}),
        IsOk());
    const SafetensorsReader reader =
        SafetensorsReader::Open(dir.File("x"), {.names = NameStyle::kSlash}).value();
    EXPECT_EQ(reader.has_structure(), structure == StructureSave::kAuto);
    EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(store));
    const SafetensorsSaveOptions options =
        SafetensorsOptionsFromItem(store, ItemOptionsFromSafetensors(reader).value()).value();
    ASSERT_THAT(SaveSafetensors(dir.File("y"), store, options), IsOk());
    EXPECT_EQ(ReadFile(dir.File("y")), ReadFile(dir.File("x")));
  }
}

TEST(SafetensorsStructureTest, EveryPathThatItsNameDoesNotDetermine_RoundTrips) {
  const TempDir dir;
  const Tensor tensor = PatternTensor(DType::kF32, {2});
  for (const Path& path : {Path().Item("layers").Index(0).Item("weight"), Path().Item("a.b"),
                           Path().Item("a").Item(""), Path().Item("a").Item("."),
                           Path().Item("a").Attribute("b"), Path().Item("a").Index(-1)}) {
    const ParamStore store =
        ParamStore::FromEntries({{path, tensor}, {Path().Item("z"), tensor}}).value();
    ASSERT_THAT(SaveSafetensors(dir.File("x"), store), IsOk());
    const SafetensorsReader reader = SafetensorsReader::Open(dir.File("x")).value();
    EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(store)) << path.ToString();
    // Only for `a.`, with an empty key, does the name determine the path.
    EXPECT_EQ(reader.has_structure(), path.Dotted() != "a.") << path.ToString();
  }
}

TEST(SafetensorsStructureTest, Structure_IsOmittedIfNamesAreEnough) {
  const TempDir dir;
  ASSERT_THAT(SaveSafetensors(dir.File("x"), SmallNamedStore()), IsOk());
  EXPECT_FALSE(SafetensorsReader::Open(dir.File("x"))->has_structure());
  ASSERT_THAT(
      SaveSafetensors(dir.File("x"), SmallNamedStore(), {.structure = StructureSave::kAlways}),
      IsOk());
  EXPECT_TRUE(SafetensorsReader::Open(dir.File("x"))->has_structure());
}

TEST(SafetensorsStructureTest, Structure_DoesNotReplaceUserMetadata) {
  const TempDir dir;
  EXPECT_THAT(
      SaveSafetensors(
          dir.File("x"), EveryKindStore(),
          {.metadata = Metadata{{std::string(internal::kSafetensorsStructureKey), "mine"}}}),
      StatusIs(kInvalid, HasSubstr("metadata without leafstore.structure")));
}

// Opens a file of `store` whose structure was changed by `change`.
template <typename Change>
absl::StatusOr<SafetensorsReader> OpenChanged(const TempDir& dir, const ParamStore& store,
                                              const Change& change, bool ignore = false) {
  EXPECT_THAT(SaveSafetensors(dir.File("x"), store), IsOk());
  const SafetensorsReader reader =
      SafetensorsReader::Open(dir.File("x"), {.ignore_structure = true}).value();
  Metadata metadata = *reader.metadata();
  change(&metadata.at(std::string(internal::kSafetensorsStructureKey)));
  EXPECT_THAT(SaveSafetensors(dir.File("y"), reader.Load().value(),
                              {.metadata = metadata, .structure = StructureSave::kNever}),
              IsOk());
  return SafetensorsReader::Open(dir.File("y"), {.ignore_structure = ignore});
}

TEST(SafetensorsStructureTest, DamagedStructure_IsAnErrorAndMayBeIgnored) {
  const TempDir dir;
  const ParamStore store = EveryKindStore();
  using Change = std::function<void(std::string*)>;
  const std::vector<std::pair<Change, std::string>> damages = {
      {[](std::string* text) { text->clear(); }, "expected '1:names:checksum:base64', found ''"},
      {[](std::string* text) { *text = "1:dotted"; }, "expected '1:names:checksum:base64'"},
      {[](std::string* text) { text->replace(2, 6, "Dotted"); }, "dotted or canonical"},
      {[](std::string* text) { text->back() = '*'; }, "expected base64, found other text"},
      {[](std::string* text) { text->push_back('\n'); }, "expected base64, found other text"},
      {[](std::string* text) { (*text)[40] = (*text)[40] == 'A' ? 'B' : 'A'; },
       "expected checksum"},
      {[](std::string* text) { (*text)[9] = (*text)[9] == '0' ? '1' : '0'; }, "expected checksum"},
  };
  for (const auto& [change, words] : damages) {
    EXPECT_THAT(OpenChanged(dir, store, change),
                StatusIs(kDamage, AllOf(HasSubstr(dir.File("y")), HasSubstr("leafstore.structure"),
                                        HasSubstr(words), HasSubstr("without the structure"))));
    const SafetensorsReader ignoring = OpenChanged(dir, store, change, true).value();
    EXPECT_EQ(ignoring.size(), 3u);
    EXPECT_EQ(ignoring.metadata()->size(), 1u);
  }
  EXPECT_THAT(OpenChanged(dir, store, [](std::string* text) { (*text)[0] = '3'; }),
              StatusIs(kUnknown, HasSubstr("its version is 3")));
}

TEST(SafetensorsStructureTest, Structure_IsCheckedAgainstTheTensors) {
  const TempDir dir;
  const auto structure_of = [&](const ParamStore& other) {
    return [&other](std::string* text) {
      *text =
          internal::EncodeSafetensorsStructure({internal::StoreSpec::Of(other), NameStyle::kSplit})
              .value();
    };
  };
  const auto entry = [](const char* name, DType dtype, const Shape& shape) {
    return std::pair<Path, Leaf>(Path().Attribute(name), PatternTensor(dtype, shape));
  };
  const ParamStore store =
      ParamStore::FromEntries({entry("a", DType::kF32, {2}), entry("b", DType::kF32, {3})}).value();
  const auto open = [&](std::vector<std::pair<Path, Leaf>> entries) {
    const ParamStore other = ParamStore::FromEntries(std::move(entries)).value();
    return OpenChanged(dir, store, structure_of(other));
  };
  EXPECT_THAT(open({entry("a", DType::kF32, {2}), entry("b", DType::kF32, {3})}), IsOk());
  EXPECT_THAT(open({entry("a", DType::kF32, {2}), entry("c", DType::kF32, {3})}),
              StatusIs(kDamage, HasSubstr("expected a tensor 'c', found none in the file")));
  EXPECT_THAT(open({entry("a", DType::kF32, {2})}),
              StatusIs(kDamage, HasSubstr("expected 1 tensors, found 2 in the file")));
  EXPECT_THAT(open({entry("a", DType::kF32, {2}), entry("b", DType::kI32, {3})}),
              StatusIs(kDamage, HasSubstr("tensor 'b' to be i32[3], found f32[3]")));
  EXPECT_THAT(open({entry("a", DType::kF32, {2}), entry("b", DType::kF32, {1, 3})}),
              StatusIs(kDamage, HasSubstr("tensor 'b' to be f32[1, 3], found f32[3]")));
}

// ---- through a checkpoint ----

absl::StatusOr<SafetensorsSaveOptions> OptionsOf(const CheckpointReader& reader,
                                                 const ParamStore& store) {
  const CheckpointItemInfo info = reader.GetItem("params").value();
  return SafetensorsOptionsFromItem(store, {info.grouping(), info.metadata()});
}

// Converts a file to a checkpoint item and back, and returns the bytes of the new file.
std::string ThroughCheckpoint(const TempDir& dir, const std::string& path,
                              const SafetensorsReadOptions& options = {}) {
  const SafetensorsReader reader = SafetensorsReader::Open(path, options).value();
  EXPECT_THAT(SaveCheckpoint(dir.File("c.leaf"), {{"params", reader.Load().value(),
                                                   ItemOptionsFromSafetensors(reader).value()}}),
              IsOk());
  const CheckpointReader back = CheckpointReader::Open(dir.File("c.leaf")).value();
  const ParamStore store = back.Load("params").value();
  EXPECT_THAT(SaveSafetensors(dir.File("again"), store, OptionsOf(back, store).value()), IsOk());
  return ReadFile(dir.File("again"));
}

TEST(SafetensorsCheckpointTest, File_RoundTripsByteForByte) {
  const TempDir dir;
  const std::string path = dir.File("x");
  const std::vector<std::optional<Metadata>> all_metadata = {
      std::nullopt, Metadata{}, Metadata{{"format", "pt"}}, Metadata{{"a", "1"}, {"b", ""}}};
  for (const auto& metadata : all_metadata) {
    ASSERT_THAT(SaveSafetensors(path, SmallNamedStore(), {.metadata = metadata}), IsOk());
    for (const NameStyle style : {NameStyle::kSplit, NameStyle::kLists, NameStyle::kFlat}) {
      EXPECT_EQ(ThroughCheckpoint(dir, path, {.names = style}), ReadFile(path));
    }
    ASSERT_THAT(SaveSafetensors(path, EveryKindStore(), {.metadata = metadata}), IsOk());
    EXPECT_EQ(ThroughCheckpoint(dir, path), ReadFile(path));
    EXPECT_EQ(ThroughCheckpoint(dir, path, {.ignore_structure = true}), ReadFile(path));
  }
  ASSERT_THAT(SaveSafetensors(path, EveryKindStore(), {.names = NameStyle::kCanonical}), IsOk());
  EXPECT_EQ(ThroughCheckpoint(dir, path), ReadFile(path));
  ASSERT_THAT(SaveSafetensors(path, SmallNamedStore(), {.structure = StructureSave::kAlways}),
              IsOk());
  EXPECT_EQ(ThroughCheckpoint(dir, path), ReadFile(path));
}

TEST(SafetensorsCheckpointTest, AnyItem_IsExportedWithItsStructure) {
  const TempDir dir;
  const ParamStore store = EveryKindStore();
  ASSERT_THAT(SaveCheckpoint(dir.File("c.leaf"),
                             {{"params", store, {.metadata = {{"run", "7"}}}}, {"other", store}}),
              IsOk());
  const CheckpointReader reader = CheckpointReader::Open(dir.File("c.leaf")).value();
  ASSERT_THAT(SaveSafetensors(dir.File("x"), reader.Load("params").value(),
                              OptionsOf(reader, store).value()),
              IsOk());
  const SafetensorsReader exported = SafetensorsReader::Open(dir.File("x")).value();
  EXPECT_EQ(EntriesOf(exported.Load().value()), EntriesOf(store));
  EXPECT_THAT(*exported.metadata(), ElementsAre(Pair("run", "7")));
}

TEST(SafetensorsCheckpointTest, DamagedOriginNote_IsAnError) {
  const TempDir dir;
  const std::string key(kSafetensorsOriginKey);
  ASSERT_THAT(SaveSafetensors(dir.File("x"), SmallNamedStore(), {.metadata = Metadata{{key, "1"}}}),
              IsOk());
  EXPECT_THAT(ItemOptionsFromSafetensors(SafetensorsReader::Open(dir.File("x")).value()).status(),
              StatusIs(kInvalid, HasSubstr(key)));
  for (const std::string note : {"", "1", "2 dotted plain none", "1 dotted plain none ",
                                 "1 Dotted plain none", "1 dotted plain nothing"}) {
    ASSERT_THAT(SaveCheckpoint(dir.File("c.leaf"),
                               {{"params", SmallNamedStore(), {.metadata = {{key, note}}}}}),
                IsOk());
    EXPECT_THAT(OptionsOf(CheckpointReader::Open(dir.File("c.leaf")).value(), SmallNamedStore()),
                StatusIs(kDamage, AllOf(HasSubstr(key), HasSubstr("'1 dotted plain none'"))))
        << note;
  }
}

}  // namespace
}  // namespace leafstore
