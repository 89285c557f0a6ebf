#include "trainer.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/optim/clip.h"
#include "leafstore/optim/schedule.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/ops.h"
#include "leafstore/store/partition.h"

namespace digits {

using leafstore::CheckpointReader;
using leafstore::Filter;
using leafstore::Flattened;
using leafstore::GroupRef;
using leafstore::NamedStore;
using leafstore::OptimizerSet;
using leafstore::ParamStore;
using leafstore::PartitionPlan;

namespace {

std::string ToText(const std::mt19937_64& random) {
  std::ostringstream text;
  text << random;
  return text.str();
}

absl::StatusOr<std::mt19937_64> FromText(const std::string& text) {
  std::istringstream in(text);
  std::mt19937_64 random;
  if (in >> random) return random;
  return absl::InvalidArgumentError("the random state cannot be read");
}

// The standard library's own shuffle may differ from one library to the next.
std::vector<int> ShuffledRows(int count, std::mt19937_64* random) {
  std::vector<int> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[(*random)() % i]);
  return rows;
}

}  // namespace

absl::StatusOr<Trainer> Trainer::Start(const Settings& settings, const Split* data) {
  std::mt19937_64 random(static_cast<uint64_t>(settings.seed));
  LEAFSTORE_ASSIGN_OR_RETURN(
      Model model, MakeModel(settings.hidden, static_cast<int>(settings.blocks), &random));
  LEAFSTORE_ASSIGN_OR_RETURN(Flattened flat, leafstore::Flatten(std::move(model)));
  LEAFSTORE_ASSIGN_OR_RETURN(Network network, Network::Create(flat.def, flat.params));
  Trainer trainer(flat.def, std::move(network), data);
  trainer.progress_.settings = settings;
  trainer.random_ = random;
  LEAFSTORE_ASSIGN_OR_RETURN(trainer.gradients_, ZerosLike(flat.params));
  LEAFSTORE_RETURN_IF_ERROR(trainer.SplitGroups(std::move(flat.params), FrozenIn(0, settings)));
  LEAFSTORE_RETURN_IF_ERROR(trainer.MakeOptimizers());
  return trainer;
}

absl::StatusOr<Trainer> Trainer::Resume(const Settings& settings, const Split* data,
                                        const std::string& checkpoint) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointReader reader, CheckpointReader::Open(checkpoint));
  LEAFSTORE_ASSIGN_OR_RETURN(const leafstore::TreeDef progress_def, reader.def("progress"));
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore progress_store, reader.Load("progress"));
  LEAFSTORE_ASSIGN_OR_RETURN(Progress progress,
                             leafstore::Unflatten<Progress>(progress_def, progress_store));
  if (!(progress.settings == settings)) {
    return absl::InvalidArgumentError(
        absl::StrCat(checkpoint, ": expected a run of ", settings.epochs, " epochs with seed ",
                     settings.seed, " and otherwise these settings, found one of ",
                     progress.settings.epochs, " with seed ", progress.settings.seed));
  }

  LEAFSTORE_ASSIGN_OR_RETURN(const leafstore::TreeDef def, reader.def("params"));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params, reader.Load("params"));
  LEAFSTORE_ASSIGN_OR_RETURN(Network network, Network::Create(def, params));
  Trainer trainer(def, std::move(network), data);
  LEAFSTORE_ASSIGN_OR_RETURN(trainer.random_, FromText(progress.random));
  trainer.progress_ = std::move(progress);
  LEAFSTORE_ASSIGN_OR_RETURN(trainer.gradients_, ZerosLike(params));
  // The optimizers' state is that of the groups in the last epoch that was run.
  LEAFSTORE_RETURN_IF_ERROR(
      trainer.SplitGroups(std::move(params), FrozenIn(trainer.epoch() - 1, settings)));
  LEAFSTORE_RETURN_IF_ERROR(trainer.MakeOptimizers());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<NamedStore> state, reader.LoadItems("optimizer"));
  LEAFSTORE_RETURN_IF_ERROR(trainer.optimizers_[0].LoadState(std::move(state)));
  return trainer;
}

