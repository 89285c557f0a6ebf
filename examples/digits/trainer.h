// Trainer: the model as three groups, each stepped by its own optimizer, and a checkpoint that
// holds all of it.
//
//   frozen     the embedding, until half of the epochs are done; then it joins the other two
//   no_decay   biases and norms (by their tag): Adam
//   weights    the rest: AdamW with weight decay
//
// A checkpoint, possible after any step, holds the parameters with the names of their groups, the
// state of the optimizers, and the Progress of the trainer. A run that resumes from it produces the
// same bits as an uninterrupted run, with any number of threads.
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

// The progress of a run: everything needed to resume in the middle of an epoch.
struct Progress {
  int64_t epoch = 0;         // epochs done
  int64_t step = 0;          // steps done
  Result trained;            // in the epoch of the last step; its count is the position in it
  std::string random;        // std::mt19937_64, in the form of its operator<<
  std::string epoch_random;  // at the start of the epoch; determines the order of images
  Settings settings;
  LEAFSTORE_FIELDS(epoch, step, trained, random, epoch_random, settings)
  LEAFSTORE_TYPE_NAME("Progress")
};

class Trainer {
 public:
  // Starts a new run. `data` must outlive it.
  static absl::StatusOr<Trainer> Start(const Settings& settings, const Split* data);
  // Resumes the run of a checkpoint. error: as CheckpointReader, Unflatten; InvalidArgument: the
  // run has other settings, or its position in the epoch exceeds the count of images.
  static absl::StatusOr<Trainer> Resume(const Settings& settings, const Split* data,
                                        const leafstore::CheckpointReader& checkpoint);

  const Settings& settings() const { return progress_.settings; }
  int64_t epoch() const { return progress_.epoch; }
  int64_t step() const { return progress_.step; }
  // Return whether the last step ended an epoch, and the run.
  bool epoch_ended() const { return progress_.trained.count == data_->train.size(); }
  bool done() const { return progress_.epoch >= settings().epochs; }
  // Returns the result for the images of this epoch so far, at the time of training on them.
  const Result& trained() const { return progress_.trained; }
  const leafstore::Groups& groups() const { return groups_; }

  // Trains on one batch. The first step of an epoch shuffles the images, and regroups if the
  // embedding becomes trainable.
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
  leafstore::ParamStore gradients_;  // of the full model
  const Split* data_;
  Progress progress_;
  std::mt19937_64 random_;
  std::vector<int> order_;  // the order of the images in this epoch
};

}  // namespace digits

#endif  // LEAFSTORE_EXAMPLES_DIGITS_TRAINER_H_
