#include "leafstore/core/dtype.h"

#include <array>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace leafstore {
namespace {

enum class Family : uint8_t { kNone, kBool, kInteger, kFloating, kComplex };

struct Row {
  absl::string_view name;
  uint8_t bits;
  Family family;
  uint64_t one;  // the bits of the value 1; for c64 the real half is the low one
};

// By value, beginning with 1. safetensors uses the same names in upper case, and "BOOL" for kBool.
constexpr std::array<Row, 22> kRows = {{
    {"bool", 8, Family::kBool, 1},
    {"u8", 8, Family::kInteger, 1},
    {"i8", 8, Family::kInteger, 1},
    {"u16", 16, Family::kInteger, 1},
    {"i16", 16, Family::kInteger, 1},
    {"u32", 32, Family::kInteger, 1},
    {"i32", 32, Family::kInteger, 1},
    {"u64", 64, Family::kInteger, 1},
    {"i64", 64, Family::kInteger, 1},
    {"f16", 16, Family::kFloating, 0x3c00},
    {"bf16", 16, Family::kFloating, 0x3f80},
    {"f32", 32, Family::kFloating, 0x3f800000},
    {"f64", 64, Family::kFloating, 0x3ff0000000000000},
    {"c64", 64, Family::kComplex, 0x3f800000},
    {"f8_e5m2", 8, Family::kFloating, 0x3c},
    {"f8_e4m3", 8, Family::kFloating, 0x38},
    {"f8_e8m0", 8, Family::kFloating, 0x7f},
    {"f8_e5m2fnuz", 8, Family::kFloating, 0x40},
    {"f8_e4m3fnuz", 8, Family::kFloating, 0x40},
    {"f4", 4, Family::kFloating, 0x2},
    {"f6_e2m3", 6, Family::kFloating, 0x08},
    {"f6_e3m2", 6, Family::kFloating, 0x0c},
}};

constexpr std::array<DType, kRows.size()> MakeAllDTypes() {
  std::array<DType, kRows.size()> all = {};
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<DType>(i + 1);
  return all;
}

constexpr std::array<DType, kRows.size()> kAllDTypes = MakeAllDTypes();
static_assert(kAllDTypes.back() == DType::kF6E3M2);

// The row of an invalid DType. That is a bug in the caller, but must not read out of bounds.
constexpr Row kNoRow = {"invalid", 0, Family::kNone, 1};

const Row& RowOf(DType dtype) {
  const auto id = static_cast<uint64_t>(dtype);
  return IsDType(id) ? kRows[id - 1] : kNoRow;
}

}  // namespace

absl::Span<const DType> AllDTypes() { return kAllDTypes; }

bool IsDType(uint64_t id) { return id >= 1 && id <= kRows.size(); }

size_t DTypeBits(DType dtype) { return RowOf(dtype).bits; }

uint64_t internal::BitsOfOne(DType dtype) { return RowOf(dtype).one; }

absl::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }

absl::StatusOr<DType> ParseDType(absl::string_view name) {
  for (DType dtype : kAllDTypes) {
    if (DTypeName(dtype) == name) return dtype;
  }
  std::string names;
  for (const Row& row : kRows) absl::StrAppend(&names, names.empty() ? "" : ", ", row.name);
  return absl::InvalidArgumentError(absl::StrCat("expected a dtype, found \"",
                                                 absl::CHexEscape(name.substr(0, 32)),
                                                 "\"; the dtypes are ", names));
}

bool IsFloating(DType dtype) { return RowOf(dtype).family == Family::kFloating; }

bool IsInteger(DType dtype) { return RowOf(dtype).family == Family::kInteger; }

bool AreBools(absl::Span<const std::byte> bytes) {
  std::byte bits{0};
  for (const std::byte byte : bytes) bits |= byte;
  return bits <= std::byte{1};
}

}  // namespace leafstore
