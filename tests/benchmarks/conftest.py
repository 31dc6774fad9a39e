"""Timings run only when asked for: they need a quiet core, which a test run in parallel is not."""

import pytest


def pytest_collection_modifyitems(config, items):
    asked = config.getoption("benchmark_enable", default=False)
    parallel = hasattr(config, "workerinput") or config.getoption("numprocesses", default=None)
    if asked and not parallel:
        return
    reason = (
        "timings beside other tests mean nothing: add -n 0"
        if asked
        else "a benchmark; run by: pytest tests/benchmarks --benchmark-enable -n 0 -s"
    )
    for item in items:
        if item.get_closest_marker("benchmark_ratio"):
            item.add_marker(pytest.mark.skip(reason=reason))
