// A recording as its client sees it: starts it, follows it, ends it when the user wants.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "analysis/model/result.h"
#include "client/cli/connection.h"
#include "pycroscope/v1/service.pb.h"

namespace pycroscope {

v1::AttachRequest make_attach_request(const RecordOptions& options);

// kFailed when something but its user or its target has ended it.
Status check_ended_well(const v1::Session& session);

// One recording. run() belongs to one thread; interrupt() may be called from any.
class RecordingClient {
 public:
  struct Outcome {
    v1::Session session;      // final
    bool never_live = false;  // interrupted before it was live: nothing was kept
  };

  // Returns when the recording has ended. `on_update` sees every update, the live one first.
  Result<Outcome> run(const Connection& connection, const v1::AttachRequest& request,
                      const std::function<void(const v1::RecordingUpdate&)>& on_update);

  // Ends the recording, which is kept if it was live already. Before run() too.
  void interrupt();

  // Keeps what there is so far as a session of its own; the recording goes on. Any thread.
  Result<v1::Session> snapshot();

 private:
  std::mutex mutex_;
  bool interrupted_ = false;
  const Connection* connection_ = nullptr;  // while run() runs
  grpc::ClientContext* context_ = nullptr;  // while run() runs
  std::string live_session_;                // empty: not live yet

  bool begin(const Connection& connection, grpc::ClientContext& context);  // false: interrupted already
  bool end();                                                              // false: interrupted before it was live
  bool set_live(const std::string& session);                               // false: interrupted already
};

}  // namespace pycroscope
