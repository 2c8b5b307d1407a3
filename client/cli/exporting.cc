#include "client/cli/exporting.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "analysis/export/export.h"
#include "analysis/export/weight.h"
#include "client/cli/output_file.h"
#include "client/cli/terminal.h"

namespace pycroscope {
namespace {

struct Extension {
  std::string_view extension, format;
};

// Longer extensions before those that they end in.
constexpr Extension kExtensions[] = {
    {".speedscope.json", "speedscope"},
    {".speedscope", "speedscope"},
    {".trace.json", "chrometrace"},
    {".gecko.json", "gecko"},
    {".json", "json"},
    {".svg", "svg"},
    {".pb.gz", "pprof"},
    {".pprof", "pprof"},
    {".pb", "pprof"},
    {".html", "html"},
};

bool is_format(std::string_view name) {
  const std::vector<std::string_view> formats = export_formats();
  return std::find(formats.begin(), formats.end(), name) != formats.end();
}

}  // namespace

std::string format_list() { return fmt::format("{}", fmt::join(export_formats(), ", ")); }

Result<std::string> choose_format(std::string_view name, std::string_view path) {
  if (is_format(name)) return std::string(name);
  if (!name.empty()) {
    return fail(ErrorCode::kInvalid, fmt::format("there is no format '{}'; there are: {}", name, format_list()));
  }
  for (const auto& [extension, format] : kExtensions) {
    if (path.ends_with(extension) && is_format(format)) return std::string(format);
  }
  return "collapsed";
}

void add_output_options(CLI::App& app, OutputOptions& options) {
  app.add_option("-o,--output", options.path, "Export the session to this file, - is the standard output")
      ->type_name("FILE");
  app.add_option("-f,--format", options.format,
                 "Format of -o: " + format_list() + " (default: by the file's extension, else collapsed)")
      ->type_name("FORMAT");
}

v1::ExportRequest whole_export(const v1::Session& session, const std::string& format, const ShapeOptions& shape) {
  v1::ExportRequest request;
  request.set_session(session.id());
  request.set_format(format);
  apply_shape(shape, request);
  return request;
}

Status check_weight(std::string_view name) {
  if (name.empty() || std::ranges::find(kExportWeights, name) != kExportWeights.end()) return {};
  return fail(ErrorCode::kInvalid,
              fmt::format("there is no weight '{}'; there are: {}", name, fmt::join(kExportWeights, ", ")));
}

Status export_to(const Connection& connection, const v1::ExportRequest& request, const std::string& path,
                 const std::function<bool()>& cancelled) {
  PYC_TRY(OutputFile file, OutputFile::create(path));
  const auto write = [&](std::string_view text) -> Status {
    if (cancelled()) return fail(ErrorCode::kFailed, "interrupted, nothing was written");
    return file.write(text);
  };
  PYC_CHECK(receive_chunks(connection, &Connection::Api::Export, request, write));
  return file.commit();
}

}  // namespace pycroscope
