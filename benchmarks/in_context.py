"""Learning in context beside MAML, over the number of meta-training tasks.

    python -m benchmarks.in_context --parts DIR

Sine waves (ten known points) and chapter 5.1's students with ten habits (ten known
weeks). A source of N tasks has twenty points of each, split anew in every iteration.
Both learners are trained for as long as they improve on 200 validation tasks, which
also chose their rates (at 600 tasks), and, for MAML, choose the number of steps.
Beside them stand methods that fit a model to the N tasks: for waves a Gaussian process
(squared exponential; its three settings of highest marginal likelihood), for habits the
hierarchical linear model and the ridge of 5.1. Writes to benchmarks/results/

- in_context_waves.csv and in_context_habits.csv: for each N (0: always new tasks) and
  method the mean squared error on 1,000 new tasks, mean over the seeds, with the 95 %
  interval over the tasks; the least and largest of the seeds; the median over tasks, of
  the seeds the mean, least and most; the share of runaway tasks; how far above
  in-context; the learning rate, and MAML's mean number of steps;
- in_context_frequencies.csv: the same for waves of other frequencies than it ever met,
  by the learners that met new waves without end.

A finished run is kept in DIR, and not made again: two hours of one core in all.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.optimize
import torch

from benchmarks.habits import students
from benchmarks.results_file import RESULTS, kept, write_table
from refimpl.context import InContext, in_context_losses, predict_in_context
from refimpl.maml import (
    KeepBest,
    load_trained,
    meta_train,
    mlp,
    predict,
    sinusoid_network,
)
from refimpl.tasks import SinusoidTasks, TaskBatch, summarize

SIZES = [50, 200, 600, 10_000, 0]
KNOWN = 10
ENDLESS = 10_000  # tasks for a model that cannot be fitted to tasks without end
RATES = {
    "in-context": [0.004, 0.008, 0.016, 0.032, 0.064],
    "MAML": [0.005, 0.01, 0.02, 0.04],
}
AWAY = 100  # waves reach from -5 to 5
FREQUENCIES = [1.0, 1.25, 1.5, 2.0]


def waves(count: int, rng: np.random.Generator) -> TaskBatch:
    return SinusoidTasks().sample(count, KNOWN, KNOWN, rng)


FAMILIES = {
    "waves": {
        "draw": waves,
        "inputs": 1,
        "network": lambda seed: sinusoid_network(seed=seed),
        "in-context": 4000,  # iterations
        "MAML": 10_000,
        "at_once": {"in-context": 64, "MAML": 25},
    },
    "habits": {
        "draw": students,
        "inputs": 10,
        "network": lambda seed: mlp(10, 64, 1, seed=seed),
        "in-context": 2000,
        "MAML": 3000,
        "at_once": {"in-context": 64, "MAML": 16},
    },
}


def source(
    family: str, tasks: int, seed: int, at_once: int
) -> Callable[[np.random.Generator], TaskBatch]:
    """Batches from ``tasks`` fixed tasks, their twenty points split anew each time."""
    draw = FAMILIES[family]["draw"]
    if tasks == 0:
        return lambda rng: draw(at_once, rng)
    pool = draw(tasks, np.random.default_rng([seed, tasks]))
    x = np.concatenate([pool.support_x, pool.query_x], axis=1)
    y = np.concatenate([pool.support_y, pool.query_y], axis=1)

    def some(rng: np.random.Generator) -> TaskBatch:
        chosen = rng.choice(tasks, size=min(at_once, tasks), replace=False)
        order = rng.permuted(np.tile(np.arange(2 * KNOWN), (len(chosen), 1)), axis=1)
        split = []
        for part in (order[:, :KNOWN], order[:, KNOWN:]):
            ones = np.ones(part.shape, np.float32)
            split += [x[chosen[:, None], part], y[chosen[:, None], part], ones]
        return TaskBatch(*split)

    return some


def squared(made: np.ndarray, batch: TaskBatch) -> np.ndarray:
    """Each task's mean squared error."""
    return ((made.astype(float) - batch.query_y) ** 2).mean(axis=(-2, -1))


