#include "leafstore/interop/numpy/npy.h"

#include <complex>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

absl::StatusOr<Tensor> LoadNpyBytes(const std::string& bytes) {
  const TempDir dir;
  WriteFile(dir.File("x.npy"), bytes);
  return LoadNpy(dir.File("x.npy"));
}

TEST(NpyTest, EveryDTypeOfNumPy_RoundTrips) {
  const TempDir dir;
  for (const DType dtype :
       {DType::kBool, DType::kU8, DType::kI8, DType::kU16, DType::kI16, DType::kU32, DType::kI32,
        DType::kU64, DType::kI64, DType::kF16, DType::kF32, DType::kF64, DType::kC64}) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{5}, Shape{2, 3}, Shape{0, 4}}) {
      const Tensor tensor = PatternTensor(dtype, shape);
      ASSERT_THAT(SaveNpy(dir.File("x.npy"), tensor), IsOk());
      EXPECT_EQ(LoadNpy(dir.File("x.npy")).value(), tensor) << tensor.shape().size();
    }
  }
}

TEST(NpyTest, Bytes_MatchNumPy) {
  const TempDir dir;
  ASSERT_THAT(SaveNpy(dir.File("x.npy"), Tensor::From<float>({2}, {1, -2}).value()), IsOk());
  const std::string expected =
      absl::StrCat(absl::string_view("\x93NUMPY\1\0\x76\0", 10),
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
                   std::string(60, ' '), "\n", absl::string_view("\0\0\x80\x3f\0\0\0\xc0", 8));
  EXPECT_EQ(ReadFile(dir.File("x.npy")), expected);
}

TEST(NpyTest, UnsupportedDType_IsAnErrorWithoutRawBits) {
  const TempDir dir;
  const std::string path = dir.File("x.npy");
  const Tensor bf16 = PatternTensor(DType::kBF16, {2, 3});
  EXPECT_THAT(SaveNpy(path, bf16),
              StatusIs(kInvalid, AllOf(HasSubstr(path), HasSubstr("found bf16; cast it"))));
  EXPECT_THAT(dir.List(), IsEmpty());
  const auto raw = [&](const Tensor& tensor) {
    EXPECT_THAT(SaveNpy(path, tensor, {.raw_bits = true}), IsOk());
    return LoadNpy(path).value();
  };
  const auto expect_raw = [&](const Tensor& tensor, DType dtype, const Shape& shape) {
    const Tensor found = raw(tensor);
    EXPECT_EQ(found.dtype(), dtype);
    EXPECT_EQ(found.shape(), ShapeRef(shape));
    EXPECT_EQ(found.bytes(), tensor.bytes());
  };
  expect_raw(bf16, DType::kU16, {2, 3});
  expect_raw(PatternTensor(DType::kF8E4M3, {5}), DType::kU8, {5});
  expect_raw(PatternTensor(DType::kF4, {3, 2}), DType::kU8, {3});
  expect_raw(PatternTensor(DType::kF6E2M3, {4, 2}), DType::kU8, {6});
  expect_raw(PatternTensor(DType::kF32, {2}), DType::kF32, {2});
}

TEST(NpyTest, Load_ReadsAllVersions) {
  const std::string dict = "{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }";
  for (const char version : {'\1', '\2', '\3'}) {
    const Tensor tensor =
        LoadNpyBytes(NpyFileOf(dict, std::string("\1\0\2\0", 4), version)).value();
    EXPECT_THAT(tensor.span<uint16_t>(), ElementsAre(1, 2));
  }
  EXPECT_THAT(LoadNpyBytes(NpyFileOf(dict, std::string(4, '\0'), '\4')),
              StatusIs(kUnknown, HasSubstr("its version is 4.0")));
}

TEST(NpyTest, Header_AcceptsEveryFormThatPythonWrites) {
  for (const std::string dict :
       {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}",
        "{\"shape\":(2,),\"fortran_order\":True,\"descr\":\">u1\"}",
        "  { 'shape' : ( 2L , ) , 'descr' : '=u1' , 'fortran_order' : False }   "}) {
    EXPECT_THAT(LoadNpyBytes(NpyFileOf(dict, "\5\6"))->span<uint8_t>(), ElementsAre(5, 6)) << dict;
  }
}

