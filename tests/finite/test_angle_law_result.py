"""AngleLaw and LengthLaw as results: saved and loaded without loss, plain in JSON, consistent in shape."""

import json

import numpy as np
import pytest

import gpdeep
from gpdeep.finite import angle_law, gradient_law, length_law

LAWS = {
    "grid": lambda: angle_law([20] * 5),
    "mixture with parallel pairs": lambda: angle_law([20] * 2, [0.0, 1.0]),
    "chain": lambda: angle_law([4] * 3, 0.5, n_samples=50, rng=2),
    "chain of a leaky network": lambda: angle_law([30] * 2, phi="leaky_relu:0.1", n_samples=20),
    "nothing survives": lambda: angle_law([3, 1], n_samples=20),
    "closure": lambda: angle_law([64] * 3, method="closure"),
    "diffusion": lambda: angle_law([64] * 3, method="diffusion"),
    "jakub-nica": lambda: angle_law([64] * 3, method="jakub-nica"),
    "jakub-nica-density": lambda: angle_law([64] * 3, method="jakub-nica-density"),
    "infinite": lambda: angle_law([64] * 3, method="infinite"),
    "length": lambda: length_law([10] * 4),
    "gradient": lambda: gradient_law([10] * 4, sigma_w=1.5),
}


@pytest.mark.parametrize("name", LAWS)
def test_loading_gives_an_equal_result(name, tmp_path):
    law = LAWS[name]()
    loaded = gpdeep.load(law.save(tmp_path / "law.json"))
    assert type(loaded) is type(law)
    assert loaded == law
    assert loaded != LAWS["grid" if name != "grid" else "closure"]()
    for field in law.__dataclass_fields__:
        value = getattr(law, field)
        if isinstance(value, np.ndarray):
            assert getattr(loaded, field).dtype == value.dtype
            np.testing.assert_array_equal(getattr(loaded, field), value)


def test_a_loaded_law_answers_like_the_first(tmp_path):
    for name in ("grid", "chain"):
        law = LAWS[name]()
        loaded = gpdeep.load(law.save(tmp_path / f"{name}.json"))
        assert loaded.quantile(0.3) == law.quantile(0.3)
        assert loaded.cdf(-1.0) == law.cdf(-1.0)
    length = LAWS["length"]()
    loaded = gpdeep.load(length.save(tmp_path / "length.json"))
    np.testing.assert_array_equal(loaded.density(64), length.density(64))


@pytest.mark.parametrize("name", LAWS)
def test_dictionary_is_strict_json(name):
    text = json.dumps(LAWS[name]().to_dict(), allow_nan=False)
    assert json.loads(text)["widths"]


@pytest.mark.parametrize("name", [name for name in LAWS if name not in ("length", "gradient")])
def test_arrays_have_one_entry_a_layer_and_fates_add_up(name):
    law = LAWS[name]()
    for field in ("mean", "std", "median", "survival", "dead", "collapsed", "orthogonal", "above"):
        assert getattr(law, field).shape == law.widths.shape
    total = law.survival + law.dead + law.collapsed
    np.testing.assert_allclose(total[~np.isnan(total)], 1.0, rtol=0, atol=1e-12)
    assert law.log_tan2.shape == law.mass.shape
    assert (np.diff(law.log_tan2[:-1]) >= 0).all()
    if law.mass.size and np.isfinite(law.mean[-1]):
        assert law.mass.sum() == pytest.approx(1.0, abs=1e-9)


def test_a_sampled_law_s_quantiles_are_those_of_its_sample():
    law = LAWS["chain of a leaky network"]()
    x = -np.logaddexp(0.0, -law.log_tan2)
    assert x.size == 20
    assert law.quantile(0.501) == pytest.approx(np.sort(x)[10], rel=1e-12)
    assert law.cdf(float(np.sort(x)[9]) + 1e-9) == pytest.approx(0.5, abs=1e-12)
    assert law.error.kind == "standard_error"
    assert law.error.mean == pytest.approx(x.std(ddof=1) / np.sqrt(20), rel=1e-9)
