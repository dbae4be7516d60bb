"""Choosing the next question for 750 test-split students, for chapter 6.2 (about 20
minutes).

    python -m benchmarks.adaptive_test

The quantitative test of SweSAT; the student model is a three-parameter IRT posterior
fitted to the training people. Each test person takes four tests of 20 questions, with
a fresh random half of the items as target; every way of choosing meets the same people
with the same halves. PPO learns on the training people; its settings (PPO) were chosen
on the validation people. Writes to benchmarks/results/:

adaptive_test.csv
    For each way of choosing, training seed and number of questions (0, 5, 10, 20):
    the log-loss on the 40 target answers (of PPO, for its likeliest question, and for
    a question drawn from the policy); of the questions so far, the exposure of
    the most exposed item (the share of students asked it, among those for whom it was
    askable) and the overlap of two students (the share of one's questions that the
    other was asked, too; both have halves of their own).
adaptive_test_paired.csv
    For each pair of ways that matters and number of questions the difference of the
    log-losses, averaged over the training seeds, with the 95 % interval over people.
adaptive_test_speed.csv
    Student-steps per second of the environment with 1,024 students, without a policy,
    the median over sessions: by the clock on the wall and by the processor's (free of
    others' work on a shared machine), and both over the target of 200,000.
adaptive_test_items.npz
    The item parameters of the student model.
adaptive_test_ppo.npz, adaptive_test_even.npz
    The policies of all training seeds: weight i of seed s is ``s.i``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
import torch
from gymnasium.wrappers.vector import TransformReward

from benchmarks.results_file import RESULTS, write_table
from benchmarks.speed import environment_speed
from refimpl.baselines import (
    Posterior,
    at_random,
    best_form,
    fit_posterior,
    fixed_form,
    look_ahead,
    maximum_information,
    play,
)
from refimpl.envs import AdaptiveTest, even_exposure, shuffled
from refimpl.ppo import ActorCritic, train
from refimpl.ppo.checkpoint import load_arrays, save_arrays
from refimpl.tasks import ResponseTasks, summarize

ITEMS, QUESTIONS, DRAWS = 80, 20, 4
AFTER = (0, 5, 10, 20)
STUDENTS = 1024  # of PPO's environment, and of the speed
PRICE = 0.02  # of even exposure
TARGET = 200_000
PPO = {
    "rollout_steps": QUESTIONS + 1,  # one session, and the reset after it
    "epochs": 2,
    "minibatches": 8,
    "learning_rate": 1.5e-3,
    "gamma": 0.8,  # what an answer tells, it tells at once
    "lambda_": 0.8,
    "entropy_weight": 0.0,
}
OBJECTIVES: dict[str, Callable] = {
    "PPO": lambda envs, seed: envs,
    "PPO, even exposure": lambda envs, seed: even_exposure(envs, PRICE),
    "PPO, shuffled rewards": shuffled,
}
FILES = {"PPO": "ppo", "PPO, even exposure": "even"}
PAIRS = [(name, "random") for name in ("fixed form", "maximum information")]
PAIRS += [(name, "random") for name in OBJECTIVES]
PAIRS += [
    (name, "maximum information")
    for name in ("PPO", "look-ahead", "randomesque, 5", "PPO, even exposure, drawn")
]
PAIRS += [("PPO, even exposure, drawn", "randomesque, 15")]


def student_model(tasks: ResponseTasks) -> Posterior:
    known = tasks.all(ITEMS - 1, "train", np.random.default_rng(0), queries=1)
    return fit_posterior(known, ITEMS)


def learned(
    objective: str, seed: int, correct: np.ndarray, model: Posterior, updates: int
) -> ActorCritic:
    """A policy trained on the people of ``correct``."""
    plain = AdaptiveTest(correct, model, STUDENTS, QUESTIONS)
    # Ten times larger rewards: the critic, which starts at about 1, has less to learn.
    envs = TransformReward(OBJECTIVES[objective](plain, seed), lambda r: 10 * r)
    policy = ActorCritic(envs, seed=seed, masked=True)
    jit_compile = updates > 10  # then it pays
    train(policy, envs, updates=updates, seed=seed, jit_compile=jit_compile, **PPO)
    return policy


def load_policy(path: Path, seed: int, envs: Any) -> ActorCritic:
    """A stored policy of one training seed."""
    policy = ActorCritic(envs, seed=seed, masked=True)
    arrays, _ = load_arrays(path)
    for i, variable in enumerate(policy.variables):
        variable.assign(arrays[f"{seed}.{i}"])
    return policy


def greedy(policy: ActorCritic, envs: AdaptiveTest) -> Callable:
    """The rule to ask what the policy finds likeliest."""
    return lambda *_: policy.act(envs.observe(), np.zeros(ITEMS, np.float32))


def drawn(policy: ActorCritic, envs: AdaptiveTest) -> Callable:
    """The rule to draw from the policy."""

    def rule(items, answers, allowed, rng):
        noise = policy.distribution.noise(rng, (len(items),))
        return policy.act(envs.observe(), noise)

    return rule


def exposure(items: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Of the questions ``items`` [N, T]: how unevenly they are shared out."""
    N, T = items.shape
    asked = np.bincount(items.ravel(), minlength=ITEMS)
    askable = N - np.bincount(target.ravel(), minlength=ITEMS)
    pairs = (asked * (asked - 1)).sum() / (N * (N - 1) * T)
    return {"exposure": (asked / askable).max(), "overlap": pairs}


