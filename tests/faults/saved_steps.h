// What leafstore_fault_program saves, for the test that checks what is on the disk afterwards.
#ifndef LEAFSTORE_TESTS_FAULTS_SAVED_STEPS_H_
#define LEAFSTORE_TESTS_FAULTS_SAVED_STEPS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "leafstore/store/param_store.h"

namespace leafstore {

inline constexpr int64_t kSavedSteps = 4;

// Returns the parameters of a step: one tensor that changes, and one that does not.
inline ParamStore ParamsOfStep(int64_t step) {
  std::vector<std::pair<Path, Leaf>> entries;
  entries.emplace_back(Path().Attribute("moving"), Tensor::Scalar(static_cast<float>(step)));
  entries.emplace_back(Path().Attribute("still"), Tensor::Zeros(DType::kF32, {30'000}).value());
  return ParamStore::FromEntries(std::move(entries)).value();
}

inline bool IsStep(int64_t step, const ParamStore& params) {
  const ParamStore expected = ParamsOfStep(step);
  return params.size() == 2 && params.leaf(0) == expected.leaf(0) &&
         params.leaf(1) == expected.leaf(1);
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_FAULTS_SAVED_STEPS_H_
