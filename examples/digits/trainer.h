// Trainer: the model as three groups, each stepped by its own optimizer, and a checkpoint that
// holds all of it.
//
//   frozen     the embedding, until half of the epochs are done; then it joins the other two
//   no_decay   biases and norms (by their tag): Adam
//   weights    the rest: AdamW with weight decay
//
// A checkpoint, possible after any step, holds the parameters with the names of their groups, the
// state of the optimizers, and the Progress of the trainer. A run that resumes from it computes the
// same bits as an uninterrupted run, with any number of threads.
#ifndef LEAFSTORE_EXAMPLES_DIGITS_TRAINER_H_
#define LEAFSTORE_EXAMPLES_DIGITS_TRAINER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data.h"
#include "network.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/optim/optimizer_set.h"

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

  friend bool operator==(const Settings&, const Settings&) = default;
};

// The progress of a run: everything needed to resume in the middle of an epoch. No state of a
// random generator is part of it, since each step has a generator of its own.
struct Progress {
  Settings settings;
  int64_t images = 0;  // in each epoch
  int64_t step = 0;    // steps done
  Result trained;      // in the epoch of the last step
  LEAFSTORE_FIELDS(settings, images, step, trained)
};

class Trainer {
 public:
  // Starts a new run. `data` must outlive it.
  static absl::StatusOr<Trainer> Start(const Settings& settings, const Split* data);
  // Resumes the run of a checkpoint. error: as CheckpointReader; InvalidArgument: the run has other
  // settings or other images, or its step is negative.
  static absl::StatusOr<Trainer> Resume(const Settings& settings, const Split* data,
                                        const leafstore::CheckpointReader& checkpoint);

  const Settings& settings() const { return progress_.settings; }
  int64_t step() const { return progress_.step; }
  // Returns the epochs done.
  int64_t epoch() const { return step() / StepsPerEpoch(); }
  // Return whether the last step ended an epoch, and the run.
  bool epoch_ended() const { return step() > 0 && step() % StepsPerEpoch() == 0; }
  bool done() const { return epoch() >= settings().epochs; }
  // Returns the result for the images of this epoch so far, at the time of training on them.
  const Result& trained() const { return progress_.trained; }
  const leafstore::Groups& groups() const { return groups_; }

  // Trains on one batch. The first step of an epoch shuffles the images, and regroups if the
  // embedding becomes trainable.
  absl::Status Step(int threads);
  Result Test() const;

  // Returns the complete state as snapshots: no tensor is copied until a step writes it. O(leaves).
  std::vector<leafstore::CheckpointItem> Items() const;

 private:
  Trainer(const Settings& settings, const Split* data)
      : data_(data), progress_({.settings = settings, .images = data->train.size()}) {}

  // Makes everything that depends on the parameters, which are in groups_.
  absl::Status Init();
  int64_t StepsPerEpoch() const;
  double LearningRate() const;
  Dataset NextBatch() const;

  const Split* data_;
  Progress progress_;
  Network network_;
  leafstore::Groups groups_;
  leafstore::OptimizerSet optimizers_;
  leafstore::ParamStore gradients_;  // of the full model
};

}  // namespace digits

#endif  // LEAFSTORE_EXAMPLES_DIGITS_TRAINER_H_
