#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/select/filter.h"

#include "tests/checkpoint/models.h"
#include "tests/core/in_threads.h"
#include "tests/core/status_matchers.h"
#include "tests/interop/safetensors_attacks.h"
#include "tests/interop/safetensors_models.h"
#include "tests/io/memory_file.h"
#include "tests/io/unmapped_file.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

absl::StatusOr<SafetensorsReader> OpenBytes(const std::string& bytes,
                                            SafetensorsReadOptions options = {}) {
  MemoryFile file(bytes);
  options.io.file_system = &file;
  return SafetensorsReader::Open("x.safetensors", options);
}

TEST(SafetensorsReaderTest, Reader_ListsTheTensors) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  ASSERT_THAT(SaveSafetensors(path, SmallNamedStore(), {.metadata = Metadata{{"format", "pt"}}}),
              IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path).value();
  EXPECT_EQ(reader.path(), path);
  EXPECT_FALSE(reader.is_set());
  EXPECT_FALSE(reader.has_structure());
  EXPECT_EQ(reader.file_size(), static_cast<int64_t>(std::filesystem::file_size(path)));
  EXPECT_THAT(*reader.metadata(), ElementsAre(Pair("format", "pt")));
  std::vector<std::string> names;
  for (uint32_t i = 0; i < reader.size(); ++i) names.emplace_back(reader.name(i));
  EXPECT_THAT(names, ElementsAre("steps", "nothing", "layers.0.bias", "layers.0.weight",
                                 "layers.1.weight", "mask"));
  const EntryInfo info = reader.entry(3);
  EXPECT_EQ(info.spec, LeafSpec(DType::kF32, {2, 3}));
  EXPECT_EQ(reader.GetIndex("mask").value(), 5u);
  EXPECT_THAT(reader.GetIndex("layers.0.wieght"),
              StatusIs(kNotFound, AllOf(HasSubstr(path), HasSubstr("no tensor 'layers.0.wieght'"),
                                        HasSubstr("did you mean layers.0.weight"))));
  EXPECT_TRUE(reader.IsCanonical().value());
  EXPECT_THAT(reader.Verify(), IsOk());
}

class SafetensorsModeTest : public testing::TestWithParam<ReadMode> {
 protected:
  SafetensorsReadOptions Options() const {
    SafetensorsReadOptions options;
    options.io.mode = GetParam();
    return options;
  }
};

TEST_P(SafetensorsModeTest, Store_RoundTrips) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const ParamStore store = SmallNamedStore();
  ASSERT_THAT(SaveSafetensors(path, store), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path, Options()).value();
  const ParamStore loaded = reader.Load().value();
  EXPECT_EQ(EntriesOf(loaded), EntriesOf(store));
  EXPECT_FALSE(reader.metadata().has_value());
}

// A struct whose members are named as in a PyTorch state dict.
TEST_P(SafetensorsModeTest, LoadInto_ReplacesTheLeavesOfAModel) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const Tensor weight = PatternTensor(DType::kF32, {2, 3}, 1);
  ASSERT_THAT(SaveSafetensors(path, NamedStoreOf({{"layers.0.weight", weight}})), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path, Options()).value();
  const Path layer = Path().Attribute("layers").Index(0);
  const auto model = [&](const Shape& shape) {
    return ParamStore::FromEntries(
               {{Path(layer).Attribute("act"), Value("gelu")},
                {Path(layer).Attribute("weight"), Tensor::Zeros(DType::kF32, shape).value()}})
        .value();
  };
  ParamStore store = model({2, 3});
  EXPECT_THAT(reader.LoadInto(&store),
              StatusIs(kInvalid, AllOf(StartsWith(path + ": the leaves do not fit the store:\n"),
                                       HasSubstr("unexpected (1):\n  ['layers']['0']['weight']"))));
  const RestoreReport report =
      reader.LoadInto(&store, {.filter = IsTensor(), .by = AlignBy::kDotted}).value();
  EXPECT_EQ(report.restored, 1u);
  EXPECT_EQ(*store.Find(".layers[0].weight"), Leaf(weight));
  EXPECT_EQ(*store.Find(".layers[0].act"), Leaf(Value("gelu")));
  ParamStore other = model({3, 2});
  EXPECT_THAT(reader.LoadInto(&other, {.allow_missing = true, .by = AlignBy::kDotted}),
              StatusIs(kInvalid, HasSubstr("shape mismatch (1):\n  '.layers[0].weight': expected "
                                           "f32[3, 2], found f32[2, 3]")));
}

