"""pyKT: deep knowledge tracing. One forward pass."""

import torch
from pykt.models.dkt import DKT


def answers(given):
    model = DKT(num_c=5, emb_size=8, emb_type="qid")
    asked = torch.randint(5, (2, 10))
    assert model(asked, asked % 2).shape == (2, 10, 5)
    return {}
