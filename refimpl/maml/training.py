"""The outer loop: meta_train steps the initialization, again and again.

A long module, for the sake of what it refuses: a run that broke must say where.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from tqdm import tqdm

from refimpl.checks import check_count, check_number
from refimpl.maml.checkpoint import load_checkpoint, save_checkpoint
from refimpl.maml.inner import FastLr, LossFn, Params
from refimpl.maml.losses import mse
from refimpl.maml.outer import task_losses
from refimpl.tasks import TaskBatch

Trained = dict[str, Params]  #: what Adam moves, of "model" and "fast_lr"


@dataclass
class History:
    """What ``meta_train`` reports."""

    #: the meta-loss of each iteration, before its step
    loss: list[float] = field(default_factory=list)
    #: pairs of the iterations done and the score ``validate`` then gave
    validation: list[tuple[int, float]] = field(default_factory=list)


def meta_train(
    model: nn.Module,
    tasks: Callable[[np.random.Generator], TaskBatch],
    num_steps: int = 5,
    fast_lr: FastLr = 0.01,
    meta_lr: float = 0.001,
    *,
    iterations: int,
    seed: int,
    loss_fn: LossFn = mse,
    first_order: bool = False,
    objective: Callable[..., Tensor] = task_losses,
    compile: bool = False,
    validate: Callable[[], float] | None = None,
    validate_every: int = 100,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
) -> History:
    """Learn an initialization from which ``num_steps`` steps do well on new tasks.

    theta <- theta - beta grad_theta (1/M) sum_i L_i(theta_i'; query_i), with
    Adam's step: algorithm 1 of Finn, Abbeel & Levine (2017). The model (and
    the learned rates, if any) are changed in place; a parameter whose
    ``requires_grad`` is False stays where it is.

    Parameters
    ----------
    model : nn.Module
        Holds theta: where training starts, and afterwards what it learned.
    tasks : rng -> TaskBatch
        Draws one iteration's tasks, with a generator made from (seed, iteration).
    num_steps, fast_lr, loss_fn, first_order
        The inner loop, as for :func:`adapt`. Rates given as a module, such as
        :class:`LearnedRates`, are learned together with theta.
    meta_lr : float
        beta, Adam's learning rate.
    iterations : int
        Outer steps in all, including those before resuming.
    seed : int
        Every generator is made from it, dropout's too (on the CPU).
    objective : like :func:`task_losses`
        What the outer loop minimizes, one number per task.
    compile : bool
        With :func:`torch.compile`: a wait, then several times as fast, equal
        within rounding.
    validate, validate_every : () -> float, int
        Called every so many iterations; its score is recorded.
    checkpoint, checkpoint_every : path, int
        A safetensors file, written whole every so many iterations and at the
        end. If it is there, training goes on from it, and ends exactly where an
        uninterrupted run would.

    Raises
    ------
    FloatingPointError
        If a loss or the meta-gradient is NaN or infinite, before that step is
        taken; the message names the iteration and the tasks.
    TypeError, ValueError, RuntimeError
        If a rate or a count is not what it should be; ``tasks`` does not return a
        TaskBatch; the checkpoint belongs to other settings, another model or a longer
        run; PyTorch cannot compile.
    """
    check_count("validate_every", validate_every, 1)
    check_count("checkpoint_every", checkpoint_every, 1)
    modules = nn.ModuleDict({"model": model})
    if isinstance(fast_lr, nn.Module):
        modules["fast_lr"] = fast_lr
    trained: Trained = {
        prefix: {n: p for n, p in module.named_parameters() if p.requires_grad}
        for prefix, module in modules.items()
    }
    frozen = {n: p for n, p in model.named_parameters() if not p.requires_grad}
    moved = [p for named in trained.values() for p in named.values()]
    optimizer = torch.optim.Adam(moved, lr=meta_lr, fused=True)
    history = History()
    settings = {
        "model": repr(model),
        "num_steps": int(num_steps),
        "fast_lr": _describe(fast_lr),
        "meta_lr": float(meta_lr),
        "seed": int(seed),
        "loss_fn": _name(loss_fn),
        "first_order": bool(first_order),
        "objective": _name(objective),
        "compile": bool(compile),
    }
    if checkpoint is not None:
        checkpoint = Path(checkpoint)
        if checkpoint.exists():
            saved = load_checkpoint(checkpoint, modules, optimizer, settings)
            history = History(saved["loss"], [(i, v) for i, v in saved["validation"]])
        elif not checkpoint.parent.is_dir():
            raise FileNotFoundError(f"checkpoint: no folder {checkpoint.parent}")
    if (done := len(history.loss)) > iterations:
        raise ValueError(
            f"iterations: expected {done} or more, as many as the checkpoint has "
            f"behind it, got {iterations}"
        )

    def value(trained: Trained, batch: TaskBatch) -> tuple[Tensor, Tensor]:
        """The meta-loss, a function of all that is trained; and each task's loss."""
        inner = {"num_steps": num_steps, "first_order": first_order, "fast_lr": fast_lr}
        if isinstance(fast_lr, nn.Module):
            inner["fast_lr"] = functional_call(fast_lr, trained["fast_lr"], ())
        params = frozen | trained["model"]
        losses = objective(model, params, batch, loss_fn, **inner)
        return losses.mean(), losses

    def eager(trained: Trained, batch: TaskBatch) -> Tensor:
        mean, losses = value(trained, batch)
        mean.backward()
        return losses.detach()

    backward = _compiled(value) if compile else eager
    for iteration in (bar := tqdm(range(done, iterations), desc="meta-training")):
        batch = tasks(np.random.default_rng([seed, iteration]))
        if not isinstance(batch, TaskBatch):
            raise TypeError(f"tasks: expected it to return a TaskBatch, got {batch!r}")
        optimizer.zero_grad()
        with torch.random.fork_rng(devices=[]):  # for dropout
            own = np.random.default_rng([iteration, seed]).integers(2**62)
            torch.default_generator.manual_seed(int(own))
            losses = backward(trained, batch)
        _check_finite(iteration, losses, moved)
        optimizer.step()
        history.loss.append(losses.mean().item())

        done = iteration + 1
        if validate is not None and done % validate_every == 0:
            history.validation.append((done, float(validate())))
            bar.set_postfix(validation=f"{history.validation[-1][1]:.4f}")
        if checkpoint and (done % checkpoint_every == 0 or done == iterations):
            save_checkpoint(checkpoint, modules, optimizer, settings, vars(history))
    return history


