"""Choosing the next exercise for simulated students, for chapter 6.3 (about an hour).

    python -m benchmarks.tutor

The students of :class:`refimpl.envs.Tutor`, 5,000 new ones, the same for every way of
choosing, and six crowds of them: as those trained on, with one rate shifted, or less
different from each other. What a way of choosing is worth: its mean gain, and the
share of the gap that it closes,

    (gain - gain at random) / (gain of the oracle - gain at random).

Three ways are learned, with three seeds each: by plain PPO (one policy for all, with
the skill bars in sight), by RL-squared, and by MAML with a PPO outer loop, which sees
the bars too and adapts to a student by one step from SESSIONS whole sessions with her.
The mastery rules' thresholds are chosen on 20,000 other students. The Bayesian tutor
believes in 256 sets of rates, drawn as students are (seed PARTICLES). Writes to
benchmarks/results

tutor.csv          for each crowd, part of it (all; the quarter that learns most slowly,
                   most quickly), way of choosing and seed: mean gain, and share of the
                   gap closed, with 95 % intervals over students (bootstrap)
tutor_paired.csv   differences of gains between ways that matter, student by student,
                   the mean of the seeds, with 95 % intervals
tutor_decisions.csv  milliseconds of processor time for a decision of RL-squared and of
                   the Bayesian tutor: for one student, and for each of 1,000 at once
tutor_speed.csv    student-steps per second of the environment with 1,024 students,
                   without a policy, median over sessions, over the target of 200,000
tutor_ppo.npz, tutor_rl2.npz, tutor_maml.npz
                   the weights of all seeds: weight i of seed s is ``s.i``
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from gymnasium.vector import VectorWrapper

from benchmarks.results_file import RESULTS, write_table
from benchmarks.speed import environment_speed
from refimpl.baselines.tutoring import (
    CLASSIC,
    Rule,
    mastery,
    oracle,
    play,
    random_skill,
    round_robin,
)
from refimpl.baselines.tutoring_bayes import bayesian
from refimpl.baselines.tutoring_plan import exact_mastery
from refimpl.envs import POOLED, Rates, Tutor
from refimpl.envs.knowledge import MEDIAN, SKILLS, SPREAD, draw_rates
from refimpl.ppo import ActorCritic, train
from refimpl.ppo.checkpoint import load_arrays, save_arrays
from refimpl.ppo.episodes import MetaPolicy
from refimpl.ppo.maml import evaluate_maml_ppo, train_maml_ppo
from refimpl.ppo.meta import RecurrentActorCritic, evaluate_rl2, train_rl2
from refimpl.tasks import summarize

COMMAND = "python -m benchmarks.tutor"
NEW, LUCK = 5000, 2027  # students, and their seed
TARGET = 200_000  # student-steps per second
SESSIONS = 4  # with each student, for MAML's step
THRESHOLDS = [0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
PARTICLES = 256, 6  # sets of rates, and their seed
PPO = {
    "students": 512,
    "updates": 300,
    "learning_rate": 1e-3,
    "gamma": 1.0,
    "entropy_weight": 0.003,
    "minibatches": 8,
}
RL2 = {
    "students": 512,
    "updates": 400,
    "learning_rate": 3e-3,
    "gamma": 1.0,
    "entropy_weight": 0.003,
    "reward_scale": 3.0,
}
MAML = {
    "students": 128,
    "updates": 200,
    "meta_lr": 2e-3,
    "fast_lr": 1.0,
    "gamma": 1.0,
    "entropy_weight": 0.003,
}
# The crowds: the median student's rates and the spread around them, changed.
HALVED = Rates(*(value / 2 for value in vars(SPREAD).values()))
CROWDS = {
    "as trained": (MEDIAN, SPREAD),
    "forget a quarter": (replace(MEDIAN, forget=MEDIAN.forget / 4), SPREAD),
    "learn half": (replace(MEDIAN, learn=MEDIAN.learn / 2), SPREAD),
    "guess three times": (replace(MEDIAN, guess=3 * MEDIAN.guess), SPREAD),
    "learn alike": (MEDIAN, replace(SPREAD, learn=0.5)),
    "all more alike": (MEDIAN, HALVED),
}
LEARNED = ["PPO", "RL2", "MAML, 0 steps", "MAML, 1 step"]
PAIRS = [(way, "mastery, forgetting") for way in LEARNED]
PAIRS += [("mastery, forgetting", "mastery, classic"), ("PPO", "RL2")]
PAIRS += [("MAML, 1 step", "MAML, 0 steps"), ("RL2", "exact bars")]
PAIRS += [("Bayesian", "RL2"), ("Bayesian", "exact bars")]


class ToldRewards(VectorWrapper):
    """For training: instead of the gain at the end, what each exercise is to bring."""

    def step(self, actions: np.ndarray) -> tuple:
        seen, _, terminated, truncated, infos = self.env.step(actions)
        return seen, infos["expected_reward"], terminated, truncated, infos


class Crowd(Tutor):
    """Sessions with given students, always the same; rows repeat each of them."""

    def __init__(self, rates: Rates, each: int = 1, bars: Rates | None = None) -> None:
        self.given = Rates(*(np.repeat(value, each) for value in vars(rates).values()))
        super().__init__(len(self.given.learn), bars=bars)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple:
        return super().reset(seed=seed, options={"rates": self.given})

    def draw_tasks(self, rng: np.random.Generator, tasks: int) -> dict[str, Any]:
        return {}


def crowd(median: Rates, spread: Rates = SPREAD, students: int = NEW) -> Rates:
    """Students around this median; students of two crowds differ by the shift alone."""
    normal = np.random.default_rng(LUCK).standard_normal((students, 5))
    return draw_rates(normal, median, spread)


def particles() -> Rates:
    """What the Bayesian tutor believes of a new student."""
    count, seed = PARTICLES
    return draw_rates(np.random.default_rng(seed).standard_normal((count, 5)))


def thresholds(students: int = 20_000) -> dict[str, float]:
    """The best of THRESHOLDS for each mastery rule, on students of their own."""
    ways: dict[str, tuple[Rates | None, Callable[[float], Rule]]] = {
        "mastery, classic": (CLASSIC, mastery),
        "mastery, forgetting": (POOLED, mastery),
        "exact bars": (None, lambda threshold: exact_mastery(threshold, POOLED)),
        "exact bars, own rates": (None, exact_mastery),
    }
    best = {}
    for way, (bars, rule) in ways.items():
        found = [
            play(Tutor(students, bars=bars), rule(t), seed=1).sum(axis=1).mean()
            for t in THRESHOLDS
        ]
        best[way] = THRESHOLDS[int(np.argmax(found))]
    return best


def gains_of_rules(rates: Rates, best: dict[str, float]) -> dict[str, np.ndarray]:
    """Each rule's gains [N], all with the same luck."""
    ways = {
        "random": (None, random_skill),
        "round-robin": (None, round_robin),
        "mastery, classic": (CLASSIC, mastery(best["mastery, classic"])),
        "mastery, forgetting": (POOLED, mastery(best["mastery, forgetting"])),
        "exact bars": (None, exact_mastery(best["exact bars"], POOLED)),
        "exact bars, own rates": (None, exact_mastery(best["exact bars, own rates"])),
        "Bayesian": (None, bayesian(particles())),
        "oracle": (None, oracle),
    }
    return {
        way: play(Crowd(rates, bars=bars), rule, LUCK).sum(axis=1)
        for way, (bars, rule) in ways.items()
    }


