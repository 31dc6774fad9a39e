"""What the transfer operator saves over simulation: width 300, depth 100, one thread. Run by

    python -m pytest tests/benchmarks --benchmark-enable -n 0 -s

Simulation is the exact chain, n normal numbers a layer instead of n² weights, and already some 300 times cheaper than
real networks. For a probability p to a relative standard error of 1 % it takes (1 - p)/(p · 1e-4) paths.
"""

import pytest
from test_depth_benchmark import least_seconds

from gpdeep.sparse import design, escape_probability, sample_variances

pytestmark = pytest.mark.benchmark_ratio

PATHS = 200


@pytest.fixture(scope="module")
def one_thread():
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@pytest.mark.parametrize(
    ("kind", "sparsity", "slope"), [("crelu", 0.85, 0.9), ("cst", 0.85, 0.75), ("crelu", 0.9, 0.8)]
)
def test_four_hundred_nodes_and_a_hundred_layers_take_a_fifth_of_a_second(one_thread, kind, sparsity, slope):
    one = design(kind, sparsity, slope=slope)
    options = {"phi": one.phi, "sigma_w": one.sigma_w, "sigma_b": one.sigma_b, "width": 300, "depth": 100}
    fixed = least_seconds(lambda: escape_probability(**options, threshold=2.0, nodes=400), 5)
    chosen = least_seconds(lambda: escape_probability(**options, threshold=2.0), 5)
    chain = least_seconds(lambda: sample_variances(**options, n_samples=PATHS), 3) / PATHS
    p = float(escape_probability(**options, threshold=2.0).probability[-1])
    paths = (1 - p) / (p * 1e-4)
    print(
        f"\n{kind} {sparsity} {slope}: P = {p:.3g}; 400 nodes {fixed:.3f} s, as many as needed {chosen:.3f} s, "
        f"chains to 1 % {chain * paths:.1f} s; ratio {chain * paths / chosen:,.0f}"
    )
    assert fixed <= 0.2
    assert chain * paths / chosen >= 30


def test_design_with_a_chosen_slope_takes_half_a_second(one_thread):
    design("crelu", 0.85, width=300, depth=100)
    seconds = least_seconds(lambda: design("crelu", 0.85, width=300, depth=100), 3)
    print(f"\ndesign with the largest safe slope, width 300, depth 100: {seconds:.3f} s")
    assert seconds <= 0.5
