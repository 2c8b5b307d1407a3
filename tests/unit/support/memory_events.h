// A session in memory, for tests of what reads events: filled by code, or from text (parse_events).
//
// The text, one thing a line, '#' begins a comment line:
//   mode cpu|wall|gil                  default cpu
//   duration US                        of the session; default: just after the last sample
//   lost REASON N                      e.g. "lost ring_full 3"
//   process PID COMMAND...             the threads below belong to it; default: 100 python app.py
//   process PID of PARENT COMMAND...   the same, started by one that came before
//   thread TID [NAME...]
//   US TID WEIGHT_US [STACK]           a sample: a stack is frames root first, ';' between them, none: no Python
//   US TID WEIGHT_US {k=v,k=v} STACK   one with labels
// A frame is `name (path:line)`, or `name@FIRST (path:line)` for a function that begins at line FIRST (default 1), or
// `symbol (module)` for native code.
#pragma once

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/model/events.h"
#include "analysis/model/loss.h"

namespace pycroscope::test {

class MemoryEvents : public EventReader {
 public:
  MemoryEvents() {
    session_.set_id("session-1");
    session_.mutable_config()->set_mode(v1::SAMPLE_MODE_CPU);
    session_.set_state(v1::SESSION_STATE_COMPLETE);
  }

  v1::Session& mutable_session() { return session_; }
  Symbols& mutable_symbols() { return symbols_; }
  void set_damaged_events(uint64_t count) { damaged_ = count; }
  // Samples are handed to readers in batches of this many.
  void set_batch_size(size_t size) { batch_size_ = size; }

  void add(const Sample& sample) {
    samples_.push_back(sample);
    session_.set_samples(samples_.size());
    session_.mutable_loss()->set_recorded(samples_.size());
    session_.set_duration_ns(std::max(session_.duration_ns(), sample.time_ns + 1));
  }

  // A slice of a trace, as EventSink::add_trace takes it.
  void add_trace(const TraceColumns& slice, int64_t to_ns) {
    // The symbols have all stacks that it leads to.
    Tally unused;
    static_cast<void>(stacks_.add(slice, unused));
    trace_places_.push_back({static_cast<uint32_t>(trace_.size()), summarize(slice)});
    trace_.push_back(slice);
    session_.set_events(session_.events() + slice.size());
    session_.mutable_loss()->set_recorded(session_.loss().recorded() + slice.size());
    session_.set_duration_ns(std::max(session_.duration_ns(), to_ns));
  }

  const std::vector<Sample>& all() const { return samples_; }

  const v1::Session& session() const override { return session_; }
  const Symbols& symbols() const override { return symbols_; }
  std::string source_hash(FileId) const override { return ""; }
  Result<std::string> source(const std::string&) const override {
    return fail(ErrorCode::kNotFound, "there are no sources in memory");
  }
  Status samples(const EventFilter& filter, const std::function<void(const SampleColumns&)>& visit) const override {
    for (uint32_t i = 0; i < block_count(); ++i)
      if (const SampleColumns batch = block(i, filter); batch.size()) visit(batch);
    return {};
  }
  uint32_t block_count() const override {
    return static_cast<uint32_t>((samples_.size() + batch_size_ - 1) / batch_size_);
  }
  SampleColumns block(uint32_t position, const EventFilter& filter) const override {
    SampleColumns found;
    for (size_t i = position * batch_size_; i < std::min(samples_.size(), (position + 1) * batch_size_); ++i)
      if (samples_[i].time_ns >= filter.from_ns && samples_[i].time_ns < filter.to_ns) found.push_back(samples_[i]);
    return found;
  }
  std::span<const TraceBlockPlace> trace_blocks() const override { return trace_places_; }
  std::optional<TraceColumns> trace_block(const TraceBlockPlace& place) const override { return trace_[place.number]; }
  std::span<const BucketPlace> buckets(uint32_t) const override { return {}; }
  std::optional<TallyBucket> bucket(const BucketPlace&) const override { return std::nullopt; }
  uint64_t damaged_events() const override { return damaged_; }

 private:
  v1::Session session_;
  Symbols symbols_;
  std::vector<Sample> samples_;
  std::vector<TraceColumns> trace_;
  std::vector<TraceBlockPlace> trace_places_;
  TraceTallier stacks_{
      symbols_, [this](const StackStep& step) {
        return std::optional(symbols_.intern_stack(step.parent, symbols_.intern_location(step.location)));
      }};
  uint64_t damaged_ = 0;
  size_t batch_size_ = 16384;
};

class EventParser {
 public:
  explicit EventParser(MemoryEvents& events) : events_(events), symbols_(events.mutable_symbols()) {}