def train_ppo(seed: int, options: dict, stop: int | None) -> ActorCritic:
    """One policy for all: chapter 5.2's."""
    envs = ToldRewards(Tutor(options.pop("students"), bars=POOLED))
    policy = ActorCritic(envs, seed=seed)
    steps = envs.unwrapped.exercises + 1  # a session, and the reset after it
    train(
        policy,
        envs,
        seed=seed,
        rollout_steps=steps,
        jit_compile=stop is None,  # in a whole run it pays
        callback=stop_at(stop),
        **options,
    )
    return policy


def train_memory(seed: int, options: dict, stop: int | None) -> RecurrentActorCritic:
    envs = Tutor(options.pop("students"))
    policy = RecurrentActorCritic(envs, seed=seed)
    options |= {"jit_compile": stop is None, "callback": stop_at(stop)}
    train_rl2(policy, envs, seed=seed, **options)
    return policy


def train_maml(seed: int, options: dict, stop: int | None) -> MetaPolicy:
    students = options.pop("students")
    envs = Tutor(students * SESSIONS, bars=POOLED)
    policy = MetaPolicy(envs, seed=seed)
    train_maml_ppo(
        policy,
        envs,
        tasks=students,
        seed=seed,
        jit_compile=stop is None,
        callback=lambda history: len(history) == stop,
        **options,
    )
    return policy


