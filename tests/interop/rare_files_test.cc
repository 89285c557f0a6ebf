// Files that are rare: almost of another kind, almost valid, or of another program; and options that
// do not fit them.
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/numpy/internal/npy_header.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/internal/header.h"
#include "leafstore/interop/safetensors/internal/structure.h"
#include "leafstore/io/internal/checksum.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/memory_disk.h"
#include "tests/interop/npy_files.h"
#include "tests/interop/safetensors_files.h"
#include "tests/interop/safetensors_models.h"
#include "tests/io/any_call_fails.h"
#include "tests/io/memory_file.h"
#include "tests/io/temp_dir.h"
#include "tests/status_codes.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using internal::CheckNotForeign;
using internal::FileKind;
using internal::FileKindOf;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Bytes with zeros among them.
template <size_t size>
std::string Raw(const char (&bytes)[size]) {
  return std::string(bytes, size - 1);
}

// Begins like another format, but for a byte.
TEST(RareFilesTest, BytesThatAreAlmostAnotherFormat_AreUnknown) {
  const std::string zeros(300, '\0');
  for (const std::string& bytes : {Raw("\x08\x00\x12\x07pytorch"),
                                   Raw("\x08\x21\x12\x07pytorch"),
                                   Raw("\x08\x01"),
                                   Raw("\x08\x07\x12\x00pytorch"),
                                   Raw("\x08\x07\x12\x07\x01"),
                                   Raw("\x08\x07\x99\x07\x01"),
                                   Raw("\x08\x07\x1a\x00\x01"),
                                   Raw("\0\0\x06\x08") + zeros,
                                   Raw("\0\0\x06\x07") + zeros,
                                   Raw("\0\0\x03\x08") + zeros,
                                   Raw("\0\x01\x06\x08") + zeros,
                                   Raw("\x81\xa6\x01zzzzz"),
                                   Raw("\x81\xc0zzzzzz"),
                                   Raw("\x81\x01zzzzzz"),
                                   Raw("\x80\x01zz"),
                                   Raw("\x80\x06zz"),
                                   Raw("\x80\x02"),
                                   Raw("\x01\0\0\0\0\0\0\0{"),
                                   Raw("\xff\xff\0\0\0\0\0\0 "),
                                   Raw("\x7f\x45\x4c\x46\x02\x01\x01"),
                                   Raw("{\x01\x02"),
                                   Raw("\xde\0\x01\x01\x02zzz")}) {
    EXPECT_EQ(FileKindOf(bytes, static_cast<int64_t>(bytes.size())), FileKind::kUnknown)
        << absl::CHexEscape(bytes.substr(0, 20));
    EXPECT_THAT(CheckNotForeign(bytes, "x"), IsOk());
  }
}

TEST(RareFilesTest, OtherFormsOfOtherFormats_AreNamed) {
  const std::string zeros(300, '\0');
  const std::vector<std::pair<std::string, std::string>> files = {
      {Raw("\x08\x07\x1a\x05") + "abc", "an ONNX model"},
      {Raw("\x08\x01\x22\x05") + "abc", "an ONNX model"},
      {Raw("\xdf\0\0\0\x01\xa6params"), "a MessagePack file"},
      {Raw("\x1c\0\0\0TFL3") + zeros, "a TensorFlow Lite model"},
      {std::string(257, '\x01') + "ustar" + zeros, "a tar archive"},
      {"(lp0\n.", "a Python pickle"},
      {"cos\nsystem\n(S'x'\ntR.", "a Python pickle"}};
  for (const auto& [bytes, name] : files) {
    EXPECT_EQ(FileKindOf(bytes, static_cast<int64_t>(bytes.size())), FileKind::kForeign) << name;
    EXPECT_THAT(CheckNotForeign(bytes, "x"), StatusIs(kInvalid, HasSubstr(name)));
  }
}

