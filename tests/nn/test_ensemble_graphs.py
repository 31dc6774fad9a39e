"""A recorded step replayed is the step itself, and where a recording is not to be had, nothing but speed is lost."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gpdeep.nn is the part that needs torch")

from recorded_operations import OperationRecorder, Recording  # noqa: E402

from gpdeep import DomainError  # noqa: E402
from gpdeep.nn import Ensemble, train_ensemble  # noqa: E402
from gpdeep.nn.ensembles import training  # noqa: E402
from gpdeep.nn.ensembles.member_optimisers import Adam  # noqa: E402
from gpdeep.nn.ensembles.recording import (  # noqa: E402
    EagerTrainingWarning,
    launches_dominate,
    recorder_for,
)

X = np.random.default_rng(0).normal(size=(300, 6))
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
WARM_AND_COMPARED = 4
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU, and torch sees none here")


def trained(monkeypatch, recorder, *, phi="relu", dtype=torch.float32, **options):
    """An ensemble after training, steps recorded by `recorder`, and what training tells."""
    if recorder is not None:
        monkeypatch.setattr(training, "recorder_for", lambda *_: recorder)
    nets = Ensemble("6,33x3,2", 3, activation=phi, sigma_w=1.4, sigma_b=0.1, dtype=dtype)
    given = {"steps": 150, "batch": 32, "lr": [0.1, 0.05, 0.02], "record_at": (3, 100), "test": (X[:20], LABELS[:20])}
    found = train_ensemble(nets, X, LABELS, **(given | options))
    monkeypatch.undo()
    return nets, found


def assert_same(first, second):
    """To the last bit: weights, costs, fates, records."""
    (nets, one), (others, two) = first, second
    for p, q in zip(nets.parameters(), others.parameters(), strict=True):
        assert torch.equal(p, q)
    np.testing.assert_array_equal(one.cost, two.cost)
    for name in ("alive", "died_at", "reason"):
        assert list(getattr(one, name)) == list(getattr(two, name))
    assert [r.step for r in one.records] == [r.step for r in two.records]
    for a, b in zip(one.records, two.records, strict=True):
        np.testing.assert_array_equal(a.train, b.train)
        np.testing.assert_array_equal(a.statistics.q, b.statistics.q)


OPTIONS = {
    "sgd": {},
    "momentum, decay, clip, schedule": {"momentum": 0.9, "weight_decay": 0.01, "clip": 0.5, "schedule": "cosine"},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "adam": {"optimizer": "adam", "lr": 0.01},
    "adam with decay": {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.1},
    "own batches": {"own_batches": True},
    "own activations": {"phi": ["relu", "cst:0.3,1", "tanh"]},
    "one dies": {"lr": [0.1, 1e9, 0.02]},
    "one dies of adam": {"lr": [0.01, 1e10, 0.002], "optimizer": "adam"},
    "float64": {"dtype": torch.float64},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_replayed_training_is_the_training_itself_to_the_last_bit(options, monkeypatch):
    recorder = OperationRecorder()
    eager = trained(monkeypatch, None, **options)
    replayed = trained(monkeypatch, recorder, **options)
    assert_same(eager, replayed)
    looks = 4  # steps 0, 3, 100, 150 are looked at, and done as they stand
    assert replayed[1].replayed == 150 + 1 - looks - WARM_AND_COMPARED
    assert (len(recorder.recordings), recorder.warm, eager[1].replayed) == (1, 3, 0)


def test_a_step_is_less_than_nine_operations_a_layer(monkeypatch):
    """Six, and some kernels more within them; the estimate of launches that the benchmark shows rests on it."""
    counts = {}
    for depth in (3, 13):
        recorder = OperationRecorder()
        monkeypatch.setattr(training, "recorder_for", lambda *_, recorder=recorder: recorder)
        train_ensemble(Ensemble(f"6,8x{depth},2", 2), X, LABELS, steps=8, lr=0.1)
        monkeypatch.undo()
        views = ("view", "t", "transpose", "expand", "slice", "select", "detach", "unsqueeze", "alias", "_unsafe_view")
        names = [call[0].__name__.split(".")[0] for call in recorder.recordings[0].calls]
        counts[depth] = sum(name not in views for name in names)
    assert 3 < (counts[13] - counts[3]) / 10 < 9


@pytest.mark.parametrize("steps", [63, 64, 65, 200])
def test_costs_are_those_of_every_step_however_often_the_host_reads_them(steps, monkeypatch):
    eager = trained(monkeypatch, None, steps=steps, record_at=())
    assert len(eager[1].cost) == steps + 1
    assert_same(eager, trained(monkeypatch, OperationRecorder(), steps=steps, record_at=()))


@pytest.mark.parametrize("died_at", [5, 40])
def test_training_ends_where_the_last_member_dies_though_the_host_sees_it_later(died_at, monkeypatch):
    def exploding(share):
        return 1.0 if share < died_at / 150 else 1e12

    eager = trained(monkeypatch, None, schedule=exploding)
    replayed = trained(monkeypatch, OperationRecorder(), schedule=exploding)
    assert not eager[1].alive.any()
    assert died_at < eager[1].died_at.max() < died_at + 10
    assert len(eager[1].cost) == eager[1].died_at.max() + 1
    assert_same(eager, replayed)


def test_interruption_tells_the_costs_of_what_was_done(monkeypatch):
    def stop(step, _):
        if step == 77:
            raise KeyboardInterrupt

    for recorder in (None, OperationRecorder()):
        _, found = trained(monkeypatch, recorder, progress=stop)
        assert "Interrupted after 77 of 150" in found.status.messages[0]
        assert (len(found.cost), found.steps, found.records[-1].step) == (78, 77, 77)
        assert np.isfinite(found.cost).all()


# ------------------------------------------------------------------------------------ where it fails


class Refusing(OperationRecorder):
    """A device that cannot record."""

    def record(self, call):
        raise RuntimeError("operation not permitted when stream is capturing\nand more")


class Stale(OperationRecorder):
    """A recording that goes on with another batch than the one in its place."""

    def record(self, call):
        step = call.__self__
        stale = step.index.flip(0) // 2

        def replay():
            given = step.index.clone()
            step.index.copy_(stale)
            call()
            step.index.copy_(given)

        return replay


class Forgetful(OperationRecorder):
    """A recording that moves the members and does not count."""

    def record(self, call):
        step = call.__self__

        def replay():
            call()
            step.told()[1].sub_(1)

        return replay


@pytest.mark.parametrize(
    ("recorder", "says"),
    [(Refusing, "could not be recorded .operation not permitted"), (Stale, "other costs"), (Forgetful, "counted")],
)
def test_a_recording_that_fails_or_differs_is_not_used_and_says_why(recorder, says, monkeypatch):
    with pytest.warns(EagerTrainingWarning, match=says) as warned:
        found = trained(monkeypatch, recorder())
    assert warned[0].filename == __file__
    assert found[1].replayed == 0
    assert_same(trained(monkeypatch, None), found)


def test_a_member_that_began_with_nan_does_not_keep_the_others_from_replays(monkeypatch):
    monkeypatch.setattr(training, "recorder_for", lambda *_: OperationRecorder())
    nets = Ensemble("6,9x2,2", 2)
    with torch.no_grad():
        nets.weights[1][0] = np.nan
    found = train_ensemble(nets, X, LABELS, steps=50, lr=0.1)
    assert found.died_at.tolist() == [0, -1]
    assert found.replayed > 40


def test_an_optimiser_that_counts_on_the_host_is_found_out(monkeypatch):
    """The control: Adam's correction as a number of the host is that of the step that was recorded for ever after."""

    def step(self, values, gradients, rate):
        one, two = (1 - beta**self._steps for beta in self.betas)
        self._first.lerp_(gradients, 1 - self.betas[0])
        self._second.mul_(self.betas[1]).addcmul_(gradients, gradients, value=1 - self.betas[1])
        values.addcmul_(self._first / ((self._second / two).sqrt_().add_(self.eps)), -rate / one)

    options = {"optimizer": "adam", "lr": 0.01}
    right = trained(monkeypatch, None, **options)
    with monkeypatch.context() as patch:
        patch.setattr(Adam, "step", step)
        host = trained(patch, None, **options)
    assert_same(right, host)
    monkeypatch.setattr(Adam, "step", step)
    replayed = trained(monkeypatch, OperationRecorder(), **options)
    assert not torch.equal(right[0].weights[1], replayed[0].weights[1])


