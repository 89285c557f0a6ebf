#include "leafstore/proto/internal/messages.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstddef>
#include <limits>

#include "leafstore/core/path.h"
#include "leafstore/proto/manifest.pb.h"
#include "leafstore/proto/param_store.pb.h"
#include "leafstore/proto/treedef.pb.h"

namespace leafstore::internal {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr MessageType kStrings = {};
constexpr MessageType kSegments = {};
constexpr MessageType kBase = {};
constexpr MessageType kTreeDef = {{{proto::TreeDef::kStringsFieldNumber, &kStrings}}};
constexpr MessageType kValues = {{{proto::Values::kStringsFieldNumber, &kStrings}}};
constexpr MessageType kLeaves = {{{proto::Leaves::kValuesFieldNumber, &kValues}}};
constexpr MessageType kLabels = {{{proto::Labels::kNamesFieldNumber, &kStrings}}};
constexpr MessageType kStoreSpec = {{{proto::StoreSpec::kTreedefFieldNumber, &kTreeDef},
                                     {proto::StoreSpec::kPathsFieldNumber, &kStrings},
                                     {proto::StoreSpec::kLeavesFieldNumber, &kLeaves},
                                     {proto::StoreSpec::kLabelsFieldNumber, &kLabels}}};
constexpr MessageType kParamStore = {{{proto::ParamStore::kTreedefFieldNumber, &kTreeDef},
                                      {proto::ParamStore::kPathsFieldNumber, &kStrings},
                                      {proto::ParamStore::kLeavesFieldNumber, &kLeaves}}};
constexpr MessageType kMetadata = {{{proto::Metadata::kKeysFieldNumber, &kStrings},
                                    {proto::Metadata::kValuesFieldNumber, &kStrings}}};
constexpr MessageType kItem = {{{proto::Item::kPathsFieldNumber, &kStrings},
                                {proto::Item::kLeavesFieldNumber, &kLeaves},
                                {proto::Item::kSegmentsFieldNumber, &kSegments},
                                {proto::Item::kLabelsFieldNumber, &kLabels},
                                {proto::Item::kMetadataFieldNumber, &kMetadata}}};
constexpr MessageType kRun = {{{proto::Run::kParentFieldNumber, &kBase}}};
constexpr MessageType kMetrics = {{{proto::Metrics::kNamesFieldNumber, &kStrings}}};
constexpr MessageType kManifest = {{{proto::Manifest::kTreedefsFieldNumber, &kTreeDef},
                                    {proto::Manifest::kItemsFieldNumber, &kItem},
                                    {proto::Manifest::kMetadataFieldNumber, &kMetadata},
                                    {proto::Manifest::kBasesFieldNumber, &kBase},
                                    {proto::Manifest::kMetricsFieldNumber, &kMetrics},
                                    {proto::Manifest::kRunFieldNumber, &kRun}}};
constexpr MessageType kManifestHead = {{{proto::ManifestHead::kBasesFieldNumber, &kBase},
                                        {proto::ManifestHead::kMetricsFieldNumber, &kMetrics},
                                        {proto::ManifestHead::kRunFieldNumber, &kRun}}};

// Returns the type of a field that is a message, or null.
const MessageType* TypeOfField(const MessageType& type, int number) {
  for (const MessageType::Field& field : type.fields) {
    if (field.number == number) return field.type;
  }
  return nullptr;
}

// Returns whether each field ends within its message. Protobuf checks this too, but only after it
// has allocated as much memory (up to 50 MB) as the length of a string declares. O(fields): the
// contents of columns are not read.
bool LengthsFit(const MessageType& type, google::protobuf::io::CodedInputStream* in) {
  while (const uint32_t tag = in->ReadTag()) {
    const MessageType* field = TypeOfField(type, WireFormatLite::GetTagFieldNumber(tag));
    if (field == nullptr ||
        WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(in, tag)) return false;
      continue;
    }
    uint32_t size = 0;
    if (!in->ReadVarint32(&size) || size > static_cast<uint32_t>(in->BytesUntilLimit())) {
      return false;
    }
    const auto outer = in->PushLimit(static_cast<int>(size));
    // The depth is that of the .proto files.
    if (!LengthsFit(*field, in)) return false;
    in->PopLimit(outer);
  }
  return in->ConsumedEntireMessage();
}

}  // namespace

absl::StatusOr<std::string> Serialize(const google::protobuf::Message& message,
                                      absl::string_view what) {
  constexpr size_t kMax = std::numeric_limits<int32_t>::max();
  const size_t size = message.ByteSizeLong();
  if (size > kMax) {
    return absl::ResourceExhaustedError(absl::StrCat(
        what, ": expected at most ", kMax, " bytes (a protobuf message's limit), found ", size));
  }
  std::string bytes(size, '\0');
  google::protobuf::io::ArrayOutputStream array(bytes.data(), static_cast<int>(size));
  {
    google::protobuf::io::CodedOutputStream out(&array);
    out.SetSerializationDeterministic(true);
    message.SerializeWithCachedSizes(&out);
  }  // its destructor writes the rest
  return bytes;
}

