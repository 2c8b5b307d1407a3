// An export turns a session into a foreign format. Each file export/NAME.cc defines
// `Status export_NAME(const ExportInput&, const ExportOutput&)`; the table of formats is generated from the file names.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

struct ExportInput {
  const EventReader& reader;
  const v1::ExportRequest& request;
};
// Takes the output piece by piece; an error from it ends the export and is returned.
using ExportOutput = std::function<Status(std::string_view)>;

// kInvalid for an unknown format or a weight that the session or the format does not have.
Status export_session(const EventReader& reader, const v1::ExportRequest& request, const ExportOutput& output);

std::vector<std::string_view> export_formats();

}  // namespace pycroscope
