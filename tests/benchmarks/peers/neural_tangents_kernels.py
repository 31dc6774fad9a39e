"""neural-tangents' NNGP kernel of a data matrix. Run by the interpreter of its environment.

Reads one JSON object on stdin: inputs (a .npy file), depth, repetitions, problems (phi, sigma_w2, sigma_b2) and out, a
folder; prints one: CPU and wall seconds of `jit(kernel_fn)` of the whole network, as its documentation writes it
(`network`), and of one layer in a `fori_loop` (`loop`), warm. Kernels are written to out/PHI.npy.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402  (64 bits have to be chosen first)
from neural_tangents import stax  # noqa: E402

ACTIVATIONS = {"relu": stax.Relu, "erf": stax.Erf}


def network(problem, depth):
    phi, dense = parts(problem)
    _, _, kernel_fn = stax.serial(dense, *[part for _ in range(depth) for part in (phi, dense)])
    return jax.jit(lambda x: kernel_fn(x, None, "nngp"))


def loop(problem, depth):
    phi, dense = parts(problem)
    _, _, first = dense
    _, _, layer = stax.serial(phi, dense)

    def bare(kernel):
        return kernel.replace(ntk=None, shape1=(1, 1), shape2=(1, 1))

    def run(x):
        return jax.lax.fori_loop(0, depth, lambda _, k: bare(layer(k)), bare(first(x, None))).nngp

    return jax.jit(run)


def parts(problem):
    return ACTIVATIONS[problem["phi"]](), stax.Dense(1, problem["sigma_w2"] ** 0.5, problem["sigma_b2"] ** 0.5 or None)


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
    x = np.load(task["inputs"])
    answers = {}
    for problem in task["problems"]:
        answers[problem["phi"]] = answer = {}
        for form in (network, loop):
            run = form(problem, task["depth"])
            kernel = run(x).block_until_ready()  # compiles
            cpu, wall = least(lambda run=run: run(x).block_until_ready(), task["repetitions"])
            answer[form.__name__] = {"cpu": cpu, "wall": wall}
        np.save(Path(task["out"]) / f"{problem['phi']}.npy", np.asarray(kernel))
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