def in_context(
    family: str, tasks: int, seed: int, iterations: int, rate: float
) -> InContext:
    own = FAMILIES[family]
    model = InContext(own["inputs"], seed=seed)
    validation = own["draw"](200, np.random.default_rng(3))

    def schedule(i: int) -> float:
        return rate * min(1, (i + 1) / 200) * (1 - i / (iterations + 1))

    def score() -> float:
        return squared(predict_in_context(model, validation), validation).mean()

    keep(model, score, source(family, tasks, seed, own["at_once"]["in-context"]), {
        "num_steps": 0, "meta_lr": schedule, "iterations": iterations, "seed": seed,
        "objective": in_context_losses, "max_grad_norm": 1.0,
    })  # fmt: skip
    return model


def maml(family: str, tasks: int, seed: int, iterations: int, rate: float):
    own = FAMILIES[family]
    model = own["network"](seed)
    validation = own["draw"](200, np.random.default_rng(3))
    how = {"fast_lr": 0.01, "num_steps": 5}

    def schedule(i: int) -> float:
        return rate * (1 - i / (iterations + 1))

    def score() -> float:
        made = predict(model, dict(model.named_parameters()), validation, **how)
        return squared(made[-1], validation).mean()

    keep(model, score, source(family, tasks, seed, own["at_once"]["MAML"]), {
        "meta_lr": schedule, "iterations": iterations, "seed": seed,
        "compile": iterations >= 500, "max_grad_norm": 1.0, **how,
    })  # fmt: skip
    torch.compiler.reset()
    return model


def keep(model, score, draw, how: dict) -> None:
    """Train ``model``; it ends as it was when ``score`` was lowest.

    A run whose meta-gradient is no longer finite ends there.
    """
    with tempfile.TemporaryDirectory() as folder:
        best = KeepBest(Path(folder) / "best", 12, model=model)
        how |= {"validate": score, "validate_every": max(how["iterations"] // 60, 1)}
        try:
            meta_train(model, draw, **how, callback=best)
        except FloatingPointError as error:
            print(error, flush=True)
        load_trained(best.path, model=model)


def adapted(model, batch: TaskBatch, steps: int) -> np.ndarray:
    """MAML's forecasts after 0 to ``steps`` steps, [steps + 1, M, Q, 1]."""
    params = dict(model.named_parameters())
    return predict(model, params, batch, num_steps=steps, fast_lr=0.01)


def best_steps(model, validation: TaskBatch, most: int = 100) -> int:
    return int(squared(adapted(model, validation, most), validation).mean(1).argmin())


def gaussian_process(pool: TaskBatch) -> Callable[[TaskBatch], np.ndarray]:
    """Settings of highest marginal likelihood over at most 600 tasks of ``pool``."""
    x = np.concatenate([pool.support_x, pool.query_x], axis=1)[:600].astype(float)
    y = np.concatenate([pool.support_y, pool.query_y], axis=1)[:600].astype(float)

    def kernel(a, b, log):
        scale, length, _ = np.exp(log)
        return scale * np.exp(-(((a - np.swapaxes(b, 1, 2)) / length) ** 2) / 2)

    def loss(log):
        K = kernel(x, x, log) + (np.exp(log[2]) + 1e-8) * np.eye(x.shape[1])
        L = np.linalg.cholesky(K)
        inner = np.linalg.solve(L, y)
        return (inner**2).sum() / 2 + np.log(np.diagonal(L, axis1=1, axis2=2)).sum()

    start, bounds = np.log([4.0, 1.5, 1e-3]), [(-3, 6), (-2, 3), (np.log(1e-6), 1)]
    log = scipy.optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds).x

    def forecast(batch: TaskBatch) -> np.ndarray:
        known, asked = batch.support_x.astype(float), batch.query_x.astype(float)
        K = kernel(known, known, log) + (np.exp(log[2]) + 1e-8) * np.eye(KNOWN)
        return kernel(asked, known, log) @ np.linalg.solve(K, batch.support_y)

    return forecast


def linear_models(pool: TaskBatch, validation: TaskBatch) -> dict:
    """Chapter 5.1's hierarchical model and its ridge, of any number of students."""
    X = np.concatenate([pool.support_x, pool.query_x], axis=1).astype(float)
    Y = np.concatenate([pool.support_y, pool.query_y], axis=1)[..., 0].astype(float)
    pooled = np.linalg.lstsq(X.reshape(-1, X.shape[2]), Y.ravel())[0]
    fits = np.stack([np.linalg.lstsq(x, y)[0] for x, y in zip(X, Y, strict=True)])
    squares = ((Y - np.einsum("nwh,nh->nw", X, fits)) ** 2).sum()
    noise = squares / (len(X) * (X.shape[1] - X.shape[2]))
    inverse = np.linalg.inv(np.einsum("nwh,nwk->nhk", X, X)).mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(fits.T) - noise * inverse)
    G = (vectors * values.clip(0)) @ vectors.T

    def forecast(G: np.ndarray) -> Callable[[TaskBatch], np.ndarray]:
        def of(batch: TaskBatch) -> np.ndarray:
            x, y = batch.support_x.astype(float), batch.support_y[..., 0]
            K = np.einsum("nwh,hk,nvk->nwv", x, G, x) + noise * np.eye(KNOWN)
            u = np.linalg.solve(K, (y - x @ pooled)[..., None])
            effects = pooled + np.einsum("hk,nwk,nw->nh", G, x, u[..., 0])
            return np.einsum("nwh,nh->nw", batch.query_x, effects)[..., None]

        return of

    ridges = [forecast(noise / p * np.eye(X.shape[2])) for p in (0.1, 0.3, 1, 3, 10)]
    ridge = min(ridges, key=lambda f: squared(f(validation), validation).mean())
    return {"hierarchical": forecast(G), "ridge": ridge}


