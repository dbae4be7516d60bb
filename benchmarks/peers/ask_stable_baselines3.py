"""stable-baselines3: advantages and losses, from its own buffer and update."""

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import Logger


def advantages(given):
    T, N = given["rewards"].shape
    space = make_vec_env("CartPole-v1", n_envs=N)
    buffer = RolloutBuffer(
        T, space.observation_space, space.action_space, n_envs=N, gamma=0.99,
        gae_lambda=0.95, device="cpu",
    )  # fmt: skip
    start = np.ones(N, bool)
    for t in range(T):
        buffer.add(
            np.zeros((N, 4), np.float32), np.zeros((N, 1)), given["rewards"][t], start,
            torch.tensor(given["values"][t]), torch.zeros(N),
        )  # fmt: skip
        start = given["terminated"][t]
    buffer.compute_returns_and_advantage(torch.tensor(given["values"][T]), start)
    return {"advantages": buffer.advantages, "returns": buffer.returns}


def losses():
    """One update of one minibatch; what went in, and what the logger then says."""
    T, N = 16, 4
    model = PPO(
        "MlpPolicy", make_vec_env("CartPole-v1", n_envs=N), n_steps=T, batch_size=T * N,
        n_epochs=1, normalize_advantage=False, seed=0, device="cpu",
    )  # fmt: skip
    model.set_logger(Logger(None, []))
    rng = np.random.default_rng(0)
    buffer = model.rollout_buffer
    for t in range(T):
        buffer.add(
            rng.normal(size=(N, 4)).astype(np.float32), rng.integers(2, size=(N, 1)),
            rng.normal(size=N), np.full(N, t == 0), torch.zeros(N),
            torch.tensor(np.log(rng.uniform(0.2, 0.8, N)), dtype=torch.float32),
        )  # fmt: skip
    buffer.compute_returns_and_advantage(torch.zeros(N), np.zeros(N, bool))
    seen = torch.tensor(buffer.observations.reshape(-1, 4))
    actions = torch.tensor(buffer.actions.reshape(-1))
    with torch.no_grad():
        _, log_prob, entropy = model.policy.evaluate_actions(seen, actions)
    found = {
        "log_prob": log_prob.numpy(),
        "old_log_prob": buffer.log_probs.reshape(-1),
        "loss_advantages": buffer.advantages.reshape(-1),
        "entropy": entropy.mean().numpy(),
    }
    model.train()
    logged = model.logger.name_to_value
    return found | {
        "policy_loss": logged["train/policy_gradient_loss"],
        "approx_kl": logged["train/approx_kl"],
        "clip_fraction": logged["train/clip_fraction"],
        "entropy_loss": logged["train/entropy_loss"],
    }


def answers(given):
    return advantages(given) | losses()
