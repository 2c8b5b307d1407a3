// Everything the API can do, in-process: serve/ and the command line's in-process channel are doors into it.
// Thread-safe. Every call is made for a Caller and obeys "who may do what".
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "analysis/model/result.h"
#include "daemon/session/audit_log.h"
#include "daemon/session/caller.h"
#include "daemon/session/housekeeper.h"
#include "daemon/session/recording.h"
#include "daemon/session/sampler_cache.h"
#include "daemon/session/service_policy.h"
#include "daemon/store/store.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

using ChunkSink = std::function<Status(std::string_view)>;

class Engine {
 public:
  explicit Engine(Store store);
  ~Engine();  // ends all recordings and keeps them

  // For services, before the first call: the policy holds from now on, who looks into which process is written to
  // `audit`, and the sampler of the next recording is loaded beforehand.
  void begin_service(const ServicePolicy& policy, std::shared_ptr<spdlog::logger> audit);
  // Ends all recordings as interrupted, waits for them, and begins no more.
  void end_service();

  Result<v1::GetVersionResponse> version(const Caller&) const;
  Result<v1::ListProcessesResponse> list_processes(const Caller&) const;

  // Blocks until the recording has ended, or, when `detached`, until it is live. A client that goes away ends its
  // recording, which is kept once it was said to be live.
  Status attach(const Caller&, const v1::AttachRequest&, const UpdateSink&, const Cancelled&);
  // Blocks until the recording has ended.
  Result<v1::Session> stop_recording(const Caller&, const std::string& session);
  Status watch_recording(const Caller&, const v1::WatchRecordingRequest&, const UpdateSink&, const Cancelled&);

  Result<v1::DumpResponse> dump(const Caller&, const v1::DumpRequest&) const;

  Result<v1::ListSessionsResponse> list_sessions(const Caller&) const;
  Result<v1::Session> get_session(const Caller&, const std::string& session) const;
  Result<v1::DeleteSessionsResponse> delete_sessions(const Caller&, const v1::DeleteSessionsRequest&);
  Result<v1::DeleteSessionsResponse> prune_sessions(const Caller&, const v1::PruneSessionsRequest&);
  Status pack_session(const Caller&, const std::string& session, const ChunkSink&) const;
  Result<v1::Session> unpack_session(const Caller&, const std::function<Result<std::string>()>& read);
  Result<v1::Session> share_session(const Caller&, const v1::ShareSessionRequest&);
  Result<v1::Session> snapshot_session(const Caller&, const v1::SnapshotSessionRequest&);

  Result<v1::View> view(const Caller&, const v1::ViewRequest&, const Cancelled&) const;
  Result<v1::EventPage> events(const Caller&, const v1::ListEventsRequest&, const Cancelled&) const;
  Result<std::string> source(const Caller&, const v1::GetSourceRequest&) const;
  Status export_session(const Caller&, const v1::ExportRequest&, const ChunkSink&, const Cancelled&) const;

  Result<v1::DiagnoseResponse> diagnose(const Caller&, const v1::DiagnoseRequest&) const;

 private:
  // The running recording that `reference` names among the sessions that the caller sees; null when that session does
  // not run here.
  Result<std::shared_ptr<Recording>> find_recording(const Caller&, const std::string& reference) const;
  // kFailed when its owner has too many already.
  Status add_recording(std::shared_ptr<Recording> recording);
  Result<std::shared_ptr<Recording>> start_recording(const Caller&, const v1::AttachRequest&, const Result<pid_t>& pid,
                                                     const Cancelled&);
  // What the service's policy wants of a recording of this owner.
  RecordingTerms terms_for(uid_t owner);
  // kNoSpace when the caller's quota has no room for one more session.
  Status check_quota(const Caller&) const;
  uint64_t bytes_of(uid_t owner) const;
  size_t running_of(uid_t owner) const;
  void end_what_exceeds_its_quota();
  void tell_of_store_change();
  Result<std::unique_ptr<EventReader>> read(const Caller&, const std::string& session, const Cancelled&) const;
  void add_service_checks(const Caller&, v1::DiagnoseResponse&) const;
  Result<v1::DumpResponse> dump_process(const Caller&, pid_t, const v1::DumpRequest&) const;
  // By pid, the ids of the caller's running recordings.
  std::unordered_map<pid_t, std::string> recordings_of(const Caller&) const;

  Store store_;
  SamplerCache samplers_;
  std::optional<ServicePolicy> policy_;  // set before the first call
  std::unique_ptr<AuditLog> audit_;      // as above
  mutable std::mutex mutex_;
  bool ending_ = false;                                 // guarded by mutex_
  std::vector<std::shared_ptr<Recording>> recordings_;  // guarded by mutex_
  std::unique_ptr<Housekeeper> housekeeper_;            // ends after the recordings do
};

}  // namespace pycroscope
