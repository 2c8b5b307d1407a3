// Requests as golden cases write them: "functions sort=samples limit=2 thread=7 from=10 to=20" (times in µs).
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "pycroscope/v1/views.pb.h"

namespace pycroscope::test {

// For v1::ViewRequest and v1::ExportRequest.
template <class Request>
void apply_word(Request& request, const std::string& key, const std::string& value) {
  v1::ViewFilter& filter = *request.mutable_filter();
  v1::TreeOptions& tree = *request.mutable_tree();
  if (key == "thread") {
    filter.add_threads(value);
  } else if (key == "function") {
    filter.set_function_regex(value);
  } else if (key == "file") {
    filter.set_file_glob(value);
  } else if (key == "label") {
    (*filter.mutable_labels())[value.substr(0, value.find('='))] = value.substr(value.find('=') + 1);
  } else if (key == "from") {
    filter.set_from_ns(std::stoll(value) * 1000);
  } else if (key == "to") {
    filter.set_to_ns(std::stoll(value) * 1000);
  } else if (key == "group_by") {
    std::istringstream keys(value);
    for (std::string word; std::getline(keys, word, ',');) request.add_group_by(word);
  } else if (key == "no_lines") {
    tree.set_no_lines(true);
  } else if (key == "max_nodes") {
    tree.set_max_nodes(static_cast<uint32_t>(std::stoul(value)));
  } else if (key == "min_share") {
    tree.set_min_share(std::stod(value));
  } else {
    throw std::runtime_error("unknown word in a golden case: " + key);
  }
}

// Calls `visit(key, value)` for each word after the first, which is returned.
template <class Visit>
std::string split_command(const std::string& command, Visit visit) {
  std::istringstream in(command);
  std::string name, word;
  in >> name;
  while (in >> word) {
    size_t equals = word.find('=');
    visit(word.substr(0, equals), equals == std::string::npos ? "" : word.substr(equals + 1));
  }
  return name;
}

}  // namespace pycroscope::test
