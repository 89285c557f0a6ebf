#include "network.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"

namespace digits {

using namespace leafstore;

using RowVector = Eigen::RowVectorXf;
using Column = Eigen::VectorXf;
using ConstMatrix = Eigen::Map<const Matrix>;
using ConstRow = Eigen::Map<const RowVector>;

namespace {

absl::StatusOr<BlockSlots> FindBlock(const Layout& layout, const std::string& path) {
  BlockSlots s;
  LEAFSTORE_ASSIGN_OR_RETURN(s.weight, layout.Get(path + ".weight"));
  LEAFSTORE_ASSIGN_OR_RETURN(s.bias, layout.Get(path + ".bias"));
  LEAFSTORE_ASSIGN_OR_RETURN(s.scale, layout.Get(path + ".norm.scale"));
  LEAFSTORE_ASSIGN_OR_RETURN(s.shift, layout.Get(path + ".norm.shift"));
  return s;
}

// Looks up the slots. error NotFound: the structure is not that of a Model.
absl::StatusOr<Slots> FindSlots(const Layout& layout) {
  Slots slots;
  LEAFSTORE_ASSIGN_OR_RETURN(slots.embed_weight, layout.Get(".embed.weight"));
  LEAFSTORE_ASSIGN_OR_RETURN(slots.embed_bias, layout.Get(".embed.bias"));
  LEAFSTORE_ASSIGN_OR_RETURN(slots.head_weight, layout.Get(".head.weight"));
  LEAFSTORE_ASSIGN_OR_RETURN(slots.head_bias, layout.Get(".head.bias"));
  LEAFSTORE_ASSIGN_OR_RETURN(slots.reconstruct_bias, layout.Get(".reconstruct.bias"));
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId blocks, def.Find(".blocks"));
  for (uint32_t i = 0; i < def.child_count(blocks); ++i) {
    LEAFSTORE_ASSIGN_OR_RETURN(BlockSlots block,
                               FindBlock(layout, absl::StrCat(".blocks[", i, "]")));
    slots.blocks.push_back(block);
  }
  return slots;
}

// Returns the value of a static leaf.
absl::StatusOr<float> GetFloat(const ParamStore& params, absl::string_view path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, params.Get(path));
  const double* value = leaf->is_value() ? leaf->value().As<double>() : nullptr;
  if (value != nullptr) return static_cast<float>(*value);
  return absl::InvalidArgumentError(absl::StrCat("at ", path, ": expected a static float"));
}

}  // namespace

absl::StatusOr<Network> Network::Create(const ParamStore& params) {
  Network network;
  LEAFSTORE_ASSIGN_OR_RETURN(network.slots_, FindSlots(params.layout()));
  LEAFSTORE_ASSIGN_OR_RETURN(network.epsilon_, GetFloat(params, ".blocks[0].norm.epsilon"));
  LEAFSTORE_ASSIGN_OR_RETURN(network.reconstruct_weight_,
                             GetFloat(params, ".reconstruct.loss_weight"));
  LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* bias, params.Get(".embed.bias"));
  network.hidden_ = static_cast<int>(bias->tensor().element_count());
  return network;
}

Network::Params Network::View(const Groups& groups) {
  Params view(groups.grouping().layout().size(), nullptr);
  for (Slot slot = 0; slot < view.size(); ++slot) {
    const Leaf* const leaf = groups.FindSlot(slot);
    if (leaf == nullptr || !leaf->is_tensor()) continue;
    view[slot] = reinterpret_cast<const float*>(leaf->tensor().raw_data());
  }
  return view;
}

// The values that the backward pass needs from the forward pass, one row per image.
struct Network::Activations {
  struct Block {
    Matrix normalized;  // (z - mean) / deviation
    Column deviation;
    Matrix rectified;  // relu(normalized * scale + shift)
    Matrix output;     // input + rectified
  };
  Matrix embedded;       // relu(x We^T + be)
  Matrix reconstructed;  // embedded We + br
  std::vector<Block> blocks;
  Matrix probabilities;

  const Matrix& Input(size_t block) const {
    return block == 0 ? embedded : blocks[block - 1].output;
  }
};

// A part of a batch and its gradients.
struct Network::Shard {
  Dataset data;
  Result result;
  std::vector<Matrix> gradients;  // by slot; rows and columns as in the parameter, biases a row
};

Network::Activations Network::Forward(const Params& p, const Matrix& images) const {
  Activations a;
  const ConstMatrix embed(p[slots_.embed_weight], hidden_, kPixels);
  const ConstRow embed_bias(p[slots_.embed_bias], hidden_);
  a.embedded = ((images * embed.transpose()).rowwise() + embed_bias).cwiseMax(0.0f);
  a.reconstructed = (a.embedded * embed).rowwise() + ConstRow(p[slots_.reconstruct_bias], kPixels);
  for (size_t i = 0; i < slots_.blocks.size(); ++i) {
    const BlockSlots& s = slots_.blocks[i];
    const Matrix& input = a.Input(i);
    Activations::Block block;
    const ConstMatrix weight(p[s.weight], hidden_, hidden_);
    const Matrix z = (input * weight.transpose()).rowwise() + ConstRow(p[s.bias], hidden_);
    const Matrix centered = z.colwise() - z.rowwise().mean();
    block.deviation = (centered.array().square().rowwise().mean() + epsilon_).sqrt().matrix();
    block.normalized = centered.array().colwise() / block.deviation.array();
    block.rectified =
        ((block.normalized.array().rowwise() * ConstRow(p[s.scale], hidden_).array()).rowwise() +
         ConstRow(p[s.shift], hidden_).array())
            .cwiseMax(0.0f)
            .matrix();
    block.output = input + block.rectified;
    a.blocks.push_back(std::move(block));
  }
  const ConstMatrix head(p[slots_.head_weight], kClasses, hidden_);
  Matrix logits = (a.Input(slots_.blocks.size()) * head.transpose()).rowwise() +
                  ConstRow(p[slots_.head_bias], kClasses);
  logits = logits.colwise() - logits.rowwise().maxCoeff().eval();
  const Matrix exponents = logits.array().exp();
  const Column sums = exponents.rowwise().sum();
  a.probabilities = exponents.array().colwise() / sums.array();
  return a;
}

