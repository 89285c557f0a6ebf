// Random changes of a manifest that keep its bytes a message of this kind: numbers, strings, columns
// and whole fields change, appear, disappear and move.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_MANIFEST_MUTATION_H_
#define LEAFSTORE_TESTS_CHECKPOINT_MANIFEST_MUTATION_H_

#include <random>
#include <string>

namespace leafstore {

// Returns a manifest with one to four changes.
std::string MutatedManifest(const std::string& manifest, std::mt19937_64* random);

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_MANIFEST_MUTATION_H_
