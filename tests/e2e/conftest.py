"""Fixtures of the end-to-end tests: a store for each test, targets on each interpreter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from interpreters import is_there, wanted
from program import Program, daemon

DEBIAN = wanted()[0]


def pytest_generate_tests(metafunc):
    if "interpreter" in metafunc.fixturenames:
        names = getattr(metafunc.module, "INTERPRETERS", None)
        chosen = [each for each in wanted() if names is None or each.name in names]
        metafunc.parametrize("interpreter", chosen, ids=lambda interpreter: interpreter.name, indirect=True)


@pytest.fixture
def interpreter(request):
    if not is_there(request.param):
        pytest.skip(f"{request.param.name} is missing: run tests/interpreters.py fetch as root")
    return request.param


@pytest.fixture
def traceable(interpreter):
    if not interpreter.can_be_traced:
        pytest.skip("its version cannot be traced")
    return interpreter


@pytest.fixture
def debian():
    """Debian's own interpreter, for what does not depend on the version."""
    return DEBIAN


@pytest.fixture(params=["ebpf", "reads"])
def sampler(request) -> str:
    """Both ways of sampling."""
    return request.param


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def program(store: Path) -> Program:
    """The program without a daemon."""
    return Program(store, "--store", str(store))


@pytest.fixture(params=["alone", "daemon"])
def either(request, store: Path):
    """The program without and with a daemon."""
    if request.param == "alone":
        yield Program(store, "--store", str(store))
    else:
        with daemon(store) as client:
            yield client


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The service's messages and methods."""
    from api import Api  # gRPC is needed by few tests

    return Api(tmp_path_factory.mktemp("api"))


@pytest.fixture
def served(api):
    """A service with users, sessions and targets, for hostile clients."""
    from hostile import service

    with service(api) as made:
        yield made


@pytest.fixture(autouse=True, scope="session")
def _root():
    if os.geteuid() != 0:
        pytest.skip("the end-to-end tests need root: they load BPF programs and run as other users")
