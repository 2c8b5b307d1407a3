"""The layering check finds what it is there to find."""

import pytest
from layering import problems

FORBIDDEN = [
    ("bpf/cpu.bpf.c", '#include "analysis/model/ids.h"'),
    ("analysis/passes/tree.cc", '#include "daemon/store/store.h"'),
    ("analysis/model/events.cc", '#include "analysis/passes/pass.h"'),
    ("daemon/os/fd.cc", '#include "daemon/target/process.h"'),
    ("daemon/target/process.cc", '#include "daemon/python/interpreter.h"'),
    ("daemon/store/store.cc", '#include "daemon/target/process.h"'),
    ("daemon/store/store.cc", '#include "analysis/passes/pass.h"'),
    ("daemon/collect/cpu.cc", '#include "daemon/session/engine.h"'),
    ("daemon/session/engine.cc", '#include "pycroscope/v1/service.grpc.pb.h"'),
    ("daemon/session/engine.cc", "#include <rocksdb/db.h>"),
    ("daemon/python/dump.cc", "  if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0) {"),
    ("client/cli/attach.cc", '#include "daemon/session/engine.h"'),
    ("daemon/os/fd.cc", '#include "tests/unit/support/x.h"'),
    ("daemon/newcomer/x.cc", ""),
    ("elsewhere/x.cc", ""),
]
ALLOWED = [
    ("bpf/cpu.bpf.c", '#include "bpf/include/records.h"'),
    ("analysis/passes/tree.cc", '#include "pycroscope/v1/views.pb.h"'),
    ("daemon/collect/cpu.cc", '#include "bpf/cpu.skel.h"'),
    ("daemon/os/ptrace.cc", "  ptrace(PTRACE_SEIZE, tid, 0, 0);"),
    ("daemon/store/store.cc", "#include <rocksdb/db.h>"),
    ("daemon/serve/door.cc", "#include <grpcpp/server.h>"),
    ("tests/unit/daemon/store/x_test.cc", '#include "daemon/store/store.h"'),
]


@pytest.mark.parametrize(("path", "line"), FORBIDDEN)
def test_forbidden(path, line):
    assert len(problems(path, line)) == 1


@pytest.mark.parametrize(("path", "line"), ALLOWED)
def test_allowed(path, line):
    assert problems(path, line) == []
