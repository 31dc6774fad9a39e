"""neural-tangents' map of the correlation, compiled, over many layers. Run by the interpreter of its environment.

Reads one JSON object on stdin: depth, correlations, repetitions, and problems, each with phi, q, sigma_w2, sigma_b2;
prints one: for each problem the final covariances divided by the variance, and CPU and wall seconds of two forms,

    shared   both inputs have one variance, carried once: the least work its layers allow;
    general  each input has its own variance, as `kernel_fn(x1, x2)` returns it.

Both are one `fori_loop`, compiled, warm, the least of several repetitions.
"""

import json
import sys
import time
import warnings

import jax

jax.config.update("jax_enable_x64", True)
warnings.simplefilter("ignore")

import jax.numpy as jnp  # noqa: E402  (64 bits have to be chosen first)
import numpy as np  # noqa: E402
from neural_tangents import stax  # noqa: E402

QUADRATURE_DEGREE = 25  # what its documentation calls a good place to start


def activation(name):
    if name in ("relu", "erf", "gelu"):
        return {"relu": stax.Relu, "erf": stax.Erf, "gelu": stax.Gelu}[name]()
    functions = {"tanh": jnp.tanh, "crelu:1,1": lambda x: jnp.minimum(jnp.maximum(x - 1, 0), 1)}
    return stax.ElementwiseNumerical(functions[name], deg=QUADRATURE_DEGREE)


def starting_kernel(correlations, q, shared):
    """The kernel of one input and many others, of length √q and the given correlations."""
    c = np.asarray(correlations)
    _, _, kernel_fn = stax.Dense(1, 1.0, None)
    one = np.sqrt(2 * q) * np.array([[1.0, 0.0]])
    others = np.sqrt(2 * q) * np.stack([c, np.sqrt(1 - c**2)], axis=1)
    kernel = kernel_fn(one, others).replace(ntk=None, shape1=(1, 1), shape2=(1, 1))
    return kernel.replace(cov2=None) if shared else kernel


def compiled(problem, depth):
    bias = problem["sigma_b2"] ** 0.5 or None
    _, _, layer = stax.serial(activation(problem["phi"]), stax.Dense(1, problem["sigma_w2"] ** 0.5, bias))

    def step(_, kernel):
        return layer(kernel).replace(shape1=(1, 1), shape2=(1, 1))

    return jax.jit(lambda kernel: jax.lax.fori_loop(0, depth, step, kernel).nngp)


def least(work, repetitions):
    cpu, wall = [], []
    for _ in range(repetitions):
        c, w = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return min(cpu), min(wall)


def main():
    task = json.load(sys.stdin)
    answers = {}
    for problem in task["problems"]:
        numerical = problem["phi"] not in ("relu", "erf", "gelu")
        run = compiled(problem, task["depth"])
        answer = {}
        for form in ("shared",) if numerical else ("shared", "general"):
            start = starting_kernel(task["correlations"], problem["q"], form == "shared")
            final = run(start).block_until_ready()  # compiles
            cpu, wall = least(
                lambda run=run, k=start: run(k).block_until_ready(), 1 if numerical else task["repetitions"]
            )
            answer[form] = {"cpu": cpu, "wall": wall, "c": (np.asarray(final)[0] / problem["q"]).tolist()}
        answers[problem["phi"]] = answer
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
