// The handwritten digits: 1,797 images of 8x8 pixels with their classes.
#ifndef LEAFSTORE_EXAMPLES_DIGITS_DATA_H_
#define LEAFSTORE_EXAMPLES_DIGITS_DATA_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model.h"
#include <Eigen/Core>

namespace digits {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Dataset {
  Matrix images;            // [count, kPixels], from 0 to 1
  std::vector<int> labels;  // [count], from 0 to 9

  int size() const { return static_cast<int>(labels.size()); }
};

struct Split {
  Dataset train;
  Dataset test;  // every fifth image
};

// Reads a gzipped or plain file whose lines have 64 pixels from 0 to 16 and the class, separated by
// commas. error NotFound; InvalidArgument, with the line and what was expected and found.
absl::StatusOr<Split> LoadDigits(const std::string& path);

// Returns the images of `rows`, half of them shifted by up to one pixel in x and y.
Dataset ShiftedBatch(const Dataset& data, const std::vector<int>& rows, std::mt19937_64* random);

}  // namespace digits

#endif  // LEAFSTORE_EXAMPLES_DIGITS_DATA_H_
