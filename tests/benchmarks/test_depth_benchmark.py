"""What theory saves over brute force: width 512, depth 100, one thread. Run by

    python -m pytest tests/benchmarks --benchmark-enable -n 0 -s

Brute force is what one would write without theory: draw float32 weights, multiply, ReLU, measure the angle, again for
every sample. How many samples it needs for 1 % of the mean and of the standard deviation follows from the law itself,

    N_mean = ( std / (0.01 |mean|) )²,      N_std = (κ - 1) / (4 · 0.01²),   κ = E(x-μ)⁴/std⁴,

the second by the delta method for the sample standard deviation. All figures are taken in one run, each
as the least of several repetitions in CPU seconds, and mostly as ratios, so that the machine drops out.
"""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from gpdeep.finite import angle_law
from gpdeep.finite.uniform import log_sin2_of

pytestmark = pytest.mark.benchmark_ratio

WIDTHS = [512] * 100
BRUTE_SAMPLES, CHAIN_SAMPLES = 4, 256


def least_seconds(work, repetitions):
    """CPU seconds of the quickest repetition: what remains when nothing else disturbs."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def samples_needed(law, error=0.01):
    """(N_mean, N_std) for a relative standard error."""
    x = log_sin2_of(law.log_tan2)
    deviation = x - law.mass @ x
    var = law.mass @ deviation**2
    kurtosis = law.mass @ deviation**4 / var**2
    return float(var / (error * law.mean[-1]) ** 2), float((kurtosis - 1) / 4 / error**2)


@pytest.fixture(scope="module")
def one_thread():
    torch = pytest.importorskip("torch")
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads)


def brute_force(samples, widths=WIDTHS):
    """ln sin² of two orthogonal inputs after real float32 networks, fresh weights for each sample."""
    import torch

    generator = torch.Generator().manual_seed(0)
    found = []
    with torch.inference_mode():
        for _ in range(samples):
            h = torch.eye(2, widths[0])
            for width in widths:
                weight = torch.randn(width, h.shape[1], generator=generator) * (2 / h.shape[1]) ** 0.5
                h = torch.relu(h @ weight.T)
            unit = (h / h.norm(dim=1, keepdim=True)).double()
            found.append(float(torch.log1p(-((unit[0] @ unit[1]) ** 2))))
    return found


@pytest.fixture(scope="module")
def figures(one_thread):
    """All timings of width 512, depth 100, taken in turn."""
    law = angle_law(WIDTHS)  # the first call loads tables
    brute_force(1)
    grid = least_seconds(lambda: angle_law(WIDTHS), 20)
    brute = least_seconds(lambda: brute_force(BRUTE_SAMPLES), 5) / BRUTE_SAMPLES
    chain = least_seconds(lambda: angle_law(WIDTHS, method="chain", n_samples=CHAIN_SAMPLES), 5) / CHAIN_SAMPLES
    n_mean, n_std = samples_needed(law)
    table = SimpleNamespace(grid=grid, brute=brute, chain=chain, n_mean=n_mean, n_std=n_std, law=law)
    print(
        f"\nwidth 512, depth 100, one thread: 1 % of the mean takes {n_mean:.0f} samples, of the std {n_std:.0f}\n"
        f"{'':32}{'seconds':>10}{'mean to 1 %':>13}{'std to 1 %':>12}\n"
        f"{'grid, the whole law':32}{grid:10.4f}{grid:13.4f}{grid:12.4f}\n"
        f"{'exact chain, one sample':32}{chain:10.5f}{chain * n_mean:13.2f}{chain * n_std:12.1f}\n"
        f"{'brute force, one sample':32}{brute:10.4f}{brute * n_mean:13.1f}{brute * n_std:12.0f}\n"
        f"ratios: brute force to grid {brute * n_mean / grid:,.0f} (mean), {brute * n_std / grid:,.0f} (mean and std); "
        f"brute force to chain {brute / chain:.0f}"
    )
    return table


def test_the_whole_law_of_a_hundred_layers_takes_twenty_milliseconds(figures):
    assert figures.grid <= 0.020


def test_samples_needed_are_those_of_a_nearly_normal_law(figures):
    assert figures.n_mean == pytest.approx((figures.law.std[-1] / (0.01 * figures.law.mean[-1])) ** 2, rel=1e-6)
    assert 200 < figures.n_mean < 230
    assert 4500 < figures.n_std < 6500  # 5000 for a normal law


def test_brute_force_costs_ten_thousand_times_the_grid(figures):
    """For mean and standard deviation to 1 %, which the grid meets by far: 5000 samples serve both."""
    assert figures.brute * max(figures.n_mean, figures.n_std) / figures.grid >= 10_000


def test_brute_force_costs_forty_times_the_chain_per_sample(figures):
    assert figures.brute / figures.chain >= 40


def test_brute_force_and_grid_answer_the_same_question(figures):
    """What is timed is the same number: the mean within 4 standard errors (false-alarm rate 6e-5)."""
    x = np.array(brute_force(24))
    z = (x.mean() - figures.law.mean[-1]) / (figures.law.std[-1] / np.sqrt(x.size))
    assert abs(z) < 4


def test_brute_force_costs_a_hundred_times_the_grid_through_five_thousand_narrow_layers(one_thread):
    """Standard deviation to 1 %; products in floats lose such angles, 1e-150, long before: their time alone counts."""
    widths = [20] * 5400
    angle_law(widths[:54])
    law = angle_law(widths)
    grid = least_seconds(lambda: angle_law(widths), 3)
    brute = least_seconds(lambda: brute_force(1, widths), 3)
    ratio = brute * samples_needed(law)[1] / grid
    print(f"\nwidth 20, depth 5400: the whole law {grid:.2f} s, one sample {brute:.2f} s; ratio {ratio:,.0f}")
    assert ratio >= 100
