"""All tests run small networks: one thread is fastest, and the same everywhere."""

from collections import Counter

import hypothesis
import torch

from tests.executed import spare_executed

torch.set_num_threads(1)

# No test reads the clock: on a busy machine a slow example is no failure.
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")


def pytest_collection_modifyitems(items):
    spare_executed(items)


def pytest_terminal_summary(terminalreporter):
    """What was skipped, and how it would be tested: the last thing that one reads."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in skipped
    )
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"Not tested: {count} tests, {reason}")
