#include "tests/checkpoint/text_validator.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <tuple>

#include "tests/checkpoint/wire_message.h"

namespace leafstore {
namespace {

// Returns the size of the first character; 0 if it is not UTF-8.
size_t CharacterSize(std::string_view text, uint32_t* code) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t size = byte(0) < 0x80              ? 1
                      : (byte(0) >> 5) == 0b110   ? 2
                      : (byte(0) >> 4) == 0b1110  ? 3
                      : (byte(0) >> 3) == 0b11110 ? 4
                                                  : 0;
  if (size == 0 || size > text.size()) return 0;
  *code = size == 1 ? byte(0) : byte(0) & (0xFFu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) >> 6) != 0b10) return 0;
    *code = (*code << 6) | (byte(i) & 0x3Fu);
  }
  constexpr uint32_t kFirst[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool valid = *code >= kFirst[size] && *code <= 0x10FFFF && (*code >> 11) != 0x1B;
  return valid ? size : 0;
}

// A key of a path, comparable as keys are ordered: attributes, items, indices.
using PathKey = std::tuple<int, std::string, int64_t>;

bool IsControl(uint32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

bool IsIdentifier(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  uint32_t code = 0;
  for (size_t size; !name.empty(); name.remove_prefix(size)) {
    size = CharacterSize(name, &code);
    const auto byte = static_cast<char>(code);
    const bool plain = code >= 0x80
                           ? !IsControl(code)
                           : byte == '_' || (byte >= '0' && byte <= '9') ||
                                 (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    if (!plain) return false;
  }
  return true;
}

// Returns the text of a string as Python prints it.
std::string QuotedText(std::string_view text) {
  const bool has_single = text.find('\'') != text.npos;
  const bool has_double = text.find('"') != text.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  uint32_t code = 0;
  for (size_t size; !text.empty(); text.remove_prefix(size)) {
    size = CharacterSize(text, &code);
    if (code == '\n' || code == '\r' || code == '\t') {
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (IsControl(code)) {
      constexpr char kDigits[] = "0123456789abcdef";
      out += {'\\', 'x', kDigits[code >> 4], kDigits[code & 15]};
    } else {
      if (text[0] == '\\' || text[0] == quote) out += '\\';
      out += text.substr(0, size);
    }
  }
  return out + quote;
}

std::string TextOf(const PathKey& key) {
  const auto& [kind, name, index] = key;
  if (kind == 0) return "." + (IsIdentifier(name) ? name : QuotedText(name));
  return "[" + (kind == 1 ? QuotedText(name) : std::to_string(index)) + "]";
}

// Removes a quoted string from `*text` and returns its contents. Accepts more than canonical text.
std::string TakeQuoted(std::string_view* text) {
  const char quote = text->front();
  std::string name;
  size_t at = 1;
  for (; at < text->size() && (*text)[at] != quote; ++at) {
    if ((*text)[at] != '\\') {
      name += (*text)[at];
      continue;
    }
    Check(++at < text->size(), "path: cut off");
    const char letter = (*text)[at];
    if (letter != 'x') {
      name += letter == 'n' ? '\n' : letter == 'r' ? '\r' : letter == 't' ? '\t' : letter;
      continue;
    }
    Check(at + 2 < text->size(), "path: cut off");
    const std::string digits(text->substr(at + 1, 2));
    Check(digits.find_first_not_of("0123456789abcdef") == digits.npos, "path: an escape");
    const auto code = static_cast<uint8_t>(std::stoi(digits, nullptr, 16));
    Check(code < 0xA0, "path: an escape of what is no control character");
    if (code >= 0x80) name += '\xC2';
    name += static_cast<char>(code);
    at += 2;
  }
  Check(at < text->size(), "path: no closing quote");
  text->remove_prefix(at + 1);
  return name;
}

PathKey TakeKey(std::string_view* text) {
  const bool is_attribute = text->front() == '.';
  Check(is_attribute || text->front() == '[', "path: neither . nor [");
  text->remove_prefix(1);
  PathKey key{is_attribute ? 0 : 2, "", 0};
  if (!text->empty() && (text->front() == '\'' || text->front() == '"')) {
    key = {is_attribute ? 0 : 1, TakeQuoted(text), 0};
  } else if (is_attribute) {
    const size_t size = std::min(text->find_first_of(".["), text->size());
    key = {0, std::string(text->substr(0, size)), 0};
    text->remove_prefix(size);
  } else {
    const size_t size = std::min(text->find(']'), text->size());
    const std::string digits(text->substr(0, size));
    Check(!digits.empty() && digits.size() <= 20, "path: an index");
    key = {2, "", std::strtoll(digits.c_str(), nullptr, 10)};
    text->remove_prefix(size);
  }
  if (is_attribute) return key;
  Check(!text->empty() && text->front() == ']', "path: no ]");
  text->remove_prefix(1);
  return key;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  uint32_t code = 0;
  while (!text.empty()) {
    const size_t size = CharacterSize(text, &code);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void CheckUtf8(const Texts& texts, const std::string& what) {
  for (const std::string& text : texts) Check(IsUtf8(text), what + ": not UTF-8");
}

void CheckPaths(const Texts& texts) {
  CheckUtf8(texts, "paths");
  std::optional<std::vector<PathKey>> last;
  for (const std::string& text : texts) {
    std::vector<PathKey> path;
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view before = rest;
      path.push_back(TakeKey(&rest));
      Check(TextOf(path.back()) == before.substr(0, before.size() - rest.size()),
            "paths: not canonical");
    }
    Check(!last || *last < path, "paths: not ascending");
    last = path;
  }
}

}  // namespace leafstore
