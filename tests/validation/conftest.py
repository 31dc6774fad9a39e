"""What tests that train networks ask for with `usefixtures`."""

import pytest


@pytest.fixture
def one_thread():
    """One thread of torch, and its global generator left as it was."""
    torch = pytest.importorskip("torch", reason="the experiments train networks")
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    yield
    assert torch.equal(torch.get_rng_state(), state), "an experiment drew from torch's global generator"
    torch.set_num_threads(threads)
