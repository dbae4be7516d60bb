"""MAML and its relatives on the same sine waves, for chapter 5.1 (about 20 minutes).

    python -m benchmarks.family

Every method gets the same waves (K = 10, 25 an iteration), the same Adam and as
many iterations, 3,000 where the paper has 70,000. Its inner rate is the one of two
or three that serves best, with seed 0, on 200 waves that are used for nothing else.
Writes to benchmarks/results/:

family.csv
    For each method, seed, number of known points (5, 10, 20) and number of inner
    steps (0 to 10): mean and median squared error on 600 new waves.
family_cost.csv
    For each method the rate chosen, the numbers of inner steps in training and
    of learned parameters, and the time of one meta-gradient as a multiple of
    MAML's with one step: medians of interleaved calls, not compiled.
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
RATES = (0.003, 0.01, 0.03)
WAVES = SinusoidTasks()


@dataclass
class Method:
    """What tells a method apart: its network, its inner rates, its objective."""

    num_steps: int = 1
    network: Callable[[int], nn.Module] = lambda seed: mlp(1, 40, 40, 1, seed=seed)
    fast_lr: Callable[[nn.Module, float], Any] = lambda model, rate: rate
    rates: tuple[float, ...] = RATES
    settings: dict[str, Any] = field(default_factory=dict)


def with_context(seed: int) -> nn.Module:
    return WithContext(mlp(1 + CONTEXT, 40, 40, 1, seed=seed), CONTEXT)


METHODS = {
    "pre-trained": Method(num_steps=0),
    "MAML": Method(),
    "first order": Method(settings={"first_order": True}),
    "learned rates": Method(fast_lr=LearnedRates),
    "Meta-SGD": Method(fast_lr=MetaSGD),
    "ANIL": Method(
        fast_lr=lambda model, rate: only(model, ["4."], rate), rates=(0.01, 0.03, 0.1)
    ),
    "CAVIA": Method(
        network=with_context,
        fast_lr=lambda model, rate: only(model, ["context"], rate),
        rates=(0.1, 0.3, 1.0),
    ),
    "MAML, 5 steps": Method(num_steps=5, rates=RATES[1:]),
    "multi-step, 5 steps": Method(
        num_steps=5, rates=RATES[1:], settings={"objective": multi_step_losses}
    ),
    "Reptile, 5 steps": Method(
        num_steps=5, rates=RATES[1:], settings={"objective": reptile_losses}
    ),
}


def draw(rng: np.random.Generator) -> TaskBatch:
    return WAVES.sample(25, shots=10, queries=10, rng=rng)


def train(method: Method, rate: float, seed: int, iterations: int):
    """The trained network and its inner rates."""
    model = method.network(seed)
    fast_lr = method.fast_lr(model, rate)
    meta_train(
        model,
        draw,
        method.num_steps,
        fast_lr,
        iterations=iterations,
        seed=seed,
        compile=iterations >= 500,  # a shorter run does not repay the wait
        **method.settings,
    )
    return model, fast_lr


def errors(model: nn.Module, fast_lr: Any, batch: TaskBatch, steps: int) -> np.ndarray:
    """As ``evaluate``; a wave on which the steps run away has an infinite error."""
    params = dict(model.named_parameters())
    losses = evaluate(model, params, batch, fast_lr=fast_lr, num_steps=steps)
    return np.nan_to_num(losses, nan=np.inf, posinf=np.inf)


def choose_rate(method: Method, iterations: int) -> tuple[float, Any]:
    """The rate with the least median error after the steps one trained for."""
    tuning = WAVES.sample(200, 10, queries=50, rng=np.random.default_rng(1))
    if method.num_steps == 0:  # one training serves all rates
        model, _ = train(method, 0.0, seed=0, iterations=iterations)
        trained = {rate: (model, rate) for rate in method.rates}
    else:
        trained = {rate: train(method, rate, 0, iterations) for rate in method.rates}
    score = {
        rate: np.median(errors(*made, tuning, max(method.num_steps, 1))[-1])
        for rate, made in trained.items()
    }
    best = min(score, key=score.__getitem__)
    return best, trained[best]


def meta_gradient(method: Method, batch: TaskBatch) -> Callable[[], None]:
    """A function that computes one meta-gradient of a method."""
    model = method.network(0)
    settings = dict(method.settings)
    objective = settings.pop("objective", task_losses)
    settings |= {"fast_lr": method.fast_lr(model, method.rates[0])}
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
    rows, costs = [], []
    for name in methods:
        method = METHODS[name]
        torch.compiler.reset()
        rate, made = choose_rate(method, iterations)
        for seed in range(seeds):
            if seed > 0:
                made = train(method, rate, seed, iterations)
            for shots, batch in new.items():
                losses = errors(*made, batch, steps=10)
                for step, loss in enumerate(losses):
                    row = {"method": name, "seed": seed, "shots": shots, "step": step}
                    rows.append(row | {"mean": loss.mean(), "median": np.median(loss)})
        cost = {"method": name, "rate": rate, "steps": method.num_steps}
        cost |= {"parameters": learned(*made), "time": spent[name] / spent["MAML"]}
        costs.append(cost)
        print(cost, flush=True)
        write_table(out / "family.csv", pd.DataFrame(rows), command)
        write_table(out / "family_cost.csv", pd.DataFrame(costs), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=3_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--methods", nargs="+", default=[*METHODS], choices=METHODS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
