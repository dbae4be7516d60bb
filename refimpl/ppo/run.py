"""What every training run shares: its updates' luck, progress, checkpoints, its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from refimpl.ppo.checkpoint import load_arrays, save_arrays
from refimpl.ppo.settings import check_settings, described_settings
from refimpl.ppo.update import Learner


class Run:
    """The updates of a training run: iterate over it.

    It yields an update's number, its generator, made of (seed, number), and the share
    of the run that is over. After each update it looks whether the weights of
    ``learner`` are finite (or FloatingPointError), shows ``shown``, a dict of numbers,
    beside ``name``, writes a checkpoint if one is due, and stops if the callback, which
    gets ``history``, returns True. ``given`` are the arguments of the function that
    trains, which are checked; ``history`` has ``arrays``, ``restore`` and a length.

    A checkpoint that exists is read first, and must have been made with the same
    arguments (or ValueError); but a run that was finished may be trained on, by more
    ``updates``, with another ``schedule``. A FileNotFoundError says that there is no
    folder for the checkpoint.
    """

    def __init__(
        self, name: str, given: dict[str, Any], learner: Learner, history: Any
    ) -> None:
        check_settings(given)
        self.name, self.learner, self.history = name, learner, history
        self.updates, self.seed = given["updates"], given["seed"]
        self.callback, self.progress = given["callback"], given["progress"]
        self.every, self.settings = given["checkpoint_every"], described_settings(given)
        self.began, self.shown = 0, dict[str, float]()
        self.path = Path(given["checkpoint"]) if given["checkpoint"] else None
        if self.path and not self.path.parent.is_dir():
            raise FileNotFoundError(f"checkpoint: no folder {self.path.parent}")
        if self.path and self.path.exists():
            self._load(self.path)

    def resets(self, update: int) -> bool:
        """Whether all environments begin anew at ``update``."""
        first = update == self.start
        return first or bool(self.path and update % self.every == 0)

    def __iter__(self) -> Iterator[tuple[int, np.random.Generator, float]]:
        self.start = len(self.history)
        if self.updates and self.start >= self.updates:
            print(f"{self.name}: {self.path} is finished, nothing was trained")
        bar = tqdm(
            range(self.start, self.updates), desc=self.name, disable=not self.progress
        )
        for update in bar:
            done = (update - self.began) / (self.updates - self.began)
            yield update, np.random.default_rng([self.seed, update]), done
            if not np.isfinite(self.learner.adam.weights.numpy()).all():
                raise FloatingPointError(f"{self.name}: not finite after {update=}")
            shown = {name: f"{value:.3g}" for name, value in self.shown.items()}
            bar.set_postfix(shown, refresh=False)
            due = update + 1 == self.updates or (update + 1) % self.every == 0
            if self.path and due:
                self._save(self.path)
            if self.callback and self.callback(self.history):
                break

    def _save(self, path: Path) -> None:
        parts = {"learner": self.learner, "history": self.history}
        arrays = {
            f"{part}.{name}": array
            for part, own in parts.items()
            for name, array in own.arrays().items()
        }
        note = {"settings": self.settings, "began": self.began}
        save_arrays(path, arrays, note | {"done": len(self.history)})

    def _load(self, path: Path) -> None:
        arrays, note = load_arrays(path)
        old, done = note.get("settings", {}), note.get("done", 0)
        further = old.get("updates") == str(done) and self.updates > done
        for name, value in self.settings.items():
            free = further and name in ("updates", "schedule")
            if (was := old.get(name)) != value and not free:
                raise ValueError(f"checkpoint: made with {name}={was}, not {value}")
        self.began = done if further else note["began"]
        for part, own in (("learner", self.learner), ("history", self.history)):
            names = [name for name in arrays if name.startswith(f"{part}.")]
            own.restore({n.removeprefix(f"{part}."): arrays[n] for n in names})
