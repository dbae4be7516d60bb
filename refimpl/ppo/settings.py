"""The settings of a training run: checked, and told so that runs can be compared."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from refimpl.checks import check_count, check_number

COUNTS = {"updates": 0, "num_steps": 0, "rollout_steps": 1, "epochs": 1}
COUNTS |= {"minibatches": 1, "tasks": 1, "checkpoint_every": 1}
POSITIVE = {"learning_rate", "fast_lr", "meta_lr", "strength", "epsilon"}
POSITIVE |= {"max_grad_norm", "max_kl", "value_weight", "reward_scale"}
SHARES = ("gamma", "lambda_")
#: Functions are told apart by what they return for these arguments.
LOG_RATIOS, ONES = np.linspace(-1, 1, 5, dtype=np.float32), np.ones(5, np.float32)
PROBES: dict[str, list[tuple]] = {
    "schedule": [(share,) for share in np.linspace(0, 1, 101)],
    "adapt": [(1.0, kl) for kl in (0.0, 1e-3, 1e-2, 1e-1, 1.0)],
    "surrogate": [(LOG_RATIOS, 0 * ONES, sign * ONES, 0.3) for sign in (1, -1)],
}
#: What may differ between two calls that are the same run.
FREE = ("callback", "checkpoint", "progress")


def check_settings(given: dict[str, Any]) -> None:
    """Raise a TypeError or ValueError if an argument of ``given`` is out of range."""
    for name, value in given.items():
        if name in COUNTS:
            check_count(name, value, COUNTS[name])
        if name in POSITIVE:
            check_number(name, value, 0)
        if name in SHARES:
            check_number(name, value, 0, 1)
    check_number("entropy_weight", given["entropy_weight"], -math.inf)
    nothing = 0 * ONES, 0 * ONES, 0 * ONES, 0.3
    if "surrogate" in given and abs(float(given["surrogate"](*nothing))) > 1e-6:
        raise ValueError(
            "surrogate: expected 0 for steps of ratio 1 and advantage 0, since resets "
            "enter as such"
        )


def described_settings(given: dict[str, Any]) -> dict[str, str]:
    """Each argument of ``given`` as text; equal if two runs do the same with it."""
    told: dict[str, Callable[[Any], str]] = {"policy": policy_text, "envs": envs_text}
    text = {}
    for name, value in given.items():
        if name in PROBES and value is not None:
            text[name] = function_text(value, PROBES[name])
        elif name not in FREE:
            text[name] = re.sub(r" at 0x\w+", "", told.get(name, str)(value))
    return text


def function_text(function: Callable, probes: list[tuple]) -> str:
    """A ``function`` by its name, and by what it returns for each of ``probes``."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    found = [f"{float(function(*probe)):.5g}" for probe in probes]
    return f"{name}: {' '.join(found)}"


def policy_text(policy: Any) -> str:
    """A ``policy`` by its structure, or else by its class and the shapes of weights."""
    if isinstance(structure := policy.structure(), str):
        return structure
    own = policy.settings, [v.shape for v in policy.variables]
    return f"{type(policy).__qualname__} {own}"


def envs_text(envs: Any) -> str:
    """``envs`` as far as they can be told: types, from the outside in, spaces, spec."""
    types, inner = [type(envs).__qualname__], envs
    while inner is not inner.unwrapped:
        inner = inner.env
        types.append(type(inner).__qualname__)
    spec = f" {inner.spec.id} {inner.spec.kwargs}" if inner.spec else ""
    spaces = f"{envs.single_observation_space}, {envs.single_action_space}"
    return f"{envs.num_envs} of {' of '.join(types)}{spec}, {spaces}"
