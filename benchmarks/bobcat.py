"""A question policy learned through the student model (BOBCAT), for chapter 6.2.

    python -m benchmarks.bobcat

As in benchmarks.adaptive_test: the Swedish SAT's quantitative test, its 750 test
people, four draws of a target half of the 80 items each, and the same posterior of item
response theory as the student model; PPO's policies are those that it stored. And a
made-up test whose 80 items measure two abilities, correlated by a half, with the true
items as the student model. Ten minutes of one core. Writes to benchmarks/results/

bobcat.csv
    For each test, rule and seed the log-loss on the target after 0, 5, 10, 20 answers.
bobcat_paired.csv
    What BOBCAT, the mean of its seeds, loses less or more than each rival, with the
    95 % interval over people.
bobcat_stopping.csv
    Maximum information until the posterior's standard deviation is at most so much (or
    20 questions were asked): the mean number of questions, and the log-loss; beside it
    that of as many questions for everyone, interpolated.
bobcat.npz
    The policies: weight w of seed s is ``s.w``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results_file import RESULTS, write_table
from refimpl.asking import asking_network, learn_to_ask, numpy_rule
from refimpl.baselines import (
    Posterior,
    at_random,
    look_ahead,
    maximum_information,
    play,
)
from refimpl.baselines.item_fit import grid, normalized
from refimpl.baselines.questions import highest
from refimpl.envs import AdaptiveTest
from refimpl.ppo.checkpoint import load_arrays, save_arrays
from refimpl.tasks import ResponseTasks, summarize

ITEMS, QUESTIONS, DRAWS, PEOPLE = 80, 20, 4, 256
AFTER = (0, 5, 10, 20)
STOPS = (0.6, 0.5, 0.45, 0.4, 0.35)


@dataclass(frozen=True, eq=False)
class TwoAbilities:
    """Items of two abilities theta ~ N(0, I): P = .15 + .85 sigmoid(a . theta + b).

    As :class:`refimpl.baselines.Posterior`, with ``slopes`` [J, 2].
    """

    slopes: np.ndarray
    easiness: np.ndarray

    @cached_property
    def abilities(self) -> np.ndarray:
        return grid(2)[0]

    @cached_property
    def log_prior(self) -> np.ndarray:
        return grid(2)[1]

    def probabilities(self, ability: np.ndarray) -> np.ndarray:
        logits = ability @ self.slopes.T + self.easiness
        return 0.15 + 0.85 / (1 + np.exp(-logits))

    @cached_property
    def right(self) -> np.ndarray:
        return self.probabilities(self.abilities)

    def weights(self, items: np.ndarray, answers: np.ndarray) -> np.ndarray:
        logs = np.zeros((len(items), len(self.abilities)))
        for item, answer in zip(items.T, answers.T, strict=True):
            p = self.right[:, item].T
            logs += np.log(np.where(answer[:, None] == 1, p, 1 - p))
        return normalized(logs + self.log_prior)

    def __call__(self, items: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return self.weights(items, answers) @ self.right


def largest_determinant(model: TwoAbilities) -> Callable:
    """D-optimality: the largest determinant of the precision (Segall 1996)."""

    def rule(items, answers, allowed, rng):
        theta = model.weights(items, answers) @ model.abilities  # [N, 2]
        p = model.probabilities(theta)
        factor = ((p - 0.15) / 0.85) ** 2 * (1 - p) / p  # [N, J]
        each = factor[..., None, None] * np.einsum(
            "jd,je->jde", model.slopes, model.slopes
        )
        asked = np.zeros(allowed.shape)
        np.put_along_axis(asked, items, 1, axis=1)
        so_far = np.eye(2) + np.einsum("nj,njde->nde", asked, each)
        return highest(np.linalg.det(so_far[:, None] + each), allowed)

    return rule


def two_abilities(rng: np.random.Generator) -> tuple[TwoAbilities, Callable]:
    """A made-up bank, half of whose items measure mostly one ability, half the other.

    And who takes it: from a number and a generator to answers [N, J]. A correlation of
    a half of what items measure is in the slopes, so that abilities are N(0, I).
    """
    mostly = np.exp(rng.normal(0.3, 0.3, ITEMS))
    side = np.arange(ITEMS) % 2
    slopes = np.zeros((ITEMS, 2))
    slopes[:, 0] = np.where(side == 0, mostly, 0.5 * mostly)
    slopes[:, 1] = np.where(side == 0, 0, np.sqrt(0.75) * mostly)
    model = TwoAbilities(slopes, rng.normal(0.2, 1, ITEMS))

    def draw(count: int, rng: np.random.Generator) -> np.ndarray:
        p = model.probabilities(rng.normal(size=(count, 2)))
        return (rng.random(p.shape) < p).astype(np.int8)

    return model, draw


def learned(people: np.ndarray, model, seed: int, iterations: int) -> dict:
    """BOBCAT's weights by name, trained on ``people`` [N, J]."""

    def draw(rng: np.random.Generator):
        correct = people[rng.integers(len(people), size=PEOPLE)]
        target = rng.random(correct.shape).argsort(axis=1) < ITEMS // 2
        return correct, ~target, target

    network = asking_network(ITEMS, seed=seed)
    logs = np.log(np.stack([1 - model.right, model.right], axis=1))
    learn_to_ask(
        network,
        draw,
        logs,
        model.log_prior,
        QUESTIONS,
        iterations=iterations,
        seed=seed,
    )
    return {n: p.detach().numpy() for n, p in network.named_parameters()}


