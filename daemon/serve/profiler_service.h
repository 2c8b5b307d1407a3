// The gRPC service of one caller: hands each request to the engine. No logic.
#pragma once

#include "daemon/session/engine.h"
#include "pycroscope/v1/service.grpc.pb.h"

namespace grpc {
class ServerBuilder;
}

namespace pycroscope {

class ProfilerService final : public v1::Profiler::Service {
 public:
  ProfilerService(Engine& engine, Caller caller) : engine_(engine), caller_(std::move(caller)) {}

  grpc::Status GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*, v1::GetVersionResponse*) override;
  grpc::Status ListProcesses(grpc::ServerContext*, const v1::ListProcessesRequest*,
                             v1::ListProcessesResponse*) override;
  grpc::Status Attach(grpc::ServerContext*, const v1::AttachRequest*,
                      grpc::ServerWriter<v1::RecordingUpdate>*) override;
  grpc::Status StopRecording(grpc::ServerContext*, const v1::StopRecordingRequest*,
                             v1::StopRecordingResponse*) override;
  grpc::Status WatchRecording(grpc::ServerContext*, const v1::WatchRecordingRequest*,
                              grpc::ServerWriter<v1::RecordingUpdate>*) override;
  grpc::Status Dump(grpc::ServerContext*, const v1::DumpRequest*, v1::DumpResponse*) override;
  grpc::Status ListSessions(grpc::ServerContext*, const v1::ListSessionsRequest*, v1::ListSessionsResponse*) override;
  grpc::Status GetSession(grpc::ServerContext*, const v1::GetSessionRequest*, v1::Session*) override;
  grpc::Status DeleteSessions(grpc::ServerContext*, const v1::DeleteSessionsRequest*,
                              v1::DeleteSessionsResponse*) override;
  grpc::Status PruneSessions(grpc::ServerContext*, const v1::PruneSessionsRequest*,
                             v1::DeleteSessionsResponse*) override;
  grpc::Status PackSession(grpc::ServerContext*, const v1::PackSessionRequest*,
                           grpc::ServerWriter<v1::Chunk>*) override;
  grpc::Status UnpackSession(grpc::ServerContext*, grpc::ServerReader<v1::Chunk>*, v1::Session*) override;
  grpc::Status ShareSession(grpc::ServerContext*, const v1::ShareSessionRequest*, v1::Session*) override;
  grpc::Status SnapshotSession(grpc::ServerContext*, const v1::SnapshotSessionRequest*, v1::Session*) override;
  grpc::Status GetView(grpc::ServerContext*, const v1::ViewRequest*, v1::View*) override;
  grpc::Status ListEvents(grpc::ServerContext*, const v1::ListEventsRequest*, v1::EventPage*) override;
  grpc::Status GetSource(grpc::ServerContext*, const v1::GetSourceRequest*, v1::GetSourceResponse*) override;
  grpc::Status Export(grpc::ServerContext*, const v1::ExportRequest*, grpc::ServerWriter<v1::Chunk>*) override;
  grpc::Status Diagnose(grpc::ServerContext*, const v1::DiagnoseRequest*, v1::DiagnoseResponse*) override;

 private:
  Engine& engine_;
  const Caller caller_;
};

}  // namespace pycroscope
