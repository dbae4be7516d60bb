"""How many students does a test need? For chapter 6.1 (about half an hour).

    python -m benchmarks.few_students

Item response theory, with and without priors for its items, and the student model,
each learned from 25 to 3,500 people of the quantitative test, drawn anew for each of
three seeds. Priors are weak, or estimated from the 80 items of the verbal test
("other test"). The student model is trained for as many iterations as serve a fifth of
the people best, when it learns from the other four, and then from all. All forecast the
same 60 questions of the same 750 test people from five known answers. Writes
benchmarks/results/few_students.csv: for each method and number of people the mean
log-loss, the least and largest of the seeds, and how much larger it is than the student
model's, with the 95 % interval over test people.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.results_file import RESULTS, write_table
from benchmarks.students import ITEMS, SHOTS, student_losses
from refimpl.baselines import item_means, item_response, shrunken_student_mean
from refimpl.baselines.item_fit import ItemPriors, fit_items, item_priors
from refimpl.maml import binary_cross_entropy
from refimpl.students import ContextRates, StudentModel, forecast, learn
from refimpl.tasks import ResponseTasks, TaskBatch, summarize

KNOWN = 5


def answers(tasks: ResponseTasks) -> TaskBatch:
    """All that the training people answered."""
    return tasks.all(ITEMS - 1, "train", np.random.default_rng(0), queries=1)


def priors_of_the_other_test() -> dict[bool, ItemPriors]:
    """Without and with guessing."""
    other = answers(ResponseTasks("verbal"))
    return {g: item_priors(fit_items(other, ITEMS, 1, g)) for g in (False, True)}


def student_model(
    chosen: np.ndarray, seed: int, iterations: int
) -> tuple[StudentModel, ContextRates]:
    """Learned from the people ``chosen``."""
    tasks = ResponseTasks("quantitative")
    tasks.splits["train"] = chosen
    means = item_means(answers(tasks), ITEMS)
    model = StudentModel(np.log(means / (1 - means)), seed=seed)

    def draw(rng: np.random.Generator) -> TaskBatch:
        at_once = min(64, len(chosen))
        return tasks.sample(at_once, int(rng.choice(SHOTS)), "train", rng, queries=60)

    how = {"iterations": iterations, "seed": seed}
    return model, learn(model, draw, binary_cross_entropy, **how)


def best_iterations(chosen: np.ndarray, seed: int, most: int) -> int:
    """What serves a fifth of the people best, by a model of the other four."""
    tasks, part = ResponseTasks("quantitative"), len(chosen) // 5
    rng = np.random.default_rng([seed, part])
    order = rng.permutation(chosen)
    tasks.splits["validation"] = order[:part]
    held = tasks.all(KNOWN, "validation", rng)

    def score(iterations: int) -> float:
        model, rates = student_model(order[part:], seed, iterations)
        made = forecast(model, rates, held, binary_cross_entropy)
        return student_losses(made, held, ratings=False).mean()

    return min([most // share for share in (100, 30, 10, 3, 1)], key=score)


def losses_of(
    people: int, seed: int, iterations: int, others: dict[bool, ItemPriors]
) -> dict[str, np.ndarray]:
    """Each method's log-loss for each test person, averaged over queries."""
    tasks, rng = ResponseTasks("quantitative"), np.random.default_rng([seed, people])
    chosen = np.sort(rng.choice(tasks.splits["train"], people, replace=False))
    tasks.splits["train"] = chosen
    train = answers(tasks)
    test = tasks.all(KNOWN, "test", np.random.default_rng([seed, KNOWN]))
    made = {"shrunken student mean": shrunken_student_mean(train, ITEMS)(test)}
    for name, guessing in (("2PL", False), ("3PL", True)):
        for kind, priors in (
            ("", None),
            (", weak priors", ItemPriors()),
            (", priors of the other test", others[guessing]),
        ):
            irt = item_response(train, ITEMS, guessing=guessing, priors=priors)
            made[name + kind] = irt(test)
    best = best_iterations(chosen, seed, iterations)
    model, rates = student_model(chosen, seed, best)
    print(f"{people} people, seed {seed}: {best} iterations", flush=True)
    made["student model"] = forecast(model, rates, test, binary_cross_entropy)
    return {name: student_losses(p, test, ratings=False) for name, p in made.items()}


def main(people: list[int], seeds: int, iterations: int, out: Path) -> None:
    torch.set_num_threads(1)
    others, rows = priors_of_the_other_test(), []
    command = f"python -m benchmarks.few_students --seeds {seeds}"
    command += f" --iterations {iterations}"
    for count in people:
        runs = [losses_of(count, seed, iterations, others) for seed in range(seeds)]
        for name in runs[0]:
            losses = np.array([run[name] for run in runs])
            ours = np.array([run["student model"] for run in runs])
            gap = summarize((losses - ours).mean(axis=0))
            each = losses.mean(axis=1)
            row = {"people": count, "method": name, "log_loss": each.mean()}
            row |= {"least": each.min(), "most": each.max()}
            rows.append(row | {f"gap_{n}": gap[n] for n in ("mean", "low", "high")})
            print(*rows[-1].values(), flush=True)
        write_table(out / "few_students.csv", pd.DataFrame(rows), command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [25, 50, 100, 400, 3500]
    parser.add_argument("--people", type=int, nargs="+", default=sizes)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=3_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