def stop_at(stop: int | None) -> Callable:
    return lambda history: len(history) == stop


def gains_of_learned(policy: Any, rates: Rates) -> dict[str, np.ndarray]:
    """Gains [N] of a trained policy's likeliest choices."""
    if isinstance(policy, RecurrentActorCritic):
        trials = evaluate_rl2(policy, Crowd(rates), seed=LUCK)
        return {"RL2": trials.rewards.sum(axis=1)}
    if isinstance(policy, ActorCritic):

        def rule(seen: np.ndarray, envs: Any, rng: np.random.Generator) -> np.ndarray:
            return policy.act(seen, np.zeros(SKILLS, np.float32))

        return {"PPO": play(Crowd(rates, bars=POOLED), rule, LUCK).sum(axis=1)}
    envs = Crowd(rates, SESSIONS, POOLED)
    before, after = evaluate_maml_ppo(
        policy,
        envs,
        tasks=len(rates.learn),
        fast_lr=[MAML["fast_lr"]],
        seed=LUCK,
        gamma=MAML["gamma"],
        greedy=True,
    ).mean(axis=2)
    return {"MAML, 0 steps": before, "MAML, 1 step": after}


def closed(
    gain: np.ndarray, low: np.ndarray, high: np.ndarray, draws: int = 1000
) -> dict[str, float]:
    """The share of the gap closed, and its interval: students are drawn again."""

    def share(rows: np.ndarray) -> np.ndarray:
        mine, random, best = (x[rows].mean(axis=-1) for x in (gain, low, high))
        return (mine - random) / (best - random)

    rng = np.random.default_rng(0)
    everyone = np.arange(len(gain))
    again = [share(rng.choice(everyone, len(gain))) for _ in range(draws)]
    ends = np.percentile(again, [2.5, 97.5])
    return {"closed": share(everyone), "closed_low": ends[0], "closed_high": ends[1]}


def decisions(policy: RecurrentActorCritic) -> pd.DataFrame:
    """Milliseconds of processor time for one student's decision: medians of a session.

    The first decision is left out, since before it plans are made.
    """
    rows, rng = [], np.random.default_rng(0)
    for students in (1, 1000):
        envs, rule, act = Tutor(students), bayesian(particles()), policy.acting()
        seen, _ = envs.reset(seed=0)
        inputs = np.zeros((students, SKILLS + 2 + SKILLS + 2), np.float32)
        noise = np.zeros((students, SKILLS), np.float32)
        spent: dict[str, list[float]] = {"Bayesian": [], "RL2": []}
        for _ in range(envs.exercises):
            begin = time.process_time()
            skills = rule(seen, envs, rng)
            middle = time.process_time()
            act(inputs, noise)
            spent["Bayesian"].append(middle - begin)
            spent["RL2"].append(time.process_time() - middle)
            seen = envs.step(skills)[0]
        for way, times in spent.items():
            each = 1000 * np.median(times[1:]) / students
            rows.append({"way": way, "students": students, "milliseconds": each})
    return pd.DataFrame(rows)


