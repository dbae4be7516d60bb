"""One meta-gradient, side by side with the libraries (about 20 minutes).

    make bench

Writes benchmarks/results/maml_speed.csv: for 4, 25, 100 and 400 sine tasks
(K = Q = 10, the paper's network) and one or five inner steps, the median processor
time in milliseconds of a meta-gradient by each implementation, all on one thread.
The calls take turns, so that a busy moment of the machine hits all alike.

plain      the forward and backward passes that the step consists of, as one
           batch of all tasks' points, with parameters shared by all tasks
loop       refimpl.maml.meta_loss(vectorize=False), and backward
eager      refimpl.maml.meta_loss, by vmap, and backward
compiled   the same through torch.compile, as meta_train(compile=True) does
learn2learn, TorchOpt, higher
           the loop over tasks that their first example shows
TorchOpt, vmap
           as in its example examples/FuncTorch/maml_omniglot_vmap.py

Also benchmarks/results/maml_compile.csv, which is made alone if --tasks names none:
for which networks compiling pays, of linear layers (as above, 25 tasks) or of four
convolutions (8 tasks of 5 images of 28 x 28): the seconds that compiling takes, and a
meta-gradient's milliseconds without and with.

Libraries that are not installed are left out. Every gradient is compared with
refimpl's before anything is timed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from benchmarks.results_file import RESULTS, write_table
from refimpl.maml import cross_entropy, meta_loss, mlp, mse
from refimpl.tasks import SinusoidTasks, TaskBatch

FAST_LR = 0.01
NETWORKS = ["linear layers", "convolutions"]
# Where make bench unpacks it.
SOURCES = Path(__file__).parent.parent / "_build/bench/learn2learn-0.2.0/learn2learn"
Step = Callable[[], dict[str, Tensor]]


def gradients(model: nn.Module) -> dict[str, Tensor]:
    found = {n: p.grad for n, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    return found


def implementations(batch: TaskBatch, num_steps: int) -> dict[str, Step]:
    """Each a function without arguments that returns the meta-gradient."""
    model = mlp(1, 40, 40, 1, seed=0)
    data = [batch.support_x, batch.support_y, batch.query_x, batch.query_y]
    tasks = [*zip(*data, strict=True)]
    mse = nn.functional.mse_loss  # all places are full
    inner = {"fast_lr": FAST_LR, "num_steps": num_steps}

    def plain():
        # Each inner step: forward, backward, and both again in the outer backward.
        for _ in range(2 * num_steps):
            mse(model(data[0]), data[1]).backward()
        mse(model(data[2]), data[3]).backward()
        return gradients(model)

    def loop():
        start = dict(model.named_parameters())
        meta_loss(model, start, batch, vectorize=False, **inner).backward()
        return gradients(model)

    def eager():
        meta_loss(model, dict(model.named_parameters()), batch, **inner).backward()
        return gradients(model)

    one_function = torch.compile(
        grad(lambda params, batch: meta_loss(model, params, batch, **inner))
    )
    params = {n: p.detach() for n, p in model.named_parameters()}
    arrays = types.SimpleNamespace(**vars(batch))
    steps: dict[str, Step] = {
        "plain": plain,
        "loop": loop,
        "eager": eager,
        "compiled": lambda: one_function(params, arrays),
    }

    if (MAML := learn2learn()) is not None:

        def with_learn2learn():
            maml = MAML(model, lr=FAST_LR)
            total = 0.0
            for x, y, query_x, query_y in tasks:
                learner = maml.clone()
                for _ in range(num_steps):
                    learner.adapt(mse(learner(x), y))
                total = total + mse(learner(query_x), query_y)
            (total / len(tasks)).backward()
            return gradients(model)

        steps["learn2learn"] = with_learn2learn

    if (torchopt := optional("torchopt")) is not None:

        def with_torchopt():
            optimizer = torchopt.MetaSGD(model, lr=FAST_LR)
            start = torchopt.extract_state_dict(model, by="reference")
            start_of_optimizer = torchopt.extract_state_dict(optimizer, by="reference")
            total = 0.0
            for x, y, query_x, query_y in tasks:
                for _ in range(num_steps):
                    optimizer.step(mse(model(x), y))
                total = total + mse(model(query_x), query_y)
                torchopt.recover_state_dict(model, start)
                torchopt.recover_state_dict(optimizer, start_of_optimizer)
            (total / len(tasks)).backward()
            return gradients(model)

        steps["TorchOpt"] = with_torchopt

        def with_torchopt_and_vmap():
            start = dict(model.named_parameters())
            optimizer = torchopt.sgd(lr=FAST_LR)

            def loss(own, x, y):
                return mse(functional_call(model, own, (x,)), y)

            def loss_for_task(x, y, query_x, query_y):
                own, state = start, optimizer.init(start)
                for _ in range(num_steps):
                    found = grad(loss)(own, x, y)
                    updates, state = optimizer.update(found, state, inplace=False)
                    own = torchopt.apply_updates(own, updates, inplace=False)
                return loss(own, query_x, query_y)

            vmap(loss_for_task)(*data).mean().backward()
            return gradients(model)

        steps["TorchOpt, vmap"] = with_torchopt_and_vmap

    if (higher := optional("higher")) is not None:

        def with_higher():
            optimizer = torch.optim.SGD(model.parameters(), lr=FAST_LR)
            for x, y, query_x, query_y in tasks:
                with higher.innerloop_ctx(
                    model, optimizer, copy_initial_weights=False
                ) as (learner, inner_optimizer):
                    for _ in range(num_steps):
                        inner_optimizer.step(mse(learner(x), y))
                    (mse(learner(query_x), query_y) / len(tasks)).backward()
            return gradients(model)

        steps["higher"] = with_higher
    return steps


def convolutions() -> nn.Module:
    """Four convolutions with group norm and 32 channels, as for 5-way Omniglot."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for channels in (1, 32, 32, 32):
        layers += [nn.Conv2d(channels, 32, 3, stride=2, padding=1)]
        layers += [nn.GroupNorm(8, 32), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(5))