TEST(NpyTest, NamesOfDTypes_AreReadAsByNumPy) {
  for (const char* descr : {"float32", "f4", "=f4"}) {
    const std::string dict =
        absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (1,), }");
    EXPECT_EQ(LoadNpyBytes(NpyFileOf(dict, std::string("\0\0\x80\x3f", 4)))->item<float>(), 1.0f)
        << descr;
  }
  const auto is = [](const char* descr, DType dtype) {
    const std::string dict =
        absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, 'shape': (0,), }");
    EXPECT_EQ(LoadNpyBytes(NpyFileOf(dict, ""))->dtype(), dtype) << descr;
  };
  is("bool", DType::kBool);
  is("uint16", DType::kU16);
  is("int64", DType::kI64);
  is("float16", DType::kF16);
  is("complex64", DType::kC64);
}

TEST(NpyTest, VoidTypes_SayWhatNamesThem) {
  const auto message = [](const std::string& descr) {
    return LoadNpyBytes(
               NpyFileOf("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (0,), }", ""))
        .status();
  };
  EXPECT_THAT(message("<V2"), StatusIs(kUnknown, HasSubstr("--dtype-of 'V2=bf16', or")));
  EXPECT_THAT(message("|V1"), StatusIs(kUnknown, HasSubstr("--dtype-of 'V1=f8_e4m3', or")));
  EXPECT_THAT(message("|V3"), StatusIs(kUnknown, HasSubstr("(bytes whose dtype NumPy does not "
                                                           "name) is not supported")));
}

TEST(NpyTest, FortranOrder_IsConverted) {
  const auto dict = [](const std::string& shape) {
    return "{'descr': '<i2', 'fortran_order': True, 'shape': " + shape + ", }";
  };
  std::string bytes;
  for (int16_t i = 0; i < 24; ++i) bytes.append(reinterpret_cast<const char*>(&i), 2);
  const Tensor matrix = LoadNpyBytes(NpyFileOf(dict("(2, 3)"), bytes.substr(0, 12))).value();
  EXPECT_THAT(matrix.span<int16_t>(), ElementsAre(0, 2, 4, 1, 3, 5));
  const Tensor cube = LoadNpyBytes(NpyFileOf(dict("(2, 3, 4)"), bytes)).value();
  const auto found = cube.span<int16_t>();
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) EXPECT_EQ(found[i * 12 + j * 4 + k], i + j * 2 + k * 6);
    }
  }
  const Tensor four = LoadNpyBytes(NpyFileOf(dict("(2, 3, 2, 2)"), bytes)).value();
  EXPECT_EQ(four.span<int16_t>()[1 * 12 + 2 * 4 + 1 * 2 + 1], 1 + 2 * 2 + 6 + 12);
}

TEST(NpyTest, FortranOrderOfLargeArrays_IsConverted) {
  constexpr int kFirst = 37, kSecond = 3, kThird = 2, kLast = 41;
  std::string bytes;
  for (int i = 0; i < kFirst * kSecond * kThird * kLast; ++i) {
    bytes.append(reinterpret_cast<const char*>(&i), 4);
  }
  const Tensor tensor =
      LoadNpyBytes(
          NpyFileOf("{'descr': '<i4', 'fortran_order': True, 'shape': (37, 3, 2, 41), }", bytes))
          .value();
  auto found = tensor.span<int32_t>().begin();
  for (int i = 0; i < kFirst; ++i) {
    for (int j = 0; j < kSecond; ++j) {
      for (int k = 0; k < kThird; ++k) {
        for (int l = 0; l < kLast; ++l) {
          ASSERT_EQ(*found++, i + kFirst * (j + kSecond * (k + kThird * l)));
        }
      }
    }
  }
}

