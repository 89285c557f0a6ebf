// digits: trains a small network on handwritten digits, with a checkpoint after every epoch.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data.h"
#include "trainer.h"
#include <CLI/CLI.hpp>

#include "leafstore/core/status_macros.h"

namespace digits {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string data = LEAFSTORE_DIGITS_DATA;
  std::string checkpoint_dir = "digits-checkpoints";
  bool resume = false;
  int threads = 2;
  Settings settings;
};

constexpr char kExamples[] = R"(
Examples:
  digits --checkpoint-dir run                    train, with run/epoch-0001.leaf and so on
  digits --checkpoint-dir run --resume           go on where the newest of them ends
  leafstore inspect run/epoch-0060.leaf --stats  look at what was learnt)";

absl::Status IoError(const fs::path& path, const std::error_code& error) {
  return absl::ErrnoToStatus(error.value(), path.string());
}

// The checkpoints in a directory, newest first.
absl::StatusOr<std::vector<std::string>> Checkpoints(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> paths;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (absl::StartsWith(name, "epoch-") && absl::EndsWith(name, ".leaf")) {
      paths.push_back(it->path().string());
    }
  }
  if (error) return IoError(directory, error);
  std::sort(paths.rbegin(), paths.rend());
  return paths;
}

// Goes on from the newest checkpoint that can be read; a damaged one is named and passed over.
absl::StatusOr<Trainer> ResumeNewest(const Arguments& arguments, const Split* data,
                                     const std::vector<std::string>& checkpoints) {
  for (const std::string& path : checkpoints) {
    absl::StatusOr<Trainer> trainer = Trainer::Resume(arguments.settings, data, path);
    if (trainer.ok()) std::printf("going on from %s\n", path.c_str());
    if (trainer.ok() || !absl::IsDataLoss(trainer.status())) return trainer;
    std::fprintf(stderr, "digits: passed over: %s\n",
                 std::string(trainer.status().message()).c_str());
  }
  return Trainer::Start(arguments.settings, data);
}

absl::StatusOr<Trainer> StartOrResume(const Arguments& arguments, const Split* data) {
  std::error_code error;
  fs::create_directories(arguments.checkpoint_dir, error);
  if (error) return IoError(arguments.checkpoint_dir, error);
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> checkpoints,
                             Checkpoints(arguments.checkpoint_dir));
  if (arguments.resume) return ResumeNewest(arguments, data, checkpoints);
  if (!checkpoints.empty()) {
    return absl::AlreadyExistsError(
        absl::StrCat(arguments.checkpoint_dir, " has checkpoints of a run (", checkpoints[0],
                     "): say --resume to go on with it, or choose another directory"));
  }
  return Trainer::Start(arguments.settings, data);
}

std::string GroupsText(const leafstore::Labels& labels) {
  std::string text;
  for (uint32_t i = 0; i < labels.group_count(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : " ", labels.name(i), ":", labels.SlotsOf(i).size());
  }
  return text;
}

absl::Status Run(const Arguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Split data, LoadDigits(arguments.data));
  LEAFSTORE_ASSIGN_OR_RETURN(Trainer trainer, StartOrResume(arguments, &data));
  std::printf("%d images to train on, %d to test; %ld epochs, %d thread(s)\n", data.train.size(),
              data.test.size(), static_cast<long>(trainer.settings().epochs), arguments.threads);
  while (!trainer.done()) {
    const auto begin = std::chrono::steady_clock::now();
    LEAFSTORE_ASSIGN_OR_RETURN(const Result train, trainer.RunEpoch(arguments.threads));
    const Result test = trainer.Test();
    const std::string path =
        absl::StrFormat("%s/epoch-%04d.leaf", arguments.checkpoint_dir, trainer.epoch());
    LEAFSTORE_RETURN_IF_ERROR(trainer.Save(path, test));
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    absl::PrintF("epoch %3d/%d  loss %.4f  train %6.2f%%  test %6.2f%%  %s  %.2f s  -> %s\n",
                 trainer.epoch(), trainer.settings().epochs, train.MeanLoss(),
                 100 * train.Accuracy(), 100 * test.Accuracy(), GroupsText(trainer.labels()),
                 time.count(), path);
    std::fflush(stdout);
  }
  const Result test = trainer.Test();
  absl::PrintF("accuracy on the %d held-out images: %.2f%%\n", test.count, 100 * test.Accuracy());
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app(
      "Trains a small network on 8x8 images of handwritten digits, in three groups with an "
      "optimizer each, and writes a checkpoint after every epoch.");
  app.footer(kExamples);
  app.add_option("--data", arguments.data, "images: lines of 64 pixels and a class, may be gzipped")
      ->capture_default_str();
  app.add_option("--checkpoint-dir", arguments.checkpoint_dir, "where checkpoints are written")
      ->capture_default_str();
  app.add_option("--epochs", arguments.settings.epochs, "passes over the training images")
      ->check(CLI::Range(1, 9999))
      ->capture_default_str();
  app.add_flag("--resume", arguments.resume, "go on from the newest checkpoint, if there is one");
  app.add_option("--seed", arguments.settings.seed, "of the weights, the order, and the shifts")
      ->capture_default_str();
  app.add_option("--threads", arguments.threads, "the result is the same with any number")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const absl::Status status = Run(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "digits: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace digits

int main(int argc, char** argv) { return digits::Main(argc, argv); }
