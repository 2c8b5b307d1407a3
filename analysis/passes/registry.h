// The table of passes, generated from the names of this folder's files.
#pragma once

#include <span>
#include <string_view>

#include "analysis/model/result.h"
#include "analysis/passes/context.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

struct PassEntry {
  std::string_view name;  // of the view
  // Fills the table, the symbols and header.total_rows; the rest of the header is there already.
  Status (*run)(PassContext&, v1::View&);
};

std::span<const PassEntry> pass_entries();

}  // namespace pycroscope
