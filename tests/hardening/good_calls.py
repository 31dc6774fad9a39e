"""A small valid call of everything public: what hostile arguments are put into, one or two at a time.

`CALLS` maps a public name to the arguments of one quick call, made afresh each time. A method is named after its class
and gets its object as `self`; `*name` holds arguments that are given one after another. A second call of the same name
carries a remark after a blank. `NOT_CALLED` names what has no row of its own, and why.
"""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import gpdeep
from gpdeep import activations, agreement, data, depth, finite, gaussian, leaky, linearize, meanfield, sparse

Arguments = dict[str, Any]
ROOMS = {
    "": gpdeep,
    "activations": activations,
    "agreement": agreement,
    "data": data,
    "depth": depth,
    "finite": finite,
    "gaussian": gaussian,
    "leaky": leaky,
    "linearize": linearize,
    "meanfield": meanfield,
    "sparse": sparse,
}
RESULT = "a result, which functions make and users read"
NOT_CALLED = dict.fromkeys(
    [
        "DepthPrediction",
        *("activations." + name for name in ("Moments",)),
        *("agreement." + name for name in ("Agreement", "BootstrapInterval", "ExactTest", "FamilyVerdicts")),
        *("agreement." + name for name in ("JudgedClaim", "PermutationTest", "SeedScores", "VerdictProbabilities")),
        "data.AngleSample",
        *("depth." + name for name in ("Calibration", "DegeneracyDepth", "DepthPrediction", "InfiniteWidth")),
        "depth.InitialAngle",
        *("finite." + name for name in ("AngleLaw", "ChainState", "LawError", "LengthLaw")),
        *("gaussian." + name for name in ("ClosedForm", "Mehler")),
        *("leaky." + name for name in ("Bottleneck", "BranchDiagram", "CriticalPoint", "GeodesicResult")),
        *("leaky." + name for name in ("NetworkSolution", "SlidingArc")),
        *("linearize." + name for name in ("AnglePrediction", "Conventions", "CoreCuts", "CoreNetwork", "CoreSegment")),
        *("linearize." + name for name in ("PathLayer", "PathLength", "PathLengthDistribution", "PathProfile")),
        *("linearize." + name for name in ("UnitSummary",)),
        *("meanfield." + name for name in ("CompiledMap", "ConvolutionMap", "CorrelationMap", "CriticalLaw")),
        *("meanfield." + name for name in ("DepthScaleScan", "DepthScales", "EdgeLaw", "EdgeOfChaos", "FixedPoint")),
        *("meanfield." + name for name in ("FixedPoints", "MapCurves", "PairHistory", "PhaseDiagram", "VarianceMap")),
        *("sparse." + name for name in ("ClipCurves", "Design", "EscapeCurve", "EscapeProbability", "Fold")),
        *("sparse." + name for name in ("Instability", "Shares", "VarianceCurves")),
        *("nn." + name for name in ("ActiveUnits", "CheckReport", "EnsembleTraining", "FoldReport", "LayerWeights")),
        *("nn." + name for name in ("LeakyTraining", "ProbeReport", "Replacement")),
    ],
    RESULT,
) | {
    "activations.Activation": "the base of activations, which cannot be made itself",
    "agreement.TestKind": "an enumeration",
    "agreement.Verdict": "an enumeration",
    "finite.Kind": "an enumeration",
    "finite.Method": "an enumeration",
    "finite.Weights": "an enumeration",
    "meanfield.Phase": "an enumeration",
    **dict.fromkeys(["Mixture", "PiecewiseLinear", "Smooth"], "the same as in gpdeep.activations"),
}


