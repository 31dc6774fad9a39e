"""E1's plan, its claims on laws that are true and on laws that are not, and what it adds up."""

import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks with real weights are torch's")

from scipy import stats

from gpdeep.agreement import count_test, law_test, mean_test, same_law_test
from gpdeep.finite import angle_law
from validation.claim import Kind
from validation.e1_initialisation_laws import EXPERIMENT, design, trial
from validation.e1_initialisation_laws.kept_tests import kept, law_claim
from validation.e1_initialisation_laws.kept_tests import test_of as rebuilt
from validation.e1_initialisation_laws.means import merged
from validation.e1_initialisation_laws.simulate import real_networks, sampled_layers
from validation.experiment import Settings, Size

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = dataclasses.replace(
    design.DESIGNS[Size.SMOKE],
    real_widths=(16,),
    real_networks=150,
    chain_widths=(8, 32),
    chain_networks=1000,
    cells=((32, 8),),
    cell_networks=300,
    cell_chains=1000,
    control=(16, 30),
    control_networks=300,
    mean_widths=(32, 64),
    mean_layers=(1, 10, 20),
    mean_networks=4000,
    chunk=2000,
    shape=((64, 20),),
    map_networks=50,
    curves=((32, 6, 400), (8, 6, 400)),
)


@pytest.fixture(scope="module")
def small_run():
    """Plan and results of a smaller smoke run, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(design.DESIGNS, Size.SMOKE, SMALL)
        settings = Settings(size=Size.SMOKE)
        units = EXPERIMENT.plan(settings)
        results = [trial(unit.specification, **unit.settings) for unit in units]
        yield settings, units, results


@pytest.mark.parametrize("size", list(Size))
def test_plan_has_unique_keys_and_is_the_same_every_time(size):
    one, two = ([unit.key for unit in EXPERIMENT.plan(Settings(size=size))] for _ in range(2))
    assert one == two
    assert len(set(one)) == len(one)
    other = {unit.key for unit in EXPERIMENT.plan(Settings(size=size, seed=1))}
    assert not other & set(one)


def test_device_is_no_part_of_a_key():
    plans = [EXPERIMENT.plan(Settings(size=Size.FULL, device=device)) for device in ("cpu", "cuda")]
    assert [unit.key for unit in plans[0]] == [unit.key for unit in plans[1]]
    assert {unit.settings["device"] for unit in plans[1]} == {"cuda"}


def test_full_size_reaches_what_it_is_for():
    full = design.DESIGNS[Size.FULL]
    assert max(full.mean_widths) == 2048
    assert max(full.mean_layers) == 500
    assert full.mean_networks == full.chain_networks == 10**6


def test_true_laws_pass_and_wrong_theories_are_refused(small_run):
    settings, _, results = small_run
    claims = {claim.id: claim for claim in EXPERIMENT.claims(settings, results)}
    laws = [claim for claim in claims.values() if claim.kind is Kind.LAW]
    assert len(laws) == 7
    # families at 1e-3 each, at fixed seeds
    assert {claim.verdict for claim in laws} == {"CONSISTENT"}
    for id in ("E1.drift", "E1.mean.ratio", "E1.shape"):
        assert claims[id].verdict == "MET", id
    for id in ("E1.control.sigma_10_percent", "E1.control.lecun", "E1.control.width_doubled"):
        assert claims[id].verdict == "REFUSED", id
    # as declared: 4,000 networks cannot confirm the grid's own error of 0.1 % of a standard deviation
    assert claims["E1.mean.own_error"].verdict == "INCONCLUSIVE"
    assert claims["E1.mean.grid"].good
    assert claims["E1.mean.grid"].rival > claims["E1.mean.grid"].prediction


def test_claims_survive_what_did_not_come_in(small_run):
    settings, units, results = small_run
    nothing = EXPERIMENT.claims(settings, [None] * len(units))
    assert {claim.id for claim in nothing} == {claim.id for claim in EXPERIMENT.claims(settings, results)}
    assert not any(claim.good for claim in nothing)


def test_curves_of_real_networks_lie_on_the_grid(small_run):
    """Told, not judged; the claim's numbers are those of the first curve's last layer."""
    settings, _, results = small_run
    (claim,) = [claim for claim in EXPERIMENT.claims(settings, results) if claim.id == "E1.by_layer"]
    assert claim.verdict == "REPORTED"
    assert claim.good is None
    found = claim.details
    assert (found["width"], found["depth"], found["networks"]) == ([32, 8], [6, 6], [400, 400])
    assert claim.estimate == found["mean"][0][-1]
    assert claim.standard_error == found["standard_error"][0][-1]
    z = []
    for width, mean, error in zip(found["width"], found["mean"], found["standard_error"], strict=True):
        z.append((np.array(mean) - angle_law([width] * 6).mean) / error)
    # twelve comparisons at 4 standard errors: 1e-3; the grid's own error is a hundredth of a standard error
    assert np.abs(z).max() < 4
    # the control: infinite width is refused by the same networks
    infinite = angle_law([32] * 6, method="infinite").mean
    assert np.abs((np.array(found["mean"][0]) - infinite) / found["standard_error"][0]).max() > 4
    narrow = found["alive"][1]
    assert narrow == sorted(narrow, reverse=True)
    assert narrow[-1] < 400  # pairs are lost at width 8


def test_a_curve_without_survivors_is_told_without_numbers(small_run):
    settings, units, _ = small_run
    nothing = {"alive": [1, 0, 0, 0, 0, 0], "mean": [-0.5, *[None] * 5], "std": [None] * 6}
    results = [nothing if unit.specification["part"] == "by_layer" else None for unit in units]
    (claim,) = [claim for claim in EXPERIMENT.claims(settings, results) if claim.id == "E1.by_layer"]
    assert claim.details["standard_error"] == [[None] * 6] * 2
    assert (claim.estimate, claim.verdict) == (None, "REPORTED")


def test_shifted_means_disagree(small_run):
    """The control: half a nat, what infinite width is off by, is not agreed with."""
    settings, _, results = small_run
    shifted = []
    for result in results:
        moved = dict(result)
        if "moments" in moved:
            moved["moments"] = {k: [n, mean + 0.5, *rest] for k, (n, mean, *rest) in moved["moments"].items()}
        shifted.append(moved)
    claims = {claim.id: claim for claim in EXPERIMENT.claims(settings, shifted)}
    assert claims["E1.mean.grid"].verdict == "DISAGREE"
    assert claims["E1.mean.own_error"].verdict == "DISAGREE"
    assert claims["E1.mean.ratio"].verdict == "MISSED"


def test_kept_tests_are_the_tests_that_were_made():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(50)
    made = [
        mean_test(x, 0.1, std=1.0, rival=0.3),
        mean_test(x, 0.1),
        law_test(x, stats.norm.cdf),
        same_law_test(x, rng.standard_normal(40)),
        count_test(3, 50, 0.1),
    ]
    for test in made:
        again = rebuilt(kept(test))
        assert again.kind is test.kind
        assert again.p_value == test.p_value
        assert again.detectable(0.01) == test.detectable(0.01)


def test_a_law_that_is_false_is_rejected():
    x = np.random.default_rng(0).standard_normal(2000)
    false = law_claim("id", "", "", {"a": law_test(1.2 * x, stats.norm.cdf), "b": law_test(x, stats.norm.cdf)}, 2)
    assert false.verdict == "REJECTED"
    assert law_claim("id", "", "", {"b": law_test(x, stats.norm.cdf)}, 2).verdict == "CONSISTENT"


def test_moments_of_parts_are_moments_of_the_whole():
    x = np.random.default_rng(1).exponential(size=1000)
    parts = []
    for part in (x[:10], x[10:300], x[300:]):
        centred = part - part.mean()
        parts.append([part.size, part.mean(), (centred**2).sum(), (centred**3).sum()])
    n, mean, std, skewness = merged(parts)
    assert n == 1000
    # a few hundred roundings each
    np.testing.assert_allclose(
        [mean, std, skewness], [x.mean(), x.std(ddof=1), stats.skew(x) * (999 / 1000) ** 1.5], rtol=1e-12
    )


def test_sampler_runs_on_torch():
    """The code path of a GPU, on a device that every machine has."""
    root = np.random.SeedSequence(0)
    (x,) = sampled_layers(64, 1, 0.5, 400, root, "cpu:0")
    (y,) = sampled_layers(64, 1, 0.5, 400, root, "cpu")
    assert stats.ks_2samp(x, y).pvalue > 1e-3


def test_networks_and_sampler_start_from_the_angle():
    """With one wide layer both give the infinite-width angle."""
    root = np.random.SeedSequence(0)
    real, _, lengths = real_networks(512, 1, 0.5, 40, root, "cpu")
    (sampled,) = sampled_layers(512, 1, 0.5, 400, root, "cpu")
    from gpdeep.gaussian import log_sin2_next

    # standard deviation of one network √(8/n) at most; 4 standard errors
    one = math.sqrt(8 / 512)
    assert abs(real.mean() - float(log_sin2_next(0.5))) < 4 * one / math.sqrt(40) + 2 / 512
    assert abs(sampled.mean() - float(log_sin2_next(0.5))) < 4 * one / math.sqrt(400) + 2 / 512
    assert abs(lengths.mean() - math.log(2)) < 4 * math.sqrt(2 / 512 / 40) + 1 / 512
