"""2-D navigation: is a meta-learned policy one step from every goal? (about 40 minutes)

    python -m benchmarks.navigation

The check against Finn, Abbeel & Levine (2017), section 5.3, for chapter 6.3: MAML with
PPO as its outer loop, with second derivatives and without ("first order"), beside a
policy that PPO trained on random goals alike ("pre-trained"), and one that nothing
trained ("random"). Each adapts to 500 new goals by five steps of policy gradient, with
20 episodes of 100 steps for each. The first two do it at the rate that they were
trained with, the others at a rate of their own, of RATES the best after five steps on
100 goals more. After the first step all rates are halved, as in the paper. Writes to
benchmarks/results

navigation.csv         for each policy, seed and number of steps: the mean return over
                       goals, with its 95 % interval over goals, and the rate
navigation_gap.csv     meta-learned after one step less the pre-trained after one or
                       five, goal by goal, the mean of the seeds, with 95 % intervals
navigation_curves.csv  mean returns before and after the step, while training
navigation.npz         the weights of seed 0: policy.i
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from benchmarks.results_file import RESULTS, write_table
from refimpl.envs import Navigation2D
from refimpl.ppo.checkpoint import save_arrays
from refimpl.ppo.episodes import MetaPolicy
from refimpl.ppo.maml import evaluate_maml_ppo, train_maml_ppo
from refimpl.tasks import summarize

COMMAND = "python -m benchmarks.navigation"
EPISODES = 20  # of each goal, for each step
GOALS = {"train": 20, "choose": 100, "test": 500}
RATES = [0.1, 0.3, 1.0, 3.0, 10.0]
FAST_LR, META_LR, UPDATES, HIDDEN = 0.1, 4e-3, 200, (32, 32)
TRAINED: dict[str, dict | None] = {
    "meta-learned": {"num_steps": 1},
    "meta-learned, first order": {"num_steps": 1, "first_order": True},
    "pre-trained": {"num_steps": 0},
    "random": None,
}


def points(goals: int) -> Navigation2D:
    """Episodes of equal length: none ends early at its goal."""
    return Navigation2D(goals * EPISODES, tolerance=0.0)


def learned(kind: str, seed: int, updates: int) -> tuple[MetaPolicy, pd.DataFrame]:
    """A policy, and its curve."""
    envs, own = points(GOALS["train"]), TRAINED[kind]
    policy = MetaPolicy(envs, HIDDEN, seed=seed)
    if own is None:
        return policy, pd.DataFrame()
    settings = {"tasks": GOALS["train"], "fast_lr": FAST_LR, "meta_lr": META_LR, **own}
    settings["jit_compile"] = updates > 10  # then it pays
    history = train_maml_ppo(policy, envs, updates=updates, seed=seed, **settings)
    curve = pd.DataFrame(history).rename(columns=lambda j: f"after {j}")
    return policy, curve.assign(update=curve.index + 1, policy=kind, seed=seed)


def adapted(policy: MetaPolicy, goals: int, fast_lr: float, seed: int) -> np.ndarray:
    """Mean returns [6, goals] after 0 to 5 steps."""
    rates = [fast_lr] + [fast_lr / 2] * 4
    options = {"tasks": goals, "fast_lr": rates, "seed": seed}
    return evaluate_maml_ppo(policy, points(goals), **options).mean(axis=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=UPDATES)
    parser.add_argument("--goals", type=int, default=GOALS["test"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for thread in ("intra", "inter"):
        getattr(tf.config.threading, f"set_{thread}_op_parallelism_threads")(1)

    rows, curves, weights, rates = [], [], {}, {}
    found: dict[str, list[np.ndarray]] = {}
    for seed in range(arguments.seeds):
        for kind in TRAINED:
            policy, curve = learned(kind, seed, arguments.updates)
            curves.append(curve)
            rate = FAST_LR
            if kind in ("pre-trained", "random"):
                some = min(GOALS["choose"], arguments.goals)
                tried = [
                    adapted(policy, some, rate, seed=1)[5].mean() for rate in RATES
                ]
                rate = RATES[np.argmax(tried)]
            returns = adapted(policy, arguments.goals, rate, seed=2)
            found.setdefault(kind, []).append(returns)
            for steps, over_goals in enumerate(returns):
                row = {"policy": kind, "seed": seed, "steps": steps}
                rows.append({**row, **summarize(over_goals), "fast_lr": rate})
            print(kind, seed, rate, returns.mean(axis=1).round(3), flush=True)
            if seed == 0 and TRAINED[kind] is not None:
                rates[kind] = rate
                for i, weight in enumerate(policy.weights):
                    weights[f"{kind}.{i}"] = weight.numpy()

    gaps = []
    mean = {name: np.mean(returns, axis=0) for name, returns in found.items()}
    for steps in (1, 5):
        gap = summarize(mean["meta-learned"][1] - mean["pre-trained"][steps])
        gaps.append({"against": "pre-trained", "after": steps, **gap})
    packages = ["tensorflow", "keras", "numpy", "gymnasium"]
    out = arguments.out
    write_table(out / "navigation.csv", pd.DataFrame(rows), COMMAND, packages)
    write_table(out / "navigation_gap.csv", pd.DataFrame(gaps), COMMAND, packages)
    curve = pd.concat(curves)[["policy", "seed", "update", "after 0", "after 1"]]
    curve["update"] = (curve["update"] - 1) // 10 * 10 + 10  # mean of ten
    curve = curve.groupby(["policy", "seed", "update"], as_index=False).mean()
    write_table(out / "navigation_curves.csv", curve, COMMAND, packages)
    note = {"command": COMMAND, "updates": arguments.updates, "rates": rates}
    note |= {"hidden": HIDDEN}
    save_arrays(out / "navigation.npz", weights, note)


if __name__ == "__main__":
    main()
