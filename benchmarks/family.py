"""MAML and its relatives on the same sine waves, for chapter 5.1 (about an hour).

    python -m benchmarks.family

Every method gets the same waves (K = 10, 25 an iteration), the same Adam and as
many iterations, 30,000 where the paper has 70,000. Its inner rate is the one of a
ladder that serves best, after a whole training with seed 0, on 200 waves that are used
for nothing else; the ladder is climbed until both neighbors of the best were tried.
Writes to benchmarks/results/:

family.csv
    For each method, seed, number of known points (5, 10, 20) and number of inner
    steps (0 to 10): mean and median squared error on 600 new waves, at the end. With
    10 points also after a thirtieth, a tenth and a third of the iterations.
family_cost.csv
    For each method the rate chosen, the least and the largest tried, the numbers of
    inner steps in training and of learned parameters, and the time of one meta-gradient
    as a multiple of MAML's with one step: medians of interleaved calls, not compiled.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from benchmarks.results_file import RESULTS, write_table
from refimpl.maml import (
    History,
    LearnedRates,
    MetaSGD,
    WithContext,
    evaluate,
    meta_train,
    mlp,
    multi_step_losses,
    only,
    reptile_losses,
    task_losses,
)
from refimpl.tasks import SinusoidTasks, TaskBatch

CONTEXT = 4
LADDER = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
SHARES = (30, 10, 3, 1)  # of the iterations, after which errors are noted
WAVES = SinusoidTasks()


@dataclass
class Method:
    """What tells a method apart: its network, its inner rates, its objective.

    ``rate`` is where the climb on the ladder begins.
    """

    num_steps: int = 1
    network: Callable[[int], nn.Module] = lambda seed: mlp(1, 40, 40, 1, seed=seed)
    fast_lr: Callable[[nn.Module, float], Any] = lambda model, rate: rate
    rate: float = 0.01
    settings: dict[str, Any] = field(default_factory=dict)


def with_context(seed: int) -> nn.Module:
    return WithContext(mlp(1 + CONTEXT, 40, 40, 1, seed=seed), CONTEXT)


METHODS = {
    "pre-trained": Method(num_steps=0),
    "MAML": Method(),
    "first order": Method(settings={"first_order": True}),
    "learned rates": Method(fast_lr=LearnedRates),
    "Meta-SGD": Method(fast_lr=MetaSGD),
    "ANIL": Method(fast_lr=lambda model, rate: only(model, ["4."], rate), rate=0.03),
    "CAVIA": Method(
        network=with_context,
        fast_lr=lambda model, rate: only(model, ["context"], rate),
        rate=1.0,
    ),
    "MAML, 5 steps": Method(num_steps=5),
    "multi-step, 5 steps": Method(
        num_steps=5, settings={"objective": multi_step_losses}
    ),
    "Reptile, 5 steps": Method(num_steps=5, settings={"objective": reptile_losses}),
}


def draw(rng: np.random.Generator) -> TaskBatch:
    return WAVES.sample(25, shots=10, queries=10, rng=rng)


def train(
    method: Method, rate: float, seed: int, iterations: int, new: TaskBatch
) -> tuple[nn.Module, Any, pd.DataFrame]:
    """The trained network, its inner rates, and its errors on the way."""
    model = method.network(seed)
    fast_lr = method.fast_lr(model, rate)
    stops = {iterations // share for share in SHARES[:-1]}
    noted = []

    def note(history: History) -> None:
        if (done := len(history.loss)) in stops:
            noted.append(error_table(model, fast_lr, new).assign(iterations=done))

    meta_train(
        model,
        draw,
        method.num_steps,
        fast_lr,
        iterations=iterations,
        seed=seed,
        compile=iterations >= 500,  # a shorter run does not repay the wait
        callback=note,
        **method.settings,
    )
    return model, fast_lr, pd.concat(noted) if noted else pd.DataFrame()


def errors(model: nn.Module, fast_lr: Any, batch: TaskBatch, steps: int) -> np.ndarray:
    """As ``evaluate``; a wave on which the steps run away has an infinite error."""
    params = dict(model.named_parameters())
    losses = evaluate(model, params, batch, fast_lr=fast_lr, num_steps=steps)
    return np.nan_to_num(losses, nan=np.inf, posinf=np.inf)


def error_table(model: nn.Module, fast_lr: Any, batch: TaskBatch) -> pd.DataFrame:
    """Mean and median error of the batch's waves after 0 to 10 steps."""
    losses = errors(model, fast_lr, batch, steps=10)
    table = {"mean": losses.mean(axis=1), "median": np.median(losses, axis=1)}
    table |= {"shots": batch.support_x.shape[1], "step": range(11)}
    return pd.DataFrame(table)


