// Asking for views and showing them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/result.h"
#include "client/cli/connection.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

// "functions", "lines", ...: all there are.
std::vector<std::string_view> view_names();

// What is printed after a recording: the functions that cost most, themselves and with what they call, the threads
// where there are several, and the losses.
Result<std::string> short_report(const Connection& connection, const v1::Session& session);

// Why a view of this session has no rows, as a sentence without the final full stop.
std::string why_empty(const v1::Session& session);

}  // namespace pycroscope