TEST(RareFilesTest, TextsThatAreAlmostPickles_AreTexts) {
  for (const char* text :
       {"(dog and cat)", "(lion)", "(x", "cos", "cos\nsystem", "c\nx\n(", "cos\n\n(",
        "co s\nsys\n(", "cos\nsys\nq", "cos\nsys\np", "cos\nsys\npx", "c_.\na_b\nx"}) {
    EXPECT_THAT(CheckNotForeign(text, "x"), StatusIs(kInvalid, HasSubstr("text that begins with")))
        << text;
  }
}

TEST(RareFilesTest, ReadError_WhereAnArchiveIsTruncated_IsReturned) {
  const TempDir dir;
  const std::string path = dir.File("x.npz");
  ASSERT_THAT(SaveNpz(path, SmallNamedStore().Snapshot().value(), {.raw_bits = true}), IsOk());
  const std::string bytes = ReadFile(path);
  WriteFile(path, bytes.substr(0, bytes.size() / 2));
  for (int at = 0;; ++at) {
    AnyCallFails files({.fail_at = at});
    const absl::Status status = LoadNpz(path, {.io = {.file_system = &files}}).status();
    if (!files.has_failed()) {
      EXPECT_EQ(ReasonOf(status), ErrorReason::kTruncated);
      break;
    }
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("injected")));
  }
}

TEST(RareFilesTest, NpyHeaders) {
  const auto load = [](const std::string& bytes, const NumpyOptions& more = {}) {
    MemoryFile files(bytes);
    NumpyOptions options = more;
    options.io.file_system = &files;
    return LoadNpy("x", options);
  };
  const auto file = [](const std::string& descr, const std::string& order, const std::string& shape,
                       const std::string& bytes) {
    return NpyFileOf(absl::StrCat("{'descr': '", descr, "', 'fortran_order': ", order,
                                  ", 'shape': ", shape, ", }"),
                     bytes);
  };
  EXPECT_THAT(load(Raw("\x93NUMPY\1\0\1\0{ ")).status(),
              StatusIs(kDamage, HasSubstr("a string at byte 1, found the end")));
  EXPECT_EQ(load(file("|Vx", "False", "(2,)", "ab")).status().code(), kUnknown);
  EXPECT_EQ(load(file(">V2", "False", "(1,)", "\x3f\x80"), {.void_dtypes = {{2, DType::kBF16}}})
                ->bytes()[0],
            std::byte{0x80});
  for (const auto& [size, dtype] :
       {std::pair(0, DType::kU8), std::pair(1, DType::kF32), std::pair(2, DType::kF32)}) {
    EXPECT_THAT(load(file("|V1", "False", "(1,)", "a"), {.void_dtypes = {{size, dtype}}}).status(),
                StatusIs(kInvalid, HasSubstr(absl::StrCat("V", size, ": expected a dtype of"))));
  }
  const std::string bytes = file("|u1", "False", "(1,)", "a");
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  EXPECT_THAT(internal::ParseNpyHeader(absl::MakeConstSpan(data, 20),
                                       static_cast<int64_t>(bytes.size()), {}),
              StatusIs(kDamage, HasSubstr("all of it, found a part")));
  EXPECT_EQ(Leaf(*load(file("|u1", "True", "(2, 2)", "abcd"))),
            Leaf(Tensor::From<uint8_t>({2, 2}, {'a', 'c', 'b', 'd'}).value()));
  EXPECT_EQ(load(file("<i8", "True", "(1, 2)", std::string(16, '\1')))->shape()[1], 2);
}

TEST(RareFilesTest, StoresThatNumPyCannotHave_AreRefused) {
  const TempDir dir;
  ParamStore store = StoreAt({{"['a']['b']", Floats({1})}, {"['a/b']", Floats({2})}});
  EXPECT_THAT(SaveNpz(dir.File("x.npz"), store, {.names = NameStyle::kSlash}),
              StatusIs(kInvalid, HasSubstr("the same form with slashes")));
  {
    const MutableTensor borrow = store.Mutate("['a']['b']").value();
    EXPECT_FALSE(SaveNpz(dir.File("x.npz"), store).ok());
  }
  ASSERT_THAT(SaveNpz(dir.File("y.npz"), NamedStoreOf({{"a b[", PatternTensor(DType::kU8, {2})}})),
              IsOk());
  EXPECT_THAT(LoadNpz(dir.File("y.npz"), {.names = NameStyle::kCanonical}),
              StatusIs(kInvalid, HasSubstr("y.npz")));
}