TEST(NpyTest, LargeFortranMatrices_AreConvertedInTiles) {
  constexpr int64_t kRows = 77;
  constexpr int64_t kColumns = 131;
  std::string bytes;
  for (int32_t i = 0; i < kRows * kColumns; ++i) {
    bytes.append(reinterpret_cast<const char*>(&i), 4);
  }
  const Tensor tensor =
      LoadNpyBytes(
          NpyFileOf("{'descr': '<i4', 'fortran_order': True, 'shape': (77, 131), }", bytes))
          .value();
  const auto found = tensor.span<int32_t>();
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t column = 0; column < kColumns; ++column) {
      ASSERT_EQ(found[static_cast<size_t>(row * kColumns + column)], row + column * kRows);
    }
  }
}

template <typename T>
T LoadOne(const std::string& descr, const std::string& bytes) {
  const Tensor tensor =
      LoadNpyBytes(
          NpyFileOf("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (1,), }", bytes))
          .value();
  return tensor.span<T>()[0];
}

TEST(NpyTest, BigEndian_IsConverted) {
  EXPECT_EQ(LoadOne<uint16_t>(">u2", "\1\2"), 0x0102);
  EXPECT_EQ(LoadOne<int32_t>(">i4", std::string("\xff\xff\xff\xfe", 4)), -2);
  EXPECT_EQ(LoadOne<double>(">f8", std::string("\x3f\xf8\0\0\0\0\0\0", 8)), 1.5);
  EXPECT_EQ(LoadOne<std::complex<float>>(">c8", std::string("\x3f\x80\0\0\xc0\0\0\0", 8)),
            std::complex<float>(1, -2));
}

TEST(NpyTest, ErrorsAndFaults_LeaveNoFile) {
  const TempDir dir;
  const std::string path = dir.File("x.npy");
  EXPECT_THAT(SaveNpy(path, Tensor()), StatusIs(kInvalid, HasSubstr("found null")));
  EXPECT_THAT(LoadNpy(path), StatusIs(kNotFound, HasSubstr(path)));
  const Tensor tensor = PatternTensor(DType::kU8, {3});
  FaultyFileSystem counting;
  ASSERT_THAT(SaveNpy(dir.File("y"), tensor, {.io = {.file_system = &counting}}), IsOk());
  EXPECT_THAT(counting.log, ElementsAre("create", HasSubstr("write"), "sync", "close", "rename",
                                        "sync directory"));
  FileSystem::Posix().Remove(dir.File("y")).IgnoreError();
  for (int call = 0; call < counting.calls; ++call) {
    FaultyFileSystem files;
    files.fail_at = call;
    EXPECT_THAT(SaveNpy(path, tensor, {.io = {.file_system = &files}}),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("fault in")));
    if (call + 1 < counting.calls) {
      EXPECT_THAT(dir.List(), IsEmpty()) << "call " << call;
    } else {  // only the sync of the directory failed
      EXPECT_EQ(LoadNpy(path).value(), tensor);
    }
  }
}

TEST(NpyTest, Errors_NameAnyFile) {
  for (const std::string name : {"npy", "expected", "a"}) {
    MemoryFile file("\1no NumPy");
    EXPECT_THAT(LoadNpy(name, {.io = {.file_system = &file}}),
                StatusIs(kDamage, StartsWith(name + ": npy header: expected")));
  }
}

class NpyAttackTest : public testing::TestWithParam<NpyAttack> {};

TEST_P(NpyAttackTest, EveryAttack_HasItsExpectedError) {
  const absl::StatusOr<Tensor> loaded = LoadNpyBytes(GetParam().file);
  EXPECT_THAT(loaded,
              StatusIs(GetParam().code, AllOf(HasSubstr("x.npy: "), HasSubstr(GetParam().words))));
}

INSTANTIATE_TEST_SUITE_P(All, NpyAttackTest, testing::ValuesIn(NpyAttacks()),
                         [](const auto& attack) { return attack.param.name; });

}  // namespace
}  // namespace leafstore
