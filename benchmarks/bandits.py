"""RL-squared on Bernoulli bandits, beside rules that people wrote (some hours).

    python -m benchmarks.bandits
    python -m benchmarks.bandits --sampled --settings 10x5 100x5

For each setting (n pulls, k arms) of Duan et al. (2016) that SETTINGS names: trains
RL-squared with one seed or three, and lets every rule meet the same 10,000 new
students. The constant of UCB1 and the discount of Gittins' index are the best of a
list, on these very students: as in the paper, and in the rules' favor. Writes to
benchmarks/results

bandits.csv           for each setting, rule and seed: mean and standard error of the
                      total reward of a lesson
bandits_curves.csv    mean total reward while training, every ten updates
bandits_speed.csv     student-steps per second of the environment with 1,024 students,
                      without a policy, median over lessons: by the clock on the wall
                      and by the processor's, and both over the target of 1,000,000
bandits_N_K.npz       the weights of seed 0 for each setting, and how they were trained

With --sampled RL-squared learns from the rewards that fell, as in a class, and not from
the hidden rates, which only a simulator knows. That writes

bandits_sampled.csv   as bandits.csv, RL-squared alone
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from gymnasium.vector import VectorWrapper

from benchmarks.results_file import RESULTS, write_table
from benchmarks.speed import environment_speed
from refimpl.baselines.bandits import gittins, greedy, play, random_arm, thompson, ucb1
from refimpl.envs import BernoulliBandits
from refimpl.ppo.checkpoint import save_arrays
from refimpl.ppo.meta import RecurrentActorCritic, evaluate_rl2, train_rl2

COMMAND = "python -m benchmarks.bandits"
NEW = 10_000  # students, and
LUCK = 2016  # their seed
TARGET = 1_000_000  # student-steps per second
SHORT = {
    "students": 1024,
    "updates": 300,
    "learning_rate": 3e-3,
    "entropy_weight": 0.02,
    "minibatches": 8,
}
LONG = {**SHORT, "updates": 1000, "entropy_weight": 0.03, "gamma": 1.0, "lambda_": 0.97}
SETTINGS = {  # (pulls, arms)
    (10, 5): SHORT,
    (100, 5): LONG,
    (100, 10): {**LONG, "entropy_weight": 0.05},
}
SEEDS = {10: 3, 100: 1}  # a run of 100 pulls takes an hour on a quiet core
UCB1 = [0.1, 0.2, 0.3, 0.4, 0.5, 1.0]
DISCOUNTS = [0.9, 0.99, 0.999]


class Sampled(VectorWrapper):
    """The same students, whose hidden rates nobody tells."""

    def step(self, actions):
        *step, infos = self.env.step(actions)
        return *step, {k: v for k, v in infos.items() if k != "expected_reward"}


def speed() -> pd.DataFrame:
    """Of the environment alone."""
    envs = BernoulliBandits(1024, pulls=100, arms=5)
    actions = np.random.default_rng(0).integers(5, size=(101, 1024))
    return environment_speed(envs, lambda: actions, TARGET)


def rules(pulls: int, arms: int) -> pd.DataFrame:
    """Mean and standard error of each rule's total reward."""

    def score(name: str, rule) -> dict:
        totals = play(BernoulliBandits(NEW, pulls, arms), rule, LUCK).sum(axis=1)
        return {"rule": name, "mean": totals.mean(), "error": totals.std() / NEW**0.5}

    rows = [
        score("random", random_arm),
        score("greedy", greedy),
        score("Thompson", thompson),
    ]
    tuned = [
        [{**score("UCB1", ucb1(c)), "constant": c} for c in UCB1],
        [{**score("Gittins", gittins(d, pulls)), "constant": d} for d in DISCOUNTS],
    ]
    rows += [max(some, key=lambda row: row["mean"]) for some in tuned]
    return pd.DataFrame(rows)


