#include "data.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/status_macros.h"

namespace digits {
namespace {

constexpr int kSide = 8;
constexpr int kLargestPixel = 16;

struct Row {
  std::array<float, kPixels> pixels;
  int label;
};

absl::StatusOr<std::string> ReadGzip(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  std::string text;
  std::array<char, 1 << 16> buffer;
  while (true) {
    const int count = gzread(file.get(), buffer.data(), buffer.size());
    if (count < 0) return absl::DataLossError(absl::StrCat(path, ": damaged gzip data"));
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
}

absl::StatusOr<Row> ParseRow(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
  if (fields.size() != kPixels + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", kPixels + 1, " numbers, found ", fields.size()));
  }
  Row row;
  for (int i = 0; i <= kPixels; ++i) {
    const int largest = i == kPixels ? kClasses - 1 : kLargestPixel;
    int number = 0;
    if (!absl::SimpleAtoi(fields[i], &number) || number < 0 || number > largest) {
      return absl::InvalidArgumentError(absl::StrCat("column ", i + 1,
                                                     ": expected a number from 0 to ", largest,
                                                     ", found '", fields[i], "'"));
    }
    if (i == kPixels) {
      row.label = number;
    } else {
      row.pixels[static_cast<size_t>(i)] = static_cast<float>(number) / kLargestPixel;
    }
  }
  return row;
}

Dataset ToDataset(const std::vector<Row>& rows) {
  Dataset data;
  data.images.resize(static_cast<Eigen::Index>(rows.size()), kPixels);
  for (size_t i = 0; i < rows.size(); ++i) {
    data.images.row(static_cast<Eigen::Index>(i)) =
        Eigen::Map<const Eigen::RowVectorXf>(rows[i].pixels.data(), kPixels);
    data.labels.push_back(rows[i].label);
  }
  return data;
}

}  // namespace

absl::StatusOr<Split> LoadDigits(const std::string& path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::string text, ReadGzip(path));
  std::vector<Row> train, test;
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    absl::StatusOr<Row> row = ParseRow(line);
    ++line_number;
    if (!row.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ", line ", line_number, ": ", row.status().message()));
    }
    (line_number % 5 == 0 ? test : train).push_back(*std::move(row));
  }
  if (test.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected at least 5 images, found ", train.size()));
  }
  return Split{ToDataset(train), ToDataset(test)};
}

Dataset ShiftedBatch(const Dataset& data, const std::vector<int>& rows, std::mt19937_64* random) {
  Dataset batch;
  batch.images.setZero(static_cast<Eigen::Index>(rows.size()), kPixels);
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint64_t bits = (*random)();
    const bool moved = bits / 9 % 2 == 0;
    const int dx = moved ? static_cast<int>(bits % 3) - 1 : 0;
    const int dy = moved ? static_cast<int>(bits / 3 % 3) - 1 : 0;
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        if (y + dy < 0 || y + dy >= kSide || x + dx < 0 || x + dx >= kSide) continue;
        batch.images(static_cast<Eigen::Index>(i), y * kSide + x) =
            data.images(rows[i], (y + dy) * kSide + x + dx);
      }
    }
    batch.labels.push_back(data.labels[static_cast<size_t>(rows[i])]);
  }
  return batch;
}

}  // namespace digits
