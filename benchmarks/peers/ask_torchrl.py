"""Advantages and clipped loss of TorchRL."""

import torch
from tensordict import TensorDict
from tensordict.nn import ProbabilisticTensorDictModule as Draw
from tensordict.nn import ProbabilisticTensorDictSequential as Actor
from tensordict.nn import TensorDictModule as Module
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value.functional import generalized_advantage_estimate


def answers(given):
    def column(array):  # [T, N] to [N, T, 1]
        return torch.tensor(array).T[..., None]

    ends = column(given["terminated"])
    advantages, returns = generalized_advantage_estimate(
        0.99, 0.95, column(given["values"][:-1]), column(given["values"][1:]),
        column(given["rewards"]), done=ends, terminated=ends,
    )  # fmt: skip
    actor = Actor(
        Module(torch.nn.Identity(), in_keys=["observation"], out_keys=["logits"]),
        Draw(
            in_keys=["logits"], out_keys=["action"],
            distribution_class=torch.distributions.Categorical,
        ),
    )  # fmt: skip
    critic = Module(torch.nn.Linear(3, 1), ["observation"], ["state_value"])
    loss = ClipPPOLoss(
        actor, critic, clip_epsilon=0.2, normalize_advantage=False, entropy_bonus=False
    )
    batch = TensorDict(
        {
            "observation": torch.tensor(given["logits"]),
            "action": torch.tensor(given["actions"]),
            "action_log_prob": torch.tensor(given["old_log_prob"]),
            "advantage": torch.tensor(given["advantages"])[:, None],
            "value_target": torch.zeros(64, 1),
        },
        [64],
    )
    return {
        "advantages": advantages[..., 0].T.numpy(),
        "returns": returns[..., 0].T.numpy(),
        "policy_loss": loss(batch)["loss_objective"].detach().numpy(),
    }
