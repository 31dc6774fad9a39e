"""A driver in a process of its own, for tests that kill it, starve it of disk, or give it a rival."""

import argparse
import contextlib
import json

from sweep_trials import units

from validation.sweep import run_sweep


@contextlib.contextmanager
def cluster(workers):
    """An executor on a local Dask cluster, each worker a process of one thread; one death is enough for its verdict."""
    import dask
    from distributed import Client, LocalCluster

    dask.config.set({"distributed.scheduler.allowed-failures": 0})
    kind = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**kind) as local, Client(local) as client:
        yield client.get_executor(pure=False)


def main():
    """Run the trials and print the report as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store")
    parser.add_argument("log")
    parser.add_argument("--number", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--poison", type=int, nargs="*", default=())
    parser.add_argument("--slow", type=int)
    parser.add_argument("--letters", type=int, default=0)
    parser.add_argument("--numbers", type=int, default=0)
    parser.add_argument("--wait", type=float, default=0.0)
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--largest-file", type=int)
    given = parser.parse_args()
    if given.largest_file:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (given.largest_file, resource.RLIM_INFINITY))
    changes = {name: getattr(given, name) for name in ("slow", "letters", "numbers")}
    trials = units(given.log, given.number, given.seconds, given.poison, **changes)
    with cluster(2) if given.dask else contextlib.nullcontext() as executor:
        report = run_sweep(trials, executor, store=given.store, workers=2, wait=given.wait)
    print(
        json.dumps(
            {name: getattr(report, name) for name in ("total", "resumed", "done", "failed", "crashed", "diverged")}
        )
    )


if __name__ == "__main__":
    main()
