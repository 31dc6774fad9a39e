"""A law to draw."""

import pytest

from gpdeep.finite import angle_law


@pytest.fixture(scope="module")
def law():
    return angle_law([64] * 20)