def learned(
    family: str, method: str, tasks: int, seed: int, rate: float, share: float = 1
) -> dict[str, np.ndarray]:
    """Squared errors of one trained network: "validation" [200], "new" [1000], ..."""
    draw = FAMILIES[family]["draw"]
    validation = draw(200, np.random.default_rng(3))
    sets = {"validation": validation, "new": draw(1000, np.random.default_rng(2))}
    if family == "waves" and tasks == 0:
        sets |= {f"{f}": of_frequency(f) for f in FREQUENCIES}
    iterations = max(int(FAMILIES[family][method] * share), 1)
    if method == "in-context":
        model = in_context(family, tasks, seed, iterations, rate)
        return {n: squared(predict_in_context(model, b), b) for n, b in sets.items()}
    model = maml(family, tasks, seed, iterations, rate)
    steps = best_steps(model, validation)
    errors = {n: squared(adapted(model, b, 100), b) for n, b in sets.items()}
    made = {n: e[steps] for n, e in errors.items()} | {"steps": np.array([steps])}
    return made | {f"{n}, 100 steps": e[100] for n, e in errors.items()}


def run(parts: Path | None, *which, share: float = 1) -> dict[str, np.ndarray]:
    """As :func:`learned`, from the folder ``parts`` if it is there."""

    def make() -> dict[str, np.ndarray]:
        made = learned(*which, share=share)
        print(*which, made["new"].mean(), made.get("steps", ""), flush=True)
        return made

    return kept(parts and parts / ("_".join(map(str, which)) + ".npz"), make)


def best_rate(family: str, method: str, parts: Path | None, share: float) -> float:
    """Of the lowest validation error with 600 tasks and seed 0."""

    def error(rate: float) -> float:
        which = family, method, 600, 0, rate
        return run(parts, *which, share=share)["validation"].mean()

    return min(RATES[method], key=error)