const MessageType& TypeOf(const proto::Manifest&) { return kManifest; }
const MessageType& TypeOf(const proto::ManifestHead&) { return kManifestHead; }
const MessageType& TypeOf(const proto::ParamStore&) { return kParamStore; }
const MessageType& TypeOf(const proto::StoreSpec&) { return kStoreSpec; }
const MessageType& TypeOf(const proto::TreeDef&) { return kTreeDef; }

absl::Status ParseMessage(absl::string_view bytes, absl::string_view what, const MessageType& type,
                          google::protobuf::Message* message) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    return WrongMessage(what, "at most 2147483647 bytes", bytes.size());
  }
  const auto size = static_cast<int>(bytes.size());
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()), size);
  in.PushLimit(size);
  if (!LengthsFit(type, &in) || !message->ParseFromArray(bytes.data(), size)) {
    return absl::DataLossError(
        absl::StrCat(what, ": its ", size, " bytes are not a protobuf message of this kind"));
  }
  return absl::OkStatus();
}

absl::Status WrongMessage(absl::string_view where, absl::string_view expected,
                          const absl::AlphaNum& found) {
  return absl::DataLossError(absl::StrCat(where, ": expected ", expected, ", found ", found));
}

absl::Status AsDataLoss(const absl::Status& status, absl::string_view where) {
  const bool is_damage = absl::IsInvalidArgument(status) || absl::IsAlreadyExists(status);
  return absl::Status(is_damage ? absl::StatusCode::kDataLoss : status.code(),
                      absl::StrCat(where, ": ", status.message()));
}

void EncodeGrouping(const Grouping& grouping, proto::Labels* out) {
  for (const std::string& name : grouping.names()) AddString(name, out->mutable_names());
  for (Slot slot = 0; slot < grouping.layout().size(); ++slot) {
    const uint32_t group = grouping.GroupOf(slot);
    out->add_groups(group == kNoGroup ? 0 : group + 1);
  }
}

absl::StatusOr<Grouping> DecodeGrouping(const proto::Labels& in, const Layout& layout,
                                        absl::string_view where) {
  const std::string column = absl::StrCat(where, ", labels");
  LEAFSTORE_ASSIGN_OR_RETURN(const auto texts, DecodeStrings(in.names(), column));
  std::vector<uint32_t> groups(in.groups().begin(), in.groups().end());
  for (uint32_t& group : groups) group = group == 0 ? kNoGroup : group - 1;
  absl::StatusOr<Grouping> grouping = Grouping::Create(
      layout, std::move(groups), std::vector<std::string>(texts.begin(), texts.end()));
  if (!grouping.ok()) return AsDataLoss(grouping.status(), column);
  return grouping;
}

void AddString(absl::string_view text, proto::Strings* out) {
  out->mutable_bytes()->append(text.data(), text.size());
  out->add_sizes(static_cast<uint32_t>(text.size()));
}

absl::StatusOr<std::vector<absl::string_view>> DecodeStrings(const proto::Strings& in,
                                                             absl::string_view where) {
  absl::string_view rest = in.bytes();
  const auto wrong = [&](const absl::AlphaNum& found) {
    return WrongMessage(where, absl::StrCat("strings of ", in.bytes().size(), " bytes together"),
                        found);
  };
  std::vector<absl::string_view> strings;
  strings.reserve(static_cast<size_t>(in.sizes_size()));
  for (const uint32_t size : in.sizes()) {
    if (size > rest.size()) return wrong("more");
    strings.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  if (!rest.empty()) return wrong(in.bytes().size() - rest.size());
  return strings;
}

void EncodePaths(const Layout& layout, proto::Strings* out) {
  out->mutable_sizes()->Reserve(static_cast<int>(layout.size()));
  // No text is too long: a Layout of paths holds the text of each.
  layout
      .ForEachPath(SlotSet::All(layout.size()), PathForm::kCanonical,
                   [out](uint32_t, absl::string_view text) { AddString(text, out); })
      .IgnoreError();
}

absl::StatusOr<Layout> DecodePaths(const proto::Strings& in, absl::string_view where) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<absl::string_view> texts, DecodeStrings(in, where));
  std::vector<Path> paths;
  paths.reserve(texts.size());
  for (const absl::string_view text : texts) {
    absl::StatusOr<Path> path = Path::Parse(text);
    if (!path.ok()) return AsDataLoss(path.status(), where);
    if (!paths.empty() && !(paths.back() < *path)) {
      return WrongMessage(where, absl::StrCat("a path after '", paths.back().ToString(), "'"),
                          absl::StrCat("'", text, "'"));
    }
    paths.push_back(*std::move(path));
  }
  absl::StatusOr<Layout> layout = Layout::Create(std::move(paths));
  if (!layout.ok()) return AsDataLoss(layout.status(), where);
  return layout;
}

}  // namespace leafstore::internal
