#include "trainer.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/optim/schedule.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/flatten.h"

namespace digits {

using namespace leafstore;

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

// Returns shuffled rows. The shuffle of the standard library may differ between implementations.
std::vector<int> ShuffledRows(int count, std::mt19937_64* random) {
  std::vector<int> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[(*random)() % i]);
  return rows;
}

absl::StatusOr<Progress> LoadProgress(const CheckpointReader& checkpoint) {
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, checkpoint.GetDef("progress"));
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, checkpoint.Load("progress"));
  return Unflatten<Progress>(def, store);
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

absl::StatusOr<Grouping> GroupingOf(const ParamStore& params, bool frozen) {
  if (!frozen) {
    return Grouping::Compile(params, {{"no_decay", HasTag("no_decay")}, {"weights", Rest()}});
  }
  return Grouping::Compile(
      params,
      {{"frozen", Glob("embed.**")}, {"no_decay", HasTag("no_decay")}, {"weights", Rest()}});
}

// Returns whether the embedding is frozen in this epoch.
bool FrozenIn(int64_t epoch, const Settings& settings) { return epoch < settings.epochs / 2; }

}  // namespace

absl::StatusOr<Trainer> Trainer::Create(const Settings& settings, const Split* data,
                                        Groups groups) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore params, groups.Merge());
  LEAFSTORE_ASSIGN_OR_RETURN(Network network, Network::Create(params));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore gradients, ZerosLike(params));
  const std::map<std::string, Rule> rules = {
      {"no_decay", Adam{}}, {"weights", AdamW{.weight_decay = settings.weight_decay}}};
  LEAFSTORE_ASSIGN_OR_RETURN(OptimizerSet optimizers, OptimizerSet::Create(rules, groups));
  return Trainer(std::move(network), std::move(groups), std::move(optimizers), std::move(gradients),
                 data);
}

absl::StatusOr<Trainer> Trainer::Start(const Settings& settings, const Split* data) {
  std::mt19937_64 random(static_cast<uint64_t>(settings.seed));
  LEAFSTORE_ASSIGN_OR_RETURN(
      Model model, MakeModel(settings.hidden, static_cast<int>(settings.blocks), &random));
  LEAFSTORE_ASSIGN_OR_RETURN(Flattened flat, Flatten(std::move(model)));
  LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping,
                             GroupingOf(flat.params, FrozenIn(0, settings)));
  LEAFSTORE_ASSIGN_OR_RETURN(Groups groups, grouping.Split(std::move(flat.params)));
  LEAFSTORE_ASSIGN_OR_RETURN(Trainer trainer, Create(settings, data, std::move(groups)));
  trainer.progress_.settings = settings;
  trainer.random_ = random;
  return trainer;
}

absl::StatusOr<Trainer> Trainer::Resume(const Settings& settings, const Split* data,
                                        const CheckpointReader& checkpoint) {
  LEAFSTORE_ASSIGN_OR_RETURN(Progress progress, LoadProgress(checkpoint));
  LEAFSTORE_RETURN_IF_ERROR(CheckSameRun(progress, settings, *data, checkpoint.path()));
  LEAFSTORE_ASSIGN_OR_RETURN(Groups groups, checkpoint.LoadGroups("params"));
  LEAFSTORE_ASSIGN_OR_RETURN(Trainer trainer, Create(settings, data, std::move(groups)));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<NamedStore> state, checkpoint.LoadItems("optimizer"));
  LEAFSTORE_RETURN_IF_ERROR(trainer.optimizers_.LoadState(state));
  trainer.progress_ = std::move(progress);
  LEAFSTORE_ASSIGN_OR_RETURN(trainer.random_, FromText(trainer.progress_.random));
  LEAFSTORE_ASSIGN_OR_RETURN(std::mt19937_64 epoch_random,
                             FromText(trainer.progress_.epoch_random));
  trainer.order_ = ShuffledRows(data->train.size(), &epoch_random);
  return trainer;
}

// Moves the embedding to the other groups. Their optimizers keep the state of their leaves, and
// start from zero for the leaves of the embedding.
absl::Status Trainer::Unfreeze() {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore params, groups_.Merge());
  LEAFSTORE_ASSIGN_OR_RETURN(const Grouping unfrozen, GroupingOf(params, /*frozen=*/false));
  return optimizers_.Regroup(unfrozen, &groups_).status();
}

absl::Status Trainer::BeginEpoch() {
  const bool was_frozen = groups_.Find("frozen") != nullptr;
  if (was_frozen && !FrozenIn(epoch(), settings())) LEAFSTORE_RETURN_IF_ERROR(Unfreeze());
  progress_.trained = {};
  progress_.epoch_random = ToText(random_);
  order_ = ShuffledRows(data_->train.size(), &random_);
  return absl::OkStatus();
}

// Returns the next images of this epoch.
Dataset Trainer::NextBatch() {
  const auto begin = order_.begin() + progress_.trained.count;
  const auto count = std::min<std::ptrdiff_t>(settings().batch_size, order_.end() - begin);
  return ShiftedBatch(data_->train, std::vector<int>(begin, begin + count), &random_);
}

double Trainer::LearningRate() const {
  const int64_t steps_per_epoch =
      (data_->train.size() + settings().batch_size - 1) / settings().batch_size;
  return WarmupCosine(settings().learning_rate, /*warmup_steps=*/steps_per_epoch,
                      /*total_steps=*/steps_per_epoch * settings().epochs,
                      /*end=*/settings().learning_rate / 100)(step());
}

absl::Status Trainer::Step(int threads) {
  if (step() == 0 || epoch_ended()) LEAFSTORE_RETURN_IF_ERROR(BeginEpoch());
  LEAFSTORE_ASSIGN_OR_RETURN(
      const Result result,
      network_.Train(Network::View(groups_), NextBatch(), threads, &gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double norm, GlobalNorm(gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double scale, ClipScale(norm, settings().max_gradient_norm));
  LEAFSTORE_RETURN_IF_ERROR(
      optimizers_.Step(&groups_, gradients_, {.lr = LearningRate(), .grad_scale = scale}));
  progress_.trained.loss += result.loss;
  progress_.trained.correct += result.correct;
  progress_.trained.count += result.count;
  ++progress_.step;
  if (epoch_ended()) ++progress_.epoch;
  return absl::OkStatus();
}

Result Trainer::Test() const { return network_.Evaluate(Network::View(groups_), data_->test); }

absl::StatusOr<std::vector<CheckpointItem>> Trainer::Items() const {
  Progress progress = progress_;
  progress.random = ToText(random_);
  LEAFSTORE_ASSIGN_OR_RETURN(Flattened flat, Flatten(std::move(progress)));
  std::vector<CheckpointItem> items;
  items.emplace_back("params", groups_);
  items.emplace_back("optimizer", optimizers_.state());
  items.emplace_back("progress", std::move(flat.params));
  return items;
}

}  // namespace digits