TEST_P(SafetensorsModeTest, Load_ReturnsEveryDType) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  std::vector<NamedTensor> tensors;
  for (const DType dtype : AllDTypes()) {
    tensors.push_back({std::string(DTypeName(dtype)), PatternTensor(dtype, {3, 8})});
  }
  ASSERT_THAT(SaveSafetensors(path, tensors), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path, Options()).value();
  for (const NamedTensor& one : tensors) {
    EXPECT_EQ(reader.LoadTensor(one.name).value(), one.tensor) << one.name;
  }
}

TEST_P(SafetensorsModeTest, Load_OfManySmallAndLargeTensors_IsExact) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  std::vector<NamedTensor> tensors;
  for (int i = 0; i < 3000; ++i) {
    // Some tensors are large enough to be read alone, most are not; together they fill two windows.
    const int64_t size = i % 500 == 7 ? 600'000 : 1 + i % 700;
    const DType dtype = i % 3 == 0 ? DType::kF32 : DType::kI16;
    tensors.push_back({absl::StrCat("t", i), PatternTensor(dtype, {size}, i)});
  }
  ASSERT_THAT(SaveSafetensors(path, tensors, {.io = {.durable = false}}), IsOk());
  SafetensorsReadOptions options = Options();
  options.io.threads = 3;
  const SafetensorsReader reader = SafetensorsReader::Open(path, options).value();
  const ParamStore loaded = reader.Load().value();
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const NamedTensor& one : tensors) {
    ASSERT_EQ(loaded.Find(absl::StrCat("['", one.name, "']"))->tensor(), one.tensor) << one.name;
  }
  EXPECT_THAT(reader.Verify(), IsOk());
}

TEST_P(SafetensorsModeTest, Load_SelectsByPathPlacesAndFilter) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const ParamStore store = SmallNamedStore();
  ASSERT_THAT(SaveSafetensors(path, store), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path, Options()).value();
  EXPECT_EQ(reader.LoadLeaf("['mask']").value(), *store.Find("['mask']"));
  EXPECT_THAT(reader.LoadLeaf("['musk']"),
              StatusIs(kNotFound, AllOf(HasSubstr(path), HasSubstr("['mask']"))));
  const ParamStore weights = reader.Load({.filter = Glob("**.weight")}).value();
  EXPECT_EQ(weights.size(), 2u);
  EXPECT_EQ(*weights.Find("['layers']['1']['weight']"), *store.Find("['layers']['1']['weight']"));
  const ParamStore some = reader.Load({.places = std::vector<uint32_t>{1, 4}}).value();
  EXPECT_EQ(some.size(), 2u);
  EXPECT_EQ(some.PathText(0), store.PathText(1));
  EXPECT_EQ(some.leaf(1), store.leaf(4));
  EXPECT_THAT(reader.Load({.places = std::vector<uint32_t>{4, 1}}),
              StatusIs(kInvalid, AllOf(HasSubstr(path), HasSubstr("ascending places"))));
  EXPECT_THAT(reader.Load({.places = std::vector<uint32_t>{6}}),
              StatusIs(kInvalid, HasSubstr("below 6, found 6")));
  const Grouping plan =
      reader
          .CompileGrouping(
              {{"layers", Glob("layers.**")}, {"mask", Glob("mask")}, {"rest", Rest()}})
          .value();
  EXPECT_EQ(plan.SlotsOf(0).size(), 3u);
  EXPECT_EQ(plan.SlotsOf(1).size(), 1u);
}

