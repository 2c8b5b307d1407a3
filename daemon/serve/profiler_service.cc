#include "daemon/serve/profiler_service.h"

#include <string>
#include <string_view>
#include <utility>

#include "daemon/serve/status.h"

namespace pycroscope {
namespace {

grpc::Status reply(grpc::ServerContext* context, const Status& status) {
  return status ? grpc::Status::OK : to_grpc(status.error(), *context);
}

template <class T>
grpc::Status reply(grpc::ServerContext* context, Result<T> result, T* response) {
  if (!result) return to_grpc(result.error(), *context);
  *response = *std::move(result);
  return grpc::Status::OK;
}

Cancelled cancelled_by(grpc::ServerContext* context) {
  return [context] { return context->IsCancelled(); };
}

// Write() waits while the client does not read: that is the back-pressure.
ChunkSink chunks_to(grpc::ServerWriter<v1::Chunk>* writer) {
  return [writer](std::string_view data) -> Status {
    v1::Chunk chunk;
    chunk.set_data(data.data(), data.size());
    if (writer->Write(chunk)) return {};
    return fail(ErrorCode::kFailed, "the client went away");
  };
}

UpdateSink updates_to(grpc::ServerWriter<v1::RecordingUpdate>* writer) {
  return [writer](const v1::RecordingUpdate& update) { return writer->Write(update); };
}

}  // namespace

grpc::Status ProfilerService::GetVersion(grpc::ServerContext* context, const v1::GetVersionRequest*,
                                         v1::GetVersionResponse* response) {
  return reply(context, engine_.version(caller_), response);
}

grpc::Status ProfilerService::ListProcesses(grpc::ServerContext* context, const v1::ListProcessesRequest*,
                                            v1::ListProcessesResponse* response) {
  return reply(context, engine_.list_processes(caller_), response);
}

grpc::Status ProfilerService::Attach(grpc::ServerContext* context, const v1::AttachRequest* request,
                                     grpc::ServerWriter<v1::RecordingUpdate>* writer) {
  return reply(context, engine_.attach(caller_, *request, updates_to(writer), cancelled_by(context)));
}

grpc::Status ProfilerService::StopRecording(grpc::ServerContext* context, const v1::StopRecordingRequest* request,
                                            v1::StopRecordingResponse* response) {
  return reply(context, engine_.stop_recording(caller_, request->session()), response->mutable_session());
}

grpc::Status ProfilerService::WatchRecording(grpc::ServerContext* context, const v1::WatchRecordingRequest* request,
                                             grpc::ServerWriter<v1::RecordingUpdate>* writer) {
  return reply(context, engine_.watch_recording(caller_, *request, updates_to(writer), cancelled_by(context)));
}

grpc::Status ProfilerService::Dump(grpc::ServerContext* context, const v1::DumpRequest* request,
                                   v1::DumpResponse* response) {
  return reply(context, engine_.dump(caller_, *request), response);
}

grpc::Status ProfilerService::ListSessions(grpc::ServerContext* context, const v1::ListSessionsRequest*,
                                           v1::ListSessionsResponse* response) {
  return reply(context, engine_.list_sessions(caller_), response);
}

grpc::Status ProfilerService::GetSession(grpc::ServerContext* context, const v1::GetSessionRequest* request,
                                         v1::Session* response) {
  return reply(context, engine_.get_session(caller_, request->session()), response);
}

grpc::Status ProfilerService::DeleteSessions(grpc::ServerContext* context, const v1::DeleteSessionsRequest* request,
                                             v1::DeleteSessionsResponse* response) {
  return reply(context, engine_.delete_sessions(caller_, *request), response);
}

grpc::Status ProfilerService::PruneSessions(grpc::ServerContext* context, const v1::PruneSessionsRequest* request,
                                            v1::DeleteSessionsResponse* response) {
  return reply(context, engine_.prune_sessions(caller_, *request), response);
}

grpc::Status ProfilerService::PackSession(grpc::ServerContext* context, const v1::PackSessionRequest* request,
                                          grpc::ServerWriter<v1::Chunk>* writer) {
  return reply(context, engine_.pack_session(caller_, request->session(), chunks_to(writer)));
}

grpc::Status ProfilerService::UnpackSession(grpc::ServerContext* context, grpc::ServerReader<v1::Chunk>* reader,
                                            v1::Session* response) {
  const auto read = [context, reader]() -> Result<std::string> {
    v1::Chunk chunk;
    // An empty chunk in the middle must not look like the end.
    while (reader->Read(&chunk)) {
      if (!chunk.data().empty()) return std::move(*chunk.mutable_data());
    }
    if (context->IsCancelled()) return fail(ErrorCode::kFailed, "the client went away");
    return std::string();
  };
  return reply(context, engine_.unpack_session(caller_, read), response);
}

grpc::Status ProfilerService::ShareSession(grpc::ServerContext* context, const v1::ShareSessionRequest* request,
                                           v1::Session* response) {
  return reply(context, engine_.share_session(caller_, *request), response);
}

grpc::Status ProfilerService::SnapshotSession(grpc::ServerContext* context, const v1::SnapshotSessionRequest* request,
                                              v1::Session* response) {
  return reply(context, engine_.snapshot_session(caller_, *request), response);
}

grpc::Status ProfilerService::GetView(grpc::ServerContext* context, const v1::ViewRequest* request,
                                      v1::View* response) {
  return reply(context, engine_.view(caller_, *request, cancelled_by(context)), response);
}

grpc::Status ProfilerService::ListEvents(grpc::ServerContext* context, const v1::ListEventsRequest* request,
                                         v1::EventPage* response) {
  return reply(context, engine_.events(caller_, *request, cancelled_by(context)), response);
}

grpc::Status ProfilerService::GetSource(grpc::ServerContext* context, const v1::GetSourceRequest* request,
                                        v1::GetSourceResponse* response) {
  return reply(context, engine_.source(caller_, *request), response->mutable_content());
}

grpc::Status ProfilerService::Export(grpc::ServerContext* context, const v1::ExportRequest* request,
                                     grpc::ServerWriter<v1::Chunk>* writer) {
  return reply(context, engine_.export_session(caller_, *request, chunks_to(writer), cancelled_by(context)));
}

grpc::Status ProfilerService::Diagnose(grpc::ServerContext* context, const v1::DiagnoseRequest* request,
                                       v1::DiagnoseResponse* response) {
  return reply(context, engine_.diagnose(caller_, *request), response);
}

}  // namespace pycroscope
