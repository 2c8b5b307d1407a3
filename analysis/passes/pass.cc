#include "analysis/passes/pass.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "analysis/passes/context.h"
#include "analysis/passes/registry.h"
#include "analysis/passes/rows.h"

namespace pycroscope {
namespace {

std::vector<std::string_view> view_names() {
  std::vector<std::string_view> names;
  for (const PassEntry& entry : pass_entries()) names.push_back(entry.name);
  return names;
}

}  // namespace

Result<v1::View> compute_view(const EventReader& reader, const v1::ViewRequest& request) {
  auto entry = std::ranges::find(pass_entries(), view_kind_name(request.kind()), &PassEntry::name);
  if (entry == pass_entries().end())
    return fail(ErrorCode::kInvalid,
                fmt::format("there is no such view; ask for one of: {}", fmt::join(view_names(), ", ")));
  if (!request.sort().empty()) PYC_CHECK(find_column(request.kind(), request.sort()));
  PYC_TRY(PassContext context, PassContext::create(reader, request));
  v1::View view;
  *view.mutable_header() = context.header();
  view.mutable_header()->set_kind(request.kind());
  PYC_CHECK(entry->run(context, view));
  return view;
}

Result<v1::ViewKind> parse_view_kind(std::string_view name) {
  for (int kind = v1::ViewKind_MIN + 1; kind <= v1::ViewKind_MAX; ++kind)
    if (v1::ViewKind_IsValid(kind) && view_kind_name(v1::ViewKind(kind)) == name) return v1::ViewKind(kind);
  return fail(ErrorCode::kInvalid,
              fmt::format("there is no view \"{}\"; ask for one of: {}", name, fmt::join(view_names(), ", ")));
}

}  // namespace pycroscope