TEST_P(SafetensorsModeTest, LoadSubtree_ReturnsTheLeavesBelowANode) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const ParamStore named = SmallNamedStore();
  ASSERT_THAT(SaveSafetensors(path, named), IsOk());
  const SafetensorsReader names = SafetensorsReader::Open(path, Options()).value();
  const ParamStore layer = names.Load({.subtree = "['layers']['0']"}).value();
  EXPECT_TRUE(layer.complete());
  ASSERT_EQ(layer.size(), 2u);
  EXPECT_EQ(layer.PathText(0), "['bias']");
  EXPECT_EQ(layer.leaf(0), *named.Find("['layers']['0']['bias']"));
  EXPECT_EQ(layer.leaf(1), *named.Find("['layers']['0']['weight']"));
  EXPECT_EQ(names.Load({.subtree = "['mask']"})->leaf(0), *named.Find("['mask']"));
  EXPECT_THAT(names.Load({.subtree = "['layer']"}),
              StatusIs(kNotFound, AllOf(HasSubstr(path), HasSubstr("['layers']"))));
  EXPECT_THAT(names.Load({.subtree = "layers"}), StatusIs(kInvalid, HasSubstr(path)));

  const ParamStore store = EveryKindStore();
  ASSERT_THAT(SaveSafetensors(path, store), IsOk());
  const SafetensorsReader structure = SafetensorsReader::Open(path, Options()).value();
  const ParamStore below = structure.Load({.subtree = ".named"}).value();
  ASSERT_EQ(below.size(), 3u);
  EXPECT_EQ(below.leaf(0), *store.Find(".named['a b']"));
  EXPECT_TRUE(below.leaf(1).is_value()) << "static leaves are loaded too";
}

TEST(SafetensorsReaderTest, LoadSubtree_OfNamesThatMakeNoTree_IsAnError) {
  const TempDir dir;
  ASSERT_THAT(
      SaveSafetensors(dir.File("x"), NamedStoreOf({{"a", PatternTensor(DType::kU8, {1})},
                                                   {"a.b", PatternTensor(DType::kU8, {2})}})),
      IsOk());
  EXPECT_THAT(SafetensorsReader::Open(dir.File("x"))->Load({.subtree = "['a']"}),
              StatusIs(kInvalid, AllOf(HasSubstr("['a']"), HasSubstr("['a']['b']"))));
}

TEST_P(SafetensorsModeTest, Filters_MayReadBytes) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  ASSERT_THAT(SaveSafetensors(path, SmallNamedStore()), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path, Options()).value();
  const Tensor wanted = PatternTensor(DType::kF32, {2}, 2);
  const ParamStore found = reader
                               .Load({.filter = filters::Callable([&](const NodeView& node) {
                                        return node.tensor() != nullptr && *node.tensor() == wanted;
                                      })})
                               .value();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.PathText(0), "['layers']['0']['bias']");
}

TEST_P(SafetensorsModeTest, InvalidBool_IsDataLoss) {
  const std::string header = R"({"ok":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                             R"("m":{"dtype":"BOOL","shape":[3],"data_offsets":[4,7]}})";
  std::string bytes = SafetensorsFileOf(header, 7);
  bytes[bytes.size() - 2] = 2;
  const SafetensorsReader reader = OpenBytes(bytes, Options()).value();
  EXPECT_THAT(reader.LoadTensor("ok"), IsOk());
  const auto damaged = StatusIs(
      kDamage,
      HasSubstr("x.safetensors: tensor 'm': expected bools to be 0 or 1, found another value"));
  EXPECT_THAT(reader.LoadTensor("m"), damaged);
  EXPECT_THAT(reader.Load(), damaged);
  EXPECT_THAT(reader.Verify(), damaged);
}

// Verify reads pieces of 4 MiB, whichever tensors they belong to.
TEST_P(SafetensorsModeTest, Verify_ChecksBoolsInEveryPiece) {
  constexpr int64_t kPiece = int64_t{4} << 20;
  const std::string header =
      absl::StrCat("{", BytesEntry("a", 0, 3), R"(,"b":{"dtype":"BOOL","shape":[)", 2 * kPiece,
                   R"(],"data_offsets":[3,)", 2 * kPiece + 3, "]},",
                   BytesEntry("c", 2 * kPiece + 3, 2 * kPiece + 5), "}");
  const std::string valid = SafetensorsFileOf(header, 2 * kPiece + 5);
  const size_t begin = valid.size() - 2 * kPiece - 5;
  for (const int64_t at : {int64_t{3}, kPiece - 1, kPiece, 2 * kPiece - 1, 2 * kPiece + 2}) {
    std::string bytes = valid;
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.end(), '\1');
    bytes[begin] = bytes[begin + 2] = bytes.back() = 2;  // no bools
    EXPECT_THAT(OpenBytes(bytes, Options())->Verify(), IsOk());
    bytes[begin + static_cast<size_t>(at)] = 2;
    EXPECT_THAT(OpenBytes(bytes, Options())->Verify(),
                StatusIs(kDamage, HasSubstr("x.safetensors: tensor 'b': expected bools")))
        << at;
  }
}

