"""The outer loop: meta_train steps the initialization, again and again.

A long module, since ``meta_train`` has many settings, and says what each of them is.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from refimpl.checks import check_number
from refimpl.maml.arguments import FastLr, LossFn
from refimpl.maml.check_model import check_learner
from refimpl.maml.checkpoint import save_checkpoint
from refimpl.maml.gradients import (
    Trained,
    check_parameters,
    mean_loss,
    meta_gradient,
)
from refimpl.maml.history import History, ends
from refimpl.maml.inner import InnerRule, sgd
from refimpl.maml.losses import mse
from refimpl.maml.outer import task_losses
from refimpl.maml.resuming import footprint, resume
from refimpl.maml.settings import check_settings, described_settings
from refimpl.tasks import TaskBatch

ADAM = partial(torch.optim.Adam, fused=True)


def meta_train(
    model: nn.Module,
    tasks: Callable[[np.random.Generator], TaskBatch],
    num_steps: int = 5,
    fast_lr: FastLr = 0.01,
    meta_lr: float | Callable[[int], float] = 0.001,
    *,
    iterations: int,
    seed: int,
    loss_fn: LossFn = mse,
    first_order: bool = False,
    rule: InnerRule = sgd,
    objective: Callable[..., Tensor] = task_losses,
    optimizer: Callable[..., torch.optim.Optimizer] = ADAM,
    max_grad_norm: float | None = None,
    tasks_at_once: int | None = None,
    compile: bool = False,
    validate: Callable[[], float] | None = None,
    validate_every: int = 100,
    callback: Callable[[History], bool | None] | None = None,
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
    num_steps, fast_lr, loss_fn, first_order, rule
        The inner loop, as for :func:`adapt`. Rates given as a module, such as
        :class:`LearnedRates`, are learned together with theta.
    meta_lr : float, or iteration -> float, from 0
        beta, the learning rate; a function of the iteration is a schedule, for all
        groups of an optimizer alike.
    iterations : int
        Outer steps in all, including those before resuming.
    seed : int
        Every generator is made from it, dropout's too (on the CPU).
    objective : like :func:`task_losses`
        What the outer loop minimizes, one number per task. For models that vmap cannot
        take it is ``partial(task_losses, vectorize=False)``.
    optimizer : (parameters, lr) -> torch.optim.Optimizer
        Takes the outer step, as ``partial(torch.optim.SGD, momentum=0.9)``.
    max_grad_norm : float, optional
        A meta-gradient of larger norm is scaled down to it.
    tasks_at_once : int, optional
        The gradients of so many tasks at a time are added up: the same, in less memory.
    compile : bool
        With :func:`torch.compile`: a wait at first, then several times as fast for
        small networks of linear layers, half as fast again for convolutions. The same
        within rounding, and for at most ten inner steps.
    validate, validate_every : () -> float, int
        Called every so many iterations; its score is recorded.
    callback : History -> bool or None, optional
        Training ends if it returns True after an iteration, as :class:`KeepBest` does.
    checkpoint, checkpoint_every : path, int
        A safetensors file, written whole every so many iterations and at the
        end. If it is there, training goes on from it, and ends exactly where an
        uninterrupted run would. It must have been made with the same settings and the
        same tasks; only ``meta_lr`` may be another, which is then said. Where
        ``callback`` ended a run, none is written: begun again, it ends there again.

    Raises
    ------
    FloatingPointError
        If a loss or the meta-gradient is NaN or infinite, before that step is
        taken; the message names the iteration and the tasks.
    TypeError, ValueError, RuntimeError
        As :func:`adapt` and :func:`check_learner`; if a count is not what it should be;
        ``tasks`` does not return a TaskBatch; something that is not trained has
        parameters that want to be; the checkpoint belongs to another run or a longer
        one; PyTorch cannot compile.
    FileNotFoundError
        If there is no folder for the checkpoint.
    """
    given = locals()
    check_settings(given)
    modules = nn.ModuleDict({"model": model})
    if isinstance(fast_lr, nn.Module):
        modules["fast_lr"] = fast_lr
    trained: Trained = {
        prefix: {n: p for n, p in module.named_parameters() if p.requires_grad}
        for prefix, module in modules.items()
    }
    moved = [p for named in trained.values() for p in named.values()]

    def rate(iteration: int) -> float:
        value = meta_lr(iteration) if callable(meta_lr) else meta_lr
        check_number("meta_lr", value, 0)
        return float(value)

    outer, history = optimizer(moved, lr=rate(0)), History()
    settings = described_settings(given, outer)
    inner = ("loss_fn", "num_steps", "first_order", "rule")
    own = {name: given[name] for name in inner}
    backward = meta_gradient(
        model, trained, objective, fast_lr, tasks_at_once, compile, **own
    )

    def draw(iteration: int) -> TaskBatch:
        batch = tasks(np.random.default_rng([seed, iteration]))
        if not isinstance(batch, TaskBatch):
            raise TypeError(f"tasks: expected it to return a TaskBatch, got {batch!r}")
        return batch

    def losses_of(iteration: int, batch: TaskBatch) -> Tensor:
        """Each task's loss; fills every .grad."""
        with torch.random.fork_rng(devices=[]):  # for dropout
            own = np.random.default_rng([iteration, seed]).integers(2**62)
            torch.default_generator.manual_seed(int(own))
            return backward(batch)

    path = Path(checkpoint) if checkpoint else None
    if path and path.exists():
        state = modules, trained, outer, settings
        history, old = resume(path, *state, draw, losses_of)
        if old != (new := rate(len(history.loss))):
            print(f"meta_train: goes on with meta_lr {new}, {path} had {old}")
    if (done := len(history.loss)) > iterations:
        raise ValueError(
            f"iterations: expected {done} or more, as many as the checkpoint has "
            f"behind it, got {iterations}"
        )

    if done and done == iterations:
        print(f"meta_train: {path} is finished, nothing was trained")
    for iteration in (bar := tqdm(range(done, iterations), desc="meta-training")):
        batch = draw(iteration)
        if num_steps and not history.loss:
            check_learner(model, dict(model.named_parameters()), batch, loss_fn)
        losses = losses_of(iteration, batch)
        mean = mean_loss(iteration, losses, moved)
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(moved, max_grad_norm)
        if callable(meta_lr):
            for group in outer.param_groups:
                group["lr"] = rate(iteration)
        outer.step()
        history.loss.append(mean)

        done = iteration + 1
        if validate is not None and done % validate_every == 0:
            history.validation.append((done, float(validate())))
            bar.set_postfix(validation=f"{history.validation[-1][1]:.4f}")
        if done == iterations:
            check_parameters(moved)
        if callback is not None and ends(callback(history)):
            break
        if path and (done % checkpoint_every == 0 or done == iterations):
            now = vars(history) | {"meta_lr": rate(done)}
            now["trace"] = footprint(batch, losses_of(iteration, batch))
            save_checkpoint(path, modules, trained, outer, settings, now)
    return history