Result Network::Losses(const Activations& a, const Dataset& data) const {
  Result result;
  result.count = data.size();
  for (int i = 0; i < data.size(); ++i) {
    const int label = data.labels[static_cast<size_t>(i)];
    Eigen::Index predicted = 0;
    a.probabilities.row(i).maxCoeff(&predicted);
    result.correct += predicted == label;
    result.loss -= std::log(std::max(a.probabilities(i, label), 1e-30f));
    result.loss += static_cast<double>(reconstruct_weight_) *
                   (a.reconstructed.row(i) - data.images.row(i)).squaredNorm() / kPixels;
  }
  return result;
}

void Network::Backward(const Params& p, const Dataset& data, int batch_size, Shard* shard) const {
  const Activations a = Forward(p, data.images);
  shard->result = Losses(a, data);
  std::vector<Matrix>& g = shard->gradients;
  const float share = 1.0f / static_cast<float>(batch_size);

  Matrix d_logits = a.probabilities;
  for (int i = 0; i < data.size(); ++i) d_logits(i, data.labels[static_cast<size_t>(i)]) -= 1;
  d_logits *= share;
  const size_t depth = slots_.blocks.size();
  g[slots_.head_weight] = d_logits.transpose() * a.Input(depth);
  g[slots_.head_bias] = d_logits.colwise().sum();
  Matrix d = d_logits * ConstMatrix(p[slots_.head_weight], kClasses, hidden_);

  for (size_t i = depth; i-- > 0;) {
    const BlockSlots& s = slots_.blocks[i];
    const Activations::Block& block = a.blocks[i];
    const Matrix d_norm = (block.rectified.array() > 0).select(d.array(), 0.0f).matrix();
    g[s.scale] = d_norm.cwiseProduct(block.normalized).colwise().sum();
    g[s.shift] = d_norm.colwise().sum();
    const Matrix d_normalized = d_norm.array().rowwise() * ConstRow(p[s.scale], hidden_).array();
    // Layer normalization (Ba, Kiros and Hinton, 2016), with the mean and deviation of the row.
    const Column mean = d_normalized.rowwise().mean();
    const Column along = d_normalized.cwiseProduct(block.normalized).rowwise().mean();
    Matrix d_z = d_normalized.colwise() - mean;
    d_z -= (block.normalized.array().colwise() * along.array()).matrix();
    d_z = (d_z.array().colwise() / block.deviation.array()).matrix().eval();
    g[s.weight] = d_z.transpose() * a.Input(i);
    g[s.bias] = d_z.colwise().sum();
    d += d_z * ConstMatrix(p[s.weight], hidden_, hidden_);
  }

  const Matrix d_image =
      (2 * reconstruct_weight_ * share / kPixels) * (a.reconstructed - data.images);
  d += d_image * ConstMatrix(p[slots_.embed_weight], hidden_, kPixels).transpose();
  const Matrix d_embedded = (a.embedded.array() > 0).select(d.array(), 0.0f).matrix();
  // Tied: the weight has a gradient from each of its uses.
  g[slots_.embed_weight] = d_embedded.transpose() * data.images + a.embedded.transpose() * d_image;
  g[slots_.embed_bias] = d_embedded.colwise().sum();
  g[slots_.reconstruct_bias] = d_image.colwise().sum();
}

Result Network::Evaluate(const Params& params, const Dataset& data) const {
  return Losses(Forward(params, data.images), data);
}

absl::StatusOr<Result> Network::Train(const Params& params, const Dataset& batch, int threads,
                                      ParamStore* gradients) const {
  std::vector<Shard> shards(kShards);
  const auto run = [&](int first) {
    for (int i = first; i < kShards; i += threads) {
      Shard& shard = shards[static_cast<size_t>(i)];
      const int begin = batch.size() * i / kShards, end = batch.size() * (i + 1) / kShards;
      shard.gradients.resize(params.size());
      if (begin == end) continue;
      shard.data.images = batch.images.middleRows(begin, end - begin);
      shard.data.labels.assign(batch.labels.begin() + begin, batch.labels.begin() + end);
      Backward(params, shard.data, batch.size(), &shard);
    }
  };
  std::vector<std::thread> workers;
  for (int i = 1; i < std::min(threads, kShards); ++i) workers.emplace_back(run, i);
  run(0);
  for (std::thread& worker : workers) worker.join();

  LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves open, gradients->MutateAll());
  for (uint32_t place = 0; place < open.size(); ++place) {
    if (!open.leaf(place).is_tensor()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<float> numbers, open.GetSpan<float>(place));
    std::fill(numbers.begin(), numbers.end(), 0.0f);
    for (const Shard& shard : shards) {
      const Matrix& part = shard.gradients[gradients->slot(place)];
      for (Eigen::Index k = 0; k < part.size(); ++k)
        numbers[static_cast<size_t>(k)] += part.data()[k];
    }
  }
  Result total;
  for (const Shard& shard : shards) total += shard.result;
  return total;
}

}  // namespace digits
