// The table of formats, generated from the names of this folder's files.
#pragma once

#include <span>
#include <string_view>

#include "analysis/export/export.h"

namespace pycroscope {

struct ExportEntry {
  std::string_view name;  // of the format
  Status (*run)(const ExportInput&, const ExportOutput&);
};

std::span<const ExportEntry> export_entries();

}  // namespace pycroscope