def stopping(envs: AdaptiveTest, model: Posterior, people: np.ndarray) -> list[dict]:
    """Maximum information, until its posterior is narrow enough."""
    rule, losses, spreads = maximum_information(model), [], []
    rng = np.random.default_rng(0)  # not used: the rule draws nothing
    envs.reset(seed=0, options={"people": people})
    for _ in range(QUESTIONS + 1):
        weights = model.weights(envs.items, envs.answers)
        mean = weights @ model.abilities
        spreads.append(np.sqrt(weights @ model.abilities**2 - mean**2))
        losses.append(envs.loss)
        if len(losses) <= QUESTIONS:
            envs.step(rule(envs.items, envs.answers, envs.allowed, rng))
    loss, spread = np.stack(losses), np.stack(spreads)  # [T + 1, N]
    rows = []
    for most in STOPS:
        narrow = spread <= most
        length = np.where(narrow.any(axis=0), narrow.argmax(axis=0), QUESTIONS)
        own = loss[length, np.arange(loss.shape[1])].mean()
        fixed = np.interp(length.mean(), np.arange(QUESTIONS + 1), loss.mean(axis=1))
        row = {"deviation": most, "questions": length.mean(), "log_loss": own}
        few, many = np.quantile(length, [0.05, 0.95])
        rows.append(row | {"fixed": fixed, "few": few, "many": many})
    return rows


def ppo_rules(envs: AdaptiveTest) -> dict[int, Callable]:
    """The stored policies of benchmarks.adaptive_test."""
    from benchmarks.adaptive_test import greedy, load_policy

    path = RESULTS / "adaptive_test_ppo.npz"
    return {s: greedy(load_policy(path, s, envs), envs) for s in range(3)}


def main(seeds: int, iterations: int, people: int, out: Path) -> None:
    torch.set_num_threads(1)
    command = "python -m benchmarks.bobcat"
    arrays, _ = load_arrays(RESULTS / "adaptive_test_items.npz")
    sat = Posterior(*(arrays[name] for name in ("slopes", "easiness", "guessing")))
    tasks = ResponseTasks("quantitative")
    known, new = (tasks.correct[tasks.splits[s]] for s in ("train", "test"))
    made, draw = two_abilities(np.random.default_rng(41))
    tests = {
        "SAT": (sat, known, new[:people]),
        "two abilities": (
            made,
            draw(3500, np.random.default_rng(42)),
            draw(people, np.random.default_rng(43)),
        ),
    }
    rows, pairs, stored = [], [], {}
    for test, (model, train, test_people) in tests.items():
        envs = AdaptiveTest(test_people, model, DRAWS * len(test_people), QUESTIONS)
        who = np.tile(np.arange(len(test_people)), DRAWS)
        rules: dict[str, dict[int, Callable]] = {"random": {0: at_random()}}
        if test == "SAT":
            rules["maximum information"] = {0: maximum_information(model)}
            rules["PPO"] = ppo_rules(envs)
        else:
            rules["largest determinant"] = {0: largest_determinant(model)}
        rules["look-ahead"] = {0: look_ahead(model, chunk=100)}
        rules["BOBCAT"] = {}
        for seed in range(seeds):
            weights = learned(train, model, seed, iterations)
            rules["BOBCAT"][seed] = numpy_rule(weights)
            if test == "SAT":
                stored |= {f"{seed}.{n}": w for n, w in weights.items()}
        losses: dict[str, list[np.ndarray]] = {}
        for name, each in rules.items():
            for seed, rule in each.items():
                lost = play(
                    envs,
                    rule,
                    np.random.default_rng([seed, 1]),
                    seed=0,
                    options={"people": who},
                )
                by = lost.reshape(QUESTIONS + 1, DRAWS, -1).mean(axis=1)
                losses.setdefault(name, []).append(by)
                for asked in AFTER:
                    row = {"test": test, "rule": name, "seed": seed}
                    row |= {"questions": asked, "log_loss": by[asked].mean()}
                    rows.append(row)
                print(test, name, seed, by[[5, 10, 20]].mean(axis=1), flush=True)
        for rival in losses:
            gap = np.mean(losses["BOBCAT"], axis=0) - np.mean(losses[rival], axis=0)
            for asked in AFTER[1:] if rival != "BOBCAT" else ():
                found = summarize(gap[asked])
                row = {"test": test, "against": rival, "questions": asked}
                row |= {"gap": found["mean"], "low": found["low"]}
                pairs.append(row | {"high": found["high"]})
        if test == "SAT":
            table = pd.DataFrame(stopping(envs, model, who))
            write_table(out / "bobcat_stopping.csv", table, command)
            save_arrays(out / "bobcat.npz", stored, {"command": command})
        write_table(out / "bobcat.csv", pd.DataFrame(rows), command)
        write_table(out / "bobcat_paired.csv", pd.DataFrame(pairs), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--people", type=int, default=750)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
