// Runs the same operations on a store and on a std::map. Each is two bytes: the first selects the
// operation, the second the path.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/select/partition.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/param_store.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/require.h"

namespace leafstore {
namespace {

using absl::StatusCode;

// Returns one of sixteen paths. Some are ancestors of others, so not all sets of them form a tree.
Path PathOf(uint8_t byte) {
  const int64_t number = byte % 16;
  Path path = Path().Attribute(std::string(1, static_cast<char>('a' + number / 4)));
  if (number % 4 == 1) path.Index(number / 4);
  if (number % 4 == 2) path.Item("key 'quoted'");
  if (number % 4 == 3) path.Index(0).Attribute("w");
  return path;
}

// The byte determines the kind and shape, too.
Leaf LeafOf(uint8_t byte) {
  const float value = byte;
  if (byte % 3 == 0) return Value(int64_t{byte});
  if (byte % 3 == 1) return Tensor::Scalar<float>(value);
  return Tensor::From<float>({2}, {value, -value}).value();
}

bool SameSpec(const Leaf& a, const Leaf& b) {
  if (a.is_tensor() != b.is_tensor()) return false;
  if (a.is_tensor()) return a.tensor().shape() == b.tensor().shape();
  return a.value().kind() == b.value().kind();
}

using Model = std::map<std::string, Leaf>;

void RequireEqual(const ParamStore& store, const Model& model) {
  Require(store.size() == model.size(), "the store has as many leaves as the model");
  for (uint32_t place = 0; place < store.size(); ++place) {
    const std::string path = store.PathText(place);
    const auto found = model.find(path);
    Require(found != model.end() && found->second == store.leaf(place),
            "the leaves equal those of the model");
    Require(store.Find(path) == &store.leaf(place), "each path is found");
  }
}

class Stores {
 public:
  void Do(uint8_t what, uint8_t which) {
    const Path path = PathOf(which);
    const std::string text = path.ToString();
    const auto at = model_.find(text);
    const bool exists = at != model_.end();
    const Leaf leaf = LeafOf(static_cast<uint8_t>(what ^ which));
    switch (what % 8) {
      case 0: {
        const absl::Status status = store_.Insert(path, leaf);
        Require(status.ok() == !exists, "Insert succeeds if the path is new");
        if (!status.ok()) RequireError(status, {StatusCode::kAlreadyExists});
        model_.emplace(text, leaf);
        break;
      }
      case 1: {
        const absl::Status status = store_.Set(text, leaf);
        Require(status.ok() == (exists && SameSpec(at->second, leaf)),
                "Set succeeds if the path exists and the spec is equal");
        if (!status.ok()) {
          RequireError(status, {StatusCode::kNotFound, StatusCode::kInvalidArgument});
        } else {
          at->second = leaf;
        }
        break;
      }
      case 2:
        Require(store_.Upsert(path, leaf).ok(), "Upsert always succeeds");
        model_.insert_or_assign(text, leaf);
        break;
      case 3: {
        const absl::Status status = store_.Erase(text);
        Require(status.ok() == exists, "Erase succeeds if the path exists");
        if (!status.ok())
          RequireError(status, {StatusCode::kNotFound, StatusCode::kInvalidArgument});
        model_.erase(text);
        break;
      }
      case 4:
        Write(text, exists ? &at->second : nullptr, which);
        break;
      case 5:
        snapshot_.emplace(store_.Snapshot().value(), model_);
        break;
      case 6:
        if (snapshot_) {
          store_ = snapshot_->first.Snapshot().value();
          model_ = snapshot_->second;
        }
        break;
      case 7:
        SplitAndMerge(which);
        break;
    }
    RequireEqual(store_, model_);
    if (snapshot_) RequireEqual(snapshot_->first, snapshot_->second);
  }

 private:
  void Write(const std::string& text, Leaf* model, uint8_t number) {
    absl::StatusOr<MutableTensor> borrow = store_.Mutate(text);
    const bool may = model != nullptr && model->is_tensor();
    Require(borrow.ok() == may, "Mutate succeeds if the tensor exists");
    if (!may) {
      RequireError(borrow.status(), {StatusCode::kNotFound, StatusCode::kInvalidArgument});
      return;
    }
    borrow->span<float>()[0] = number;
    Tensor written = model->tensor().Clone().value();
    written.Mutate()->span<float>()[0] = number;
    *model = Leaf(std::move(written));
    Require(!store_.Snapshot().ok(), "no snapshot while a borrow is open");
  }

  void SplitAndMerge(uint8_t which) {
    const Filter one = Regex(which % 2 == 0 ? "\\\\.[ab].*" : ".*\\\\['key.*");
    absl::StatusOr<std::vector<ParamStore>> groups = Partition(store_, {one, IsStatic()});
    if (!groups.ok()) {  // the paths do not form a tree
      RequireError(groups.status(), {StatusCode::kInvalidArgument});
      return;
    }
    if (which % 4 == 0) std::swap((*groups)[0], (*groups)[2]);
    absl::StatusOr<ParamStore> merged = MergeGroups(*std::move(groups));
    if (store_.complete()) {
      Require(merged.ok(), "the groups of a complete store can be merged");
      store_ = *std::move(merged);
    } else {
      Require(!merged.ok(), "the groups of a partial store cannot be merged");
    }
  }

  ParamStore store_;
  Model model_;
  std::optional<std::pair<ParamStore, Model>> snapshot_;
};

}  // namespace
}  // namespace leafstore

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leafstore::Stores stores;
  for (size_t i = 0; i + 1 < std::min<size_t>(size, 400); i += 2) stores.Do(data[i], data[i + 1]);
  return 0;
}