TEST(RareFilesTest, NamesThatAreNoPaths_FailEveryCallThatNeedsPaths) {
  MemoryFile files(SmallFile({{"a b[", 2}}));
  const SafetensorsReader reader =
      SafetensorsReader::Open("x", {.io = {.file_system = &files}, .names = NameStyle::kCanonical})
          .value();
  ParamStore store = SmallNamedStore();
  for (const absl::Status& status :
       {reader.GetLeaves().status(), reader.GetDef().status(), reader.Load().status(),
        reader.LoadLeaf("['a']").status(), reader.CompileGrouping({}).status(),
        reader.LoadInto(&store).status(), ItemOptionsFromSafetensors(reader).status()}) {
    EXPECT_EQ(status.code(), kInvalid);
  }
  EXPECT_EQ(reader.LoadTensor("a b[")->byte_size(), 2);
}

TEST(RareFilesTest, OriginOfAnItem_GivesWayToWhatTheStoreNeeds) {
  const auto options_of = [](const ParamStore& store, ItemOptions item) {
    item.metadata = {{std::string(kSafetensorsOriginKey), "1 dotted plain none"}};
    return SafetensorsOptionsFromItem(store, std::move(item)).value().structure;
  };
  const ParamStore plain = SmallNamedStore();
  EXPECT_EQ(options_of(plain, {}), StructureSave::kNever);
  const Grouping grouping = Grouping::Compile(plain, {{"all", Rest()}}).value();
  EXPECT_EQ(options_of(plain, {.grouping = grouping}), StructureSave::kAuto);
  EXPECT_EQ(options_of(SampleParams(), {}), StructureSave::kAuto) << "it has a definition";
  EXPECT_EQ(options_of(StoreAt({{"['a']", Value(1)}}), {}), StructureSave::kAuto);
}

TEST(RareFilesTest, SetsAreTold) {
  const TempDir dir;
  WriteTwoShards(dir.path());
  const auto open = [&](const std::vector<std::pair<std::string, std::string>>& map) {
    WriteFile(dir.File("model.safetensors.index.json"), IndexOf(map, ""));
    return SafetensorsReader::Open(dir.path());
  };
  const std::string one = ShardNameOf(1, 2);
  const std::string two = ShardNameOf(2, 2);
  EXPECT_THAT(open({{"aa", one}, {"b", two}}),
              StatusIs(kDamage, HasSubstr("it in " + one + ", found no such tensor there")));
  WriteFile(dir.File(two), SmallFile({{"b", 1}, {"a2", 1}}));
  EXPECT_THAT(open({{"a", one}, {"b", two}})->notes(),
              ElementsAre(HasSubstr("found no entry for 'a2', which is not read")));
  WriteFile(dir.File(two), SmallFile({}));
  const auto reader = open({{"a", one}});
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Verify(), IsOk()) << "also of a shard without tensors";
}

TEST(RareFilesTest, ShardWithoutTensors_IsRead) {
  const TempDir dir;
  WriteTwoShards(dir.path());
  WriteFile(dir.File(ShardNameOf(2, 2)), SmallFile({}));
  const auto reader = SafetensorsReader::Open(dir.path());
  ASSERT_THAT(reader, IsOk());
  EXPECT_THAT(reader->Verify(), IsOk());
  EXPECT_EQ(reader->size(), 1u);
}