def _compiled(value: Callable) -> Callable[[Trained, TaskBatch], Tensor]:
    """A function that fills every .grad and returns the tasks' losses, compiled."""
    gradients = torch.compile(grad(value, has_aux=True))

    def backward(trained: Trained, batch: TaskBatch) -> Tensor:
        from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

        now = {k: {n: p.detach() for n, p in v.items()} for k, v in trained.items()}
        tensors = {k: torch.as_tensor(a) for k, a in vars(batch).items()}
        arrays = SimpleNamespace(**tensors)  # a TaskBatch, but for its checks
        try:
            grads, losses = gradients(now, arrays)
        except TorchDynamoException as error:
            raise RuntimeError(
                "compile: PyTorch could not compile the step. It needs a C++ compiler, "
                "such as g++; without one, leave compile=False"
            ) from error
        for prefix, named in trained.items():
            for name, parameter in named.items():
                parameter.grad = grads[prefix][name]
        return losses

    return backward


def _check_finite(iteration: int, losses: Tensor, moved: list[Tensor]) -> None:
    """Raise if a task's loss or the meta-gradient is NaN or infinite."""
    if not losses.isfinite().all():
        tasks = (~losses.isfinite()).nonzero().flatten().tolist()
        raise FloatingPointError(
            f"meta_train: the loss is not finite at iteration {iteration}, for tasks "
            f"{tasks} of the batch; try a smaller fast_lr or meta_lr"
        )
    gradients = [p.grad for p in moved if p.grad is not None]
    if not math.isfinite(torch.nn.utils.get_total_norm(gradients)):
        raise FloatingPointError(
            f"meta_train: the meta-gradient is not finite at iteration {iteration}, "
            "though the loss is; look for a square root or a logarithm at 0"
        )


def _describe(fast_lr: FastLr) -> Any:
    if isinstance(fast_lr, dict):
        rates = {name: rate for name, rate in fast_lr.items() if rate is not None}
        if any(getattr(rate, "requires_grad", False) for rate in rates.values()):
            raise ValueError("fast_lr: a dict's rates are fixed; use LearnedRates")
        return {
            name: torch.as_tensor(rate, dtype=torch.float64).tolist()
            for name, rate in rates.items()
        }
    if isinstance(fast_lr, nn.Module):
        return repr(fast_lr)
    check_number("fast_lr", fast_lr, 0)
    return float(fast_lr)


def _name(function: Callable) -> str:
    """What a checkpoint calls it; an address would be another one in each process."""
    return getattr(function, "__qualname__", re.sub(r" at 0x\w+", "", repr(function)))