def learned(
    pulls: int,
    arms: int,
    seed: int,
    setting: dict,
    stop: int | None = None,
    parts: Path | None = None,
    sampled: bool = False,
) -> tuple[RecurrentActorCritic, dict, pd.DataFrame]:
    """A trained policy, its score on the same new students, and its curve."""
    options = {**setting}
    envs = BernoulliBandits(options.pop("students"), pulls, arms)
    envs = Sampled(envs) if sampled else envs
    name = f"bandits_{pulls}_{arms}_{seed}{'_sampled' * sampled}.npz"
    policy = RecurrentActorCritic(envs, seed=seed)
    history = train_rl2(
        policy,
        envs,
        seed=seed,
        reward_scale=1 / pulls,
        jit_compile=stop is None,  # in a whole run it pays
        callback=lambda history: len(history) == stop,
        checkpoint=parts and parts / name,
        **options,
    )
    # play draws the students' seed as evaluate_rl2 does: they are the same.
    trials = evaluate_rl2(policy, BernoulliBandits(NEW, pulls, arms), seed=LUCK)
    totals = trials.rewards.sum(axis=1)
    score = {"mean": totals.mean(), "error": totals.std() / NEW**0.5}
    means = pd.Series([np.mean(returns) for returns in history.returns])
    curve = pd.DataFrame({"update": means.index // 10 * 10 + 10, "mean": means})
    return policy, score, curve.groupby("update", as_index=False).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="at most")
    parser.add_argument("--stop", type=int, help="after so many updates, as a try")
    parser.add_argument("--settings", nargs="+", default=["10x5", "100x5", "100x10"])
    parser.add_argument("--parts", type=Path, help="a folder, to go on from there")
    parser.add_argument("--sampled", action="store_true", help="no hidden rates")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    for folder in (arguments.out, arguments.parts or arguments.out):
        folder.mkdir(parents=True, exist_ok=True)
    for thread in ("intra", "inter"):
        getattr(tf.config.threading, f"set_{thread}_op_parallelism_threads")(1)

    command = COMMAND + " --sampled" * arguments.sampled
    for name in ("seeds", "stop", "settings"):
        if (given := getattr(arguments, name)) != parser.get_default(name):
            told = " ".join(given) if name == "settings" else given
            command += f" --{name} {told}"
    packages = ["tensorflow", "keras", "numpy", "gymnasium"]
    if not arguments.sampled:
        write_table(arguments.out / "bandits_speed.csv", speed(), command, packages)
    tables, curves = [], []
    for name in arguments.settings:
        pulls, arms = map(int, name.split("x"))
        setting = SETTINGS[pulls, arms]
        found = pd.DataFrame() if arguments.sampled else rules(pulls, arms)
        for seed in range(min(arguments.seeds, SEEDS[pulls])):
            policy, score, curve = learned(
                pulls,
                arms,
                seed,
                setting,
                arguments.stop,
                arguments.parts,
                arguments.sampled,
            )
            row = pd.DataFrame([{"rule": "RL2", "seed": seed, **score}])
            found = pd.concat([found, row])
            curves.append(curve.assign(pulls=pulls, arms=arms, seed=seed))
            if seed == 0 and not arguments.sampled:
                weights = {f"{i}": w.numpy() for i, w in enumerate(policy.weights)}
                note = {"command": command, "pulls": pulls, "arms": arms, **setting}
                save_arrays(
                    arguments.out / f"bandits_{pulls}_{arms}.npz", weights, note
                )
        tables.append(found.assign(pulls=pulls, arms=arms))
    if arguments.sampled:
        columns = ["pulls", "arms", "rule", "seed", "mean", "error"]
        table = pd.concat(tables)[columns]
        write_table(arguments.out / "bandits_sampled.csv", table, command, packages)
        return
    columns = ["pulls", "arms", "rule", "seed", "constant", "mean", "error"]
    table = pd.concat(tables)[columns].astype({"seed": "Int64"})
    write_table(arguments.out / "bandits.csv", table, command, packages)
    curve = pd.concat(curves)[["pulls", "arms", "seed", "update", "mean"]]
    write_table(arguments.out / "bandits_curves.csv", curve, command, packages)


if __name__ == "__main__":
    main()
