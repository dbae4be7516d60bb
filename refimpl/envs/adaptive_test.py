"""An adaptive test, replayed: which question next, and what does its answer tell?

A test taker's answers to all items are recorded, and asking changes nobody, so a
replay shows exactly what would have been seen. For each student a fresh random half
of the items is the *target*: never asked, only to be predicted. Of the other half,
one item after the other is asked, and after each a model of students, given as

    student_model(items [N, t], answers [N, t]) -> probabilities [N, J],

predicts all J answers, from t = 0 on. An action is an item; its reward is by how much
its answer lowered the mean log-loss on the target (in nats). The rewards of a session
add up to the loss before the first question less the loss after the last one.

A long module, for what it refuses: a test that asks what it must only predict would
look better than it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from refimpl.checks import check_count
from refimpl.envs.students import OneStudentEnv, StudentsEnv

AnswerModel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def target_loss(probabilities: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """-mean_j log P(the answer given to item j): [N].

    From ``probabilities`` of a right answer [N, Q] and ``answers`` [N, Q]. Raises a
    ValueError if ``probabilities`` are not between 0 and 1, both excluded: a model that
    is certain and wrong has an infinite loss.
    """
    if not ((probabilities > 0) & (probabilities < 1)).all():
        raise ValueError("probabilities: expected numbers between 0 and 1")
    return -np.log(np.where(answers == 1, probabilities, 1 - probabilities)).mean(1)


def logits(probabilities: np.ndarray) -> np.ndarray:
    """log p / (1 - p), of ``probabilities`` p [...]."""
    return np.log(probabilities / (1 - probabilities))


class AdaptiveTest(StudentsEnv):
    """N students take an adaptive test in step, with next-step autoreset.

    Observations are float32, [N, 2 + 2 J]: the answer just seen (1 right, -1 wrong, 0
    none yet), the share of the questions asked, for each item how far the model's
    prediction has moved since the session began (a difference of logits), and for each
    item whether it may be asked now (1) or not (0).

    A session terminates after ``questions`` answers. The step after it resets: its
    actions are ignored and its rewards are 0. Student i has a generator of its own,
    made from ``seed + i``, which draws a person and a target half for each session.
    Raises a ValueError if an argument, an action or what the model returns is not as
    listed here.

    Parameters
    ----------
    correct : [people, J] of 0 and 1
        The recorded answers, J at least 2. People are drawn from them with replacement.
    student_model : function
        As above. An item of its [N, t] arguments is a column of ``correct``.
    num_envs, questions : int
        N, and how many questions a session has, from 1 to J - J // 2.

    Attributes
    ----------
    people : [N], the row of ``correct`` of each session's student
    target, truth : [N, J // 2], the items of the target, and the answers to them
    items, answers : [N, asked], what was asked so far, and what was answered
    predicted, loss : [N, J] and [N], what the model says now, its loss on the target
    """

    known_options = ("people",)

    def __init__(
        self,
        correct: np.ndarray,
        student_model: AnswerModel,
        num_envs: int,
        questions: int = 10,
    ) -> None:
        self.correct = np.asarray(correct, dtype=np.int8)
        shape = self.correct.shape
        fits = len(shape) == 2 and shape[0] >= 1 and shape[1] >= 2
        if not fits or not np.isin(correct, (0, 1)).all():
            raise ValueError(
                "correct: expected 0 and 1, of shape [people, J], with at least one "
                f"person and two items, got shape {shape}"
            )
        J = shape[1]
        self.questions = self.asked = check_count("questions", questions, 1, J - J // 2)
        self.student_model = student_model
        low = np.array([-1, 0] + [-np.inf] * J + [0] * J, dtype=np.float32)
        high = np.array([1, 1] + [np.inf] * J + [1] * J, dtype=np.float32)
        super().__init__(num_envs, gym.spaces.Box(low, high), gym.spaces.Discrete(J))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict]:
        """Begin N sessions; ``options={"people": [N]}`` says with which people."""
        super().reset(seed=seed, options=options)
        return self._begin((options or {}).get("people")), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]:
        """Ask every student one item; after the last question, begin new sessions."""
        self.check_reset()
        over = np.zeros(self.num_envs, dtype=bool)
        if self.asked == self.questions:
            return self._begin(), np.zeros(self.num_envs), over, over.copy(), {}
        before = self.loss
        self._ask(self.check_actions(actions))
        self._predict()
        over[:] = self.asked == self.questions
        return self.observe(), before - self.loss, over, np.zeros_like(over), {}

    def observe(self) -> np.ndarray:
        """What can be seen now: [N, 2 + 2 J]."""
        J = self.correct.shape[1]
        out = np.empty((self.num_envs, 2 + 2 * J), dtype=np.float32)
        out[:, 0] = 2.0 * self.answers[:, -1] - 1 if self.asked else 0
        out[:, 1] = self.asked / self.questions
        out[:, 2 : 2 + J] = logits(self.predicted) - self.start
        out[:, 2 + J :] = self.allowed
        return out

    def _begin(self, people: np.ndarray | None = None) -> np.ndarray:
        count, J = self.correct.shape
        draws = np.stack([rng.random(J + 1) for rng in self.generators])
        drawn = (draws[:, 0] * count).astype(int)
        self.people = drawn if people is None else np.asarray(people)
        fits = self.people.shape == drawn.shape
        if not fits or not ((self.people >= 0) & (self.people < count)).all():
            n = len(drawn)
            raise ValueError(f"options: expected {n} people of 0 to {count - 1}")
        self.target = draws[:, 1:].argsort(axis=1)[:, : J // 2]
        self.truth = self.correct[self.people[:, None], self.target]
        self.allowed = np.ones((self.num_envs, J), dtype=bool)
        np.put_along_axis(self.allowed, self.target, False, axis=1)
        self.items = np.zeros((self.num_envs, 0), dtype=np.int64)
        self.answers = np.zeros((self.num_envs, 0), dtype=np.int8)
        self.asked = 0
        self._predict()
        self.start = logits(self.predicted)
        return self.observe()

    def _ask(self, items: np.ndarray) -> None:
        rows = np.arange(self.num_envs)
        if not self.allowed[rows, items].all():
            raise ValueError(
                "actions: expected items that are neither in their student's target "
                f"nor asked already, got {items}"
            )
        answers = self.correct[self.people, items]
        self.allowed[rows, items] = False
        self.items = np.column_stack([self.items, items])
        self.answers = np.column_stack([self.answers, answers])
        self.asked += 1

    def _predict(self) -> None:
        self.predicted = self.student_model(self.items, self.answers)
        if (shape := self.predicted.shape) != (expected := self.allowed.shape):
            raise ValueError(
                f"student_model: expected probabilities {expected}, got {shape}"
            )
        if not ((self.predicted > 0) & (self.predicted < 1)).all():
            raise ValueError("student_model: expected probabilities between 0 and 1")
        asked_about = np.take_along_axis(self.predicted, self.target, axis=1)
        self.loss = target_loss(asked_about, self.truth)


class AdaptiveTestEnv(OneStudentEnv):
    """One student, with arguments as for :class:`AdaptiveTest`.

    Any action can be taken, as Gymnasium expects: an item that may not be asked is not
    asked, nothing changes, and the reward is 0.
    """

    def __init__(
        self, correct: np.ndarray, student_model: AnswerModel, questions: int = 10
    ) -> None:
        super().__init__(AdaptiveTest(correct, student_model, 1, questions))

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Ask the item ``action``, if it may be asked."""
        students = self.students
        known = students.asked < students.questions and self.action_space.contains(
            action
        )
        if known and not students.allowed[0, action]:
            return students.observe()[0], 0.0, False, False, {}
        return super().step(action)
