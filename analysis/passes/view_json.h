// A view as the JSON object that the command line promises:
//   {"view", "session", "rows": [{...}], "total_rows", "exact", "from_ns", "to_ns", "loss": {...}}
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "analysis/model/result.h"
#include "pycroscope/v1/views.pb.h"

namespace pycroscope {

// Takes text piece by piece; an error from it ends the writing and is returned.
using TextOutput = std::function<Status(std::string_view)>;

// One JSON object and a newline. Integers are JSON numbers, figures the session cannot know are null.
Status write_view_json(const v1::View& view, const TextOutput& output);
// The object of "loss" alone: {"recorded", "lost", "by_reason": {...}, "truncated", "discarded"}.
std::string loss_json(const v1::Loss& loss);

}  // namespace pycroscope
