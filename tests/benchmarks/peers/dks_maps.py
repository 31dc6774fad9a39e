"""The C map of `dks.base` at variance 1, one value at a time. Run by the interpreter of its environment.

Reads one JSON object on stdin: correlations and phi, a list of names; prints one: values of C and CPU seconds each.
"""

import json
import sys
import time
import warnings

import numpy as np
from dks.base import activation_transform

warnings.simplefilter("ignore")

FUNCTIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}


def main():
    task = json.load(sys.stdin)
    activation_transform._estimate_gaussian_mean(np.tanh)  # reads its nodes from a file
    answers = {}
    for name in task["phi"]:
        values, seconds = [], []
        for c in task["correlations"]:
            start = time.process_time()
            values.append(float(activation_transform._calc_c_map(FUNCTIONS[name], c=c)))
            seconds.append(time.process_time() - start)
        answers[name] = {"c": values, "cpu": seconds}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
