// The trainer: which group is trained when, and resumed runs.
#include "trainer.h"

#include <string>
#include <utility>

#include "data.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/reader.h"

#include "tests/digits/program.h"
#include "tests/io/temp_dir.h"

namespace digits {
namespace {

using leafstore::CheckpointReader;
using leafstore::TempDir;

// Three steps per epoch, the third with a short batch; the embedding is trained from the fourth on.
constexpr Settings kSettings = {.epochs = 2, .hidden = 16, .blocks = 1, .batch_size = 16};
constexpr int kSteps = 6;

Split SomeImages(int train) {
  Split data = LoadDigits(LEAFSTORE_DIGITS_DATA).value();
  data.train.images.conservativeResize(train, kPixels);
  data.train.labels.resize(static_cast<size_t>(train));
  return data;
}

void Save(const Trainer& trainer, const std::string& path) {
  const absl::Status status =
      leafstore::SaveCheckpoint(path, trainer.Items(), {.io = {.durable = false}});
  ASSERT_TRUE(status.ok()) << status;
}

void StepTo(int64_t step, Trainer* trainer) {
  while (trainer->step() < step) ASSERT_TRUE(trainer->Step(/*threads=*/1).ok());
}

TEST(TrainerTest, Embedding_IsFrozenForHalfOfTheEpochs) {
  const Split data = SomeImages(40);
  Trainer trainer = Trainer::Start(kSettings, &data).value();
  for (int step = 1; step <= kSteps; ++step) {
    StepTo(step, &trainer);
    const leafstore::Group* const frozen = trainer.groups().Find("frozen");
    EXPECT_EQ(frozen != nullptr ? frozen->slots().size() : 0u, step <= 3 ? 2u : 0u)
        << "step " << step;
  }
}

TEST(TrainerTest, Resume_FromEveryStep_ComputesTheSameBits) {
  const TempDir dir;
  const Split data = SomeImages(40);
  Trainer full = Trainer::Start(kSettings, &data).value();
  for (int step = 1; step <= kSteps; ++step) {
    StepTo(step, &full);
    EXPECT_EQ(full.epoch_ended(), step % 3 == 0);
    EXPECT_EQ(full.epoch(), step / 3);
    Save(full, CheckpointOf(dir.path(), step));
  }
  EXPECT_TRUE(full.done());
  for (int step = 1; step <= kSteps; ++step) {
    SCOPED_TRACE(step);
    const CheckpointReader reader = CheckpointReader::Open(CheckpointOf(dir.path(), step)).value();
    Trainer resumed = Trainer::Resume(kSettings, &data, reader).value();
    EXPECT_EQ(resumed.step(), step);
    Save(resumed, dir.File("resumed.leaf"));
    ExpectSameItems(dir.File("resumed.leaf"), reader.path());
    StepTo(kSteps, &resumed);
    Save(resumed, dir.File("resumed.leaf"));
    ExpectSameItems(dir.File("resumed.leaf"), CheckpointOf(dir.path(), kSteps));
    EXPECT_EQ(resumed.trained().loss, full.trained().loss);
    EXPECT_EQ(resumed.trained().correct, full.trained().correct);
  }
}

TEST(TrainerTest, Items_LaterSteps_DoNotChangeThem) {
  const TempDir dir;
  const Split data = SomeImages(40);
  Trainer trainer = Trainer::Start(kSettings, &data).value();
  StepTo(2, &trainer);
  std::vector<leafstore::CheckpointItem> items = trainer.Items();
  Save(trainer, dir.File("saved_then.leaf"));
  StepTo(kSteps, &trainer);
  ASSERT_TRUE(leafstore::SaveCheckpoint(dir.File("saved_later.leaf"), std::move(items)).ok());
  ExpectSameItems(dir.File("saved_later.leaf"), dir.File("saved_then.leaf"));
}

TEST(TrainerTest, Resume_OtherSettingsOrImages_IsAnError) {
  const TempDir dir;
  const Split data = SomeImages(40), fewer = SomeImages(30);
  Trainer trainer = Trainer::Start(kSettings, &data).value();
  StepTo(2, &trainer);
  Save(trainer, dir.File("2.leaf"));
  const CheckpointReader reader = CheckpointReader::Open(dir.File("2.leaf")).value();
  Settings other = kSettings;
  other.seed = 7;
  EXPECT_EQ(Trainer::Resume(other, &data, reader).status(),
            absl::InvalidArgumentError(reader.path() +
                                       ": expected a run of 2 epochs with seed 7 and otherwise "
                                       "these settings, found one of 2 with seed 2"));
  EXPECT_EQ(Trainer::Resume(kSettings, &fewer, reader).status(),
            absl::InvalidArgumentError(
                reader.path() + ": expected a run with 30 images to train on, found one with 40"));
}

TEST(TrainerTest, Resume_NegativeStep_IsAnError) {
  const TempDir dir;
  const Split data = SomeImages(40);
  const std::string path = dir.File("bad.leaf");
  ASSERT_TRUE(leafstore::SaveCheckpoint(
                  path, {{"progress", Progress{.settings = kSettings, .images = 40, .step = -1}}},
                  {.io = {.durable = false}})
                  .ok());
  const CheckpointReader reader = CheckpointReader::Open(path).value();
  EXPECT_EQ(
      Trainer::Resume(kSettings, &data, reader).status(),
      absl::InvalidArgumentError(reader.path() + ": expected a step of at least 0, found -1"));
}

}  // namespace
}  // namespace digits
