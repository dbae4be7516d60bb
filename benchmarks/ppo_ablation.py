"""What each detail of PPO contributes, and what the scale of numbers does (some hours).

    python -m benchmarks.ppo_ablation

Trains on CartPole-v1 and on Pendulum-v1, whose actions are real numbers and whose
episodes end only by being cut off; with all details, and with one of them removed
or replaced at a time (VARIANTS says how). Then on CartPole-v1 with its rewards times
a factor, and on MountainCar-v0, whose observations are small numbers, with and without
normalizing (SCALES says how). Writes to benchmarks/results

ppo_ablation.csv  for each environment, variant and seed: the mean return of 20 new
                  episodes of the likeliest actions after training; and the mean over
                  the steps of the training of the return of a step's episode, which
                  tells how fast and how steadily it went
ppo_scales.csv    for the other two, the first of these
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import gymnasium as gym
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from gymnasium.wrappers.vector import RecordEpisodeStatistics, TransformReward

from benchmarks.results_file import RESULTS, write_table
from refimpl.ppo import (
    ActorCritic,
    adapt_beta,
    evaluate,
    objectives,
    penalized_surrogate,
    train,
    training,
    update,
)
from refimpl.ppo.objectives import Batch, Loss, mean, ppo_loss
from refimpl.ppo.rollout import Collector, Rollout

# Of rollout_steps x envs steps are made minibatches, in each of the epochs.
SETTINGS: dict[str, dict[str, Any]] = {
    "CartPole-v1": {
        "envs": 16,
        "rollout_steps": 64,
        "epochs": 10,
        "learning_rate": 2e-3,
        "gamma": 0.98,
        "lambda_": 0.9,
    },
    "Pendulum-v1": {
        "envs": 4,
        "rollout_steps": 1024,
        "epochs": 10,
        "minibatches": 64,
        "learning_rate": 1e-3,
        "gamma": 0.9,
        "lambda_": 0.95,
        "entropy_weight": 0.0,
    },
    "MountainCar-v0": {
        "envs": 16,
        "rollout_steps": 64,
        "epochs": 4,
        "learning_rate": 1e-3,
        "gamma": 0.99,
        "lambda_": 0.98,
        "entropy_weight": 0.0,
    },
}
STEPS = {"CartPole-v1": 60_000, "Pendulum-v1": 100_000, "MountainCar-v0": 300_000}
MODES = {"CartPole-v1": "vector_entry_point"}  # the others step one by one


class CutOffIsTheEnd(gym.vector.VectorWrapper):
    """Reports a truncated episode as a terminated one."""

    def step(self, actions: Any) -> tuple:
        seen, rewards, terminated, truncated, info = self.env.step(actions)
        return seen, rewards, terminated | truncated, truncated & False, info


class ResetsCount(Collector):
    """Takes the step in which an environment is reset for experience."""

    def collect(self, noise: np.ndarray) -> Rollout:
        rollout = super().collect(noise)
        return rollout._replace(valid=np.ones_like(rollout.valid))


def unclipped(log_prob: Any, old_log_prob: Any, advantages: Any, _: Any) -> tf.Tensor:
    """mean r A: equation (6), from which clipping departs."""
    return tf.reduce_mean(tf.exp(log_prob - old_log_prob) * advantages)


def as_keras_would(policy: ActorCritic, seed: int) -> None:
    """Draw the weights anew, from Keras's default initializer."""
    for i, variable in enumerate(policy.trainable_variables):
        if len(variable.shape) == 2:
            draw = keras.initializers.GlorotUniform(seed=1000 * seed + i)
            variable.assign(draw(variable.shape))


@contextlib.contextmanager
def replaced(where: Any, name: str, by: Any) -> Iterator[None]:
    """Meanwhile ``where.name`` is another; updates are compiled with it, and anew."""
    update.improve_for.cache_clear()
    with mock.patch.object(where, name, by):
        yield
    update.improve_for.cache_clear()


def as_they_are(advantages: Any, valid: Any = None) -> tf.Tensor:
    """In place of normalizing; what is no experience has advantage 0."""
    return tf.where(valid, advantages, 0)


def values_clipped(
    surrogate: Callable, c1: Any, c2: Any, policy: Any, batch: Batch, epsilon: Any
) -> Loss:
    """PPO's loss; a value gains nothing by moving more than ``epsilon`` in an update.

    Per step the larger of (V - return)^2 and the same with V clipped around the value
    at the time of acting, which is the return less the advantage.
    """
    found = ppo_loss(surrogate, c1, c2, policy, batch, epsilon)
    values, old = policy(batch.observations)[1], batch.returns - batch.advantages
    near = old + tf.clip_by_value(values - old, -epsilon, epsilon)
    far = tf.maximum(tf.abs(values - batch.returns), tf.abs(near - batch.returns))
    value_loss = mean(tf.square(far), batch.valid)
    total = found.total + c1 * (value_loss - found.value_loss)
    return found._replace(total=total, value_loss=value_loss)


