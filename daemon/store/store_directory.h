// Where a store is, and whose the directories are that it makes.
#pragma once

#include <filesystem>

#include "analysis/model/result.h"

namespace pycroscope {

// See Store::open and Store::default_directory.
Status make_store_directory(const std::filesystem::path& directory);
std::filesystem::path default_store_directory();

}  // namespace pycroscope
