// The memory map of a process (/proc/PID/maps).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/target/process.h"
#include "daemon/target/remote_ptr.h"

namespace pycroscope {

struct MapEntry {
  RemoteAddress begin;
  RemoteAddress end;  // exclusive, always above begin
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool deleted = false;  // the kernel calls the file deleted, or its name ends so
  uint64_t offset = 0;   // in the file
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t inode = 0;  // 0: no file
  // As seen from our root directory, " (deleted)" stripped; "[stack]" and the like; "" for anonymous memory. A newline
  // in it stands as "\012", a backslash for itself: check device and inode before trusting it.
  std::string path;

  uint64_t size() const { return end.address() - begin.address(); }
  bool is_file() const { return inode != 0; }
};

// In the order of the kernel, which is by address. Lines that are not of the format are left out.
std::vector<MapEntry> parse_maps(std::string_view text);

// Fails with kTargetGone or kNotPermitted.
Result<std::vector<MapEntry>> read_maps(const Process& process);

}  // namespace pycroscope
