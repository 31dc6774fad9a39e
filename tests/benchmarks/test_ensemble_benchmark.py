"""What training eight networks as one program saves over one after the other, on one thread. Run by

    python -m pytest tests/benchmarks --benchmark-enable -n 0 -s

Both ways are interleaved, and the least processor time of each counts, so that a busy machine disturbs both alike.
"""

import time

import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from torch import nn  # noqa: E402

from gpdeep.nn import Ensemble, train_ensemble  # noqa: E402

pytestmark = pytest.mark.benchmark_ratio

MEMBERS, BATCH, ROUNDS = 8, 128, 5
CASES = {  # width, depth: steps, least ratio
    (64, 10): (30, 1.3),
    (64, 100): (6, 1.3),
    (300, 10): (5, 0.9),
    (300, 30): (2, 0.9),
}


def one_by_one(width, depth, steps, x, y):
    """Processor seconds a member and step of torch's own modules and optimiser."""
    nets = []
    for _ in range(MEMBERS):
        layers, n = [], x.shape[1]
        for _ in range(depth):
            layers += [nn.Linear(n, width), nn.ReLU()]
            n = width
        net = nn.Sequential(*layers, nn.Linear(n, 10))
        for module in net:
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nets.append((net, torch.optim.SGD(net.parameters(), lr=1e-3)))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    begin = time.process_time()
    for net, optimizer in nets:
        for step in range(steps):
            index = order[step * BATCH % 1024 :][:BATCH]
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[index]), y[index]).backward()
            optimizer.step()
    return (time.process_time() - begin) / steps / MEMBERS


def together(width, depth, steps, x, y):
    """The same of an ensemble, from the end of its first step to that of its last: no difference of two runs."""
    nets = Ensemble(f"{x.shape[1]},{width}x{depth},10", MEMBERS)
    marks = {}

    def progress(done, _):
        marks[done] = time.process_time()

    train_ensemble(nets, x, y, steps=1 + steps, lr=1e-3, batch=BATCH, probe=(x[:2], None), progress=progress)
    return (marks[1 + steps] - marks[1]) / steps / MEMBERS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_ensemble_is_faster_than_networks_one_by_one(case):
    (width, depth), (steps, least) = case, CASES[case]
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(1437, 64, generator=generator), torch.randint(0, 10, (1437,), generator=generator)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone, company = zip(
            *((one_by_one(width, depth, steps, x, y), together(width, depth, steps, x, y)) for _ in range(ROUNDS)),
            strict=True,
        )
    finally:
        torch.set_num_threads(before)
    ratio = min(alone) / min(company)
    print(
        f"\nwidth {width}, depth {depth}: {1 / min(company):,.0f} member-steps a second together, "
        f"{1 / min(alone):,.0f} one by one; ratio {ratio:.2f}"
    )
    assert ratio >= least
