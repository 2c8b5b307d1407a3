"""Runs tests when told to: trace_suites.py unittest MODULES... or trace_suites.py pytest FOLDER ARGUMENTS...

Prints "ready", waits for a line, runs the tests silently, and prints what came of each as JSON, by the test's name.
"""

import collections
import json
import os
import sys
import unittest

outcomes = collections.defaultdict(list)  # those of its subtests, too


class Result(unittest.TestResult):
    def addSuccess(self, test):
        outcomes[test.id()].append("passed")

    def addFailure(self, test, error):
        outcomes[test.id()].append("failed: " + self._exc_info_to_string(error, test)[-1000:])

    addError = addFailure

    def addSkip(self, test, reason):
        outcomes[test.id()].append("skipped")

    def addExpectedFailure(self, test, error):
        outcomes[test.id()].append("failed as expected")

    def addUnexpectedSuccess(self, test):
        outcomes[test.id()].append("passed unexpectedly")

    def addSubTest(self, test, subtest, error):
        if error:
            self.addFailure(subtest, error)


def run_unittest(modules):
    from test import support

    support.use_resources = ["cpu", "subprocess"]
    unittest.defaultTestLoader.loadTestsFromNames(modules).run(Result())


class Plugin:
    def pytest_runtest_logreport(self, report):
        if report.when == "call" or not report.passed:
            said = ": " + str(report.longrepr)[-1000:] if report.failed else ""
            outcomes[report.nodeid].append(report.outcome + said)


def run_pytest(folder, *arguments):
    import pytest

    os.chdir(folder)
    with open("none.ini", "w") as settings:
        settings.write("[pytest]\n")
    pytest.main(["-c", "none.ini", "-p", "no:cacheprovider", *arguments], plugins=[Plugin()])


if __name__ == "__main__":
    if not os.path.exists(os.devnull):  # in the roots that tests have
        os.devnull = os.path.join(os.environ["TMPDIR"], "null")
        open(os.devnull, "w").close()
    if sys.argv[1] == "pytest":
        import pytest  # noqa: F401
    print("ready", flush=True)
    sys.stdin.readline()
    answer = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    kind, *arguments = sys.argv[1:]
    run_unittest(arguments) if kind == "unittest" else run_pytest(*arguments)
    with os.fdopen(answer, "w") as out:
        print(json.dumps(outcomes), file=out, flush=True)
    os._exit(0)