absl::Status Trainer::SplitGroups(ParamStore params, bool frozen) {
  const Filter embedding = leafstore::Glob("embed.**");
  LEAFSTORE_ASSIGN_OR_RETURN(
      const PartitionPlan plan,
      PartitionPlan::Compile(
          params, {frozen ? embedding : Not(leafstore::All()), leafstore::HasTag("no_decay")}));
  LEAFSTORE_ASSIGN_OR_RETURN(
      labels_, leafstore::Labels::Create(params.layout(), plan, {"frozen", "no_decay", "weights"}));
  LEAFSTORE_ASSIGN_OR_RETURN(groups_, plan.Split(std::move(params)));
  return absl::OkStatus();
}

absl::Status Trainer::MakeOptimizers() {
  LEAFSTORE_ASSIGN_OR_RETURN(
      OptimizerSet optimizers,
      OptimizerSet::Create({{"no_decay", leafstore::Adam{}},
                            {"weights", leafstore::AdamW{.weight_decay = settings().weight_decay}}},
                           labels_, GroupRefs()));
  optimizers_.push_back(std::move(optimizers));
  return absl::OkStatus();
}

// The embedding joins the other groups: their optimizers keep the state of every leaf they had, and
// begin with the embedding's leaves at zero.
absl::Status Trainer::Unfreeze() {
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params, leafstore::MergeGroups(std::move(groups_)));
  LEAFSTORE_RETURN_IF_ERROR(SplitGroups(std::move(params), /*frozen=*/false));
  return optimizers_[0].Repartition(labels_, GroupRefs()).status();
}

absl::StatusOr<Result> Trainer::RunEpoch(int threads) {
  const bool was_frozen = !labels_.SlotsOf(0).empty();
  if (was_frozen && !FrozenIn(epoch(), settings())) LEAFSTORE_RETURN_IF_ERROR(Unfreeze());

  const int batch_size = static_cast<int>(settings().batch_size);
  const int batches = (data_->train.size() + batch_size - 1) / batch_size;
  const leafstore::Schedule schedule =
      leafstore::WarmupCosine({.peak = settings().learning_rate,
                               .end = settings().learning_rate / 100,
                               .warmup_steps = batches,
                               .total_steps = batches * settings().epochs});
  const std::vector<int> order = ShuffledRows(data_->train.size(), &random_);
  Result total;
  for (int i = 0; i < batches; ++i) {
    const auto begin = order.begin() + i * batch_size;
    const auto end = order.begin() + std::min((i + 1) * batch_size, data_->train.size());
    const Dataset batch = ShiftedBatch(data_->train, std::vector<int>(begin, end), &random_);
    LEAFSTORE_RETURN_IF_ERROR(Step(batch, threads, schedule(progress_.step), &total));
  }
  ++progress_.epoch;
  return total;
}

absl::Status Trainer::Step(const Dataset& batch, int threads, double lr, Result* total) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Result result,
                             network_.Train(View(), batch, threads, &gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double norm, GlobalNorm(gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double scale,
                             leafstore::ClipScale(norm, settings().max_gradient_norm));
  LEAFSTORE_RETURN_IF_ERROR(optimizers_[0].Step(GroupRefs(), gradients_, {lr, scale}));
  ++progress_.step;
  total->loss += result.loss;
  total->correct += result.correct;
  total->count += result.count;
  return absl::OkStatus();
}

Result Trainer::Test() const { return network_.Evaluate(View(), data_->test); }

absl::Status Trainer::Save(const std::string& path, const Result& test) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore params,
                             leafstore::Merge(groups_[0], groups_[1], groups_[2]));
  Progress progress = progress_;
  progress.random = ToText(random_);
  LEAFSTORE_ASSIGN_OR_RETURN(const Flattened flat, leafstore::Flatten(progress));
  leafstore::SaveOptions options;
  options.metadata = {{"test_accuracy", absl::StrCat(test.Accuracy())}};
  return leafstore::SaveCheckpoint(path,
                                   {{"params", def_, params, {.labels = labels_}},
                                    {"optimizer", optimizers_[0].state()},
                                    {"progress", flat.def, flat.params}},
                                   options);
}

std::vector<GroupRef> Trainer::GroupRefs() { return {&groups_[0], &groups_[1], &groups_[2]}; }

Network::Params Trainer::View() const {
  const ParamStore* const groups[] = {&groups_[0], &groups_[1], &groups_[2]};
  return Network::View(groups, def_.leaf_count());
}

}  // namespace digits