def speed() -> pd.DataFrame:
    """Of the environment alone."""
    actions = np.random.default_rng(0).integers(5, size=(31, 1024))
    return environment_speed(Tutor(1024), lambda: actions, TARGET)


KINDS: dict[str, tuple[Callable, dict]] = {
    "ppo": (train_ppo, PPO),
    "rl2": (train_memory, RL2),
    "maml": (train_maml, MAML),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stop", type=int, help="after so many updates, as a try")
    parser.add_argument("--students", type=int, default=NEW)
    parser.add_argument("--judge", action="store_true", help="train nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    for thread in ("intra", "inter"):
        getattr(tf.config.threading, f"set_{thread}_op_parallelism_threads")(1)

    packages = ["tensorflow", "keras", "numpy", "gymnasium"]
    write_table(out / "tutor_speed.csv", speed(), COMMAND, packages)
    for kind, (learn, options) in KINDS.items() if not arguments.judge else ():
        weights = {}
        for seed in range(arguments.seeds):
            policy = learn(seed, dict(options), arguments.stop)
            for i, weight in enumerate(policy.weights):
                weights[f"{seed}.{i}"] = weight.numpy()
        note = {"command": COMMAND, **options}
        save_arrays(out / f"tutor_{kind}.npz", weights, note)

    table = decisions(load_policies("rl2", out)[0])
    write_table(out / "tutor_decisions.csv", table, COMMAND, packages)
    policies = [pair for kind in KINDS for pair in enumerate(load_policies(kind, out))]
    best = thresholds(4 * arguments.students)
    print(best)
    rows, pairs = [], []
    for name, (median, spread) in CROWDS.items():
        rates = crowd(median, spread, arguments.students)
        rules = gains_of_rules(rates, best)
        found = [(way, 0, gain) for way, gain in rules.items()]
        for seed, policy in policies:
            gains = gains_of_learned(policy, rates)
            found += [(way, seed, gain) for way, gain in gains.items()]
        order = np.argsort(rates.learn)
        quarter = len(order) // 4
        parts = {"all": order, "slow": order[:quarter], "quick": order[-quarter:]}
        for part, who in parts.items():
            for way, seed, gain in found:
                row = {"crowd": name, "part": part, "way": way, "seed": seed}
                row |= summarize(gain[who])
                ends = rules["random"][who], rules["oracle"][who]
                rows.append(row | closed(gain[who], *ends))
        mean = {
            way: np.mean([gain for w, _, gain in found if w == way], axis=0)
            for way, _, _ in found
        }
        for way, rival in PAIRS:
            row = {"crowd": name, "way": way, "against": rival}
            pairs.append(row | summarize(mean[way] - mean[rival]))
    table = pd.DataFrame(rows).drop(columns="median")
    write_table(out / "tutor.csv", table, COMMAND, packages)
    paired = pd.DataFrame(pairs).drop(columns="median")
    write_table(out / "tutor_paired.csv", paired, COMMAND, packages)


def load_policies(kind: str, folder: Path = RESULTS) -> list[Any]:
    """The stored policies of all seeds: kind is ``ppo``, ``rl2`` or ``maml``."""
    arrays, _ = load_arrays(folder / f"tutor_{kind}.npz")
    makers = {"ppo": ActorCritic, "rl2": RecurrentActorCritic, "maml": MetaPolicy}
    envs = Tutor(1, bars=None if kind == "rl2" else POOLED)
    policies = []
    for seed in sorted({int(name.split(".")[0]) for name in arrays}):
        policy = makers[kind](envs, seed=seed)
        own = [arrays[f"{seed}.{i}"] for i in range(len(policy.weights))]
        policy.set_weights(own)
        policies.append(policy)
    return policies


if __name__ == "__main__":
    main()