TEST_P(SafetensorsModeTest, Verify_ReadsManyTensorsTogetherByThreads) {
  const TempDir dir;
  std::vector<NamedTensor> tensors = {{"large", PatternTensor(DType::kU8, {10 << 20})}};
  for (int i = 0; i < 500; ++i) {
    tensors.push_back({absl::StrCat("t", i), PatternTensor(DType::kU8, {i})});
  }
  ASSERT_THAT(SaveSafetensors(dir.File("x"), tensors, {.io = {.durable = false}}), IsOk());
  UnmappedFile file(ReadFile(dir.File("x")));
  SafetensorsReadOptions options = Options();
  options.io.threads = 2;
  options.io.file_system = &file;
  const SafetensorsReader reader = SafetensorsReader::Open("x", options).value();
  const int before = file.reads();
  EXPECT_THAT(reader.Verify(), IsOk());
  EXPECT_EQ(file.reads() - before, 3);
  EXPECT_TRUE(file.had_two_readers());
}

TEST_P(SafetensorsModeTest, MisalignedTensors_AreLoaded) {
  // The header's length is odd, and a one-byte tensor comes first.
  std::string header = R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("f":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}})";
  if (header.size() % 2 == 0) header += " ";
  const std::string bytes = SafetensorsFileOf(header, 17);
  const SafetensorsReader reader = OpenBytes(bytes, Options()).value();
  const Tensor tensor = reader.LoadTensor("f").value();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.raw_data()) % 8, 0u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor.raw_data()), 16),
            bytes.substr(bytes.size() - 16));
}

TEST_P(SafetensorsModeTest, TruncatedFile_IsAnErrorAndNoCrash) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  ASSERT_THAT(SaveSafetensors(path, NamedStoreOf({{"b", PatternTensor(DType::kBool, {9000})}})),
              IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path, Options()).value();
  std::filesystem::resize_file(path, 4096);
  EXPECT_THAT(reader.LoadTensor("b"), StatusIs(kDamage, HasSubstr(path)));
}

INSTANTIATE_TEST_SUITE_P(Modes, SafetensorsModeTest,
                         testing::Values(ReadMode::kMap, ReadMode::kRead), [](const auto& param) {
                           return param.param == ReadMode::kMap ? "Map" : "Read";
                         });

TEST(SafetensorsReaderTest, MappedTensors_AreViewsThatKeepTheFile) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const ParamStore store = SmallNamedStore();
  ASSERT_THAT(SaveSafetensors(path, store), IsOk());
  Tensor one, two;
  {
    const SafetensorsReader reader = SafetensorsReader::Open(path).value();
    one = reader.LoadTensor("layers.0.weight").value();
    two = reader.LoadTensor("layers.0.weight").value();
  }
  EXPECT_TRUE(one.SharesBytesWith(two));
  // Replacing the file does not affect an open reader.
  ASSERT_THAT(SaveSafetensors(path, NamedStoreOf({})), IsOk());
  EXPECT_EQ(one, store.Find("['layers']['0']['weight']")->tensor());
}

TEST(SafetensorsReaderTest, MappedStore_MayBeSavedToItsOwnFile) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  ASSERT_THAT(SaveSafetensors(path, SmallNamedStore()), IsOk());
  const std::string before = ReadFile(path);
  const ParamStore loaded = SafetensorsReader::Open(path)->Load().value();
  ASSERT_THAT(SaveSafetensors(path, loaded), IsOk());
  EXPECT_EQ(ReadFile(path), before);
}

