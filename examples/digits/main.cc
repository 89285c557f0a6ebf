// digits: trains a small network on handwritten digits and saves checkpoints during training.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data.h"
#include "trainer.h"
#include <CLI/CLI.hpp>

#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"

namespace digits {
namespace {

namespace fs = std::filesystem;
using namespace leafstore;
using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string data = LEAFSTORE_DIGITS_DATA;
  std::string checkpoint_dir = "digits-checkpoints";
  bool resume = false;
  int64_t save_every = 0;  // steps; 0: after every epoch
  size_t keep = 0;         // checkpoints; 0: all
  int threads = 2;
  Settings settings;
};

constexpr char kExamples[] = R"(
Examples:
  digits --checkpoint-dir run              trains; step 45 is saved as
                                           run/step-00000000000000000045.leaf
  digits --checkpoint-dir run --resume     continues from the newest checkpoint
  leafstore inspect run/step-*2700.leaf    shows the parameters of step 2700)";

absl::Status IoError(const fs::path& path, const std::error_code& error) {
  return absl::ErrnoToStatus(error.value(), path.string());
}

// Opens the directory and locks it, so that no other process can write to it.
absl::StatusOr<CheckpointManager> OpenCheckpoints(const Arguments& arguments) {
  std::error_code error;
  fs::create_directories(arguments.checkpoint_dir, error);
  if (error) return IoError(arguments.checkpoint_dir, error);
  Retention retention;
  if (arguments.keep > 0) retention = {.last = arguments.keep, .best = 1, .metric = "accuracy"};
  return CheckpointManager::Open(arguments.checkpoint_dir,
                                 {.retention = std::move(retention), .incremental = true});
}

absl::StatusOr<Trainer> Resume(const Arguments& arguments, const Split* data,
                               CheckpointManager* manager) {
  const absl::StatusOr<RestoredCheckpoint> restored = manager->Restore();
  // If there are only damaged checkpoints, training must not begin again without a word.
  if (ReasonOf(restored.status()) == ErrorReason::kNoCheckpoint) {
    return Trainer::Start(arguments.settings, data);
  }
  LEAFSTORE_RETURN_IF_ERROR(restored.status());
  const RestoredCheckpoint& newest = *restored;
  LEAFSTORE_ASSIGN_OR_RETURN(Trainer trainer,
                             Trainer::Resume(arguments.settings, data, newest.reader));
  for (const auto& [step, why] : newest.skipped) {
    // Training must not overwrite a checkpoint of a newer leafstore, for example.
    if (!absl::IsDataLoss(why)) return why;
    std::fprintf(stderr, "digits: skipped: %s\n", std::string(why.message()).c_str());
  }
  std::printf("resuming from %s\n", newest.reader.path().c_str());
  return trainer;
}

absl::StatusOr<Trainer> StartOrResume(const Arguments& arguments, const Split* data,
                                      CheckpointManager* manager) {
  if (arguments.resume) return Resume(arguments, data, manager);
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, manager->Steps());
  if (steps.empty()) return Trainer::Start(arguments.settings, data);
  return absl::AlreadyExistsError(absl::StrCat(
      arguments.checkpoint_dir, " has checkpoints already (the newest is ",
      manager->PathOf(steps.back()), "); use --resume to continue, or another directory"));
}

std::string GroupsText(const Groups& groups) {
  std::string text;
  for (const Group& group : groups) {
    absl::StrAppend(&text, text.empty() ? "" : " ", group.name(), ":", group.slots().size());
  }
  return text;
}

void PrintEpoch(const Trainer& trainer, const Result& test, Clock::time_point begin,
                const std::string& saved_to) {
  const std::chrono::duration<double> time = Clock::now() - begin;
  absl::PrintF("epoch %3d/%d  loss %.4f  train %6.2f%%  test %6.2f%%  %s  %.2f s%s\n",
               trainer.epoch(), trainer.settings().epochs, trainer.trained().MeanLoss(),
               100 * trainer.trained().Accuracy(), 100 * test.Accuracy(),
               GroupsText(trainer.groups()), time.count(),
               saved_to.empty() ? "" : absl::StrCat("  -> ", saved_to));
}

bool IsTimeToSave(const Arguments& arguments, const Trainer& trainer) {
  if (trainer.done()) return true;
  return arguments.save_every == 0 ? trainer.epoch_ended()
                                   : trainer.step() % arguments.save_every == 0;
}

// Trains to the end. Each save runs during the next steps. If a save fails, the next call of the
// manager reports it and the run ends.
absl::Status Train(const Arguments& arguments, CheckpointManager* manager, Trainer* trainer) {
  Clock::time_point begin = Clock::now();
  std::string saved_to;
  while (!trainer->done()) {
    LEAFSTORE_RETURN_IF_ERROR(trainer->Step(arguments.threads));
    const bool save = IsTimeToSave(arguments, *trainer);
    if (!save && !trainer->epoch_ended()) continue;
    const Result test = trainer->Test();
    if (save) {
      LEAFSTORE_RETURN_IF_ERROR(
          manager->SaveAsync(trainer->step(), trainer->Items(), {{"accuracy", test.Accuracy()}})
              .status());
      saved_to = manager->PathOf(trainer->step());
    }
    if (!trainer->epoch_ended()) continue;
    PrintEpoch(*trainer, test, begin, saved_to);
    begin = Clock::now();
  }
  return absl::OkStatus();
}

absl::Status Run(const Arguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Split data, LoadDigits(arguments.data));
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointManager manager, OpenCheckpoints(arguments));
  LEAFSTORE_ASSIGN_OR_RETURN(Trainer trainer, StartOrResume(arguments, &data, &manager));
  std::printf("%d images to train on, %d to test; %ld epochs, %d threads\n", data.train.size(),
              data.test.size(), static_cast<long>(trainer.settings().epochs), arguments.threads);
  absl::Status status = Train(arguments, &manager, &trainer);
  status.Update(manager.Wait());  // the last save
  LEAFSTORE_RETURN_IF_ERROR(status);
  const Result test = trainer.Test();
  absl::PrintF("accuracy on the %d held-out images: %.2f%%\n", test.count, 100 * test.Accuracy());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Trains a small network on 8x8 images of handwritten digits. The parameters are in named "
      "groups, each with its own optimizer. Checkpoints are saved while training continues.");
  app.footer(kExamples);
  app.add_option("--data", arguments.data,
                 "file of images: 64 pixels and a class per line, plain or gzipped")
      ->capture_default_str();
  app.add_option("--checkpoint-dir", arguments.checkpoint_dir, "directory for checkpoints")
      ->capture_default_str();
  app.add_option("--epochs", arguments.settings.epochs, "number of passes over the training images")
      ->check(CLI::Range(1, 9999))
      ->capture_default_str();
  app.add_flag("--resume", arguments.resume,
               "continue from the newest intact checkpoint, if any exists");
  app.add_option("--save-every", arguments.save_every,
                 "steps between checkpoints (default: save after every epoch)")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--keep", arguments.keep,
                 "number of newest checkpoints to keep, besides the best (default: all)")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--seed", arguments.settings.seed,
                 "seed of the weights, the order of images, and their shifts")
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "number of threads; does not change the result")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // output is not lost if the process is killed

  const absl::Status status = Run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "digits: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace digits

int main(int argc, char** argv) {
  // Exceeding the limit on file sizes is an error of the save, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  return digits::Main(argc, argv);
}
