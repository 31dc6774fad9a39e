"""What a profile counts, how it is written, and what is refused."""

import numpy as np
import pytest

from gpdeep.errors import DomainError
from gpdeep.linearize import ChainProfile, gate_kurtosis, nonlinearity


def test_masks_and_channels_write_the_same_chain():
    masks = ChainProfile.masks([0.25, 1.0, 0.0])
    channels = ChainProfile.channels([[1, 0, 1, 1], [0, 0], [1, 1, 1]])
    assert masks == channels
    assert hash(masks) == hash(channels)
    assert masks.slopes == ((0.0, 1.0), (0.0,), (1.0,))
    assert len(masks) == 3
    np.testing.assert_array_equal(masks.active, [0.25, 1, 0])
    np.testing.assert_array_equal(masks.nonlinearity, [nonlinearity([0, 1], [1, 3]), 1, 0])
    np.testing.assert_array_equal(masks.gate_kurtosis, [gate_kurtosis([0, 1], [1, 3]), 2, 1])
    assert masks.average_path_length == 1.25


def test_a_mask_of_slope_one_is_linear():
    assert ChainProfile.masks([0.3, 0.7], 1.0) == ChainProfile.masks([0, 0])
    assert ChainProfile.masks([1.0], 0.25) == ChainProfile.channels([[0.25] * 7])


def test_degeneracy_depth_is_least_where_the_mask_is_spread():
    rng = np.random.default_rng(3)
    for _ in range(20):
        active = rng.uniform(0, 1, 12)
        level = np.full(12, active.mean())
        spread, own = ChainProfile.masks(level), ChainProfile.masks(active)
        np.testing.assert_allclose(spread.average_path_length, own.average_path_length, rtol=1e-14, atol=0)
        assert spread.degeneracy_depth < own.degeneracy_depth < own.average_path_length
    whole = ChainProfile.masks([1, 0, 1, 1])
    assert whole.degeneracy_depth == whole.average_path_length == 3


def test_channel_order_does_not_matter():
    rng = np.random.default_rng(4)
    layer = rng.uniform(-0.3, 1.0, 20)
    assert ChainProfile.channels([layer]) == ChainProfile.channels([rng.permutation(layer)])


@pytest.mark.parametrize(
    "make",
    [
        lambda: ChainProfile((), ()),
        lambda: ChainProfile(((0.0,),), ()),
        lambda: ChainProfile(((0.0, 0.0),), ((0.5, 0.5),)),
        lambda: ChainProfile(((0.0, 1.0),), ((1.0, 0.0),)),
        lambda: ChainProfile(((np.nan,),), ((1.0,),)),
        lambda: ChainProfile.masks(0.5),
        lambda: ChainProfile.masks([]),
        lambda: ChainProfile.masks([0.5, 1.5]),
        lambda: ChainProfile.masks([0.5], np.inf),
        lambda: ChainProfile.masks([[0.5, 0.5]]),
        lambda: ChainProfile.channels([]),
        lambda: ChainProfile.channels([[0.0, np.nan]]),
        lambda: ChainProfile.channels([["relu"]]),
    ],
)
def test_what_is_no_chain_is_refused(make):
    with pytest.raises(DomainError, match="to change"):
        make()
