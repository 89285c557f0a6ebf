#include "trainer.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/ops.h"
#include "leafstore/optim/schedule.h"
#include "leafstore/select/partition.h"

namespace digits {

using namespace leafstore;

namespace {

// The uses of random numbers.
enum class Purpose { kWeights, kOrder, kShifts };

// Returns the generator for one use. It depends only on its arguments, so a resumed run needs no
// saved state.
std::mt19937_64 RandomFor(Purpose purpose, int64_t index, const Settings& settings) {
  std::seed_seq seed = {settings.seed, static_cast<int64_t>(purpose), index};
  return std::mt19937_64(seed);
}

// Returns shuffled rows. The shuffle of the standard library may differ between implementations.
std::vector<int> ShuffledRows(int count, std::mt19937_64 random) {
  std::vector<int> rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random() % i]);
  return rows;
}

// Returns whether the embedding is frozen in this epoch.
bool FrozenIn(int64_t epoch, const Settings& settings) { return epoch < settings.epochs / 2; }

// The groups while the embedding is frozen, and afterwards.
std::vector<NamedFilter> GroupFilters(bool frozen) {
  if (!frozen) return {{"no_decay", HasTag("no_decay")}, {"weights", Rest()}};
  return {{"frozen", Glob("embed.**")}, {"no_decay", HasTag("no_decay")}, {"weights", Rest()}};
}

absl::Status CheckSameRun(const Progress& found, const Progress& expected,
                          const std::string& path) {
  const Settings& settings = expected.settings;
  if (!(found.settings == settings)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a run of ", settings.epochs, " epochs with seed ",
                     settings.seed, " and otherwise these settings, found one of ",
                     found.settings.epochs, " with seed ", found.settings.seed));
  }
  if (found.step < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a step of at least 0, found ", found.step));
  }
  if (found.images == expected.images) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": expected a run with ", expected.images,
                                                 " images to train on, found one with ",
                                                 found.images));
}

}  // namespace

absl::Status Trainer::Init() {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore params, groups_.Merge());
  LEAFSTORE_ASSIGN_OR_RETURN(network_, Network::Create(params));
  LEAFSTORE_ASSIGN_OR_RETURN(gradients_, ZerosLike(params));
  LEAFSTORE_ASSIGN_OR_RETURN(
      optimizers_,
      OptimizerSet::Create(
          {{"no_decay", Adam{}}, {"weights", AdamW{.weight_decay = settings().weight_decay}}},
          groups_));
  return absl::OkStatus();
}

absl::StatusOr<Trainer> Trainer::Start(const Settings& settings, const Split* data) {
  Trainer trainer(settings, data);
  std::mt19937_64 random = RandomFor(Purpose::kWeights, 0, settings);
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, MakeModel(settings.hidden, settings.blocks, &random));
  LEAFSTORE_ASSIGN_OR_RETURN(Flattened flat, Flatten(std::move(model)));
  LEAFSTORE_ASSIGN_OR_RETURN(
      trainer.groups_, Partition(std::move(flat.params), GroupFilters(FrozenIn(0, settings))));
  LEAFSTORE_RETURN_IF_ERROR(trainer.Init());
  return trainer;
}

absl::StatusOr<Trainer> Trainer::Resume(const Settings& settings, const Split* data,
                                        const CheckpointReader& checkpoint) {
  Trainer trainer(settings, data);
  LEAFSTORE_ASSIGN_OR_RETURN(const auto progress, checkpoint.LoadAs<Progress>("progress"));
  LEAFSTORE_RETURN_IF_ERROR(CheckSameRun(progress, trainer.progress_, checkpoint.path()));
  trainer.progress_ = progress;
  LEAFSTORE_ASSIGN_OR_RETURN(trainer.groups_, checkpoint.LoadGroups("params"));
  LEAFSTORE_RETURN_IF_ERROR(trainer.Init());
  LEAFSTORE_ASSIGN_OR_RETURN(auto optimizer_state, checkpoint.LoadItems("optimizer"));
  LEAFSTORE_RETURN_IF_ERROR(trainer.optimizers_.LoadState(std::move(optimizer_state)));
  return trainer;
}

int64_t Trainer::StepsPerEpoch() const {
  return (progress_.images + settings().batch_size - 1) / settings().batch_size;
}

double Trainer::LearningRate() const {
  return WarmupCosine({.peak = settings().learning_rate,
                       .warmup_steps = StepsPerEpoch(),
                       .total_steps = StepsPerEpoch() * settings().epochs,
                       .end = settings().learning_rate / 100})(step());
}

// Returns the next images of this epoch.
Dataset Trainer::NextBatch() const {
  std::vector<int> rows =
      ShuffledRows(data_->train.size(), RandomFor(Purpose::kOrder, epoch(), settings()));
  const auto begin = rows.begin() + step() % StepsPerEpoch() * settings().batch_size;
  const auto count = std::min<std::ptrdiff_t>(settings().batch_size, rows.end() - begin);
  std::mt19937_64 random = RandomFor(Purpose::kShifts, step(), settings());
  return ShiftedBatch(data_->train, std::vector<int>(begin, begin + count), &random);
}

absl::Status Trainer::Step(int threads) {
  if (step() % StepsPerEpoch() == 0) progress_.trained = {};
  // The embedding joins the other groups. Their optimizers keep the state of their leaves, and
  // start from zero for the leaves of the embedding.
  if (groups_.Find("frozen") != nullptr && !FrozenIn(epoch(), settings())) {
    LEAFSTORE_RETURN_IF_ERROR(optimizers_.Regroup(GroupFilters(false), &groups_).status());
  }
  LEAFSTORE_ASSIGN_OR_RETURN(
      const Result result,
      network_.Train(Network::View(groups_), NextBatch(), threads, &gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double norm, GlobalNorm(gradients_));
  LEAFSTORE_ASSIGN_OR_RETURN(const double scale, ClipScale(norm, settings().max_gradient_norm));
  LEAFSTORE_RETURN_IF_ERROR(
      optimizers_.Step(&groups_, gradients_, {.lr = LearningRate(), .grad_scale = scale}));
  progress_.trained += result;
  ++progress_.step;
  return absl::OkStatus();
}

Result Trainer::Test() const { return network_.Evaluate(Network::View(groups_), data_->test); }

std::vector<CheckpointItem> Trainer::Items() const {
  return {{"params", groups_}, {"optimizer", optimizers_.state()}, {"progress", progress_}};
}

}  // namespace digits
