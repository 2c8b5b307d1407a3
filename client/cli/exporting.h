// Sessions into files of foreign formats.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "analysis/model/result.h"
#include "client/cli/connection.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// `name` if there is such a format; for "" the one that the extension of `path` stands for, else collapsed. kInvalid
// with the list of formats for others.
Result<std::string> choose_format(std::string_view name, std::string_view path);

// "collapsed, json, ...": those there are.
std::string format_list();

// Writes the export to `path` ("-": the standard output), whole or not at all. Gives up, with an error, as soon as
// `cancelled` is true.
Status export_to(const Connection& connection, const v1::ExportRequest& request, const std::string& path,
                 const std::function<bool()>& cancelled);

}  // namespace pycroscope