def test_the_recorder_of_these_tests_refuses_what_a_gpu_refuses():
    x = torch.ones(3)
    for call in (lambda: bool((x > 0).all()), lambda: x + torch.zeros(3), lambda: torch.where(x > 0, x, 0.0)):
        with pytest.raises(RuntimeError, match="host"), Recording():
            call()


# ------------------------------------------------------------------------------------ when


def test_graphs_are_for_gpus_and_where_launches_dominate():
    nets = Ensemble("6,9,2", 2)
    assert recorder_for(nets, "auto", 1000, 32) is None
    assert recorder_for(nets, False, 1000, 32) is None
    assert launches_dominate(nets)
    assert not launches_dominate(Ensemble("300,300x2,300", 23))
    assert launches_dominate(Ensemble("300,300x2,300", 22))


@pytest.mark.parametrize(("graphs", "says"), [(True, "ensemble on cpu"), ("always", "no choice"), (None, "None")])
def test_graphs_that_are_not_to_be_had_are_refused(graphs, says):
    with pytest.raises(DomainError, match=says):
        train_ensemble(Ensemble("6,9,2", 2), X, LABELS, steps=2, lr=0.1, graphs=graphs)


@needs_gpu
@pytest.mark.parametrize(
    "options", [{}, {"optimizer": "adam", "lr": 0.01}, {"lr": [0.1, 1e9, 0.02]}, {"own_batches": True}]
)
def test_cuda_graphs_are_close_to_the_steps_themselves(options):
    """Fifty steps: sums in another order differ by 1e-6, and training at these rates does not magnify them."""
    found = []
    for graphs in (True, False):
        nets = Ensemble("6,33x3,2", 3, device="cuda")
        given = {"steps": 50, "batch": 32, "lr": 0.05, "graphs": graphs}
        found.append((nets, train_ensemble(nets, X, LABELS, **(given | options))))
    (nets, one), (others, two) = found
    assert one.replayed == 51 - 2 - WARM_AND_COMPARED
    assert two.replayed == 0
    assert one.died_at.tolist() == two.died_at.tolist()
    np.testing.assert_allclose(one.cost, two.cost, rtol=1e-3, atol=0)
    for p, q in zip(nets.parameters(), others.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-2, atol=1e-4)


@needs_gpu
def test_graphs_are_used_by_themselves_on_a_gpu():
    nets = Ensemble("6,33x3,2", 3, device="cuda")
    assert train_ensemble(nets, X, LABELS, steps=100, lr=0.05).replayed > 90
