"""irtorch fits a small two-parameter model by marginal maximum likelihood."""

import torch
from irtorch.estimation_algorithms import MML
from irtorch.models import TwoParameterLogistic


def answers(given):
    data = (
        torch.rand(200, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    ).float()
    model = TwoParameterLogistic(data=data)
    model.fit(train_data=data, algorithm=MML(), max_epochs=3)
    assert model.latent_scores(data[:3], standard_errors=False).shape[0] == 3
    return {}