def speed(correct: np.ndarray, model: Posterior) -> pd.DataFrame:
    """Of the environment alone; any askable item is asked."""
    envs = AdaptiveTest(correct, model, STUDENTS, QUESTIONS)
    return environment_speed(
        envs,
        lambda: envs.allowed.argsort(axis=1)[:, ::-1].T[: QUESTIONS + 1],
        TARGET,
    )


def paired(losses: dict[str, list[np.ndarray]]) -> list[dict[str, Any]]:
    """From each seed's losses [T + 1, people], the differences that matter."""
    rows = []
    for name, rival in PAIRS:
        if name not in losses:  # not trained yet
            continue
        gap = np.mean(losses[name], axis=0) - np.mean(losses[rival], axis=0)
        for asked in AFTER[1:]:
            found = summarize(gap[asked])
            row = {"rule": name, "against": rival, "questions": asked}
            row |= {"gap": found["mean"], "low": found["low"], "high": found["high"]}
            rows.append(row)
    return rows


def main(seeds: int, updates: int, form_people: int, out: Path) -> None:
    torch.set_num_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    command = (
        f"python -m benchmarks.adaptive_test --seeds {seeds} --updates {updates} "
        f"--form-people {form_people}"
    )
    packages = ("tensorflow", "keras", "gymnasium", "torch", "numpy")
    tasks = ResponseTasks("quantitative")
    known, new = (tasks.correct[tasks.splits[s]] for s in ("train", "test"))
    model = student_model(tasks)
    save_arrays(out / "adaptive_test_items.npz", asdict(model), {"command": command})

    measured = speed(known, model)
    print(measured, flush=True)
    write_table(out / "adaptive_test_speed.csv", measured, command, packages)

    rng = np.random.default_rng(0)
    form = best_form(known[:form_people].astype(int), model, QUESTIONS, rng)
    envs = AdaptiveTest(new, model, DRAWS * len(new), QUESTIONS)
    people = np.tile(np.arange(len(new)), DRAWS)
    losses: dict[str, list[np.ndarray]] = {}
    rows = []

    def note(name: str, seed: int, rule: Callable) -> None:
        rng = np.random.default_rng([seed, 1])
        lost = play(envs, rule, rng, seed=0, options={"people": people})
        by_person = lost.reshape(QUESTIONS + 1, DRAWS, len(new)).mean(axis=1)
        losses.setdefault(name, []).append(by_person)
        for asked in AFTER:
            row = {"rule": name, "seed": seed, "questions": asked}
            row |= {"log_loss": lost[asked].mean()}
            if asked:
                row |= exposure(envs.items[:, :asked], envs.target)
            rows.append(row)
            print(*row.values(), flush=True)

    rules = {
        "random": at_random(),
        "fixed form": fixed_form(form),
        "maximum information": maximum_information(model),
        "look-ahead": look_ahead(model),
        "randomesque, 5": maximum_information(model, among=5),
        "randomesque, 10": maximum_information(model, among=10),
        "randomesque, 15": maximum_information(model, among=15),
    }
    for name, rule in rules.items():
        note(name, 0, rule)
    for objective in OBJECTIVES:
        weights: dict[str, Any] = {}
        for seed in range(seeds):
            policy = learned(objective, seed, known, model, updates)
            note(objective, seed, greedy(policy, envs))
            note(f"{objective}, drawn", seed, drawn(policy, envs))
            for i, variable in enumerate(policy.variables):
                weights[f"{seed}.{i}"] = variable.numpy()
        if objective in FILES:
            path = out / f"adaptive_test_{FILES[objective]}.npz"
            save_arrays(path, weights, {"command": command})
        write_table(out / "adaptive_test.csv", pd.DataFrame(rows), command, packages)
        table = pd.DataFrame(paired(losses))
        write_table(out / "adaptive_test_paired.csv", table, command, packages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--form-people", type=int, default=3500)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
