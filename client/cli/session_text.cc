#include "client/cli/session_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "analysis/model/session_words.h"
#include "analysis/passes/view_json.h"
#include "client/cli/json_object.h"
#include "client/cli/text.h"

namespace pycroscope {
namespace {

using google::protobuf::util::TimeUtil;

JsonObject row_object(const v1::Session& session) {
  JsonObject row;
  row.text("id", session.id())
      .text_or_null("name", session.name())
      .text("state", state_name(session.state()))
      .number("pid", session.target().pid())
      .text("command", joined_command(session.target()))
      .text_or_null("python", python_version(session))
      .text("started_at", TimeUtil::ToString(session.started_at()))
      .number("duration_ns", session.duration_ns())
      .number("events", session.events())
      .number("samples", session.samples())
      .number("bytes", session.bytes())
      .number("lost", session.loss().lost())
      .text_or_null("shared_with", session.shared_with());
  return row;
}

std::string interpreter_json(const v1::Interpreter& interpreter) {
  JsonObject object;
  object.text("implementation", interpreter.implementation())
      .text("version", interpreter.version())
      .text("executable", interpreter.executable())
      .text("runtime_module", interpreter.runtime_module())
      .boolean("free_threaded", interpreter.free_threaded());
  return object.str();
}

std::string host_json(const v1::Host& host) {
  JsonObject object;
  object.text("name", host.name())
      .text("kernel", host.kernel())
      .text("machine", host.machine())
      .number("cpus", host.cpus())
      .number("memory_bytes", host.memory_bytes());
  return object.str();
}

std::string config_json(const v1::RecordingConfig& config) {
  JsonObject object;
  const bool is_sampled = config.trace().empty();
  object.text_or_null("mode", is_sampled ? mode_name(config.mode()) : "");
  object.raw("rate_hz", is_sampled ? fmt::format("{}", config.rate_hz()) : "null");
  object.raw("trace", json_array(config.trace(), [](const std::string& what) { return json_string(what); }));
  const auto time_or_null = [&](const char* key, bool given, const google::protobuf::Duration& time) {
    object.raw(key, given ? fmt::format("{}", TimeUtil::DurationToNanoseconds(time)) : "null");
  };
  const auto limit_or_null = [&](const char* key, uint64_t limit) {
    object.raw(key, limit ? fmt::format("{}", limit) : "null");
  };
  time_or_null("duration_ns", config.has_duration(), config.duration());
  time_or_null("ring_ns", config.has_ring(), config.ring());
  time_or_null("keep_raw_ns", config.has_keep_raw(), config.keep_raw());
  limit_or_null("max_bytes", config.max_bytes());
  limit_or_null("max_events", config.max_events());
  object.text_or_null("sampler", config.sampler())
      .raw("max_cpu_percent", fmt::format("{}", config.max_cpu_percent()))
      .number("max_memory_bytes", config.max_memory_bytes());
  return object.str();
}

// Protobuf maps have no order of their own.
std::vector<std::pair<std::string, std::string>> sorted_environment(const v1::Target& target) {
  std::vector<std::pair<std::string, std::string>> result(target.environment().begin(), target.environment().end());
  std::sort(result.begin(), result.end());
  return result;
}

std::string environment_json(const v1::Target& target) {
  JsonObject object;
  for (const auto& [name, value] : sorted_environment(target)) object.text(name, value);
  return object.str();
}

class Facts {
 public:
  void add(std::string_view name, std::string_view value) {
    if (!value.empty()) text_ += fmt::format("{:<12} {}\n", name, visible(value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string names_of_environment(const v1::Target& target) {
  std::string result;
  for (const std::string& name : target.environment_names()) result += (result.empty() ? "" : " ") + name;
  return result;
}

std::string state_text(const v1::Session& session) {
  std::string result(state_name(session.state()));
  if (!session.end_reason().empty()) result += fmt::format(" ({})", session.end_reason());
  if (!session.failure().empty()) result += ": " + session.failure();
  return result;
}

}  // namespace

std::string joined_command(const v1::Target& target) {
  std::string result;
  for (const std::string& argument : target.command()) result += (result.empty() ? "" : " ") + argument;
  return result;
}

std::string python_version(const v1::Session& session) { return session.target().interpreter().version(); }

std::string local_time(const google::protobuf::Timestamp& time) {
  const std::time_t seconds = time.seconds();
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return "";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

std::string session_line(const v1::Session& session) {
  std::string result = "Session " + session.id();
  if (!session.name().empty()) result += fmt::format(" ({})", session.name());
  result += fmt::format(": {} of `{}`, process {}", human_duration(session.duration_ns()),
                        cut_end(joined_command(session.target()), 60), session.target().pid());
  if (!python_version(session).empty()) result += ", CPython " + python_version(session);
  if (session.config().trace().empty())
    result +=
        fmt::format(", {} at {} Hz",
                    session.config().mode() == v1::SAMPLE_MODE_CPU ? "CPU time" : mode_name(session.config().mode()),
                    session.config().rate_hz());
  else
    result += fmt::format(", traced: {}", fmt::join(session.config().trace(), ", "));
  if (session.config().has_ring())
    result += ", the last " + human_duration(TimeUtil::DurationToNanoseconds(session.config().ring())) + " of it";
  if (session.config().sampler() == "reads") result += ", by reads from outside";
  if (session.lowest_rate_hz() != 0)
    result += fmt::format(", lowered to {:.4g} Hz by --max-cpu {:.4g}% or --max-memory {}", session.lowest_rate_hz(),
                          session.config().max_cpu_percent(), human_bytes(session.config().max_memory_bytes()));
  return visible(result);
}

std::string session_details(const v1::Session& session) {
  const v1::Target& target = session.target();
  const v1::Host& host = session.host();
  Facts facts;
  facts.add("id", session.id());
  facts.add("name", session.name());
  facts.add("state", state_text(session));
  facts.add("started", local_time(session.started_at()));
  facts.add("duration", human_duration(session.duration_ns()));
  facts.add("recorded", human_loss(session.loss(), recorded_unit(session)));
  facts.add("shared with", session.shared_with().empty() ? "" : "group " + session.shared_with());
  facts.add("size", human_bytes(session.bytes()));
  facts.add("process", fmt::format("{} of user {}", target.pid(), target.uid()));
  if (target.namespace_pid() != 0 && target.namespace_pid() != target.pid())
    facts.add("inside", fmt::format("process {} of its pid namespace", target.namespace_pid()));
  facts.add("container", target.container_id());
  facts.add("control group", target.cgroup());
  facts.add("command", joined_command(target));
  facts.add("directory", target.working_directory());
  facts.add("python", fmt::format("{} {}{}", target.interpreter().implementation(), target.interpreter().version(),
                                  target.interpreter().free_threaded() ? ", free-threaded" : ""));
  facts.add("executable", target.interpreter().executable());
  facts.add("runtime", target.interpreter().runtime_module());
  facts.add("host", fmt::format("{}, Linux {} {}, {} CPUs, {}", host.name(), host.kernel(), host.machine(), host.cpus(),
                                human_bytes(host.memory_bytes())));
  facts.add("sampling", fmt::format("{} mode, {} Hz, {}", mode_name(session.config().mode()),
                                    session.config().rate_hz(), session.config().sampler()));
  facts.add("recorder", fmt::format("pycroscoped {}, used {} of CPU time, first sample after {}",
                                    session.recorder_version(), human_duration(session.recorder_cpu_ns()),
                                    session.first_sample_ns() < 0 ? "-" : human_duration(session.first_sample_ns())));
  for (const auto& [name, value] : sorted_environment(target)) facts.add("environment", name + "=" + value);
  facts.add("also set", names_of_environment(target));
  return facts.text();
}

std::string session_row_json(const v1::Session& session) { return row_object(session).str(); }

std::string session_json(const v1::Session& session) {
  const v1::Target& target = session.target();
  JsonObject object = row_object(session);
  object.text_or_null("failure", session.failure())
      .text_or_null("end_reason", session.end_reason())
      .raw("lowest_rate_hz", session.lowest_rate_hz() == 0 ? "null" : fmt::format("{}", session.lowest_rate_hz()))
      .number("owner_uid", session.owner_uid())
      .raw("arguments", json_array(target.command(), [](const std::string& argument) { return json_string(argument); }))
      .text_or_null("working_directory", target.working_directory())
      .number("namespace_pid", target.namespace_pid())
      .text_or_null("cgroup", target.cgroup())
      .text_or_null("container_id", target.container_id())
      .number("uid", target.uid())
      .number("gid", target.gid())
      .raw("interpreter", interpreter_json(target.interpreter()))
      .raw("environment", environment_json(target))
      .raw("environment_names",
           json_array(target.environment_names(), [](const std::string& name) { return json_string(name); }))
      .raw("host", host_json(session.host()))
      .raw("config", config_json(session.config()))
      .raw("loss", loss_json(session.loss()))
      .text("recorder_version", session.recorder_version())
      .number("recorder_cpu_ns", session.recorder_cpu_ns());
  object.raw("first_sample_ns", session.first_sample_ns() < 0 ? "null" : fmt::format("{}", session.first_sample_ns()));
  return object.str() + "\n";
}

}  // namespace pycroscope
