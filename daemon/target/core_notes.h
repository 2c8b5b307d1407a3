// The notes of a core file: who the process was, its threads, what it had mapped.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/os/stopped_thread.h"
#include "daemon/target/remote_ptr.h"

namespace pycroscope {

struct CoreNotes {
  struct MappedFile {
    RemoteAddress begin;
    RemoteAddress end;    // exclusive
    uint64_t offset = 0;  // in the file
    std::string path;     // as the process saw it; " (deleted)" still there
  };

  pid_t pid = 0;
  std::string program;  // the first 15 bytes of its file's name, or what it called itself
  std::vector<StoppedThread> threads;
  std::vector<MappedFile> files;
  RemoteAddress program_headers;  // of the executable, null: not said
};

// Adds what a PT_NOTE segment says. Notes of other kinds are passed over; damaged ones end the list. The formats:
// core(5), and linux/fs/binfmt_elf.c fill_files_note() for NT_FILE.
void parse_core_notes(std::span<const std::byte> segment, CoreNotes& notes);

}  // namespace pycroscope
