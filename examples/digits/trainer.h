// Trainer: the model as three groups, each stepped by its own optimizer, and a checkpoint that
// holds all of it.
//
//   frozen     the embedding, until half of the epochs are done; then it joins the other two
//   no_decay   biases and norms (by their tag): Adam
//   weights    the rest: AdamW with weight decay
//
// A checkpoint, which may be made after any step, has the parameters with the names of their groups,
// the state of the optimizers, and the Progress of the trainer. A run that continues from it has the
// same bits as a run that never stopped, with any number of threads.
#ifndef LEAFSTORE_EXAMPLES_DIGITS_TRAINER_H_
#define LEAFSTORE_EXAMPLES_DIGITS_TRAINER_H_

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data.h"
#include "network.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/optim/optimizer_set.h"
#include "leafstore/select/groups.h"
#include "leafstore/treedef/bind/fields.h"

namespace digits {

// The settings of a run. Equal settings produce equal runs.
struct Settings {
  int64_t epochs = 60;
  int64_t seed = 2;
  int64_t hidden = 128;
  int64_t blocks = 3;
  int64_t batch_size = 32;
  double learning_rate = 2e-3;
  double weight_decay = 0.1;
  double max_gradient_norm = 1.0;
  LEAFSTORE_FIELDS(epochs, seed, hidden, blocks, batch_size, learning_rate, weight_decay,
                   max_gradient_norm)
  LEAFSTORE_TYPE_NAME("Settings")

  friend bool operator==(const Settings&, const Settings&) = default;
};

// The progress of a run: everything that is needed to continue in the middle of an epoch.
struct Progress {
  int64_t epoch = 0;         // epochs done
  int64_t step = 0;          // steps done
  Result trained;            // of the epoch of the last step; its count is how far into it that was
  std::string random;        // of std::mt19937_64, as its operator<< writes it
  std::string epoch_random;  // when that epoch began: gives its order of the images again
  Settings settings;
  LEAFSTORE_FIELDS(epoch, step, trained, random, epoch_random, settings)
  LEAFSTORE_TYPE_NAME("Progress")
};

class Trainer {
 public:
  // Starts a new run. `data` must outlive it.
  static absl::StatusOr<Trainer> Start(const Settings& settings, const Split* data);
  // The run that a checkpoint is of. error: as CheckpointReader, Unflatten; InvalidArgument: it was
  // begun with other settings, or has come further in an epoch than there are images.
  static absl::StatusOr<Trainer> Resume(const Settings& settings, const Split* data,
                                        const leafstore::CheckpointReader& checkpoint);

  const Settings& settings() const { return progress_.settings; }
  int64_t epoch() const { return progress_.epoch; }
  int64_t step() const { return progress_.step; }
  // Return whether the last step ended an epoch, and the run.
  bool epoch_ended() const { return progress_.trained.count == data_->train.size(); }
  bool done() const { return progress_.epoch >= settings().epochs; }
  // Of the images of the epoch so far, as they were trained on.
  const Result& trained() const { return progress_.trained; }
  const leafstore::Groups& groups() const { return groups_; }

  // Trains on one batch. The first step of an epoch shuffles the images, and regroups where the
  // embedding is to be unfrozen.
  absl::Status Step(int threads);
  Result Test() const;

  // Returns the complete state as snapshots: no tensor is copied until a step writes it. O(leaves).
  absl::StatusOr<std::vector<leafstore::CheckpointItem>> Items() const;

 private:
  Trainer(Network network, leafstore::Groups groups, leafstore::OptimizerSet optimizers,
          leafstore::ParamStore gradients, const Split* data)
      : network_(std::move(network)),
        groups_(std::move(groups)),
        optimizers_(std::move(optimizers)),
        gradients_(std::move(gradients)),
        data_(data) {}

  static absl::StatusOr<Trainer> Create(const Settings& settings, const Split* data,
                                        leafstore::Groups groups);
  absl::Status Unfreeze();
  absl::Status BeginEpoch();
  Dataset NextBatch();
  double LearningRate() const;

  Network network_;
  leafstore::Groups groups_;
  leafstore::OptimizerSet optimizers_;
  leafstore::ParamStore gradients_;  // of the whole model
  const Split* data_;
  Progress progress_;
  std::mt19937_64 random_;
  std::vector<int> order_;  // the order of the images in this epoch
};

}  // namespace digits

#endif  // LEAFSTORE_EXAMPLES_DIGITS_TRAINER_H_