  void parse(std::string_view text) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);)
      if (!line.empty() && line[0] != '#') parse_line(line);
    if (duration_ns_) events_.mutable_session().set_duration_ns(duration_ns_);
  }

 private:
  [[noreturn]] static void refuse(const std::string& line) { throw std::runtime_error("cannot read: " + line); }

  static std::string rest(std::istringstream& in) {
    std::string text;
    std::getline(in >> std::ws, text);
    return text;
  }

  void parse_line(const std::string& line) {
    std::istringstream in(line);
    std::string word, name;
    int64_t number = 0;
    in >> word;
    if (word == "mode" && in >> name)
      events_.mutable_session().mutable_config()->set_mode(name == "cpu"    ? v1::SAMPLE_MODE_CPU
                                                           : name == "wall" ? v1::SAMPLE_MODE_WALL
                                                                            : v1::SAMPLE_MODE_GIL);
    else if (word == "duration" && in >> number)
      duration_ns_ = number * 1000;
    else if (word == "lost" && in >> name >> number)
      add_lost(name, static_cast<uint64_t>(number));
    else if (word == "process" && in >> number)
      process_ = process(static_cast<int32_t>(number), rest(in));
    else if (word == "thread" && in >> number)
      thread(static_cast<int32_t>(number), rest(in));
    else if (std::isdigit(static_cast<unsigned char>(word[0])))
      parse_sample(line);
    else
      refuse(line);
  }

  void add_lost(const std::string& name, uint64_t count) {
    for (int reason = v1::LossReason_MIN; reason <= v1::LossReason_MAX; ++reason)
      if (loss_reason_name(v1::LossReason(reason)) == name)
        return add_loss(*events_.mutable_session().mutable_loss(), v1::LossReason(reason), count);
    refuse(name);
  }

  // "COMMAND", or "of PID COMMAND": started by a process that came before.
  ProcessId process(int32_t pid, std::string command) {
    int32_t parent = 0;
    std::istringstream in(command);
    std::string word;
    if (in >> word && word == "of" && in >> parent) command = rest(in);
    const uint32_t parent_index = parent == 0 ? 0 : index(pids_.at(parent)) + 1;
    return pids_[pid] = symbols_.intern_process({pid, symbols_.intern_string(command), parent_index});
  }

  ThreadId thread(int32_t tid, const std::string& name) {
    auto known = threads_.find(tid);
    if (known != threads_.end()) return known->second;
    if (!process_) process_ = process(100, "python app.py");
    return threads_[tid] = symbols_.add_thread(*process_, tid, symbols_.intern_string(name));
  }

  void parse_sample(const std::string& line) {
    std::istringstream in(line);
    int64_t time = 0, weight = 0;
    int32_t tid = 0;
    if (!(in >> time >> tid >> weight)) refuse(line);
    std::string text = rest(in);
    Sample sample{.time_ns = time * 1000, .thread = thread(tid, ""), .weight_ns = weight * 1000};
    if (text.starts_with('{')) {
      size_t end = text.find('}');
      sample.labels = parse_labels(text.substr(1, end - 1));
      text.erase(0, text.find_first_not_of(' ', end + 1));
    }
    std::istringstream frames(text);
    for (std::string frame; std::getline(frames, frame, ';');)
      sample.stack = symbols_.intern_stack(sample.stack, parse_frame(frame));
    events_.add(sample);
  }

  LabelSetId parse_labels(const std::string& text) {
    std::map<std::string, std::string> sorted;
    std::istringstream in(text);
    for (std::string pair; std::getline(in, pair, ',');)
      sorted[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
    std::vector<Label> labels;
    for (const auto& [key, value] : sorted)
      labels.push_back({symbols_.intern_string(key), symbols_.intern_string(value)});
    return symbols_.intern_labels(labels);
  }

  LocationId parse_frame(const std::string& text) {
    size_t open = text.find(" ("), colon = text.rfind(':');
    if (open == std::string::npos || !text.ends_with(')')) refuse(text);
    std::string name = text.substr(0, open);
    bool python = colon != std::string::npos && colon > open;
    size_t path_end = python ? colon : text.size() - 1;
    Function function{.name = {}, .file = file(text.substr(open + 2, path_end - open - 2))};
    uint32_t line = 0;
    if (python) {
      line = static_cast<uint32_t>(std::stoul(text.substr(colon + 1)));
      function.first_line = 1;
    } else {
      function.kind = v1::FRAME_KIND_NATIVE;
    }
    if (size_t at = name.rfind('@'); at != std::string::npos) {
      function.first_line = static_cast<uint32_t>(std::stoul(name.substr(at + 1)));
      name.resize(at);
    }
    function.name = symbols_.intern_string(name);
    return symbols_.intern_location({symbols_.intern_function(function), line, -1});
  }

  FileId file(const std::string& path) { return symbols_.intern_file(symbols_.intern_string(path)); }

  MemoryEvents& events_;
  Symbols& symbols_;
  std::map<int32_t, ProcessId> pids_;
  std::optional<ProcessId> process_;
  std::map<int32_t, ThreadId> threads_;
  int64_t duration_ns_ = 0;
};

// Adds what `text` says. Throws std::runtime_error, naming the line, for text that it cannot read.
inline void parse_events(MemoryEvents& events, std::string_view text) { EventParser(events).parse(text); }

}  // namespace pycroscope::test
