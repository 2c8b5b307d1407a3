// An ELF core file of a process, as the kernel or gdb's gcore writes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/os/fd.h"
#include "daemon/target/core_notes.h"
#include "daemon/target/maps.h"
#include "daemon/target/target_memory.h"

namespace pycroscope {

// As memory it is what the file itself holds: see CoreMemory for the rest. The file is read where it is needed, however
// large it is; one that is cut off, or becomes so, gives what is there. Immutable: any thread may use it.
class CoreFile final : public TargetMemory {
 public:
  // Fails with a sentence that says what the file is instead of a core file that can be read here: kNotFound,
  // kNotPermitted, kFailed.
  static Result<CoreFile> open(const std::string& path);

  const std::string& path() const { return path_; }
  const CoreNotes& notes() const { return notes_; }
  // The mappings of files, by address. Every file has an inode number, which is made up, and no device.
  const std::vector<MapEntry>& maps() const { return maps_; }
  // The path of the program as the process saw it; empty: not known.
  std::string executable() const;
  // How much the file lacks of what its headers say.
  uint64_t missing_bytes() const { return missing_bytes_; }

  // How many bytes from `address` on the file holds without a gap, up to the end of the segment.
  uint64_t held_from(RemoteAddress address) const;
  // True for memory that the process could not write, or whose segment was left out because it had not: a file that is
  // mapped there still says what was in it.
  bool is_unchanged(RemoteAddress address) const;

  // kMemory: not in the file.
  Status read_bytes(RemoteAddress address, std::span<std::byte> out) const override;

 private:
  struct Segment {
    RemoteAddress begin;
    uint64_t size = 0;
    uint64_t offset = 0;     // in the file
    uint64_t file_size = 0;  // at most `size`; what follows is not in the file
    uint32_t flags = 0;      // PF_R, PF_W, PF_X
  };
  CoreFile(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}
  Status read_headers();
  Status read_notes(uint64_t offset, uint64_t size);
  void make_maps();
  const Segment* segment_of(RemoteAddress address) const;

  std::string path_;
  Fd file_;
  uint64_t file_size_ = 0;
  uint64_t missing_bytes_ = 0;
  std::vector<Segment> segments_;  // by address
  CoreNotes notes_;
  std::vector<MapEntry> maps_;
};

}  // namespace pycroscope
