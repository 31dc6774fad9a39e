"""Every test with torch runs on one thread from one seed, and leaves torch's global state as it was."""

import pytest


@pytest.fixture(autouse=True)
def _one_thread():
    torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(20240229)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
