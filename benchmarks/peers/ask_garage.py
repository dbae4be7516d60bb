"""garage has MAML with PPO and RL²: can they be imported?"""

from garage.np.algos import MetaEvaluator
from garage.tf.algos import RL2PPO
from garage.torch.algos import MAMLPPO


def answers(given):
    assert all((MetaEvaluator, RL2PPO, MAMLPPO))
    return {}
