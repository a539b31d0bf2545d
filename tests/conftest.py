"""What all tests share: names that no other test uses, and an orderly end when pytest is ended."""

import os
import re
import signal
import uuid

import hypothesis
import pytest

pytest_plugins = ["tests.local_stack"]


# A run that fails must fail again, and nothing fails by the time it takes;
# HYPOTHESIS_PROFILE=default looks for new examples instead.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure(config: pytest.Config) -> None:
    # Terminated, pytest would leave without tearing its fixtures down, and the local stack would
    # stay; as an interrupt it ends like ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture
def job_name(request: pytest.FixtureRequest) -> str:
    """A name that belongs to this test alone: for a job, and as the prefix of its topics."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{words[:40].strip('-')}-{uuid.uuid4().hex[:8]}"
