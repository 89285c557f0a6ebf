#include "trainer.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/optim/clip.h"
#include "leafstore/optim/schedule.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/flatten.h"
#include "leafstore/store/merge.h"

namespace digits {

using leafstore::CheckpointItem;
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

absl::StatusOr<Progress> LoadProgress(const CheckpointReader& checkpoint) {
  LEAFSTORE_ASSIGN_OR_RETURN(const leafstore::TreeDef def, checkpoint.GetDef("progress"));
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, checkpoint.Load("progress"));
  return leafstore::Unflatten<Progress>(def, store);
}

absl::Status CheckSameRun(const Progress& progress, const Settings& settings, const Split& data,
                          const std::string& path) {
  if (!(progress.settings == settings)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a run of ", settings.epochs, " epochs with seed ",
                     settings.seed, " and otherwise these settings, found one of ",
                     progress.settings.epochs, " with seed ", progress.settings.seed));
  }
  const int count = progress.trained.count;
  if (count > 0 && count <= data.train.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": expected a run with ", data.train.size(),
                                                 " images to train on, found one that is at image ",
                                                 count, " of an epoch"));
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
                                        const CheckpointReader& checkpoint) {
  LEAFSTORE_ASSIGN_OR_RETURN(Progress progress, LoadProgress(checkpoint));
  LEAFSTORE_RETURN_IF_ERROR(CheckSameRun(progress, settings, *data, checkpoint.path()));
  LEAFSTORE_ASSIGN_OR_RETURN(const leafstore::TreeDef def, checkpoint.GetDef("params"));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params, checkpoint.Load("params"));
  LEAFSTORE_ASSIGN_OR_RETURN(Network network, Network::Create(def, params));
  Trainer trainer(def, std::move(network), data);
  trainer.progress_ = std::move(progress);
  LEAFSTORE_ASSIGN_OR_RETURN(trainer.random_, FromText(trainer.progress_.random));
  LEAFSTORE_ASSIGN_OR_RETURN(std::mt19937_64 epoch_random,
                             FromText(trainer.progress_.epoch_random));
  trainer.order_ = ShuffledRows(data->train.size(), &epoch_random);
  LEAFSTORE_ASSIGN_OR_RETURN(trainer.gradients_, ZerosLike(params));
  // The optimizers' state is that of the groups at the last step.
  const int64_t epoch = trainer.epoch() - (trainer.epoch_ended() ? 1 : 0);
  LEAFSTORE_RETURN_IF_ERROR(trainer.SplitGroups(std::move(params), FrozenIn(epoch, settings)));
  LEAFSTORE_RETURN_IF_ERROR(trainer.MakeOptimizers());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<NamedStore> state, checkpoint.LoadItems("optimizer"));
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

absl::Status Trainer::BeginEpoch() {
  const bool was_frozen = !labels_.SlotsOf(0).empty();
  if (was_frozen && !FrozenIn(epoch(), settings())) LEAFSTORE_RETURN_IF_ERROR(Unfreeze());
  progress_.trained = {};
  progress_.epoch_random = ToText(random_);
  order_ = ShuffledRows(data_->train.size(), &random_);
  return absl::OkStatus();
}

// The images that come next in this epoch.
Dataset Trainer::NextBatch() {
  const auto begin = order_.begin() + progress_.trained.count;
  const auto count = std::min<std::ptrdiff_t>(settings().batch_size, order_.end() - begin);
  return ShiftedBatch(data_->train, std::vector<int>(begin, begin + count), &random_);
}

double Trainer::LearningRate() const {
  const int64_t steps_per_epoch =
      (data_->train.size() + settings().batch_size - 1) / settings().batch_size;
  return leafstore::WarmupCosine({.peak = settings().learning_rate,
                                  .end = settings().learning_rate / 100,
                                  .warmup_steps = steps_per_epoch,
                                  .total_steps = steps_per_epoch * settings().epochs})(step());
}

absl::Status Trainer::Step(int threads) {
  if (step() == 0 || epoch_ended()) LEAFSTORE_RETURN_IF_ERROR(BeginEpoch());
  LEAFSTORE_ASSIGN_OR_RETURN(const Result result,
                             network_.Train(View(), NextBatch(), threads, &gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double norm, GlobalNorm(gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double scale,
                             leafstore::ClipScale(norm, settings().max_gradient_norm));
  LEAFSTORE_RETURN_IF_ERROR(optimizers_[0].Step(GroupRefs(), gradients_, {LearningRate(), scale}));
  progress_.trained.loss += result.loss;
  progress_.trained.correct += result.correct;
  progress_.trained.count += result.count;
  ++progress_.step;
  if (epoch_ended()) ++progress_.epoch;
  return absl::OkStatus();
}

Result Trainer::Test() const { return network_.Evaluate(View(), data_->test); }

absl::StatusOr<std::vector<CheckpointItem>> Trainer::Items() const {
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params,
                             leafstore::Merge(groups_[0], groups_[1], groups_[2]));
  Progress progress = progress_;
  progress.random = ToText(random_);
  LEAFSTORE_ASSIGN_OR_RETURN(Flattened flat, leafstore::Flatten(std::move(progress)));
  std::vector<CheckpointItem> items;
  items.emplace_back("params", def_, std::move(params), leafstore::ItemOptions{.labels = labels_});
  items.emplace_back("optimizer", optimizers_[0].state());
  items.emplace_back("progress", flat.def, std::move(flat.params));
  return items;
}

std::vector<GroupRef> Trainer::GroupRefs() { return {&groups_[0], &groups_[1], &groups_[2]}; }

Network::Params Trainer::View() const {
  const ParamStore* const groups[] = {&groups_[0], &groups_[1], &groups_[2]};
  return Network::View(groups, def_.leaf_count());
}

}  // namespace digits
