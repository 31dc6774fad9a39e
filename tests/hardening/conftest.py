"""Hostile calls run in a folder of their own, on one thread, and leave torch's global state as it was."""

import os

import pytest


@pytest.fixture(scope="module", autouse=True)
def _in_a_folder_of_its_own(tmp_path_factory):
    home = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("hostile"))  # files that calls read and write
    yield
    os.chdir(home)


@pytest.fixture(scope="module", autouse=True)
def _torch_as_it_was():
    try:
        import torch
    except ImportError:
        yield
        return
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
