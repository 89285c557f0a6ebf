#include "leafstore/interop/numpy/npz.h"

#include <zip.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/interop/numpy/npy.h"

#include "tests/core/status_matchers.h"
#include "tests/interop/npy_files.h"
#include "tests/interop/safetensors_models.h"
#include "tests/io/faulty_file_system.h"
#include "tests/io/memory_file.h"
#include "tests/io/temp_dir.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

ParamStore NumPyStore() {
  return NamedStoreOf({{"layers.0.weight", PatternTensor(DType::kF32, {200, 30}, 1)},
                       {"layers.0.bias", PatternTensor(DType::kF64, {2}, 2)},
                       {"mask", PatternTensor(DType::kBool, {5}, 4)},
                       {"steps", PatternTensor(DType::kI64, {}, 5)},
                       {"zeros", Tensor::Zeros(DType::kU8, {100'000}).value()},
                       {"\xc3\xa9", PatternTensor(DType::kC64, {3}, 7)},
                       {"../../evil", PatternTensor(DType::kU8, {3}, 8)},
                       {"nothing", PatternTensor(DType::kF64, {0, 4}, 6)}});
}

TEST(NpzTest, Group_RoundTripsStoredAndDeflated) {
  const TempDir dir;
  const ParamStore store = NumPyStore();
  for (const bool deflate : {false, true}) {
    ASSERT_THAT(SaveNpz(dir.File("x.npz"), store, {.deflate = deflate}), IsOk());
    const absl::StatusOr<ParamStore> loaded = LoadNpz(dir.File("x.npz"));
    ASSERT_THAT(loaded, IsOk());
    EXPECT_EQ(EntriesOf(*loaded), EntriesOf(store));
    EXPECT_EQ(ReadFile(dir.File("x.npz")).size() < 100'000, deflate);
  }
  EXPECT_THAT(dir.List(), ElementsAre("x.npz"));
}

TEST(NpzTest, NamesWithSlashes_AreAHierarchy) {
  const TempDir dir;
  const ParamStore store =
      ParamStore::FromEntries({{Path().Item("a").Item("b.c"), PatternTensor(DType::kF32, {2})}})
          .value();
  ASSERT_THAT(SaveNpz(dir.File("x.npz"), store, {.names = NameStyle::kSlash}), IsOk());
  EXPECT_EQ(LoadNpzTensors(dir.File("x.npz")).value().tensors[0].name, "a/b.c");
  EXPECT_EQ(EntriesOf(LoadNpz(dir.File("x.npz"), {.names = NameStyle::kSlash}).value()),
            EntriesOf(store));
}

TEST(NpzTest, LoadInto_ReplacesTheLeavesOfAModel) {
  const TempDir dir;
  const std::string path = dir.File("x.npz");
  const Tensor bias = PatternTensor(DType::kF64, {2}, 2);
  ASSERT_THAT(SaveNpz(path, NamedStoreOf({{"head.bias", bias}, {"other", bias}})), IsOk());
  ParamStore store = ParamStore::FromEntries({{Path().Attribute("head").Attribute("bias"),
                                               Tensor::Zeros(DType::kF64, {2}).value()}})
                         .value();
  EXPECT_THAT(LoadNpzInto(path, &store, {.by = AlignBy::kDotted}),
              StatusIs(kInvalid, AllOf(StartsWith(path + ": the leaves do not fit the store:\n"),
                                       HasSubstr("unexpected (1):\n  ['other']"))));
  const RestoreReport report =
      LoadNpzInto(path, &store, {.allow_unexpected = true, .by = AlignBy::kDotted}).value();
  EXPECT_EQ(report.restored, 1u);
  EXPECT_THAT(report.unexpected, ElementsAre("['other']"));
  EXPECT_EQ(*store.Find(".head.bias"), Leaf(bias));
}

TEST(NpzTest, WithoutTensors_IsAnEmptyArchive) {
  const TempDir dir;
  ASSERT_THAT(SaveNpz(dir.File("x.npz"), NamedStoreOf({})), IsOk());
  EXPECT_EQ(ReadFile(dir.File("x.npz")).size(), 22u);
  EXPECT_EQ(LoadNpz(dir.File("x.npz"))->size(), 0u);
}

TEST(NpzTest, Bytes_AreDeterministic) {
  const TempDir dir;
  ASSERT_THAT(SaveNpz(dir.File("a"), NumPyStore()), IsOk());
  ASSERT_THAT(SaveNpz(dir.File("b"), NumPyStore()), IsOk());
  EXPECT_EQ(ReadFile(dir.File("a")), ReadFile(dir.File("b")));
}

TEST(NpzTest, InvalidArguments_LeaveNoFile) {
  const TempDir dir;
  const std::string path = dir.File("x.npz");
  const Tensor tensor = PatternTensor(DType::kU8, {1});
  EXPECT_THAT(SaveNpz(path, EveryKindStore()),
              StatusIs(kInvalid, HasSubstr("found the static leaf 'gelu'")));
  EXPECT_THAT(SaveNpz(path, EveryKindStore(), {.drop_static = true}),
              StatusIs(kInvalid, HasSubstr("found bf16")));
  EXPECT_THAT(SaveNpz(path, {{"a", tensor}, {"a", tensor}}),
              StatusIs(kInvalid, HasSubstr("two called 'a'")));
  EXPECT_THAT(SaveNpz(path, {{std::string("a\0b", 3), tensor}}),
              StatusIs(kInvalid, HasSubstr("without control characters")));
  EXPECT_THAT(SaveNpz(path, {{std::string(70'000, 'a'), tensor}}),
              StatusIs(kInvalid, HasSubstr("at most 65531 bytes")));
  EXPECT_THAT(SaveNpz(path, {{"\xff", tensor}}), StatusIs(kInvalid, HasSubstr("UTF-8")));
  EXPECT_THAT(SaveNpz(path, {{"a", Tensor()}}), StatusIs(kInvalid, HasSubstr("found null")));
  EXPECT_THAT(dir.List(), IsEmpty());
  ASSERT_THAT(SaveNpz(path, EveryKindStore(), {.drop_static = true, .raw_bits = true}), IsOk());
  EXPECT_EQ(LoadNpz(path)->size(), 3u);
}

TEST(NpzTest, FailureOfAnyCall_KeepsTheOldFile) {
  const TempDir dir;
  const std::string path = dir.File("x.npz");
  FaultyFileSystem counting;
  ASSERT_THAT(SaveNpz(path, NumPyStore(), {.io = {.file_system = &counting}}), IsOk());
  ASSERT_THAT(SaveNpz(path, NamedStoreOf({})), IsOk());
  const std::string before = ReadFile(path);
  for (int call = 0; call < counting.calls; ++call) {
    FaultyFileSystem files;
    files.fail_at = call;
    EXPECT_THAT(SaveNpz(path, NumPyStore(), {.io = {.file_system = &files}}),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
    EXPECT_THAT(dir.List(), ElementsAre("x.npz"));
    if (call + 1 < counting.calls) {
      EXPECT_EQ(ReadFile(path), before) << "call " << call;
    }
  }
}

// ---- hostile archives ----

struct RawMember {
  std::string name;
  std::string bytes;
  int method = ZIP_CM_STORE;
  int encryption = ZIP_EM_NONE;
};

// Returns an archive made by libzip, which rejects two members with one name; tests that need them
// change bytes afterwards.
std::string ArchiveOf(const std::vector<RawMember>& members) {
  const TempDir dir;
  const std::string path = dir.File("x.zip");
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE, nullptr);
  for (const RawMember& member : members) {
    zip_source_t* source = zip_source_buffer(archive, member.bytes.data(), member.bytes.size(), 0);
    const zip_int64_t at = zip_file_add(archive, member.name.c_str(), source, ZIP_FL_ENC_UTF_8);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(at), member.method, 0);
    if (member.encryption == ZIP_EM_NONE) continue;
    EXPECT_EQ(zip_file_set_encryption(archive, static_cast<zip_uint64_t>(at),
                                      static_cast<zip_uint16_t>(member.encryption), "secret"),
              0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  return ReadFile(path);
}

std::string GoodMember() {
  return NpyFileOf("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\1\1");
}

absl::Status LoadNpzBytes(const std::string& bytes, NumpyOptions options = {}) {
  const TempDir dir;
  WriteFile(dir.File("x.npz"), bytes);
  return LoadNpz(dir.File("x.npz"), options).status();
}

std::string LittleEndian(uint32_t number) {
  return std::string(reinterpret_cast<const char*>(&number), sizeof(number));
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Matches the error of an archive with a fault that some versions of libzip find when they open the
// archive. With other versions, the error is that of the member.
auto IsFault(testing::Matcher<std::string> error_of_member) {
  return StatusIs(kDamage, testing::AnyOf(std::move(error_of_member),
                                          HasSubstr("expected a zip archive, found an error: ")));
}

TEST(NpzAttackTest, OtherBytes_AreDataLoss) {
  for (const std::string& bytes : {std::string(), std::string(1000, '\2'),
                                   ArchiveOf({{"a.npy", GoodMember()}}).substr(0, 60)}) {
    EXPECT_THAT(LoadNpzBytes(bytes),
                StatusIs(kDamage, AllOf(HasSubstr("x.npz: "), HasSubstr("a zip archive"))));
  }
}

TEST(NpzAttackTest, Members_MustHaveUniqueNames) {
  EXPECT_THAT(LoadNpzBytes(ArchiveOf({{"a.npy", GoodMember()}})), IsOk());
  const std::string two = ArchiveOf({{"a.npy", GoodMember()}, {"b.npy", GoodMember()}});
  EXPECT_THAT(
      LoadNpzBytes(Replaced(two, "b.npy", "a.npy")),
      StatusIs(kDamage, HasSubstr("members with different names, found two called 'a.npy'")));
  EXPECT_THAT(LoadNpzBytes(Replaced(two, "b.npy", "\xff.npy")),
              IsFault(HasSubstr("expected names of members in UTF-8, found '\\xff.npy'")));
  EXPECT_THAT(LoadNpzBytes(ArchiveOf({{"a.npy", "no numpy"}})),
              StatusIs(kInvalid, AllOf(HasSubstr("member 'a'"), HasSubstr("an array of NumPy"))));
  EXPECT_THAT(LoadNpzBytes(ArchiveOf({{"a.npy", "\1\2"}})),
              StatusIs(kDamage, AllOf(HasSubstr("member 'a'"), HasSubstr("NUMPY"))));
}

TEST(NpzTest, UnreadableMembers_DoNotAffectTheOthers) {
  const auto array = [](const std::string& descr, const std::string& bytes) {
    return NpyFileOf("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }", bytes);
  };
  const TempDir dir;
  const std::string path = dir.File("x.npz");
  WriteFile(path, ArchiveOf({{"dir/", ""},
                             {"vocab.npy", array("'<U1'", "a\0\0\0")},
                             {"w.npy", GoodMember()},
                             {"object.npy", array("'|O'", "pickle")},
                             {"fields.npy", array("[('a', '<f4')]", "....")},
                             {"config.json", "{}"},
                             {"text.npy", "not an array"},
                             {"half.npy", array("'<V2'", "\x80?")},
                             {"secret.npy", GoodMember(), ZIP_CM_STORE, ZIP_EM_AES_256}}));
  EXPECT_THAT(LoadNpz(path),
              StatusIs(kUnknown, HasSubstr("member 'vocab': its dtype '<U1' (text)")));
  EXPECT_THAT(EntriesOf(LoadNpz(path, {.skip_unreadable = true}).value()), testing::SizeIs(1));
  const NpzContents contents = LoadNpzTensors(path, {.skip_unreadable = true}).value();
  EXPECT_THAT(contents.tensors, testing::SizeIs(1));
  std::vector<std::string> found;
  for (const UnreadableLeaf& one : contents.unreadable) {
    found.push_back(one.name + ": " + one.what);
    EXPECT_GT(one.byte_size, 0);
  }
  EXPECT_THAT(
      found,
      ElementsAre(HasSubstr("vocab: its dtype '<U1' (text)"),
                  HasSubstr("object: its dtype '|O' (Python objects, pickled)"),
                  HasSubstr("fields: its dtype is a record"),
                  HasSubstr("config.json: it is not an array"),
                  HasSubstr("text: expected an array of NumPy (.npy), found text that begins with"),
                  HasSubstr("half: its dtype '<V2' (bytes whose dtype NumPy does not name; "
                            "--dtype-of 'V2=bf16', or NumpyOptions::void_dtypes, names it)"),
                  HasSubstr("secret: it is encrypted")));
  const NumpyOptions options = {.void_dtypes = {{2, DType::kBF16}}, .skip_unreadable = true};
  const ParamStore both = LoadNpz(path, options).value();
  EXPECT_EQ(both.Find("['half']")->tensor().dtype(), DType::kBF16);
  EXPECT_EQ(both.Find("['half']")->tensor().bytes()[1], std::byte{'?'});
  EXPECT_THAT(LoadNpz(path, {.void_dtypes = {{2, DType::kF8E4M3}}}),
              StatusIs(kInvalid, HasSubstr("V2: expected a dtype of 2 bytes, found f8_e4m3")));
}

TEST(NpzTest, ArchiveWithoutArrays_IsForeign) {
  const auto foreign = [](const std::vector<RawMember>& members) {
    const absl::Status status = LoadNpzBytes(ArchiveOf(members));
    EXPECT_EQ(ReasonOf(status), ErrorReason::kForeign) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(foreign({{"archive/data.pkl", "x"}, {"archive/data/0", "y"}}),
              AllOf(HasSubstr("found a file of PyTorch"), HasSubstr("torch.load")));
  EXPECT_THAT(foreign({{"config.json", "{}"}, {"model.weights.h5", "x"}}),
              HasSubstr("a model of Keras"));
  EXPECT_THAT(foreign({{"a.txt", "x"}}), HasSubstr("without arrays (*.npy), but with 'a.txt'"));
}

TEST(NpzAttackTest, NamesThatCannotBeWritten_AreNotRead) {
  const std::string good = ArchiveOf({{"a?.npy", GoodMember()}});
  for (const char c : {'\1', '\x1b', '\x1f'}) {
    EXPECT_THAT(LoadNpzBytes(Replaced(good, "?", std::string(1, c))),
                StatusIs(kDamage, HasSubstr("expected names of members without control characters, "
                                            "found 'a\\")));
  }
  for (const char c : {'\t', '\n', '\r', '\x7f'}) {
    EXPECT_THAT(LoadNpzBytes(Replaced(good, "?", std::string(1, c))), IsOk());
    const TempDir dir;
    EXPECT_THAT(
        SaveNpz(dir.File("x"), {{"a" + std::string(1, c), Tensor::Zeros(DType::kU8, {1}).value()}}),
        IsOk());
  }
}

TEST(NpzAttackTest, DamagedBytes_AreFoundByTheirChecksum) {
  std::string bytes = ArchiveOf({{"a.npy", GoodMember()}});
  const size_t at = bytes.find("\1\1", bytes.find("shape"));
  bytes[at] = '\7';
  EXPECT_THAT(LoadNpzBytes(bytes),
              StatusIs(kDamage, AllOf(HasSubstr("member 'a'"), HasSubstr("CRC"))));
}

// A flipped bit may make a dtype, a version or a name one that this reader does not know.
TEST(NpzAttackTest, FlippedBits_NeverHideATensor) {
  const TempDir dir;
  const Tensor tensor = PatternTensor(DType::kF32, {2});
  for (const bool deflate : {false, true}) {
    const std::string path = dir.File("x.npz");
    ASSERT_THAT(SaveNpz(path, {{"a", tensor}, {"b", tensor}}, {.deflate = deflate}), IsOk());
    const std::string bytes = ReadFile(path);
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      MemoryFile file(flipped);
      const auto contents =
          LoadNpzTensors("x", {.io = {.file_system = &file}, .skip_unreadable = true});
      if (!contents.ok()) continue;
      // What is encrypted, or is said to be, cannot be checked.
      for (const UnreadableLeaf& one : contents->unreadable) {
        EXPECT_THAT(one.what, StartsWith("it is encrypted")) << "bit " << bit;
      }
      EXPECT_EQ(contents->tensors.size() + contents->unreadable.size(), 2u) << "bit " << bit;
      for (const NamedTensor& one : contents->tensors) EXPECT_EQ(one.tensor, tensor);
    }
  }
}

TEST(NpzAttackTest, DamageIsNoOtherKindOfMember) {
  std::string bytes = ArchiveOf({{"a.npy", GoodMember()}, {"b.txt", "text"}});
  for (const char* in : {"|u1", "text"}) {
    std::string damaged = bytes;
    damaged[damaged.find(in) + 1] = 'g';
    const absl::Status status = LoadNpzBytes(damaged, {.skip_unreadable = true});
    EXPECT_THAT(status,
                StatusIs(kDamage, AllOf(HasSubstr("x.npz: member '"), HasSubstr("CRC-32"))));
    EXPECT_EQ(LoadNpzBytes(damaged).code(), status.code());
  }
}

TEST(NpzTest, BytesAroundAnArchive) {
  const std::string bytes = ArchiveOf({{"a.npy", GoodMember()}, {"b.npy", GoodMember()}});
  EXPECT_THAT(LoadNpzBytes(bytes + "\r\n"), IsOk());
  EXPECT_THAT(LoadNpzBytes(bytes + "PK\5\6" + std::string(40, '\xff')), IsOk());
  for (const size_t size : {bytes.size() - 10, bytes.size() / 2, size_t{60}}) {
    const absl::Status status = LoadNpzBytes(bytes.substr(0, size));
    EXPECT_THAT(status, StatusIs(kDamage, HasSubstr("it is truncated")));
    EXPECT_EQ(ReasonOf(status), ErrorReason::kTruncated);
  }
}

TEST(NpzTest, WhatMacOSAdds_IsIgnored) {
  const std::string bytes = ArchiveOf({{"a.npy", GoodMember()},
                                       {"__MACOSX/._a.npy", std::string("\0\5\x16\7\0\2", 6)},
                                       {".DS_Store", std::string("\0\0\0\1Bud1", 8)}});
  EXPECT_THAT(LoadNpzBytes(bytes), IsOk());
}

TEST(NpzAttackTest, WrongSizes_AreFoundBeforeAllocation) {
  // The header declares a terabyte, of which two bytes exist.
  const std::string lie =
      NpyFileOf("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,), }", "\1\1");
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    EXPECT_THAT(LoadNpzBytes(ArchiveOf({{"a.npy", lie, method}})),
                StatusIs(kDamage, HasSubstr("expected 1000000000000 bytes after the header")));
  }
}

TEST(NpzAttackTest, ImpossibleSizes_AreFoundBeforeAllocation) {
  const std::string true_size = LittleEndian(static_cast<uint32_t>(GoodMember().size() + 1000));
  const std::string lie = LittleEndian(0x7f000000);
  // The archive declares that a member of some hundred bytes inflates to two gigabytes.
  const std::string deflated =
      ArchiveOf({{"a.npy", GoodMember() + std::string(1000, 'x'), ZIP_CM_DEFLATE}});
  EXPECT_THAT(LoadNpzBytes(Replaced(deflated, true_size, lie)),
              IsFault(AllOf(HasSubstr("member 'a': expected at most"), HasSubstr("bytes out of"),
                            HasSubstr("found 2130706432"))));
  // Or that a member is stored in fewer bytes than it has, or in more.
  const std::string stored = ArchiveOf({{"a.npy", GoodMember() + std::string(1000, 'x')}});
  for (const std::string& other : {lie, LittleEndian(7)}) {
    EXPECT_THAT(LoadNpzBytes(Replaced(stored, true_size + true_size, true_size + other)),
                IsFault(HasSubstr(absl::StrCat("member 'a': expected at most ",
                                               GoodMember().size() + 1000, " bytes out of"))));
  }
}

// A member's bytes are another complete member, including its header. Each member alone matches the
// archive's directory, but all together they are larger than the archive.
TEST(NpzAttackTest, OverlappingMembers_AreDataLoss) {
  const TempDir dir;
  const Tensor inner = PatternTensor(DType::kU8, {1000});
  ASSERT_THAT(SaveNpz(dir.File("inner"), {{"b", inner}}), IsOk());
  const std::string alone = ReadFile(dir.File("inner"));
  const std::string local = alone.substr(0, alone.find("PK\1\2"));
  Tensor outer = Tensor::Uninitialized(DType::kU8, {static_cast<int64_t>(local.size())}).value();
  {
    MutableTensor writing = outer.Mutate().value();
    std::memcpy(writing.raw_data(), local.data(), local.size());
  }
  ASSERT_THAT(SaveNpz(dir.File("x.npz"), {{"a", outer}, {"b", inner}}), IsOk());
  std::string bytes = ReadFile(dir.File("x.npz"));
  ASSERT_THAT(LoadNpzBytes(bytes), IsOk());
  // Removes the second member's own bytes, and points the directory to the copy within the first.
  const size_t within = bytes.find(local);
  const size_t own = bytes.find(local, within + 1);
  ASSERT_NE(own, std::string::npos);
  bytes.erase(own, local.size());
  const size_t entry = bytes.rfind("PK\1\2");
  const size_t end = bytes.rfind("PK\5\6");
  bytes.replace(entry + 42, 4, LittleEndian(static_cast<uint32_t>(within)));
  bytes.replace(end + 16, 4, LittleEndian(static_cast<uint32_t>(own)));
  EXPECT_THAT(LoadNpzBytes(bytes),
              IsFault(AllOf(HasSubstr("member 'b'"), HasSubstr("they overlap"))));
}

TEST(NpzAttackTest, EncryptedMembers_AreUnimplemented) {
  EXPECT_THAT(LoadNpzBytes(ArchiveOf({{"a.npy", GoodMember(), ZIP_CM_STORE, ZIP_EM_AES_256}})),
              StatusIs(kUnknown, AllOf(HasSubstr("member 'a'"), HasSubstr("it is encrypted"))));
}

TEST(NpzTest, Errors_NameAnyFile) {
  for (const std::string name : {"zip", "archive", "a"}) {
    MemoryFile file("\1 no archive");
    EXPECT_THAT(LoadNpz(name, {.io = {.file_system = &file}}),
                StatusIs(kDamage, StartsWith(name + ": expected a zip archive")));
  }
  EXPECT_THAT(SaveNpz("a", {{"a", PatternTensor(DType::kBF16, {1})}}),
              StatusIs(kInvalid, StartsWith("a: 'a': ")));
}

TEST(NpzAttackTest, ZipBomb_IsLimitedByMaxBytes) {
  const TempDir dir;
  const std::string path = dir.File("x.npz");
  ASSERT_THAT(SaveNpz(path,
                      {{"a", Tensor::Zeros(DType::kU8, {5'000'000}).value()},
                       {"b", Tensor::Zeros(DType::kU8, {5'000'000}).value()}},
                      {.deflate = true}),
              IsOk());
  EXPECT_LT(ReadFile(path).size(), 20'000u);
  EXPECT_THAT(LoadNpz(path, {.max_bytes = 10'000'000}), IsOk());
  EXPECT_THAT(LoadNpz(path, {.max_bytes = 9'999'999}),
              StatusIs(kExhausted, AllOf(HasSubstr("member 'b'"), HasSubstr("at most 4999999"))));
}

TEST(NpzAttackTest, OtherCompression_IsUnimplemented) {
  EXPECT_THAT(
      LoadNpzBytes(ArchiveOf({{"a.npy", GoodMember() + std::string(1000, ' '), ZIP_CM_BZIP2}})),
      StatusIs(kUnknown, HasSubstr("compressed by method 12")));
}

TEST(NpzTest, MissingFile_IsNotFound) {
  const TempDir dir;
  EXPECT_THAT(LoadNpz(dir.File("none.npz")), StatusIs(kNotFound, HasSubstr("none.npz")));
}

}  // namespace
}  // namespace leafstore
