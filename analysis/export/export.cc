#include "analysis/export/export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "analysis/export/registry.h"

namespace pycroscope {

std::vector<std::string_view> export_formats() {
  std::vector<std::string_view> names;
  for (const ExportEntry& entry : export_entries()) names.push_back(entry.name);
  return names;
}

Status export_session(const EventReader& reader, const v1::ExportRequest& request, const ExportOutput& output) {
  auto entry = std::ranges::find(export_entries(), request.format(), &ExportEntry::name);
  if (entry == export_entries().end())
    return fail(ErrorCode::kInvalid, fmt::format("there is no format \"{}\"; use one of: {}", request.format(),
                                                 fmt::join(export_formats(), ", ")));
  return entry->run({reader, request}, output);
}

}  // namespace pycroscope
