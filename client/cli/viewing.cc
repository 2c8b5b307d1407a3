#include "client/cli/viewing.h"

#include <fmt/format.h>

#include "analysis/passes/rows.h"
#include "client/cli/session_text.h"
#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/view_text.h"

namespace pycroscope {
namespace {

constexpr uint32_t kTopRows = 10;

Result<v1::View> top_view(const Connection& connection, const v1::Session& session, v1::ViewKind kind,
                          const char* sort) {
  v1::ViewRequest request;
  request.set_session(session.id());
  request.set_kind(kind);
  request.set_limit(kTopRows);
  request.set_sort(sort);
  return connection.call(&Connection::Api::GetView, request);
}

// What the session's samples count: waiting too, time on a CPU, or neither.
const char* total_key(const v1::Knows& knows) {
  if (knows.wall()) return "total_ns";
  return knows.cpu() ? "total_cpu_ns" : "samples";
}

}  // namespace

std::vector<std::string_view> view_names() {
  std::vector<std::string_view> names;
  for (int kind = v1::ViewKind_MIN + 1; v1::ViewKind_IsValid(kind); ++kind) {
    names.push_back(view_kind_name(static_cast<v1::ViewKind>(kind)));
  }
  return names;
}

std::string why_empty(const v1::Session& session) {
  if (session.samples() > 0) return "nothing in this session passes the filter";
  if (session.loss().lost() > 0)
    return fmt::format("nothing could be recorded: {}", human_loss(session.loss(), recorded_unit(session)));
  return "there are no samples: the process did not use a CPU while it was recorded";
}

Result<std::string> short_report(const Connection& connection, const v1::Session& session) {
  std::string result = session_line(session) + "\n";
  PYC_TRY(const v1::View by_self, top_view(connection, session, v1::VIEW_KIND_FUNCTIONS, ""));
  if (by_self.functions().function().empty()) return result + why_empty(session) + "\n";
  const char* total = total_key(by_self.header().knows());
  PYC_TRY(const v1::View by_total, top_view(connection, session, v1::VIEW_KIND_FUNCTIONS, total));
  PYC_TRY(const v1::View threads, top_view(connection, session, v1::VIEW_KIND_THREADS, ""));
  const size_t width = terminal_width();
  result += "\nMost time in the function itself:\n" + view_text(by_self, width);
  result += "\nMost time with what it calls:\n" + view_text(by_total, width);
  if (threads.header().total_rows() > 1) {
    result += fmt::format("\nThreads ({}):\n", threads.header().total_rows()) + view_text(threads, width);
  }
  return result + "\n" + human_loss(session.loss(), recorded_unit(session)) + "\n";
}

}  // namespace pycroscope
