#include "daemon/python/value_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "daemon/python/dict_reader.h"
#include "daemon/python/unicode.h"

namespace pycroscope {
namespace {

// One entry needs at least three bytes of text ("1, "), so more can never be shown.
constexpr size_t kMaxEntries = ValueText::kMaxBytes / 3 + 1;

// What repr() writes for a container inside of itself.
std::string_view recursion_mark(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kList:
      return "[...]";
    case ObjectKind::kTuple:
      return "(...)";
    case ObjectKind::kDict:
      return "{...}";
    case ObjectKind::kSet:
      return "set(...)";
    default:
      return "frozenset(...)";
  }
}

}  // namespace

std::string ValueText::of(RemoteAddress object) {
  LimitedText out(kMaxBytes);
  inside_.clear();
  append(object, out);
  return out.take();
}

RemoteAddress ValueText::look_into_cell(RemoteAddress object) {
  const auto type = types_.type_of(object);
  if (!type || (*type)->kind != ObjectKind::kCell) return object;
  // PyCellObject is a header and ob_ref.
  const auto content = memory_.read_pointer(object + layout_.object_type + sizeof(uint64_t));
  return content ? *content : object;
}

void ValueText::append(RemoteAddress object, LimitedText& out) {
  if (out.is_cut()) return;
  const auto type = types_.type_of(object);
  if (!type || !append_value(object, **type, out)) out.append(fmt::format("<unreadable at {:#x}>", object.address()));
}

Status ValueText::append_value(RemoteAddress object, const ObjectType& type, LimitedText& out) {
  switch (type.kind) {
    case ObjectKind::kNone:
      out.append("None");
      return {};
    case ObjectKind::kBool:
      return append_bool(object, out);
    case ObjectKind::kInt:
      return append_int(object, out);
    case ObjectKind::kFloat: {
      PYC_TRY(const double value, memory_.read<double>(object + layout_.float_value));
      out.append(float_literal(value));
      return {};
    }
    case ObjectKind::kStr:
      return append_str(object, out);
    case ObjectKind::kBytes:
      return append_bytes(object, out);
    case ObjectKind::kList:
    case ObjectKind::kTuple:
    case ObjectKind::kDict:
    case ObjectKind::kSet:
    case ObjectKind::kFrozenset:
      return append_container(object, type, out);
    default:
      out.append(fmt::format("<{} at {:#x}>", type.name, object.address()));
      return {};
  }
}

Status ValueText::append_int(RemoteAddress object, LimitedText& out) {
  PYC_TRY(const auto value, read_int(memory_, layout_, object));
  if (value.too_large) {
    out.append(fmt::format("<int at {:#x}>", object.address()));
    return {};
  }
  for (const char digit : int_literal(value.negative, value.digits)) out.append({&digit, 1});
  return {};
}

Status ValueText::append_bool(RemoteAddress object, LimitedText& out) {
  PYC_TRY(const auto value, read_int(memory_, layout_, object));
  out.append(value.digits.empty() ? "False" : "True");
  return {};
}

Status ValueText::append_str(RemoteAddress object, LimitedText& out) {
  PYC_TRY(const CodePoints text, read_code_points(memory_, layout_, object, kMaxBytes));
  append_str_literal(out, text.text, !text.cut);
  return {};
}

Status ValueText::append_bytes(RemoteAddress object, LimitedText& out) {
  PYC_TRY(const auto size, memory_.read<uint64_t>(object + layout_.var_size));
  std::string bytes(std::min<uint64_t>(size, kMaxBytes), '\0');
  PYC_CHECK(memory_.read_bytes(object + layout_.bytes_data, std::as_writable_bytes(std::span(bytes))));
  append_bytes_literal(out, bytes, bytes.size() == size);
  return {};
}

Status ValueText::append_container(RemoteAddress object, const ObjectType& type, LimitedText& out) {
  if (std::ranges::find(inside_, object) != inside_.end()) {
    out.append(recursion_mark(type.kind));
    return {};
  }
  if (inside_.size() == kMaxDepth) {
    out.cut();
    return {};
  }
  inside_.push_back(object);
  Status status;
  switch (type.kind) {
    case ObjectKind::kList:
      status = append_list(object, out);
      break;
    case ObjectKind::kTuple:
      status = append_tuple(object, out);
      break;
    case ObjectKind::kDict:
      status = append_dict(object, out);
      break;
    default:
      status = append_set(object, type.name, out);
  }
  inside_.pop_back();
  return status;
}

Status ValueText::append_items(RemoteAddress items, uint64_t size, LimitedText& out) {
  std::vector<RemoteAddress> objects(std::min<uint64_t>(size, kMaxEntries));
  PYC_CHECK(memory_.read_bytes(items, std::as_writable_bytes(std::span(objects))));
  for (size_t i = 0; i < objects.size() && !out.is_cut(); ++i) {
    if (i > 0) out.append(", ");
    append(objects[i], out);
  }
  if (objects.size() < size) out.cut();
  return {};
}

Status ValueText::append_list(RemoteAddress object, LimitedText& out) {
  PYC_TRY(const auto size, memory_.read<uint64_t>(object + layout_.var_size));
  PYC_TRY(const auto items, memory_.read_pointer(object + layout_.list_items));
  out.append("[");
  if (size > 0) PYC_CHECK(append_items(items, size, out));
  out.append("]");
  return {};
}

Status ValueText::append_tuple(RemoteAddress object, LimitedText& out) {
  PYC_TRY(const auto size, memory_.read<uint64_t>(object + layout_.var_size));
  out.append("(");
  if (size > 0) PYC_CHECK(append_items(object + layout_.tuple_items, size, out));
  out.append(size == 1 ? ",)" : ")");
  return {};
}

Status ValueText::append_dict(RemoteAddress object, LimitedText& out) {
  PYC_TRY(const auto contents, read_dict(memory_, layout_, object, kMaxEntries));
  const auto& entries = contents.entries;
  out.append("{");
  for (size_t i = 0; i < entries.size() && !out.is_cut(); ++i) {
    if (i > 0) out.append(", ");
    append(entries[i].key, out);
    out.append(": ");
    append(entries[i].value, out);
  }
  if (!contents.complete) out.cut();
  out.append("}");
  return {};
}

Status ValueText::append_set(RemoteAddress object, std::string_view type_name, LimitedText& out) {
  PYC_TRY(const auto contents, read_set(memory_, layout_, object, kMaxEntries));
  const auto& members = contents.members;
  const bool plain = type_name == "set";
  if (members.empty() && contents.complete) {
    out.append(plain ? "set()" : "frozenset()");
    return {};
  }
  out.append(plain ? "{" : "frozenset({");
  for (size_t i = 0; i < members.size() && !out.is_cut(); ++i) {
    if (i > 0) out.append(", ");
    append(members[i], out);
  }
  if (!contents.complete) out.cut();
  out.append(plain ? "}" : "})");
  return {};
}

}  // namespace pycroscope
