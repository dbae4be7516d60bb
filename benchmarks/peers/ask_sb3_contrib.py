"""A recurrent PPO, which is what RL² needs, takes a few steps."""

from sb3_contrib import RecurrentPPO


def answers(given):
    model = RecurrentPPO("MlpLstmPolicy", "CartPole-v1", n_steps=32, batch_size=32)
    model.learn(64)
    return {}