TEST(RareFilesTest, HeadersOfOtherWriters) {
  const auto open = [](const std::string& header, size_t size) {
    static MemoryFile* files = nullptr;
    delete files;
    files = new MemoryFile(SafetensorsFileOf(header, size));
    return SafetensorsReader::Open("x", {.io = {.mode = ReadMode::kRead, .file_system = files}});
  };
  const auto unsorted =
      open(absl::StrCat("{", BytesEntry("b", 0, 1), ",", BytesEntry("a", 1, 2), "}"), 2);
  ASSERT_THAT(unsorted, IsOk());
  EXPECT_FALSE(unsorted->IsCanonical().value());
  EXPECT_THAT(open("\n \n", 0), StatusIs(kDamage, HasSubstr("'{' as its first byte")));
  // A key with an escape is the key that it means.
  EXPECT_EQ(open(R"({"a":{"dty\u0070e":"U8","shape":[2],"data_offsets":[0,2]}})", 2)->size(), 1u);
  const auto unreadable = open(R"({"a":{"dtype":"X9","shape":[2],"data_offsets":[0,2]}})", 2);
  ASSERT_THAT(unreadable, IsOk());
  EXPECT_EQ(unreadable->GetIndex("a").status().code(), kUnknown);
  EXPECT_EQ(unreadable->GetIndex("z").status().code(), absl::StatusCode::kNotFound);
  const std::byte few[4] = {};
  EXPECT_EQ(internal::SafetensorsHeader::ParseLength(few, 100, {}).status().code(), kDamage);
}

TEST(RareFilesTest, Structures) {
  const auto decode = [](const std::string& version, const std::string& bytes) {
    const uint64_t checksum = internal::Checksum(
        absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
    return internal::DecodeSafetensorsStructure(
               absl::StrCat(version, ":dotted:", absl::Hex(checksum, absl::kZeroPad16), ":",
                            absl::Base64Escape(bytes)))
        .status();
  };
  EXPECT_EQ(ReasonOf(decode("0", "")), ErrorReason::kNewerVersion);
  EXPECT_THAT(decode("x", ""), StatusIs(kDamage, HasSubstr("'1:names:checksum:base64'")));
  EXPECT_THAT(decode("1", "\xff\xff"), StatusIs(kDamage, HasSubstr("metadata")));
}

TEST(RareFilesTest, SavesWhereNothingCanBeListed) {
  MemoryDisk disk;
  const ParamStore store = SmallNamedStore();
  EXPECT_THAT(SaveSafetensors("x.safetensors", store, {.io = {.file_system = &disk}}), IsOk());
  const TempDir dir;
  EXPECT_THAT(SaveSafetensors(dir.File("none/x.safetensors"), store),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none/x.safetensors")));
  // A set that readers prefer may be there.
  AnyCallFails files({.fail_at = 0, .code = absl::StatusCode::kPermissionDenied});
  EXPECT_EQ(
      SaveSafetensors(dir.File("x.safetensors"), store, {.io = {.file_system = &files}}).code(),
      absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(SaveSafetensors(dir.File("x"), store), IsOk()) << "another suffix";
}

TEST(RareFilesTest, StructureIsSavedWhereNamesAloneAreNotEnough) {
  const TempDir dir;
  const std::string path = dir.File("x.safetensors");
  const auto has_structure = [&](const ParamStore& store, SafetensorsSaveOptions options) {
    EXPECT_THAT(SaveSafetensors(path, store, options), IsOk());
    return SafetensorsReader::Open(path)->has_structure();
  };
  const ParamStore plain = SmallNamedStore();
  EXPECT_FALSE(has_structure(plain, {}));
  const Grouping grouping = Grouping::Compile(plain, {{"all", Rest()}}).value();
  EXPECT_TRUE(has_structure(plain, {.grouping = grouping}));
  EXPECT_TRUE(has_structure(TiedParams(), {})) << "it has a definition";
  EXPECT_EQ(SaveSafetensorsShards(path, SampleParams(), 8, {.structure = StructureSave::kNever})
                .status()
                .code(),
            kInvalid)
      << "static leaves";
}

}  // namespace
}  // namespace leafstore
