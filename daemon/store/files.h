// Directories by descriptor. Nothing here follows a symbolic link: a directory may belong to somebody less privileged
// than this process.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <functional>
#include <string>

#include "analysis/model/result.h"

namespace pycroscope {

inline constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// `what`, and what errno says. kInvalid: it exists already.
Error system_error(const std::string& what);

// The names in a directory, without "." and "..".
Status for_each_name(int directory, const std::function<void(const char*)>& visit);

// Bytes on disk of all below a directory.
uint64_t tree_bytes(int directory);

// Removes `name` and everything in it. What is gone already is no error. Returns the bytes freed.
Result<uint64_t> remove_tree(int parent, const std::string& name);

}  // namespace pycroscope
