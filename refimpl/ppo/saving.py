"""Policies in files: one each, without pickle, and nothing to repeat to load it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from refimpl.checks import check_count
from refimpl.ppo.checkpoint import load_arrays, save_arrays
from refimpl.ppo.episodes import MetaPolicy
from refimpl.ppo.policies import ActorCritic
from refimpl.ppo.policy import Described
from refimpl.ppo.recurrent import RecurrentActorCritic

KINDS: dict[str, Callable[..., Described]] = {
    kind.__name__: kind for kind in (ActorCritic, RecurrentActorCritic, MetaPolicy)
}


def save_policy(path: str | Path, policy: Described, **note: Any) -> None:
    """Write ``policy`` to an .npz file, whole or not at all, with a ``note`` of yours.

    Raises a TypeError if it is none of ``KINDS``; for a policy of your own Keras
    has ``save_weights``.
    """
    if (kind := type(policy).__name__) not in KINDS or type(policy) is not KINDS[kind]:
        raise TypeError(f"policy: expected one of {', '.join(KINDS)}, got {kind}")
    spaces = written(policy.observation_space), written(policy.action_space)
    own = {"kind": kind, "settings": dict(policy.settings), "spaces": spaces}
    arrays = {f"{i}": array for i, array in enumerate(policy.get_weights())}
    save_arrays(path, arrays, {"policy": own, "note": note})


def load_policy(path: str | Path) -> Any:
    """The policy that :func:`save_policy` wrote, with its weights and its scales.

    Raises a ValueError if another program wrote the file.
    """
    arrays, note = load_arrays(path)
    if (own := note.get("policy")) is None:
        raise ValueError(f"path: {path} was not written by save_policy")
    seen, chosen = map(read, own["spaces"])
    spaces = SimpleNamespace(single_observation_space=seen, single_action_space=chosen)
    policy = KINDS[own["kind"]](spaces, seed=0, **own["settings"])
    policy.set_weights([arrays[f"{i}"] for i in range(len(arrays))])
    return policy


def written(space: Any) -> dict[str, Any]:
    """A Box or Discrete ``space`` as JSON has it."""
    if isinstance(space, Discrete):
        return {"n": int(space.n), "start": int(space.start)}
    bounds = {"low": space.low.tolist(), "high": space.high.tolist()}
    return {"dtype": str(space.dtype), **bounds}


def read(text: dict[str, Any]) -> Any:
    """The space that :func:`written` wrote as ``text``."""
    if "n" in text:
        return Discrete(text["n"], start=text["start"])
    kind = np.dtype(text["dtype"])
    low, high = (np.array(text[name], kind) for name in ("low", "high"))
    return Box(low, high, dtype=kind.type)


class KeepBest:
    """A callback that keeps in ``path`` the best policy so far, by a score of yours.

    ``score()`` is a number, as the mean return in environments other than those trained
    in; it is asked for after every ``every`` updates. A training that goes on from a
    checkpoint goes on with the file; one that begins anew replaces it. ``best`` is the
    score of what is in the file, which :func:`load_policy` reads. ``policy`` is what is
    kept, ``history`` what the training reports. Raises a TypeError or ValueError if
    ``every`` is no number of updates.
    """

    def __init__(
        self,
        path: str | Path,
        policy: Described,
        score: Callable[[], float],
        every: int = 10,
    ) -> None:
        self.path, self.policy, self.score = Path(path), policy, score
        self.every, self.best = check_count("every", every, 1), -math.inf
        self.asked = False

    def __call__(self, history: Any) -> None:
        """Ask for the score, if it is time to."""
        update = len(history)
        if update % self.every:
            return
        if update == self.every:
            self.best = -math.inf
        elif not self.asked and self.path.exists():
            self.best = load_arrays(self.path)[1]["note"]["score"]
        self.asked = True
        if (score := float(self.score())) > self.best:
            self.best = score
            save_policy(self.path, self.policy, score=score, update=update)