TEST(SafetensorsReaderTest, NameStyles_DecideThePaths) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  ASSERT_THAT(SaveSafetensors(path, SmallNamedStore()), IsOk());
  const auto first_path = [&](NameStyle style) {
    return SafetensorsReader::Open(path, {.names = style})->Load()->PathText(0);
  };
  EXPECT_EQ(first_path(NameStyle::kSplit), "['layers']['0']['bias']");
  EXPECT_EQ(first_path(NameStyle::kLists), "['layers'][0]['bias']");
  EXPECT_EQ(first_path(NameStyle::kFlat), "['layers.0.bias']");
  EXPECT_THAT(SafetensorsReader::Open(path, {.names = NameStyle::kCanonical})->Load(),
              StatusIs(kInvalid, HasSubstr(path)));
  // Each style restores the same file when saved again, or the same paths if structure is included.
  for (const NameStyle style : {NameStyle::kSplit, NameStyle::kLists, NameStyle::kFlat}) {
    const ParamStore loaded = SafetensorsReader::Open(path, {.names = style})->Load().value();
    ASSERT_THAT(SaveSafetensors(dir.File("again"), loaded, {.structure = StructureSave::kNever}),
                IsOk());
    EXPECT_EQ(ReadFile(dir.File("again")), ReadFile(path)) << NameStyleName(style);
    ASSERT_THAT(SaveSafetensors(dir.File("again"), loaded), IsOk());
    const SafetensorsReader again = SafetensorsReader::Open(dir.File("again")).value();
    EXPECT_EQ(EntriesOf(again.Load().value()), EntriesOf(loaded));
    EXPECT_EQ(again.has_structure(), style != NameStyle::kSplit);
  }
}

TEST(SafetensorsReaderTest, Reader_IsSafeFromManyThreads) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const ParamStore store = SmallNamedStore();
  ASSERT_THAT(SaveSafetensors(path, store), IsOk());
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    const SafetensorsReader reader = SafetensorsReader::Open(path, {.io = {.mode = mode}}).value();
    InThreads(4, [&](int i) {
      // All threads use the lazily computed parts at once, each in a different order.
      for (int round = 0; round < 20; ++round) {
        switch ((i + round) % 4) {
          case 0:
            EXPECT_EQ(EntriesOf(reader.Load().value()), EntriesOf(store));
            break;
          case 1:
            EXPECT_EQ(reader.LoadTensor("mask").value(), store.Find("['mask']")->tensor());
            break;
          case 2:
            EXPECT_EQ(reader.Load({.filter = Glob("**.weight")})->size(), 2u);
            break;
          default:
            EXPECT_THAT(reader.Verify(), IsOk());
            EXPECT_EQ(reader.GetIndex("nothing").value(), 1u);
        }
      }
    });
  }
}

TEST(SafetensorsReaderTest, LongHeader_MayEndAtTheLastPage) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  // The header is large enough to be mapped, and ends at the end of the file and of a page.
  constexpr size_t kSize = (size_t{1} << 20) + 4096;
  const std::string before = R"({"__metadata__":{"k":")";
  const std::string value(kSize - 8 - before.size() - 3, 'x');
  WriteFile(path, SafetensorsFileOf(before + value + "\"}}", 0));
  ASSERT_EQ(std::filesystem::file_size(path), kSize);
  for (const ReadMode mode : {ReadMode::kMap, ReadMode::kRead}) {
    const SafetensorsReader reader = SafetensorsReader::Open(path, {.io = {.mode = mode}}).value();
    EXPECT_EQ(reader.size(), 0u);
    EXPECT_THAT(*reader.metadata(), ElementsAre(Pair("k", value)));
  }
}

TEST(SafetensorsReaderTest, IndexOutOfRange_IsAnError) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  ASSERT_THAT(SaveSafetensors(path, SmallNamedStore()), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path).value();
  EXPECT_THAT(reader.LoadTensor(5u), IsOk());
  EXPECT_THAT(reader.LoadTensor(6u),
              StatusIs(kInvalid, AllOf(HasSubstr(path), HasSubstr("below 6, found 6"))));
}

// A FileSystem whose files cannot be mapped at first.
class NoMapsAtFirst : public MemoryFile {
 public:
  explicit NoMapsAtFirst(std::string bytes) : MemoryFile(std::move(bytes)) {}
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    return std::make_unique<File>(MemoryFile::Open(path).value(), &left_);
  }

 private:
  class File : public ReadableFile {
   public:
    File(std::unique_ptr<ReadableFile> file, int* left) : file_(std::move(file)), left_(left) {}
    int64_t size() const override { return file_->size(); }
    absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
      return file_->ReadAt(offset, out);
    }
    absl::StatusOr<Buffer> Map() const override {
      if (--*left_ >= 0) return absl::ResourceExhaustedError("x.safetensors: too many maps");
      return file_->Map();
    }

   private:
    std::unique_ptr<ReadableFile> file_;
    int* left_;
  };

  int left_ = 4;  // two loads, each of which tries twice
};

