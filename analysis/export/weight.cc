#include "analysis/export/weight.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace pycroscope {

Result<ExportWeight> export_weight(const PassContext& context, std::string_view wanted, std::string_view fallback) {
  std::vector<ExportWeight> known = {{kSamplesWeight, false}};
  const v1::Knows knows = context.knows();
  if (knows.wall()) known.push_back({kTimeWeight, true});
  if (knows.cpu()) known.push_back({kCpuTimeWeight, true, &Weight::cpu_ns});
  if (wanted.empty()) wanted = fallback;
  if (wanted.empty()) return known[1];
  auto it = std::ranges::find(known, wanted, &ExportWeight::name);
  if (it != known.end()) return *it;
  std::vector<std::string_view> names;
  for (const ExportWeight& weight : known) names.push_back(weight.name);
  return fail(ErrorCode::kInvalid, fmt::format("this session does not know the weight \"{}\"; use one of: {}", wanted,
                                               fmt::join(names, ", ")));
}

std::string amount_text(uint64_t value, const ExportWeight& weight) {
  if (!weight.time) return fmt::format("{} sample{}", value, value == 1 ? "" : "s");
  auto ns = static_cast<double>(value);
  if (ns >= 1e9) return fmt::format("{:.2f} s", ns / 1e9);
  if (ns >= 1e6) return fmt::format("{:.1f} ms", ns / 1e6);
  return fmt::format("{:.0f} µs", ns / 1e3);
}

std::string session_title(const v1::Session& session) {
  if (!session.target().command().empty()) return fmt::format("{}", fmt::join(session.target().command(), " "));
  return session.name().empty() ? session.id() : session.name();
}

v1::ViewRequest view_request(const v1::ExportRequest& request) {
  v1::ViewRequest view;
  *view.mutable_filter() = request.filter();
  *view.mutable_tree() = request.tree();
  *view.mutable_group_by() = request.group_by();
  return view;
}

}  // namespace pycroscope
