// Errors on the wire: Error ↔ grpc::Status. The code and the sentence travel in the status; the trailer
// `pycroscope-error-bin` holds a v1::ErrorDetail with the exit code that CLI.md promises.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "analysis/model/result.h"

namespace pycroscope {

inline constexpr char kErrorTrailer[] = "pycroscope-error-bin";

// The exit code of the command line for an error: 1 failure, 2 usage, 3 target gone, 4 not permitted, 5 unavailable.
int exit_code(ErrorCode code);

// For servers: the status of a call that failed with `error`; adds the trailer to `context`.
grpc::Status to_grpc(const Error& error, grpc::ServerContextBase& context);

// For clients: what a call that failed said. `context` is the call's. Statuses that gRPC itself made (nobody answers,
// message too large, cancelled) become sentences as well.
Error from_grpc(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace pycroscope