TEST(SafetensorsReaderTest, TransientError_IsNotKept) {
  NoMapsAtFirst files(SafetensorsFileOf(absl::StrCat("{", BytesEntry("a", 0, 4), "}"), 4));
  const SafetensorsReader reader =
      SafetensorsReader::Open("x.safetensors",
                              {.io = {.mode = ReadMode::kMap, .file_system = &files}})
          .value();
  EXPECT_THAT(reader.LoadTensor("a"), StatusIs(kExhausted, HasSubstr("too many maps")));
  EXPECT_THAT(reader.Load(), StatusIs(kExhausted, HasSubstr("too many maps")));
  EXPECT_THAT(reader.LoadTensor("a"), IsOk());
}

TEST(SafetensorsReaderTest, Errors_NameAnyFile) {
  for (const std::string name : {"header", "expected", "a"}) {
    MemoryFile file("\1no safetensors");
    EXPECT_THAT(SafetensorsReader::Open(name, {.io = {.file_system = &file}}),
                StatusIs(kDamage, StartsWith(name + ": header: expected")));
  }
}

TEST(SafetensorsReaderTest, PrefixNames_LoadButHaveNoTree) {
  const TempDir dir;
  const std::string path = dir.File("model.safetensors");
  const std::vector<NamedTensor> tensors = {{"a", PatternTensor(DType::kU8, {1}, 1)},
                                            {"a.b", PatternTensor(DType::kU8, {2}, 2)}};
  ASSERT_THAT(SaveSafetensors(path, tensors), IsOk());
  const SafetensorsReader reader = SafetensorsReader::Open(path).value();
  const ParamStore loaded = reader.Load().value();
  EXPECT_EQ(loaded.Find("['a']")->tensor(), tensors[0].tensor);
  EXPECT_EQ(loaded.Find("['a']['b']")->tensor(), tensors[1].tensor);
  const auto no_tree =
      StatusIs(kInvalid, AllOf(HasSubstr(path), HasSubstr("['a']"), HasSubstr("['a']['b']")));
  EXPECT_THAT(reader.GetDef(), no_tree);
  EXPECT_THAT(reader.Load({.filter = Glob("a")}), no_tree);
  ASSERT_THAT(SaveSafetensors(dir.File("again"), loaded), IsOk());
  EXPECT_EQ(ReadFile(dir.File("again")), ReadFile(path));
  EXPECT_THAT(SafetensorsReader::Open(path, {.names = NameStyle::kFlat})->GetDef(), IsOk());
}

TEST(SafetensorsReaderTest, OtherPaths_AreErrorsThatSayWhy) {
  const TempDir dir;
  EXPECT_THAT(SafetensorsReader::Open(dir.File("none")),
              StatusIs(kNotFound, HasSubstr(dir.File("none"))));
  EXPECT_THAT(SafetensorsReader::Open(dir.path()),
              StatusIs(kNotFound, AllOf(HasSubstr(dir.path()), HasSubstr("found none"))));
  EXPECT_THAT(SafetensorsReader::Open("/dev/null"),
              StatusIs(kInvalid, HasSubstr("not a regular file")));
}

TEST(SafetensorsReaderTest, IsCanonical_OnlyIfTheWriterProducesTheSameBytes) {
  const auto canonical = [](const std::string& header, size_t data) {
    return OpenBytes(SafetensorsFileOf(header, data))->IsCanonical().value();
  };
  EXPECT_TRUE(canonical("{}      ", 0));
  EXPECT_FALSE(canonical("{}", 0));
  EXPECT_FALSE(canonical("{ }     ", 0));
  const std::string a = BytesEntry("a", 0, 4);
  const auto padded = [](std::string text) {
    return text + std::string((8 - text.size() % 8) % 8, ' ');
  };
  EXPECT_TRUE(canonical(padded(absl::StrCat("{", a, ",", BytesEntry("b", 4, 8), "}")), 8));
  EXPECT_FALSE(canonical(padded(absl::StrCat("{", a, ", ", BytesEntry("b", 4, 8), "}")), 8));
  EXPECT_FALSE(canonical(
      padded(absl::StrCat("{", BytesEntry("b", 0, 4), ",", BytesEntry("a", 4, 8), "}")), 8));
  EXPECT_FALSE(canonical(padded(absl::StrCat("{", a, ",\"__metadata__\":{}}")), 4));
  EXPECT_TRUE(canonical(padded(absl::StrCat("{\"__metadata__\":{},", a, "}")), 4));
}

}  // namespace
}  // namespace leafstore
