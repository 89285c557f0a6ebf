#include "tests/checkpoint/manifest_mutation.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/checkpoint/wire_message.h"

namespace leafstore {
namespace {

using Random = std::mt19937_64;

// What a field holds: bytes, an integer, a column of integers, or a message.
enum class Holds : uint8_t { kBytes, kVarint, kFixed64, kVarints, kFixed64s, kMessage };

struct Schema;
struct FieldSchema {
  uint64_t number;
  Holds holds;
  const Schema* message = nullptr;
};
struct Schema {
  std::vector<FieldSchema> fields;

  const FieldSchema* Find(uint64_t number) const {
    const auto at = std::find_if(fields.begin(), fields.end(), [number](const FieldSchema& field) {
      return field.number == number;
    });
    return at == fields.end() ? nullptr : &*at;
  }
};

const Schema kStrings = {{{1, Holds::kBytes}, {2, Holds::kVarints}}};
const Schema kTreeDef = {{{1, Holds::kBytes},
                          {2, Holds::kVarints},
                          {3, Holds::kVarints},
                          {4, Holds::kVarints},
                          {5, Holds::kVarints},
                          {6, Holds::kVarints},
                          {7, Holds::kVarints},
                          {8, Holds::kVarints},
                          {9, Holds::kVarints},
                          {10, Holds::kMessage, &kStrings}}};
const Schema kValues = {{{1, Holds::kBytes},
                         {2, Holds::kBytes},
                         {3, Holds::kVarints},
                         {4, Holds::kFixed64s},
                         {5, Holds::kMessage, &kStrings}}};
const Schema kLeaves = {{{1, Holds::kBytes},
                         {2, Holds::kBytes},
                         {3, Holds::kBytes},
                         {4, Holds::kVarints},
                         {5, Holds::kMessage, &kValues}}};
const Schema kSegments = {{{1, Holds::kVarints},
                           {2, Holds::kFixed64s},
                           {3, Holds::kBytes},
                           {4, Holds::kVarints},
                           {5, Holds::kVarints}}};
const Schema kLabels = {{{1, Holds::kMessage, &kStrings}, {2, Holds::kVarints}}};
const Schema kMetadata = {{{1, Holds::kMessage, &kStrings}, {2, Holds::kMessage, &kStrings}}};
const Schema kItem = {{{1, Holds::kBytes},
                       {2, Holds::kVarint},
                       {3, Holds::kMessage, &kStrings},
                       {4, Holds::kMessage, &kLeaves},
                       {5, Holds::kMessage, &kSegments},
                       {6, Holds::kMessage, &kLabels},
                       {7, Holds::kMessage, &kMetadata}}};
const Schema kBase = {{{1, Holds::kBytes}, {2, Holds::kVarint}, {3, Holds::kFixed64}}};
const Schema kMetrics = {{{1, Holds::kMessage, &kStrings}, {2, Holds::kFixed64s}}};
const Schema kRun = {{{1, Holds::kBytes}, {2, Holds::kMessage, &kBase}}};
const Schema kManifest = {{{1, Holds::kMessage, &kTreeDef},
                           {2, Holds::kMessage, &kItem},
                           {3, Holds::kMessage, &kMetadata},
                           {4, Holds::kMessage, &kBase},
                           {5, Holds::kMessage, &kMetrics},
                           {6, Holds::kMessage, &kRun}}};

struct Field;
using Fields = std::vector<Field>;

struct Field {
  FieldSchema schema;
  uint64_t value = 0;
  std::string bytes;
  std::vector<uint64_t> column;
  Fields fields;
};

Fields Read(std::string_view bytes, const Schema& schema) {
  Fields fields;
  while (!bytes.empty()) {
    const uint64_t tag = TakeVarint(&bytes);
    Field field{*schema.Find(tag >> 3)};
    const Holds holds = field.schema.holds;
    if (holds == Holds::kVarint) {
      field.value = TakeVarint(&bytes);
    } else if (holds == Holds::kFixed64) {
      field.value = TakeFixed64(&bytes);
    } else {
      std::string_view inside = TakeBytes(TakeVarint(&bytes), &bytes);
      if (holds == Holds::kBytes) field.bytes = inside;
      if (holds == Holds::kMessage) field.fields = Read(inside, *field.schema.message);
      while (!inside.empty() && (holds == Holds::kVarints || holds == Holds::kFixed64s)) {
        field.column.push_back(holds == Holds::kVarints ? TakeVarint(&inside)
                                                        : TakeFixed64(&inside));
      }
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) *out += static_cast<char>(value | 0x80);
  *out += static_cast<char>(value);
}

void AppendFixed64(uint64_t value, std::string* out) {
  for (int i = 0; i < 8; ++i) *out += static_cast<char>(value >> (8 * i));
}

std::string Written(const Fields& fields) {
  std::string out;
  for (const Field& field : fields) {
    const Holds holds = field.schema.holds;
    const bool is_number = holds == Holds::kVarint || holds == Holds::kFixed64;
    AppendVarint(field.schema.number << 3 | (holds == Holds::kVarint    ? kVarint
                                             : holds == Holds::kFixed64 ? kFixed64
                                                                        : kBytes),
                 &out);
    if (is_number) {
      (holds == Holds::kVarint ? AppendVarint : AppendFixed64)(field.value, &out);
      continue;
    }
    std::string inside = holds == Holds::kMessage ? Written(field.fields) : field.bytes;
    for (const uint64_t value : field.column) {
      (holds == Holds::kVarints ? AppendVarint : AppendFixed64)(value, &inside);
    }
    AppendVarint(inside.size(), &out);
    out += inside;
  }
  return out;
}

size_t NumberBelow(size_t end, Random* random) {
  return std::uniform_int_distribution<size_t>(0, end - 1)(*random);
}

uint64_t NewNumber(uint64_t old, Random* random) {
  switch (NumberBelow(8, random)) {
    case 0:
      return old + 1;
    case 1:
      return old - 1;
    case 2:
      return 0;
    case 3:
      return old + 64;
    case 4:
      return old * 2;
    case 5:
      return NumberBelow(300, random);
    case 6:
      return uint64_t{1} << NumberBelow(64, random);
    default:
      return (*random)() >> NumberBelow(64, random);
  }
}

// Changes, removes, adds, repeats or swaps entries.
template <typename Column, typename Change>
void ChangeColumn(Column* column, const Change& change, Random* random) {
  if (column->empty()) {
    column->push_back(change({}));
    return;
  }
  const size_t at = NumberBelow(column->size(), random);
  const auto where = column->begin() + static_cast<std::ptrdiff_t>(at);
  switch (NumberBelow(6, random)) {
    case 0:
      column->erase(where);
      break;
    case 1:
      column->insert(where, change(*where));
      break;
    case 2:
      std::swap(*where, (*column)[NumberBelow(column->size(), random)]);
      break;
    case 3:
      *where = (*column)[NumberBelow(column->size(), random)];
      break;
    default:
      *where = change(*where);
  }
}

void CollectMessages(Fields* fields, const Schema* schema,
                     std::vector<std::pair<Fields*, const Schema*>>* out) {
  out->emplace_back(fields, schema);
  for (Field& field : *fields) {
    if (field.schema.holds == Holds::kMessage) {
      CollectMessages(&field.fields, field.schema.message, out);
    }
  }
}

// Adds a field that the message may have, or one that no version knows.
void AddField(Fields* fields, const Schema& schema, Random* random) {
  Field added{{100, Holds::kBytes}, 0, "unknown", {}, {}};
  if (NumberBelow(4, random) > 0)
    added = {schema.fields[NumberBelow(schema.fields.size(), random)]};
  if (added.schema.holds == Holds::kVarints || added.schema.holds == Holds::kFixed64s) {
    added.column.push_back(NewNumber(0, random));
  }
  added.value = NewNumber(0, random);
  if (added.schema.holds == Holds::kBytes && added.bytes.empty()) added.bytes = "\1";
  const size_t at = NumberBelow(fields->size() + 1, random);
  fields->insert(fields->begin() + static_cast<std::ptrdiff_t>(at), std::move(added));
}

void ChangeFields(Fields* fields, const Schema& schema, Random* random) {
  if (fields->empty()) return AddField(fields, schema, random);
  const size_t at = NumberBelow(fields->size(), random);
  const auto where = fields->begin() + static_cast<std::ptrdiff_t>(at);
  switch (NumberBelow(4, random)) {
    case 0:
      fields->erase(where);
      break;
    case 1: {
      const Field copy = *where;
      fields->push_back(copy);
      break;
    }
    case 2:
      std::swap(*where, (*fields)[NumberBelow(fields->size(), random)]);
      break;
    default:
      AddField(fields, schema, random);
  }
}

void ChangeValue(Field* field, Random* random) {
  switch (field->schema.holds) {
    case Holds::kBytes:
      return ChangeColumn(
          &field->bytes,
          [random](char old) {
            return static_cast<char>(NewNumber(static_cast<uint8_t>(old), random));
          },
          random);
    case Holds::kVarint:
    case Holds::kFixed64:
      field->value = NewNumber(field->value, random);
      return;
    case Holds::kVarints:
    case Holds::kFixed64s:
      return ChangeColumn(
          &field->column, [random](uint64_t old) { return NewNumber(old, random); }, random);
    case Holds::kMessage:
      return;
  }
}

}  // namespace

std::string MutatedManifest(const std::string& manifest, Random* random) {
  Fields fields = Read(manifest, kManifest);
  for (size_t changes = 1 + NumberBelow(4, random); changes > 0; --changes) {
    std::vector<std::pair<Fields*, const Schema*>> messages;
    CollectMessages(&fields, &kManifest, &messages);
    const auto [message, schema] = messages[NumberBelow(messages.size(), random)];
    if (message->empty() || NumberBelow(5, random) == 0) {
      ChangeFields(message, *schema, random);
    } else {
      ChangeValue(&(*message)[NumberBelow(message->size(), random)], random);
    }
  }
  return Written(fields);
}

}  // namespace leafstore