def importable(module: str) -> bool:
    """Whether an optional dependency is there."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


def step(x: Any) -> Any:
    return (x > 0) * 1.0


def uniform_cdf(x: Any) -> Any:
    return np.clip(x, 0.0, 1.0)


def mean_score(x: Any, *_: Any) -> float:
    return float(np.mean(x))


@cache
def law() -> Any:
    return finite.angle_law([64, 64], method="closure")


@cache
def chain_law() -> Any:
    return finite.angle_law([8, 8], method="chain", n_samples=50)


@cache
def layer() -> Any:
    return meanfield.variance_map("tanh", sigma_w=1.5, sigma_b=0.3)


@cache
def crelu() -> Any:
    return sparse.design("crelu", 0.8, slope=0.7)


@cache
def compiled() -> Any:
    return meanfield.compile_map("relu", q=1.0, sigma_w=2**0.5)


@cache
def correlations() -> Any:
    return meanfield.correlation_map("relu", q=1.0, sigma_w=2**0.5)


@cache
def convolution() -> Any:
    return meanfield.convolution_map("relu", kernel_size=3, sigma_w=2**0.5)


@cache
def path() -> Any:
    return leaky.geodesic([[2.0]], [[0.5]], 2.0, activation="identity", bias=0.0, starts=1)


@cache
def network() -> Any:
    options: Arguments = {"terminal_weight": 1e-3, "layers": 4, "bias": 0.0, "activation": "identity"}
    return leaky.train_network([[2.0]], [[0.5]], 2.0, **options)


@cache
def graph() -> Any:
    h = linearize.Graph.input(3).dense(4).relu([1, 0, 1, 1])
    return linearize.Graph.of((h + h.dense(4).relu()).dense(2))


def moments() -> Any:
    return linearize.moments_at_initialisation(graph())


def wire() -> Any:
    return linearize.Graph.input(4).dense(4)


@cache
def core() -> Any:
    return linearize.core_network([np.eye(2), np.ones((1, 2))], None, [[0.0, 1.0]])


@cache
def runs() -> tuple[list[str], list[float]]:
    return ["64,64x4,10", "64,64x16,10", "64,64x64,10", "64,16x64,10"], [0.97, 0.9, 0.3, 0.1]


@cache
def calibration() -> Any:
    return depth.calibrate(*runs())


@cache
def prediction() -> Any:
    return gpdeep.predict_depth("8,8x4,2", samples=200)


def points() -> Any:
    return np.array([[1.0, 0.5, -0.25], [0.25, -1.0, 2.0], [0.5, 0.75, 1.5]])


def stacks(*shape: int) -> Any:
    return np.linspace(-1.0, 1.5, int(np.prod(shape))).reshape(shape)


def file(name: str, write: Callable[[Path], object]) -> Path:
    """A file of the current directory, which a fixture makes a temporary one."""
    where = Path(name)
    if not where.exists():
        write(where)
    return where


def csv_file() -> Path:
    rows = "architecture,accuracy\n" + "".join(f'"{a}",{b}\n' for a, b in zip(*runs(), strict=True))
    return file("runs.csv", lambda where: where.write_text(rows))


def split() -> Any:
    x = np.array([[0.0, 0.5], [2.0, 0.0], [1.0, 1.0]])
    return data.LabelledSplit(x, np.arange(3) % 2, x[:2], np.arange(2), 2)


def idx(values: Any) -> bytes:
    """`values` as a file of the format of MNIST."""
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def labelled_folder() -> Path:
    def write(where: Path) -> None:
        where.mkdir()
        for part in ("train", "t10k"):
            (where / f"{part}-images-idx3-ubyte").write_bytes(idx(np.arange(48).reshape(3, 4, 4)))
            (where / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(3) % 2))

    return file("labelled", write)


def tree() -> Any:
    return json.loads(graph().to_json())


ACTIVATIONS: dict[str, Callable[[], Any]] = {
    "Mixture": lambda: activations.Mixture(
        (activations.activation("relu"), activations.activation("tanh")), (0.5, 0.5)
    ),
    "PiecewiseLinear": lambda: activations.activation("crelu:1,1.5"),
    "PiecewiseSmooth": lambda: activations.activation("elu"),
    "Smooth": lambda: activations.activation("tanh"),
    "TwoSlope": lambda: activations.activation("leaky_relu:0.1"),
}
OF_ACTIVATIONS: dict[str, Callable[[], Arguments]] = {
    "__call__": lambda: {"x": np.array([-1.0, 0.5])},
    "comonotone": lambda: {"q1": np.array([0.5, 1.0]), "q2": 2.0},
    "covariance": lambda: {"k": np.array([0.5, 0.25]), "q1": 1.0, "q2": 2.0},
    "curvature_product": lambda: {"theta": np.array([0.5, 1.0]), "q": 1.0},
    "derivative": lambda: {"x": np.array([-1.0, 0.5])},
    "derivative_moment": lambda: {"order": 1, "q": np.array([0.5, 1.0])},
    "difference_second": lambda: {"factor": 0.5, "q1": np.array([0.5, 1.0]), "q2": 2.0},
    "gap": lambda: {"theta": np.array([0.5, 1.0]), "q1": 1.0, "q2": 2.0},
    "moments": lambda: {"q": np.array([0.5, 1.0])},
    "remainder": lambda: {"theta": np.array([0.5, 1.0]), "q": 1.0},
    "second_derivative": lambda: {"x": np.array([-1.0, 0.5])},
    "slope_covariance": lambda: {"k": np.array([0.5, 0.25]), "q1": 1.0, "q2": 2.0},
    "slope_product": lambda: {"theta": np.array([0.5, 1.0]), "q1": 1.0, "q2": 2.0},
}
"""What every activation can be asked."""


def _of_activation(made: Callable[[], Any], arguments: Callable[[], Arguments]) -> Callable[[], Arguments]:
    return lambda: {"self": made(), **arguments()}


CALLS: dict[str, Callable[[], Arguments]] = {
    **{
        f"activations.{name}.{method}": _of_activation(made, arguments)
        for name, made in ACTIVATIONS.items()
        for method, arguments in OF_ACTIVATIONS.items()
    },
    # ---------------------------------------------------------------------------------------------- the first page
    "Architecture": lambda: {
        "inputs": 8,
        "blocks": gpdeep.Architecture.parse("8,4x2,2").blocks,
        "outputs": 2,
        "phi": "tanh",
        "sigma_w": (1.5, 1.25),
        "sigma_b": 0.25,
        "weights": "orthogonal",
    },
    "Architecture.parse": lambda: {
        "text": "8,4x2,res(4x2,alpha=0.5),2",
        "phi": "tanh",
        "sigma_w": 1.5,
        "sigma_b": (0.0, 0.25, 0.5, 0.5),
        "weights": "gaussian",
    },
    "Architecture.with_width": lambda: {"self": gpdeep.Architecture.parse("8,?x2,2"), "width": 4},
    "activation": lambda: {"text": "leaky_relu:0.1"},
    "find_width": lambda: {"depth": 4},
    "from_callable": lambda: {"function": relu, "name": "mine", "slope": step, "knots": [0.0]},
    "load": lambda: {"path": file("law.json", law().save)},
    "predict_depth": lambda: {"architecture": "8,8x4,2", "angle": 1.0, "samples": 200},
    "predict_depth of data": lambda: {"architecture": "3,8x4,2", "data": points(), "samples": 200},
    # ---------------------------------------------------------------------------------------------- activations
    "activations.RELU": lambda: {"x": np.array([-1.0, 0.5])},
    "activations.Mixture": lambda: {
        "parts": (activations.activation("relu"), activations.activation("identity")),
        "shares": (0.5, 0.5),
    },
    "activations.PiecewiseLinear": lambda: {"name": "hinge", "a": 0.0, "b": 0.0, "t": (0.0,), "c": (1.0,)},
    "activations.PiecewiseSmooth": lambda: {
        "name": "relu",
        "function": relu,
        "slope": step,
        "curvature": np.zeros_like,
        "knots": (0.0,),
        "jumps": (1.0,),
    },
    "activations.Smooth": lambda: {"name": "sine", "function": np.sin, "slope": np.cos, "strip": np.inf},
    "activations.TwoSlope": lambda: {"name": "leaky", "negative": 0.25, "positive": 1.0},
    "activations.activation": lambda: {"text": "crelu:1,1.5"},
    "activations.from_callable": lambda: {"function": relu, "name": "mine", "knots": [0.0]},
    "activations.parse_activation": lambda: {"text": "leaky_relu:0.1"},
    # ---------------------------------------------------------------------------------------------- agreement
    "agreement.Family": lambda: {"size": 3, "alpha": 0.01, "independent": False, "name": "drift"},
    "agreement.Family.judge": lambda: {"self": agreement.Family(3), "claims": {"a": 0.2, "b": 0.9}},
    "agreement.ExactTest.detectable": lambda: {
        "self": agreement.mean_test([0.25, -0.125, 0.5, 0.0], 0.0, std=0.25),
        "level": 0.01,
        "power": 0.8,
    },
    "agreement.cluster_bootstrap": lambda: {
        "statistic": mean_score,
        "*data": (np.array([[0.5, 0.25], [1.0, 0.75], [0.0, 1.5], [2.0, 0.5]]),),
        "n_resamples": 100,
    },
    "agreement.compare": lambda: {
        "estimate": -3.0,
        "standard_error": 0.25,
        "prediction": -2.75,
        "truncation": 0.5,
        "replicates": 40,
        "rival": -1.0,
    },
    "agreement.compare_law": lambda: {"samples": np.linspace(0.01, 0.99, 40), "cdf": uniform_cdf, "distance": 0.25},
    "agreement.concordance": lambda: {
        "predictor": np.array([1.0, 2.0, 1.0, 2.0]),
        "scores": np.array([[0.1], [0.2], [0.9], [0.8]]),
        "strata": np.array([30, 30, 60, 60]),
    },
    "agreement.consistent": lambda: {"tests": [0.2, 0.7, 0.01]},
    "agreement.count_test": lambda: {"events": 3, "trials": 10, "probability": 0.5, "rival": 0.25},
    "agreement.frequency_test": lambda: {"observed": np.array([60, 40]), "expected": np.array([0.5, 0.5])},
    "agreement.holm": lambda: {"p_values": np.array([0.01, 0.04, 0.03]), "size": 5},
    "agreement.law_test": lambda: {"samples": np.linspace(0.01, 0.99, 20), "cdf": uniform_cdf, "rival": uniform_cdf},
    "agreement.mean_test": lambda: {"samples": np.array([0.25, -0.125, 0.5, 0.0]), "mean": 0.0, "std": 0.25},
    "agreement.permute_within": lambda: {
        "statistic": mean_score,
        "predictor": np.array([10.0, 20.0, 30.0, 10.0]),
        "strata": np.array([5, 5, 5, 5]),
        "n_permutations": 99,
    },
    "agreement.replicates_for_law": lambda: {"distance": 0.25},
    "agreement.replicates_for_mean": lambda: {"std": 1.0, "difference": 0.5},
    "agreement.replicates_to_decide": lambda: {"std": 1.0, "truncation": 0.25},
    "agreement.same_law_test": lambda: {"one": np.array([0.0, 1.0, 2.0]), "two": np.array([3.0, 4.0, 5.0])},
    "agreement.seed_scores": lambda: {"samples": np.array([[0.5, 2.0], [-0.25, 3.0]]), "mean": [0.0, 0.0], "std": 1.0},
    "agreement.spearman": lambda: {
        "predictor": np.array([1.0, 2.0, 3.0]),
        "scores": np.array([[0.1, 0.3], [0.9, 0.9], [0.5, 0.4]]),
    },
    "agreement.spearman_difference": lambda: {
        "predictor": np.array([1.0, 2.0, 3.0]),
        "rival": np.array([3.0, 2.0, 1.0]),
        "scores": np.array([[0.1], [0.5], [0.9]]),
    },
    "agreement.van_der_waerden": lambda: {
        "samples": np.array([[0.5, 2.0], [-0.25, 3.0]]),
        "drawn": np.linspace(-1.0, 4.0, 10).reshape(5, 2),
    },
    "agreement.verdict_probabilities": lambda: {"error": 0.5, "standard_error": 0.25, "truncation": 1.0},
    # ---------------------------------------------------------------------------------------------- data
    "data.LabelledSplit": lambda: {
        "train_x": points(),
        "train_y": np.arange(3) % 2,
        "test_x": points(),
        "test_y": np.arange(3) % 2,
        "classes": 2,
    },
    "data.LabelledSplit.prepared": lambda: {"self": split(), "mean_square": 0.5},
    "data.load_inputs": lambda: {"source": points()},
    "data.load_inputs of a file": lambda: {"source": file("points.npy", lambda where: np.save(where, points()))},
    "data.load_labelled": lambda: {"source": labelled_folder()},
    "data.pair_angles": lambda: {"X": points(), "pairs": 2},
    "data.prepare": lambda: {"X": points()},
    # ---------------------------------------------------------------------------------------------- depth
    "depth.calibrate": lambda: {"architectures": runs()[0], "trained": runs()[1]},
    "depth.find_width": lambda: {"depth": "8,?x4,2"},
    "depth.predict_depth": lambda: {"architecture": "8,300x4,2", "data": None, "samples": 200},
    "depth.read_runs": lambda: {"path": csv_file()},
    # ---------------------------------------------------------------------------------------------- finite
    "finite.AngleLaw.cdf": lambda: {"self": law(), "x": -2.0},
    "finite.AngleLaw.cdf of samples": lambda: {"self": chain_law(), "x": -2.0},
    "finite.AngleLaw.density": lambda: {"self": law(), "points": 20},
    "finite.AngleLaw.density of samples": lambda: {"self": chain_law(), "points": 20},
    "finite.AngleLaw.quantile": lambda: {"self": law(), "probability": 0.5},
    "finite.AngleLaw.quantile of samples": lambda: {"self": chain_law(), "probability": 0.5},
    "finite.AngleLaw.save": lambda: {"self": law(), "path": "saved.json"},
    "finite.LengthLaw.density": lambda: {"self": finite.length_law([8, 8]), "points": 20},
    "finite.Wiring": lambda: {"kind": "res", "alpha": 0.5, "beta": 0.5, "weights": "gaussian"},
    "finite.angle_cumulants": lambda: {"theta": np.array([0.5, 1.0]), "n": 3},
    "finite.angle_law": lambda: {"widths": [64, 64], "theta0": 1.0, "method": "closure"},
    "finite.angle_law by samples": lambda: {"widths": [8, 8], "theta0": 1.0, "method": "chain", "n_samples": 50},
    "finite.angle_law of tanh": lambda: {
        "widths": [8, 8],
        "theta0": 1.0,
        "phi": "tanh",
        "sigma_w": [1.5, 1.25],
        "sigma_b": 0.25,
        "n_samples": 50,
    },
    "finite.angle_law in blocks": lambda: {
        "widths": [8, 8],
        "wiring": finite.Wiring("res", beta=0.5),
        "input_dimension": 8,
        "n_samples": 50,
    },
    "finite.event_probabilities": lambda: {"theta": np.array([0.5, 1.0]), "n": 4},
    "finite.gradient_law": lambda: {"widths": [8, 8], "sigma_w": 1.5},
    "finite.jakub_nica_recursion": lambda: {"widths": [8, 8], "theta0": 1.0},
    "finite.jakub_nica_step": lambda: {"theta": np.array([0.5, 1.0]), "n": 8},
    "finite.length_law": lambda: {"widths": [8, 8], "sigma_w": 1.5},
    "finite.lyapunov": lambda: {"n": 8, "m": 2},
    "finite.mean_inverse_stretch": lambda: {"n": 4},
    "finite.readout_cumulants": lambda: {"m": 4},
    "finite.sample_angles": lambda: {"widths": [4, 4], "theta0": 1.0, "n_samples": 20},
    "finite.sample_gram": lambda: {"inputs": points(), "widths": [4, 4], "n_samples": 20},
    "finite.sample_gram of tanh": lambda: {
        "inputs": points(),
        "widths": [4, 4],
        "phi": "tanh",
        "sigma_w": 1.5,
        "n_samples": 20,
    },
    "finite.sample_pairs": lambda: {"inputs": points(), "widths": [4, 4], "n_samples": 20},
    "finite.small_angle_cdf": lambda: {"n": 3, "r": np.array([-1.0, 0.0, 0.5])},
    "finite.small_angle_cumulants": lambda: {"n": 3},
    # ---------------------------------------------------------------------------------------------- gaussian
    "gaussian.angle_density": lambda: {"h": np.array([0.5, 1.0]), "k": 1.0, "theta": 0.5},
    "gaussian.angle_map": lambda: {"theta": np.array([0.5, 1.0]), "kink": 1.0},
    "gaussian.angular_function": lambda: {"order": 1, "theta": np.array([0.5, 1.0])},
    "gaussian.arc_cosine_kernel": lambda: {"order": 1, "x": points(), "y": points()[:2]},
    "gaussian.bessel_number": lambda: {"a": 4, "k": 2},
    "gaussian.closed_form": lambda: {"a": 2, "b": 1},
    "gaussian.full_moment_polynomial": lambda: {"a": 2, "b": 2},
    "gaussian.hermite_coefficients": lambda: {"function": np.sin, "q": np.array([0.5, 1.0]), "strip": np.inf},
    "gaussian.iterate_angle_map": lambda: {"theta0": np.array([0.5, 1.0]), "depth": 3, "kink": 1.0},
    "gaussian.kink_split_pair": lambda: {
        "g1": step,
        "g2": step,
        "theta": np.array([0.5, 1.0]),
        "q1": 1.0,
        "q2": 2.0,
        "knots": [0.0],
    },
    "gaussian.kink_split_rule": lambda: {"q": np.array([0.5, 1.0]), "knots": [1.0]},
    "gaussian.log_sin2_next": lambda: {"theta": np.array([0.5, 1.0]), "kink": 1.0},
    "gaussian.normal_density": lambda: {"x": np.array([-1.0, 0.5])},
    "gaussian.one_minus_cos_next": lambda: {"theta": np.array([0.5, 1.0]), "kink": 1.0},
    "gaussian.ramp_covariance": lambda: {"h": np.array([0.5, 1.0]), "k": 1.0, "rho": 0.25},
    "gaussian.ramp_excess": lambda: {"h": np.array([0.5, 1.0]), "k": 1.0, "rho": 0.25},
    "gaussian.ramp_moment": lambda: {"p": 2, "h": np.array([0.5, 1.0])},
    "gaussian.ramp_overlap": lambda: {"h": np.array([0.5, 1.0]), "k": 1.0, "theta": 0.5},
    "gaussian.ramp_product": lambda: {"h": np.array([0.5, 1.0]), "k": 1.0},
    "gaussian.ramp_slope_overlap": lambda: {"h": np.array([0.5, 1.0]), "k": 1.0, "theta": 0.5},
    "gaussian.relu_moment": lambda: {"a": 2, "b": 1, "theta": np.array([0.5, 1.0])},
    "gaussian.relu_moment_derivative": lambda: {"a": 2, "b": 1, "theta": np.array([0.5, 1.0])},
    "gaussian.relu_moment_recursion": lambda: {"a": 2, "b": 1, "theta": np.array([0.5, 1.0])},
    "gaussian.trapezoidal_rule": lambda: {"q": 1.0, "strip": 1.0},
    "gaussian.upper_orthant": lambda: {"h": np.array([0.5, 1.0]), "k": 1.0, "rho": 0.25},
    # ---------------------------------------------------------------------------------------------- leaky
    "leaky.GeodesicResult.at": lambda: {"self": path(), "p": np.array([0.25, 0.5])},
    "leaky.GeodesicResult.network": lambda: {"self": path(), "depth": 4},
    "leaky.GeodesicResult.optimal_network": lambda: {"self": path(), "depth": 4},
    "leaky.NetworkSolution.geometry": lambda: {"self": network()},
    "leaky.NetworkSolution.objective_function": lambda: {"self": network()},
    "leaky.NetworkSolution.outputs": lambda: {"self": network(), "X": np.array([[2.0]])},
    "leaky.backward": lambda: {
        "A": stacks(3, 2, 2),
        "end_momentum": stacks(2, 2),
        "weights": stacks(2, 2, 3),
        "rho": [0.5, 0.5],
        "effective_depth": 1.0,
    },
    "leaky.carry_weights": lambda: {"weights": stacks(2, 1, 1), "rho": [0.5, 0.5], "new_rho": [0.5, 0.25, 0.25]},
    "leaky.continue_in_depth": lambda: {"result": path(), "effective_depths": [2.0, 2.5]},
    "leaky.continue_network": lambda: {"solution": network(), "effective_depth": 2.5},
    "leaky.cost_of_identity": lambda: {"A": np.array([[1.0, 0.5], [0.25, 2.0]]), "gamma": 0.0},
    "leaky.distances": lambda: {"A": stacks(3, 1, 1), "rho": [0.25, 0.75]},
    "leaky.equidistribute": lambda: {"rho": [0.5, 0.5], "A": stacks(3, 1, 1), "effective_depth": 1.0},
    "leaky.flow": lambda: {"A": stacks(2, 2), "B": stacks(2, 2), "effective_depth": 2.0},
    "leaky.flow_jacobian": lambda: {"A": stacks(2, 2), "B": stacks(2, 2), "effective_depth": 2.0},
    "leaky.forward": lambda: {
        "X": stacks(2, 2),
        "weights": stacks(2, 2, 3),
        "rho": [0.5, 0.5],
        "effective_depth": 1.0,
    },
    "leaky.geodesic": lambda: {
        "X": [[2.0]],
        "Y": [[0.5]],
        "effective_depth": 2.0,
        "activation": "identity",
        "bias": 0.0,
        "starts": 1,
    },
    "leaky.hamiltonian": lambda: {"A": stacks(2, 2), "B": stacks(2, 2), "effective_depth": 2.0},
    "leaky.irregular_steps": lambda: {"layers": 4, "a": 0.5},
    "leaky.kernel": lambda: {"A": stacks(2, 2)},
    "leaky.kinetic": lambda: {"A": stacks(2, 2), "B": stacks(2, 2), "effective_depth": 2.0},
    "leaky.lagrangian": lambda: {"A": stacks(2, 2), "V": stacks(2, 2), "effective_depth": 2.0},
    "leaky.layer_energies": lambda: {
        "A": stacks(3, 2, 2),
        "B": stacks(3, 2, 2),
        "weights": stacks(2, 2, 3),
        "rho": [0.5, 0.5],
        "effective_depth": 1.5,
    },
    "leaky.momentum": lambda: {"A": stacks(2, 2), "V": stacks(2, 2), "effective_depth": 2.0},
    "leaky.papers_rule": lambda: {"rho": [0.5, 0.5], "A": stacks(3, 1, 1)},
    "leaky.read_bottleneck": lambda: {
        "p": np.linspace(0, 1, 9),
        "A": stacks(9, 2, 2),
        "B": stacks(9, 2, 2),
        "effective_depth": 2.0,
    },
    "leaky.sample_invariant": lambda: {
        "A": stacks(3, 2, 2),
        "B": stacks(3, 2, 2),
        "weights": stacks(2, 2, 3),
        "rho": [0.5, 0.5],
        "effective_depth": 1.5,
    },
    "leaky.speed": lambda: {"A": stacks(2, 2), "B": stacks(2, 2), "effective_depth": 2.0},
    "leaky.stable_rank": lambda: {"A": stacks(2, 3)},
    "leaky.stationarity_residual": lambda: {
        "A": stacks(3, 2, 2),
        "B": stacks(3, 2, 2),
        "weights": stacks(2, 2, 3),
        "effective_depth": 1.5,
    },
    "leaky.train_network": lambda: {
        "X": [[2.0]],
        "Y": [[0.5]],
        "effective_depth": 2.0,
        "terminal_weight": 1e-3,
        "layers": 3,
        "max_iterations": 20,
    },
    "leaky.weights": lambda: {"A": stacks(2, 2), "B": stacks(2, 2), "effective_depth": 2.0},
    # ---------------------------------------------------------------------------------------------- linearize
    "linearize.AffineForms": lambda: {"inputs": 2},
    "linearize.AffineForms.activate": lambda: {
        "self": linearize.AffineForms(2),
        "form": stacks(2, 3),
        "slopes": np.zeros(2),
    },
    "linearize.AffineForms.add": lambda: {"self": linearize.AffineForms(2), "*forms": (stacks(2, 3), stacks(2, 3))},
    "linearize.AffineForms.concatenate": lambda: {
        "self": linearize.AffineForms(2),
        "*forms": (stacks(2, 3), stacks(1, 3)),
    },
    "linearize.AffineForms.dense": lambda: {
        "self": linearize.AffineForms(2),
        "form": stacks(2, 3),
        "weight": stacks(4, 2),
        "bias": np.zeros(4),
    },
    "linearize.AffineForms.input": lambda: {"self": linearize.AffineForms(2)},
    "linearize.AffineForms.scale": lambda: {"self": linearize.AffineForms(2), "form": stacks(2, 3), "factor": 0.5},
    "linearize.AffineForms.widened": lambda: {"self": linearize.AffineForms(2), "form": stacks(2, 3)},
    "linearize.ChainProfile": lambda: {"slopes": ((0.0, 1.0), (0.5,)), "fractions": ((0.5, 0.5), (1.0,))},
    "linearize.ChainProfile.channels": lambda: {"slopes": [np.array([0.0, 1.0]), np.array([0.5, 1.0])]},
    "linearize.ChainProfile.masks": lambda: {"active": np.array([1.0, 0.5, 0.0]), "slope": 0.25},
    "linearize.CoreNetwork.evaluate": lambda: {"self": core(), "x": np.array([1.0, -2.0])},
    "linearize.CoreSegment.evaluate": lambda: {"self": core().segments[0], "x": np.array([[1.0, -2.0]])},
    "linearize.Graph": lambda: {"nodes": graph().nodes, "outputs": graph().outputs},
    "linearize.Graph.concat": lambda: {"*wires": (wire(), wire())},
    "linearize.Graph.from_dict": lambda: {"data": tree()},
    "linearize.Graph.from_json": lambda: {"text": graph().to_json()},
    "linearize.Graph.input": lambda: {"channels": 3, "name": "x"},
    "linearize.Graph.of": lambda: {"outputs": wire()},
    "linearize.VarianceShares": lambda: {"nodes": {"dense": np.ones(3)}, "outputs": {"output": np.ones(2)}},
    "linearize.VarianceShares.require": lambda: {
        "self": linearize.moments_at_initialisation(graph()),
        "graph": graph(),
    },
    "linearize.Wire": lambda: {"operation": wire().operation, "sources": (linearize.Graph.input(4),), "name": "w"},
    "linearize.Wire.activation": lambda: {"self": wire(), "kind": "tanh", "active": [1, 0, 1, 1]},
    "linearize.Wire.add": lambda: {"self": wire(), "*others": (wire(),)},
    "linearize.Wire.chunk": lambda: {"self": wire(), "parts": 2},
    "linearize.Wire.concat": lambda: {"self": wire(), "*others": (wire(),)},
    "linearize.Wire.copy": lambda: {"self": wire(), "kind": "pool"},
    "linearize.Wire.dense": lambda: {"self": wire(), "channels": 4, "groups": 2},
    "linearize.Wire.flatten": lambda: {"self": wire(), "positions": 2},
    "linearize.Wire.index": lambda: {"self": wire(), "channels": [0, 2]},
    "linearize.Wire.normalise": lambda: {"self": wire(), "groups": 2},
    "linearize.Wire.opaque": lambda: {"self": wire(), "channels": 4, "found": "f", "cause": "c", "change": "d"},
    "linearize.Wire.pad": lambda: {"self": wire(), "before": 1, "after": 2},
    "linearize.Wire.product": lambda: {"self": wire(), "*others": (wire(),), "value": 0},
    "linearize.Wire.relu": lambda: {"self": wire(), "active": [1, 0, 1, 1]},
    "linearize.Wire.scale": lambda: {"self": wire(), "factor": [0.5, 1.0, 2.0, 1.0]},
    "linearize.Wire.shuffle": lambda: {"self": wire(), "groups": 2},
    "linearize.capture_half_width": lambda: {"step": 0.004},
    "linearize.cheapest_cuts": lambda: {"widths": [8, 8, 8], "active": [2]},
    "linearize.check_window": lambda: {"step": 0.004, "steps": 1000},
    "linearize.clean_step": lambda: {"tau": 0.01},
    "linearize.core_network": lambda: {
        "weights": [np.eye(2), np.ones((1, 2))],
        "biases": [np.zeros(2), None],
        "slopes": [np.array([0.0, 1.0])],
    },
    "linearize.cross_moment": lambda: {"slope_u": 0.0, "slope_v": 1.0, "theta": np.array([0.5, 1.0])},
    "linearize.crossing_distance": lambda: {"step": 0.125},
    "linearize.depth_budget": lambda: {"theta_target": 0.25},
    "linearize.equivalent_slope": lambda: {"active": np.array([0.5, 1.0])},
    "linearize.gate_kurtosis": lambda: {"slopes": np.array([0.0, 1.0]), "fractions": np.array([0.5, 0.5])},
    "linearize.mixture_gap": lambda: {"theta": 0.5, "slopes": np.array([0.0, 1.0]), "fractions": np.array([0.5, 0.5])},
    "linearize.mixture_map": lambda: {"theta": 0.5, "slopes": np.array([0.0, 1.0]), "fractions": np.array([0.5, 0.5])},
    "linearize.mixture_slope": lambda: {"theta": 0.5, "slopes": np.array([0.0, 1.0]), "fractions": [0.5, 0.5]},
    "linearize.moments_at_initialisation": lambda: {"graph": graph()},
    "linearize.nonlinearity": lambda: {"slopes": np.array([0.0, 1.0]), "fractions": np.array([0.5, 0.5])},
    "linearize.path_length": lambda: {"graph": graph()},
    "linearize.path_length by variance": lambda: {"graph": graph(), "weight": "variance", "unit": "g"},
    "linearize.path_length_distribution": lambda: {"graph": graph()},
    "linearize.path_profile": lambda: {"graph": graph()},
    "linearize.predict_angle": lambda: {"profile": np.array([0.5, 0.25]), "theta0": 1.0},
    "linearize.predict_angle at finite width": lambda: {"profile": np.array([0.5, 0.25]), "width": 16, "n_samples": 20},
    "linearize.preserving_sigma_w": lambda: {"slopes": np.array([0.0, 1.0]), "fractions": np.array([0.5, 0.5])},
    "linearize.prox_threshold": lambda: {"t": 0.125},
    "linearize.slope_penalty": lambda: {"slopes": np.array([0.0, 0.75])},
    "linearize.slope_prox": lambda: {"z": np.array([0.25, -1.0]), "t": 0.125},
    "linearize.small_angle_constant": lambda: {"width": 4, "active": 2},
    "linearize.summarise_units": lambda: {"channels": [8, 8], "active": [4, 2]},
    "linearize.travel_time": lambda: {"slope": np.array([0.0, 0.5]), "step": 0.001},
    "linearize.weight_correction": lambda: {"slopes": np.array([0.0, 1.0]), "fractions": np.array([0.5, 0.5])},
    # ---------------------------------------------------------------------------------------------- meanfield
    "meanfield.CompiledMap.iterate": lambda: {"self": compiled(), "theta": np.array([0.5, 1.0]), "depth": 3},
    "meanfield.CompiledMap.path": lambda: {"self": compiled(), "theta": np.array([0.5, 1.0]), "depth": 3},
    "meanfield.ConvolutionMap.activated": lambda: {"self": convolution(), "covariance": np.eye(4)},
    "meanfield.ConvolutionMap.frequency_response": lambda: {"self": convolution(), "shape": 4},
    "meanfield.ConvolutionMap.frequency_scales": lambda: {"self": convolution(), "shape": 4},
    "meanfield.ConvolutionMap.linear": lambda: {"self": convolution(), "covariance": np.eye(4)},
    "meanfield.ConvolutionMap.propagate": lambda: {"self": convolution(), "covariance": np.eye(4), "depth": 2},
    "meanfield.CorrelationMap.angle": lambda: {"self": correlations(), "theta": np.array([0.5, 1.0])},
    "meanfield.CorrelationMap.curvature": lambda: {"self": correlations(), "theta": np.array([0.5, 1.0])},
    "meanfield.CorrelationMap.excess": lambda: {"self": correlations(), "theta": np.array([0.5, 1.0])},
    "meanfield.CorrelationMap.one_minus_c": lambda: {"self": correlations(), "delta": np.array([0.5, 1.0])},
    "meanfield.CorrelationMap.slope": lambda: {"self": correlations(), "theta": np.array([0.5, 1.0])},
    "meanfield.CriticalLaw.angle_limit": lambda: {"self": meanfield.critical_law("tanh"), "theta": 0.5, "q": 1.0},
    "meanfield.CriticalLaw.variance": lambda: {"self": meanfield.critical_law("tanh"), "depth": [10, 100]},
    "meanfield.EdgeLaw.leading": lambda: {"self": meanfield.edge_law("relu", q=1.0), "depth": [10, 100]},
    "meanfield.EdgeLaw.one_minus_c": lambda: {
        "self": meanfield.edge_law("relu", q=1.0),
        "depth": [10, 100],
        "delta0": 0.5,
    },
    "meanfield.FixedPoints.attractor": lambda: {
        "self": meanfield.fixed_points("tanh", sigma_w=1.5, sigma_b=0.3),
        "q": 1.0,
    },
    **{
        f"meanfield.VarianceMap.{name}": lambda: {"self": layer(), "q": np.array([0.5, 1.0])}
        for name in ("chi_1", "curvature", "d_chi_1", "kappa", "moments", "noise", "seen", "slope")
    },
    "meanfield.VarianceMap.chi": lambda: {"self": layer(), "order": 1, "q": np.array([0.5, 1.0])},
    "meanfield.angle_asymptote": lambda: {"depth": np.array([10.0, 100.0]), "kink": 1.0},
    "meanfield.angle_path": lambda: {"theta0": 1.0, "depth": 3},
    "meanfield.average_pool": lambda: {"covariance": np.eye(4), "window": 2},
    "meanfield.compile_map": lambda: {"phi": "relu", "q": 1.0, "sigma_w": 1.5},
    "meanfield.convolution_map": lambda: {"phi": "relu", "kernel_size": 3, "sigma_w": 1.5},
    "meanfield.correlation_map": lambda: {"phi": "tanh", "q": 1.0, "sigma_w": 1.5, "sigma_b": 0.25},
    "meanfield.critical_law": lambda: {"phi": "tanh"},
    "meanfield.depth_scales": lambda: {"phi": "tanh", "sigma_w": 1.5, "sigma_b": 0.25},
    "meanfield.edge_law": lambda: {"phi": "tanh", "q": 0.5},
    "meanfield.edge_of_chaos": lambda: {"phi": "tanh", "q": 0.5},
    "meanfield.edge_of_chaos of a bias": lambda: {"phi": "erf", "sigma_b": 0.25},
    "meanfield.fixed_points": lambda: {"phi": "relu_tau:1", "sigma_w": 2.0, "sigma_b": 0.25},
    "meanfield.flatten": lambda: {"covariance": np.eye(4), "dimensions": 1},
    "meanfield.global_average_pool": lambda: {"covariance": np.eye(4), "dimensions": 1},
    "meanfield.infinite_degeneracy_depth": lambda: {"theta0": 1.0, "threshold": -4.0},
    "meanfield.input_covariance": lambda: {"images": stacks(2, 1, 4)},
    "meanfield.log_sin2_asymptote": lambda: {"depth": np.array([10.0, 100.0]), "kink": 1.0},
    "meanfield.map_curves": lambda: {"phi": "relu", "sigma_w": 1.5, "sigma_b": 0.25, "layers": 3},
    "meanfield.max_pool": lambda: {"covariance": np.eye(4), "window": 1},
    "meanfield.nngp": lambda: {"x1": points(), "phi": "relu", "depth": 2, "sigma_w": 1.5},
    "meanfield.nngp of tanh": lambda: {"x1": points(), "phi": "tanh", "depth": 2, "sigma_w": 1.5},
    "meanfield.ntk": lambda: {"x1": points(), "phi": "relu", "depth": 2, "sigma_w": 1.5},
    "meanfield.pair_step": lambda: {"layer": layer(), "q1": 1.0, "q2": 2.0, "delta": np.array([0.5, 1.0])},
    "meanfield.phase_diagram": lambda: {"phi": "erf", "q": [0.5, 1.0], "chaotic": False},
    "meanfield.propagate_pair": lambda: {
        "phi": "erf",
        "q1": 0.5,
        "q2": 2.0,
        "delta": 0.125,
        "depth": 3,
        "sigma_w": 1.0,
        "sigma_b": 0.25,
    },
    "meanfield.scan_depth_scales": lambda: {"phi": "erf", "sigma_b": 0.25, "sigma_w": [1.0, 1.5]},
    "meanfield.variance_map": lambda: {"phi": "tanh", "sigma_w": 1.5, "sigma_b": 0.25},
    # ---------------------------------------------------------------------------------------------- sparse
    "sparse.Design.gradient_spread": lambda: {"self": crelu(), "width": 100, "depth": 10},
    "sparse.Design.margin": lambda: {"self": crelu(), "width": 100},
    "sparse.Instability.basin_for": lambda: {"self": sparse.instability("relu_tau", 0.75), "weight_loss": 0.01},
    "sparse.Instability.escape_time": lambda: {"self": sparse.instability("relu_tau", 0.75), "width": 100},
    "sparse.Instability.layers_to_escape": lambda: {"self": sparse.instability("relu_tau", 0.75), "excess": 0.01},
    "sparse.clip_curvature": lambda: {"h": 1.0, "mu": 2.0},
    "sparse.clip_curves": lambda: {"kind": "crelu", "sparsity": [0.75, 0.875]},
    "sparse.clip_level": lambda: {"h": 1.0, "slope": 0.75},
    "sparse.clip_slope": lambda: {"h": 1.0, "mu": 2.0},
    "sparse.design": lambda: {"kind": "crelu", "sparsity": 0.75, "slope": 0.75},
    "sparse.design for a network": lambda: {"kind": "cst", "sparsity": 0.75, "width": 200, "depth": 5},
    "sparse.escape_curve": lambda: {"design": crelu(), "depth": 5, "widths": [50, 100]},
    "sparse.escape_probability": lambda: {
        "phi": crelu().phi,
        "sigma_w": crelu().sigma_w,
        "sigma_b": crelu().sigma_b,
        "width": 100,
        "depth": 5,
    },
    "sparse.fold": lambda: {"h": 1.25},
    "sparse.gradient_spread": lambda: {"layer": crelu().layer, "q": 1.0, "width": 100, "depth": 5},
    "sparse.instability": lambda: {"kind": "relu_tau", "sparsity": 0.75},
    "sparse.kramers_rate": lambda: {"layer": sparse.design("cst", 0.8, slope=0.9).layer, "q": 1.0, "width": 100},
    "sparse.largest_slope": lambda: {"kind": "crelu", "sparsity": 0.75, "width": 100, "depth": 5},
    "sparse.mean_exit_time": lambda: {"x": np.array([-1.0, 0.5]), "end": 2.0},
    "sparse.sample_variances": lambda: {
        "phi": "hard_tanh",
        "sigma_w": 1.5,
        "sigma_b": 0.25,
        "width": 50,
        "depth": 2,
        "n_samples": 20,
    },
    "sparse.shares": lambda: {"phi": "cst:1,0.5", "q": np.array([0.5, 1.0])},
    "sparse.smallest_width": lambda: {"kind": "crelu", "sparsity": 0.75, "slope": 0.75, "depth": 5},
    "sparse.stationary_fluctuation": lambda: {"layer": crelu().layer, "q": 1.0, "width": 100},
    "sparse.threshold": lambda: {"kind": "crelu", "sparsity": 0.75},
    "sparse.variance_curves": lambda: {"design": crelu()},
}