# Each a change of train's arguments; or of the environments, the policy, or a part.
VARIANTS: dict[str, dict[str, Any]] = {
    "all details": {},
    "no clipping": {"train": {"surrogate": unclipped}},
    "KL penalty in place of clipping": {
        "train": {
            "surrogate": penalized_surrogate,
            "strength": 1.0,
            "adapt": adapt_beta,
        }
    },
    "stop at a KL of 0.02 in place of clipping": {
        "train": {"surrogate": unclipped, "max_kl": 0.02}
    },
    "stop at a KL of 0.02 beside clipping": {"train": {"max_kl": 0.02}},
    "values clipped": {"patch": partial(replaced, update, "ppo_loss", values_clipped)},
    "rewards normalized": {"normalize": ["rewards"]},
    "rewards normalized, values clipped": {
        "normalize": ["rewards"],
        "patch": partial(replaced, update, "ppo_loss", values_clipped),
    },
    "one epoch": {"train": {"epochs": 1}},
    "advantages not normalized": {
        "patch": partial(replaced, objectives, "normalize_advantages", as_they_are)
    },
    "gradients not clipped": {"train": {"max_grad_norm": 1e9}},
    "Keras's initial weights": {"policy": as_keras_would},
    "constant learning rate": {"train": {"schedule": lambda done: 1.0}},
    "no entropy bonus": {"train": {"entropy_weight": 0.0}, "only": "CartPole-v1"},
    "an entropy bonus": {"train": {"entropy_weight": 0.01}, "only": "Pendulum-v1"},
    "Keras's Adam epsilon": {"patch": partial(replaced, update, "ADAM_EPSILON", 1e-7)},
    "lambda 0": {"train": {"lambda_": 0.0}},
    "lambda 1": {"train": {"lambda_": 1.0}},
    "cut off taken for the end": {"envs": CutOffIsTheEnd},
    "resets taken for experience": {
        "patch": partial(replaced, training, "Collector", ResetsCount)
    },
}


def paid(factor: float) -> Callable[[Any], Any]:
    """Environments whose rewards are ``factor`` times as large."""
    return lambda envs: TransformReward(envs, lambda rewards: factor * rewards)


REWARDS, BOTH = ["rewards"], ["observations", "rewards"]
SCALES: dict[str, dict[str, dict[str, Any]]] = {
    "CartPole-v1": {
        f"rewards x {factor:g}{end}": {"envs": paid(factor), "normalize": names}
        for factor in (1, 10, 100, 1000)
        for end, names in (("", []), (", normalized", REWARDS))
    },
    "MountainCar-v0": {"as it is": {}, "normalized": {"normalize": BOTH}},
}


def run(
    name: str, variant: dict[str, Any], seed: int, steps: int
) -> tuple[float, float]:
    """Train once; the mean return of 20 new episodes, and over training's steps."""
    settings = SETTINGS[name] | variant.get("train", {})
    count = settings.pop("envs")
    mode = MODES.get(name, "sync")
    made = [
        gym.make_vec(name, num_envs=n, vectorization_mode=mode) for n in (count, 20)
    ]
    ended = RecordEpisodeStatistics(made[0], buffer_length=steps)
    envs = variant.get("envs", lambda envs: envs)(ended)
    policy = ActorCritic(envs, seed=seed, normalize=variant.get("normalize", []))
    variant.get("policy", lambda policy, seed: None)(policy, seed)
    updates = -(-steps // (count * settings["rollout_steps"]))
    settings |= {"updates": updates, "jit_compile": updates > 10}  # then it pays
    with variant.get("patch", contextlib.nullcontext)():
        train(policy, envs, seed=seed, progress=False, **settings)
    final = evaluate(policy, made[1], seed=1000 + seed).mean()
    return final, np.average(ended.return_queue, weights=ended.length_queue)


def main(seeds: int, steps: dict[str, int], out: Path) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    sizes = " ".join(f"{name}={count}" for name, count in steps.items())
    command = f"python -m benchmarks.ppo_ablation --seeds {seeds} --steps {sizes}"
    packages = ("tensorflow", "keras", "gymnasium", "numpy")
    tables: dict[str, list[dict]] = {"ppo_scales": [], "ppo_ablation": []}
    plans = [("ppo_scales", *plan) for plan in SCALES.items()]
    plans += [("ppo_ablation", n, VARIANTS) for n in ("CartPole-v1", "Pendulum-v1")]
    for table, name, variants in plans:
        for variant, change in variants.items():
            if change.get("only", name) != name or name not in steps:
                continue
            for seed in range(seeds):
                final, over_steps = run(name, change, seed, steps[name])
                row = {"environment": name, "variant": variant, "seed": seed}
                row["return"] = final
                if table == "ppo_ablation":
                    row["training_return"] = over_steps
                tables[table].append(row)
                print(*row.values(), flush=True)
    for table, rows in tables.items():
        write_table(out / f"{table}.csv", pd.DataFrame(rows), command, packages)


def size(text: str) -> tuple[str, int]:
    name, count = text.split("=")
    return name, int(count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=size, nargs="+", default=[*STEPS.items()])
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    main(arguments.seeds, dict(arguments.steps), arguments.out)
