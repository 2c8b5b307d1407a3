// Sessions into files of foreign formats.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "analysis/model/result.h"
#include "client/cli/connection.h"
#include "client/cli/options.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// `name` if there is such a format; for "" the one that the extension of `path` stands for, else collapsed. kInvalid
// with the list of formats for others.
Result<std::string> choose_format(std::string_view name, std::string_view path);

// kInvalid with the list of weights for a name that is none; "" is the format's own.
Status check_weight(std::string_view name);

// "collapsed, json, ...": those there are.
std::string format_list();

// Where a command's recording goes when it has ended.
struct OutputOptions {
  std::string format, path;  // no path: nowhere
};
void add_output_options(CLI::App& app, OutputOptions& options);

// The session, whole, in the shape asked for.
v1::ExportRequest whole_export(const v1::Session& session, const std::string& format, const ShapeOptions& shape);

// Writes the export to `path` ("-": the standard output), whole or not at all. Gives up, with an error, as soon as
// `cancelled` is true.
Status export_to(const Connection& connection, const v1::ExportRequest& request, const std::string& path,
                 const std::function<bool()>& cancelled);

}  // namespace pycroscope