def images() -> TaskBatch:
    """8 tasks of 5 images and their classes, which are noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 5, 1, 28, 28)).astype(np.float32)
    y, mask = np.tile(np.arange(5), (8, 1)), np.ones((8, 5), np.float32)
    return TaskBatch(x[0], y, mask, x[1], y, mask).map(torch.as_tensor)


def compiling(networks: list[str], steps: list[int], seconds: float) -> pd.DataFrame:
    """For each kind of network: how long compiling takes, and what it brings."""
    waves = SinusoidTasks().sample(25, 10, 10, np.random.default_rng(0))
    lazy = convolutions()
    lazy(torch.zeros(1, 1, 28, 28))
    made = (
        (mlp(1, 40, 40, 1, seed=0), waves.map(torch.as_tensor), mse),
        (lazy, images(), cross_entropy),
    )
    kinds = dict(zip(NETWORKS, made, strict=True))
    rows = []
    for name in networks:
        model, batch, loss_fn = kinds[name]
        for num_steps in steps:
            inner = {"fast_lr": FAST_LR, "num_steps": num_steps}
            params = {n: p.detach() for n, p in model.named_parameters()}

            def gradient(params, batch, model=model, loss_fn=loss_fn, inner=inner):
                return meta_loss(model, params, batch, loss_fn, **inner)

            torch.compiler.reset()
            with tempfile.TemporaryDirectory() as folder:  # nothing compiled before
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
                compiled = torch.compile(grad(gradient))
                arrays = types.SimpleNamespace(**vars(batch))
                begin = time.perf_counter()
                compiled(params, arrays)
                wait = time.perf_counter() - begin
                both = {
                    "eager": lambda: grad(gradient)(params, batch),  # noqa: B023
                    "compiled": lambda: compiled(params, arrays),  # noqa: B023
                }
                spent = medians(both, seconds)
            rows.append({"network": name, "steps": num_steps, "compiling_s": wait})
            rows[-1] |= spent
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def optional(name: str):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def learn2learn():
    """Its MAML class; the package itself does not build on Python 3.11."""
    if (installed := optional("learn2learn.algorithms.maml")) is not None:
        return installed.MAML
    if not (SOURCES / "algorithms" / "maml.py").exists():
        return None
    for name in ("learn2learn", "learn2learn.algorithms"):
        package = types.ModuleType(name)  # without running its __init__.py
        package.__path__ = [str(SOURCES.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    return importlib.import_module("learn2learn.algorithms.maml").MAML


def medians(steps: dict[str, Step], seconds: float) -> dict[str, float]:
    """Milliseconds of processor time; calls in turn, at least five of each."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or min(map(len, times.values())) < 5:
        for name, step in steps.items():
            begin = time.process_time()
            step()
            times[name].append(time.process_time() - begin)
    return {name: 1000 * float(np.median(spent)) for name, spent in times.items()}


def main(
    tasks: list[int], steps: list[int], networks: list[str], seconds: float, out: Path
) -> None:
    torch.set_num_threads(1)
    command = f"python -m benchmarks.maml --seconds {seconds:g}"
    alone = " --tasks --steps " + " ".join(map(str, steps))
    rows = []
    for num_steps in steps:
        for count in tasks:
            rng = np.random.default_rng(0)
            batch = SinusoidTasks().sample(count, 10, 10, rng).map(torch.as_tensor)
            torch.compiler.reset()
            made = implementations(batch, num_steps)
            expected = made["eager"]()
            for name in [*made][1:]:
                for parameter, own in made[name]().items():
                    torch.testing.assert_close(
                        own, expected[parameter], rtol=1e-4, atol=1e-6
                    )
            spent = medians(made, seconds)
            rows.append({"steps": num_steps, "tasks": count} | spent)
            ratios = {n: f"{t / spent['eager']:.2f}" for n, t in spent.items()}
            print(num_steps, count, f"eager {spent['eager']:.2f} ms;", ratios)
    if rows:
        write_table(out / "maml_speed.csv", pd.DataFrame(rows), command)
    if networks:
        table = compiling(networks, steps, seconds)
        write_table(out / "maml_compile.csv", table, command + alone)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, nargs="*", default=[4, 25, 100, 400])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--networks", nargs="*", default=NETWORKS)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