def fitted(family: str, tasks: int, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """The same of the methods that fit a model to the tasks."""
    draw = FAMILIES[family]["draw"]
    new, validation = (
        draw(n, np.random.default_rng(s)) for n, s in ((1000, 2), (200, 3))
    )
    count = tasks or ENDLESS
    pool = draw(count, np.random.default_rng([seed, count]))
    if family == "habits":
        models = linear_models(pool, validation)
        return {n: {"new": squared(f(new), new)} for n, f in models.items()}
    process = gaussian_process(pool)
    sets = {"new": new} | {f"{f}": of_frequency(f) for f in FREQUENCIES}
    errors = {n: squared(process(b), b) for n, b in sets.items()}
    return {"Gaussian process": errors}


def of_frequency(frequency: float) -> TaskBatch:
    """1,000 waves A sin(frequency x - phi), else as those that were met."""
    rng = np.random.default_rng(4)
    tasks = SinusoidTasks()
    amplitude = rng.uniform(*tasks.amplitude, size=(1000, 1, 1))
    phase = rng.uniform(*tasks.phase, size=(1000, 1, 1))
    x = rng.uniform(*tasks.x, size=(1000, 2 * KNOWN, 1))
    y = (amplitude * np.sin(frequency * x - phase)).astype(np.float32)
    x, ones = x.astype(np.float32), np.ones((1000, KNOWN), np.float32)
    known, asked = slice(0, KNOWN), slice(KNOWN, 2 * KNOWN)
    return TaskBatch(x[:, known], y[:, known], ones, x[:, asked], y[:, asked], ones)


def summary(runs: dict[str, list[np.ndarray]]) -> list[dict]:
    """One row for each method's errors [seeds][tasks].

    Where an adapted network ran away, to an error above 100 or none at all, it counts
    as 100 in the means.
    """
    every = {m: np.array(errors) for m, errors in runs.items()}
    away = {m: ~(errors <= AWAY) for m, errors in every.items()}
    every = {m: np.where(away[m], AWAY, errors) for m, errors in every.items()}
    rows, ours = [], every["in-context"].mean(axis=0)
    for method, errors in every.items():
        whole, gap = (summarize(e) for e in (errors.mean(0), errors.mean(0) - ours))
        row = {"method": method} | {n: whole[n] for n in ("mean", "low", "high")}
        row |= {"least": errors.mean(1).min(), "most": errors.mean(1).max()}
        medians = np.median(errors, axis=1)
        row |= {"median": medians.mean(), "away": away[method].mean()}
        row |= {"median_least": medians.min(), "median_most": medians.max()}
        rows.append(row | {f"gap_{n}": gap[n] for n in ("mean", "low", "high")})
    return rows


def main(sizes, families, seeds: int, share: float, parts: Path | None, out: Path):
    torch.set_num_threads(1)
    for family in families:
        rows, other = [], []
        rates = {m: best_rate(family, m, parts, share) for m in RATES}
        print(family, rates, flush=True)
        for tasks in sizes:
            runs: dict[str, list[dict]] = {}
            for seed in range(seeds):
                own = {
                    m: run(parts, family, m, tasks, seed, rates[m], share=share)
                    for m in RATES
                }
                for name, errors in (own | fitted(family, tasks, seed)).items():
                    runs.setdefault(name, []).append(errors)
            new = {n: [e["new"] for e in each] for n, each in runs.items()}
            for row in summary(new):
                steps = [
                    int(e["steps"][0]) for e in runs[row["method"]] if "steps" in e
                ]
                own = {"rate": rates.get(row["method"]), "steps": np.mean(steps or [0])}
                rows.append({"tasks": tasks} | row | own)
            if family == "waves" and tasks == 0:
                for f in FREQUENCIES:
                    met = {n: [e[f"{f}"] for e in each] for n, each in runs.items()}
                    longer = [e[f"{f}, 100 steps"] for e in runs["MAML"]]
                    met["MAML, 100 steps"] = longer
                    other += [{"frequency": f} | row for row in summary(met)]
        command = f"python -m benchmarks.in_context --seeds {seeds} --families {family}"
        write_table(out / f"in_context_{family}.csv", pd.DataFrame(rows), command)
        if other:
            table = pd.DataFrame(other)
            write_table(out / "in_context_frequencies.csv", table, command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--families", nargs="+", default=[*FAMILIES])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1, help="of the iterations")
    parser.add_argument("--parts", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
