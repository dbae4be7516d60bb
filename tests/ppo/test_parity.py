"""Advantages and loss are those of stable-baselines3, where it is installed."""

import importlib
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import torch

from refimpl.ppo import clipped_surrogate, compute_advantages, objectives
from refimpl.ppo.distributions import Categorical
from refimpl.ppo.objectives import Batch, ppo_loss
from tests.ppo.worlds import cart_pole

BENCH = Path(__file__).parent.parent.parent / "_build" / "bench"  # by `make bench`
STEPS, ENVS = 24, 4


@pytest.fixture
def theirs(monkeypatch):
    """Their PPO, its buffer filled with random data, and what fills it."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(BENCH)])
    try:
        sb3 = importlib.import_module("stable_baselines3")
        from stable_baselines3.common.env_util import make_vec_env
    except ImportError:
        pytest.skip("stable-baselines3 is not installed: make bench")
    model = sb3.PPO(
        "MlpPolicy",
        make_vec_env("CartPole-v1", n_envs=ENVS),
        n_steps=STEPS,
        batch_size=STEPS * ENVS,
        n_epochs=1,
        normalize_advantage=False,
        ent_coef=0.03,
        vf_coef=0.7,
        seed=0,
        device="cpu",
    )
    model.set_logger(
        importlib.import_module("stable_baselines3.common.logger").Logger(None, [])
    )
    rng = np.random.default_rng(0)
    data = {
        "observations": rng.normal(size=(STEPS, ENVS, 4)).astype(np.float32),
        "actions": rng.integers(2, size=(STEPS, ENVS)),
        "rewards": rng.normal(size=(STEPS, ENVS)).astype(np.float32),
        "values": rng.normal(size=(STEPS + 1, ENVS)).astype(np.float32),
        "old_log_prob": np.log(rng.uniform(0.3, 0.7, (STEPS, ENVS)), dtype=np.float32),
        "done": rng.random((STEPS, ENVS)) < 0.2,
    }
    starts = np.zeros(ENVS, bool)
    for t in range(STEPS):
        model.rollout_buffer.add(
            data["observations"][t],
            data["actions"][t][:, None],
            data["rewards"][t],
            starts,
            torch.as_tensor(data["values"][t]),
            torch.as_tensor(data["old_log_prob"][t]),
        )
        starts = data["done"][t]
    last = torch.as_tensor(data["values"][-1])
    model.rollout_buffer.compute_returns_and_advantage(last, data["done"][-1])
    return model, data


def ours(data):
    values, done = data["values"], data["done"]
    no = np.zeros_like(done)
    return compute_advantages(data["rewards"], values[:-1], values[1:], done, no)


def test_advantages_equal(theirs):
    model, data = theirs
    advantages, returns = ours(data)
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    close(model.rollout_buffer.advantages, advantages)
    close(model.rollout_buffer.returns, returns)


def test_the_loss_equals(theirs, monkeypatch):
    model, data = theirs
    advantages, returns = ours(data)

    class SameNumbers:
        """Their network's logits and values, as our loss asks a policy for them."""

        distribution = Categorical(cart_pole(1).single_action_space)

        def __call__(self, observations):
            with torch.no_grad():
                seen = torch.as_tensor(observations)
                logits = model.policy.get_distribution(seen).distribution.logits
                values = model.policy.predict_values(seen)[:, 0]
            return tf.constant(logits.numpy()), tf.constant(values.numpy())

    rows = [a.reshape(STEPS * ENVS, *a.shape[2:]) for a in [*data.values()][:2]]
    batch = Batch(
        *rows,
        *(a.flatten() for a in (data["old_log_prob"], advantages, returns)),
        valid=None,
    )
    # They divide by another standard deviation (n - 1), so neither normalizes.
    monkeypatch.setattr(objectives, "normalize_advantages", lambda a, valid: a)
    loss = ppo_loss(
        clipped_surrogate, 0.7, 0.03, SameNumbers(), batch, tf.constant(0.2)
    )
    model.train()
    logged = model.logger.name_to_value
    assert logged["train/clip_fraction"] > 0.1
    for mine, their, sign in (
        (loss.total, "loss", 1),
        (loss.entropy, "entropy_loss", -1),
        (loss.objective, "policy_gradient_loss", -1),
        (loss.value_loss, "value_loss", 1),
        (loss.kl, "approx_kl", 1),
        (loss.clip_fraction, "clip_fraction", 1),
    ):
        expected = sign * logged[f"train/{their}"]
        assert mine.numpy() == pytest.approx(expected, rel=1e-5), their
