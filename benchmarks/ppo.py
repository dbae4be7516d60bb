"""CartPole-v1, side by side with stable-baselines3 (about 5 minutes).

    make bench

Writes benchmarks/results/ppo_speed.csv: for each seed a row of each measure, with
refimpl.ppo's figure, stable-baselines3's, and their ratio. Times are taken twice, by
the clock on the wall and by the processor's: on a machine that is shared with
others, only the latter is free of their work.

steps per second   after warm-up, the median over updates: 32 environments x 128
                   steps, four epochs, minibatches of 1,024 on both sides. A step is
                   an experience; resets do not count.
..., slow environments
                   refimpl with Gymnasium's SyncVectorEnv, which like
                   stable-baselines3's DummyVecEnv steps one environment after the
                   other, in place of CartPole's own vector environment.
seconds to 475     from the call of train or learn, TensorFlow's tracing included,
                   until the mean return of the last 100 episodes is 475; not a
                   number if it was not within the steps of the next line.
steps to 475       experienced until then.
return             mean of 20 episodes of the likeliest actions, after 100,000 steps.

The last three are from one run on each side, with the same settings (LEARNING).
All on one thread; the two sides run in turn, so that a busy moment of the machine
hits both. Where stable-baselines3 is not installed, its columns are empty.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import math
import time
from collections import deque
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pandas as pd
import tensorflow as tf
import torch

from benchmarks.results_file import RESULTS, write_table
from refimpl.ppo import ActorCritic, evaluate, train

SPEED = {"rollout_steps": 128, "epochs": 4, "minibatches": 4, "learning_rate": 2.5e-4}
LEARNING = {
    "rollout_steps": 64,
    "epochs": 10,
    "minibatches": 4,
    "learning_rate": 1e-3,
    "gamma": 0.98,
    "lambda_": 0.9,
    "entropy_weight": 0.0,
}
SOLVED = 475


def cart_poles(count: int, mode: str = "vector_entry_point") -> Any:
    return gym.make_vec("CartPole-v1", num_envs=count, vectorization_mode=mode)


def now() -> tuple[float, float]:
    """Wall and processor time, in seconds."""
    return time.perf_counter(), time.process_time()


def ours(seed: int, envs: Any, updates: int, settings: dict) -> dict[str, Any]:
    """A run of refimpl.ppo, with the clock, steps and mean return of each update."""
    policy = ActorCritic(envs, seed=seed)
    log = []

    def note(history: Any) -> None:
        ended = sum(map(len, history.returns))
        mean = history.mean_return() if ended >= 100 else -math.inf
        log.append((*now(), history.steps[-1], mean))

    begin = now()
    train(policy, envs, updates=updates, seed=seed, callback=note, **settings)
    tests = evaluate(policy, cart_poles(20), seed=1000 + seed)
    return {"begin": begin, "log": np.array(log), "return": tests.mean()}


def theirs(seed: int, count: int, updates: int, settings: dict) -> dict[str, Any]:
    """The same of stable-baselines3; their number of environments is ``count``."""
    sb3 = importlib.import_module("stable_baselines3")
    callbacks = importlib.import_module("stable_baselines3.common.callbacks")
    tools = importlib.import_module("stable_baselines3.common.env_util")
    evaluation = importlib.import_module("stable_baselines3.common.evaluation")
    size = count * settings["rollout_steps"]
    rate = settings["learning_rate"]
    model = sb3.PPO(
        "MlpPolicy",
        tools.make_vec_env("CartPole-v1", n_envs=count, seed=seed),
        learning_rate=lambda remaining: rate * remaining,
        n_steps=settings["rollout_steps"],
        batch_size=size // settings["minibatches"],
        n_epochs=settings["epochs"],
        gamma=settings.get("gamma", 0.99),
        gae_lambda=settings.get("lambda_", 0.95),
        ent_coef=settings.get("entropy_weight", 0.01),
        seed=seed,
        device="cpu",
    )
    log: list[tuple[float, float, int, float]] = []
    returns: deque[float] = deque(maxlen=100)

    class Note(callbacks.BaseCallback):  # type: ignore[name-defined, misc]
        def _on_step(self) -> bool:
            returns.extend(
                info["episode"]["r"]
                for info in self.locals["infos"]
                if "episode" in info
            )
            return True

        def note(self) -> None:
            mean = np.mean(returns) if len(returns) == 100 else -math.inf
            log.append((*now(), self.num_timesteps, mean))

        def _on_rollout_start(self) -> None:  # the update before it is done
            if self.num_timesteps:
                self.note()

        def _on_training_end(self) -> None:
            self.note()

    begin = now()
    model.learn(size * updates, callback=Note())
    tests, _ = evaluation.evaluate_policy(
        model, tools.make_vec_env("CartPole-v1", n_envs=5, seed=1000 + seed), 20
    )
    return {"begin": begin, "log": np.array(log), "return": tests}


def steps_per_second(run: dict[str, Any]) -> dict[str, float]:
    """Medians over updates but the first, in which TensorFlow traces."""
    wall, processor, steps, _ = np.diff(run["log"], axis=0).T
    name = "steps per second"
    return {
        name: np.median(steps / wall),
        f"{name} of CPU": np.median(steps / processor),
    }


def solved(run: dict[str, Any]) -> dict[str, float]:
    """What it took until the mean of 100 episodes was 475, or NaN."""
    reached = run["log"][run["log"][:, 3] >= SOLVED]
    wall, processor, steps = reached[0, :3] if len(reached) else [math.nan] * 3
    return {
        "seconds to 475": wall - run["begin"][0],
        "CPU seconds to 475": processor - run["begin"][1],
        "steps to 475": steps,
        "return": run["return"],
    }


def main(seeds: int, speed_updates: int, steps: int, out: Path) -> None:
    torch.set_num_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    command = (
        f"python -m benchmarks.ppo --seeds {seeds} --speed-updates {speed_updates} "
        f"--steps {steps}"
    )
    installed = importlib.util.find_spec("stable_baselines3") is not None
    rows: list[dict[str, Any]] = []

    def note(seed: int, mine: dict[str, float], other: dict[str, float], end: str = ""):
        for name, value in mine.items():
            theirs_is = float(other.get(name, math.nan))
            row = {"measure": name + end, "seed": seed, "refimpl": float(value)}
            rows.append(
                row
                | {"stable_baselines3": theirs_is, "ratio": float(value) / theirs_is}
            )
            print(*rows[-1].values(), flush=True)

    for seed in range(seeds):
        fast = ours(seed, cart_poles(32), speed_updates, SPEED)
        other = theirs(seed, 32, speed_updates, SPEED) if installed else None
        slow = ours(seed, cart_poles(32, "sync"), speed_updates, SPEED)
        their_speed = steps_per_second(other) if other else {}
        note(seed, steps_per_second(fast), their_speed)
        note(seed, steps_per_second(slow), their_speed, ", slow environments")
    for seed in range(seeds):
        updates = math.ceil(steps / (16 * LEARNING["rollout_steps"]))
        mine = ours(seed, cart_poles(16), updates, LEARNING)
        other = theirs(seed, 16, updates, LEARNING) if installed else None
        note(seed, solved(mine), solved(other) if other else {})
    packages = ("tensorflow", "keras", "gymnasium", "torch", "stable-baselines3")
    write_table(out / "ppo_speed.csv", pd.DataFrame(rows), command, packages)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--speed-updates", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