def choose_rate(
    method: Method, iterations: int, new: TaskBatch, ladder: tuple[float, ...] = LADDER
) -> tuple[float, tuple, list[float]]:
    """The rate with the least median error after the steps one trained for.

    Returns it, what was trained with it, and all rates tried.
    """
    tuning = WAVES.sample(200, 10, queries=50, rng=np.random.default_rng(1))
    trained: dict[float, tuple] = {}
    score: dict[float, float] = {}
    best = method.rate
    while True:
        place = ladder.index(best)
        missing = {*ladder[max(place - 1, 0) : place + 2]} - {*trained}
        if not missing:
            return best, trained[best], sorted(trained)
        for rate in sorted(missing):
            trained[rate] = train(method, rate, 0, iterations, new)
            losses = errors(*trained[rate][:2], tuning, max(method.num_steps, 1))
            score[rate] = float(np.median(losses[-1]))
        best = min(score, key=score.__getitem__)


def meta_gradient(method: Method, batch: TaskBatch) -> Callable[[], None]:
    """A function that computes one meta-gradient of a method."""
    model = method.network(0)
    settings = dict(method.settings)
    objective = settings.pop("objective", task_losses)
    settings |= {"fast_lr": method.fast_lr(model, method.rate)}
    settings |= {"num_steps": method.num_steps}

    def step() -> None:
        params = dict(model.named_parameters())
        objective(model, params, batch, **settings).mean().backward()

    return step


def meta_gradient_times(seconds: float) -> dict[str, float]:
    """Median seconds of one meta-gradient of each method, called in turn."""
    batch = draw(np.random.default_rng(0)).map(torch.as_tensor)
    steps = {name: meta_gradient(method, batch) for name, method in METHODS.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times["MAML"]) < 3:
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(spent)) for name, spent in times.items()}


def learned(model: nn.Module, fast_lr: Any) -> int:
    """How many numbers the outer loop moves."""
    modules = [model, fast_lr] if isinstance(fast_lr, nn.Module) else [model]
    return sum(p.numel() for m in modules for p in m.parameters() if p.requires_grad)


def main(
    iterations: int, seeds: int, seconds: float, methods: list[str], out: Path
) -> None:
    torch.set_num_threads(1)
    command = f"python -m benchmarks.family --iterations {iterations} --seeds {seeds}"
    new = {
        shots: WAVES.sample(600, shots, queries=50, rng=np.random.default_rng(2))
        for shots in (5, 10, 20)
    }
    spent = meta_gradient_times(seconds)
    tables, costs = [], []
    for name in methods:
        method = METHODS[name]
        torch.compiler.reset()
        rate, made, tried = choose_rate(method, iterations, new[10])
        for seed in range(seeds):
            if seed > 0:
                made = train(method, rate, seed, iterations, new[10])
            model, fast_lr, noted = made
            done = [error_table(model, fast_lr, batch) for batch in new.values()]
            table = pd.concat([noted, pd.concat(done).assign(iterations=iterations)])
            tables.append(table.assign(method=name, seed=seed))
        cost = {"method": name, "rate": rate, "least": tried[0], "largest": tried[-1]}
        cost |= {"steps": method.num_steps, "parameters": learned(model, fast_lr)}
        costs.append(cost | {"time": spent[name] / spent["MAML"]})
        print(costs[-1], flush=True)
        columns = ["method", "seed", "iterations", "shots", "step", "mean", "median"]
        write_table(out / "family.csv", pd.concat(tables)[columns], command)
        write_table(out / "family_cost.csv", pd.DataFrame(costs), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=30_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--methods", nargs="+", default=[*METHODS], choices=METHODS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
