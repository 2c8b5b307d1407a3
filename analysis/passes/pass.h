// A pass is a function from an EventReader to one view. Each file passes/NAME.cc defines
// `Status pass_NAME(PassContext&, v1::View&)` for the view NAME; the table of passes is generated from the file names.
// The file may not be named after anything else.
#pragma once

#include <string_view>

#include "analysis/model/events.h"
#include "analysis/model/result.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

class PassContext;  // passes/context.h

// Fills a whole view: header, symbols, table; applies the filter, sort and limit of the request.
Result<v1::View> compute_view(const EventReader& reader, const v1::ViewRequest& request);

// "functions" → VIEW_KIND_FUNCTIONS; kInvalid with the list of names for others.
Result<v1::ViewKind> parse_view_kind(std::string_view name);

}  // namespace pycroscope
