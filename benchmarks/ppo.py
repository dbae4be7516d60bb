"""PPO, side by side with stable-baselines3 (about half an hour).

    make bench

Writes benchmarks/results/ppo_speed.csv: five times, all sides in turn, a row of each
measure; prints the medians. Each task has a process of its own, with one thread. The
sides: refimpl; the same with XLA, ``jit_compile``; ``stable_baselines3``; ``main``, an
earlier refimpl in the checkout that ``--main DIR`` names. Who is missing has empty
columns; ``ratio`` is refimpl's to stable-baselines3. CPU seconds are free of others'
work. On CartPole-v1, 32 environments x 128 steps, 4 epochs, minibatches of 1,024:

CPU seconds of N steps  about so many, with environments and policy made, but without
                   imports: the first run in a process, which compiles, and the next.
steps to break even  where first runs are level; 10,000 may be less, 100,000 more.
steps per second   median over updates; resets are no steps. ``slow environments``:
                   Gymnasium's SyncVectorEnv, which like their DummyVecEnv steps one
                   after the other.
CPU milliseconds of an update, and of what it needs, alone: 128 steps of the
                   environments, acting 128 times, 16 forward and backward passes of
                   both networks on 1,024 rows; and of the rest.
CPU seconds of an update  of RL2 on 1,024 bandits (10 pulls, 5 arms, eight minibatches)
                   and Tutor(512), of MAML-PPO on Navigation2D (20 tasks x 20 episodes);
                   and of collecting once, alone, which MAML-PPO does twice.
seconds, steps to 475  of mean return in the last 100 episodes, with the settings
                   LEARNING, environments and policy made; or not a number.
return             mean of 20 episodes of the likeliest actions, after 100,000 steps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pandas as pd

from benchmarks.results_file import RESULTS, write_table

SPEED = {"rollout_steps": 128, "epochs": 4, "minibatches": 4, "learning_rate": 2.5e-4}
SPEED |= {"gamma": 0.99, "lambda_": 0.95, "entropy_weight": 0.01}
LEARNING = {"rollout_steps": 64, "epochs": 10, "minibatches": 4, "learning_rate": 1e-3}
LEARNING |= {"gamma": 0.98, "lambda_": 0.9, "entropy_weight": 0.0}
SB3, JIT, MAIN = "stable_baselines3", "jit_compile", "main"
OPTIONS: dict[str, dict] = {"refimpl": {"progress": False}}
OPTIONS |= {JIT: {"progress": False, "jit_compile": True}, MAIN: {}}  # that it knows
WHOLE = {"10,000 steps": 2, "30,000 steps": 7, "100,000 steps": 24}
SLOW, UPDATE = ", slow environments", "CPU milliseconds of an update"
UPDATES = WHOLE | {SLOW: 20, "learning": 98, "meta": 6}  # of each task
ALONE = [f"{x}_THREADS" for x in ("OMP_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")]
ALONE += ["TQDM_DISABLE"]  # an earlier version cannot be told otherwise


def entry(steps: int, mean_return: float) -> tuple[float, float, int, float]:
    return time.perf_counter(), time.process_time(), steps, mean_return  # of a log


def run(side: str, seed: int, settings: dict, *kind: Any):
    """A whole run: its log, from its begin, and its score. ``kind`` of environments."""
    if side == SB3:
        return their_run(seed, settings, kind[0])
    from refimpl.ppo import ActorCritic, evaluate, train

    log = [entry(0, -np.inf)]

    def note(history: Any) -> None:
        enough = sum(map(len, history.returns)) >= 100
        mean = history.mean_return() if enough else -np.inf
        log.append(entry(history.steps[-1], mean))

    policy = ActorCritic(envs := gym.make_vec("CartPole-v1", *kind), seed=seed)
    train(policy, envs, seed=seed, callback=note, **settings, **OPTIONS[side])
    test = {"envs": gym.make_vec("CartPole-v1", 20), "seed": 1000 + seed}
    return np.array(log), lambda: evaluate(policy, **test).mean()


def their_run(seed: int, settings: dict, count: int):
    """The same of stable-baselines3."""
    import stable_baselines3 as sb3
    from stable_baselines3.common import callbacks, env_util, evaluation

    class Note(callbacks.BaseCallback):  # type: ignore[name-defined, misc]
        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:  # the update before it is done
            ended = [episode["r"] for episode in self.model.ep_info_buffer]
            mean = np.mean(ended) if len(ended) == 100 else -np.inf
            if self.num_timesteps:
                log.append(entry(self.num_timesteps, mean))

        _on_training_end = _on_rollout_start

    size, rate = count * settings["rollout_steps"], settings["learning_rate"]
    log = [entry(0, -np.inf)]
    model = sb3.PPO(
        "MlpPolicy",
        env_util.make_vec_env("CartPole-v1", n_envs=count, seed=seed),
        learning_rate=lambda remaining: rate * remaining,
        n_steps=settings["rollout_steps"],
        batch_size=size // settings["minibatches"],
        n_epochs=settings["epochs"],
        gamma=settings["gamma"],
        gae_lambda=settings["lambda_"],
        ent_coef=settings["entropy_weight"],
        seed=seed,
        device="cpu",
    )
    model.learn(size * settings["updates"], callback=Note())
    new = env_util.make_vec_env("CartPole-v1", n_envs=5, seed=1000 + seed)
    return np.array(log), lambda: evaluation.evaluate_policy(model, new, 20)[0]


def median_cpu(call: Any, repeats: int = 10) -> float:
    """Seconds of a ``call``, after a first one that does not count."""
    times = [(call(), time.process_time())[1] for _ in range(repeats + 1)]
    return float(np.median(np.diff(times)))


def parts(side: str, seed: int, update: float) -> dict[str, float]:
    """CPU milliseconds of what an ``update`` cannot do without, and of its rest."""
    import tensorflow as tf

    from refimpl.ppo import ActorCritic

    rng, envs = np.random.default_rng(seed), gym.make_vec("CartPole-v1", 32)
    envs.reset(seed=seed)
    policy, chosen = ActorCritic(envs, seed=seed), rng.integers(2, size=(128, 32))
    seen = rng.normal(size=(128, 32, 4)).astype(np.float32)
    noise = policy.distribution.noise(rng, (128, 32))
    batches = tf.constant(rng.normal(size=(16, 1024, 4)), tf.float32)
    weights = [variable.value for variable in policy.trainable_variables]

    @tf.function(jit_compile=side == JIT)
    def passes(batches: tf.Tensor) -> list[tf.Tensor]:
        total = [tf.zeros_like(w) for w in weights]
        for rows in batches:
            with tf.GradientTape() as tape:
                loss = tf.add_n([tf.reduce_mean(x**2) for x in policy(rows)])
            total = [*map(tf.add, total, tape.gradient(loss, weights))]
        return total

    spent = {
        "environments": median_cpu(lambda: [*map(envs.step, chosen)]),
        "acting": median_cpu(lambda: [*map(policy.acting(), seen, noise)]),
        "passes": median_cpu(lambda: passes(batches)),
    }
    spent["the rest"] = update / 1000 - sum(spent.values())
    return {f"{UPDATE}: {name}": 1000 * value for name, value in spent.items()}


def meta(side: str, seed: int, updates: int, size: int) -> dict[str, float]:
    """CPU seconds of updates of RL2, on ``size`` bandits, and of MAML-PPO."""
    from refimpl.envs import BernoulliBandits, Navigation2D, Tutor
    from refimpl.ppo.maml import EpisodeCollector, MetaPolicy, train_maml_ppo
    from refimpl.ppo.meta import RecurrentActorCritic, TrialCollector, train_rl2

    rng, cases, found, times = np.random.default_rng(seed), {}, {}, []
    more = {"updates": updates, "seed": seed, **OPTIONS[side]}
    bandits, tutor = BernoulliBandits(size, 10, 5), Tutor(size // 2)
    for name, envs, minibatches in (("bandits", bandits, 8), ("Tutor", tutor, 4)):
        who = RecurrentActorCritic(envs, seed=seed), envs
        train = partial(train_rl2, *who, minibatches=minibatches)
        cases[f"RL2, {name}"] = train, partial(TrialCollector(*who).collect, rng)
    envs = Navigation2D(20 * (size // 50), tolerance=0.0)
    who = policy, _ = MetaPolicy(envs, (32, 32), seed=seed), envs
    act, goals = EpisodeCollector(*who, 20, 0.99).collect, envs.draw_tasks(rng, 20)
    train = partial(train_maml_ppo, *who, tasks=20)
    cases["MAML-PPO"] = train, partial(act, policy.weights_for(20), goals, rng)
    for name, (train, collect) in cases.items():
        times.clear()
        train(callback=lambda _: times.append(time.process_time()), **more)
        name = f"CPU seconds of an update, {name}"
        found[name] = float(np.median(np.diff(times)))
        found[f"{name}: collecting once"] = median_cpu(collect, updates)
    return found


def measured(side: str, task: str, seed: int, quick: bool) -> dict[str, float]:
    """What one ``task`` tells of a side, in this process."""
    updates = min(UPDATES[task], 3) if quick else UPDATES[task]
    if task == "meta":
        return meta(side, seed, updates, 104 if quick else 1024) if side != SB3 else {}
    if task == "learning":
        log, score = run(side, seed, LEARNING | {"updates": updates}, 16)
        reached = log[log[:, 3] >= 475, :3]
        spent = reached[0] - log[0, :3] if len(reached) else [np.nan] * 3
        names = ["seconds to 475", "CPU seconds to 475", "steps to 475", "return"]
        return dict(zip(names, [*spent, score()], strict=True))
    kind, end = ([32, "sync"], SLOW) if task == SLOW else ([32], "")
    seeds = [seed, 1000 + seed] if task in WHOLE else [seed]
    logs = [run(side, s, SPEED | {"updates": updates}, *kind)[0] for s in seeds]
    wall, processor, steps, _ = np.diff(logs[-1][1:], axis=0).T
    found = {f"steps per second{end}": np.median(steps / wall)}
    found[f"steps per second of CPU{end}"] = np.median(steps / processor)
    found[f"{UPDATE}{end}"] = 1000 * np.median(processor)
    if task in WHOLE:
        for call, log in zip(("first", "next"), logs, strict=True):
            found[f"CPU seconds of {task}, {call}"] = np.ptp(log[:, 1])
    if task == "100,000 steps" and side in ("refimpl", JIT):
        found |= parts(side, seed, found[UPDATE])
    return found


def elsewhere(root: Path, *given: Any) -> dict[str, float]:
    """The same in a new process, where refimpl is that of ``root``."""
    path = f"{root.resolve()}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    command = [sys.executable, "-P", __file__, "--measure", json.dumps(given)]
    own = os.environ | dict.fromkeys(ALONE, "1") | {"PYTHONPATH": path}
    return json.loads(subprocess.check_output(command, env=own).splitlines()[-1])


def main(quick: bool, main: Path | None, out: Path) -> None:
    here, tables = Path(__file__).parents[1], []
    roots = {"refimpl": here, SB3: find_spec(SB3) and here, JIT: here, MAIN: main}
    sides = ["refimpl"] if quick else [side for side, root in roots.items() if root]
    for seed in range(1 if quick else 5):
        found: dict[str, dict[str, float]] = {side: {} for side in roots}
        for task, side in product(UPDATES, sides):
            given = side, task, seed, quick
            found[side] |= measured(*given) if quick else elsewhere(roots[side], *given)
            print(*given[:3], flush=True)
        table = pd.DataFrame(found, dtype=float).rename_axis("measure")
        firsts = table.loc[[f"CPU seconds of {task}, first" for task in WHOLE]]
        steps = [32 * SPEED["rollout_steps"] * updates for updates in WHOLE.values()]
        for side in OPTIONS:
            ahead = firsts[SB3] - firsts[side]
            table.loc["steps to break even", side] = np.interp(0, ahead, steps)
        table.insert(0, "seed", seed)
        table.insert(3, "ratio", table["refimpl"] / table[SB3])
        for side, other in ((JIT, SB3), ("refimpl", MAIN), (JIT, MAIN)):
            table[f"{side}/{other}"] = table[side] / table[other]
        tables.append(table)
        table = pd.concat(tables)  # so far
        print(table.groupby("measure", sort=False).median().to_string(), flush=True)
        command = f"python -m benchmarks.ppo{' --main DIR' if main else ''}"
        used = ("tensorflow", "keras", "gymnasium", "torch", "stable-baselines3")
        write_table(out / "ppo_speed.csv", table.reset_index(), command, used)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--main", type=Path, help="an earlier version, to compare with")
    parser.add_argument("--quick", action="store_true", help="refimpl's first moments")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = vars(parser.parse_args())
    task = given.pop("measure")
    print(json.dumps(measured(*task))) if task else main(**given)
