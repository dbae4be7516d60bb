"""Whatever layers a user brings: the meta-gradient of a plain loop, or a clear no.

The oracle knows nothing of vmap, of torch.func or of our code: a loop over tasks, each
of its steps by torch.autograd.grad.
"""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations

from refimpl.maml import meta_loss, mse
from refimpl.tasks import TaskBatch

STEPS, RATE = 2, 0.1


class Made(nn.Module):
    """A model of ``parts`` that ``run`` puts together."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run, self.parts = run, nn.ModuleDict(parts)

    def forward(self, x):
        return self.run(self.parts, x)


def after_linear(run, outputs=6):
    return Made(lambda own, x: run(own["linear"](x)), linear=nn.Linear(4, outputs))


def image_net(*layers):
    """Of images of 6 x 6: a convolution to 4 channels of 4 x 4, then ``layers``."""
    layers = [nn.Conv2d(1, 4, 3), *layers, nn.Tanh(), nn.Flatten()]
    return nn.Sequential(*layers, nn.LazyLinear(2))


def around(layer, outputs=8):
    return nn.Sequential(nn.Linear(4, 8), layer, nn.Tanh(), nn.Linear(outputs, 2))


VECTOR, IMAGE, SERIES, TOKENS = (4,), (1, 6, 6), (2, 6), (3, 4)
ACTIVATIONS = [
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU,
    nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid,
    nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink,
]  # fmt: skip
OF_VECTORS = {kind.__name__: lambda kind=kind: around(kind()) for kind in ACTIVATIONS}
OF_VECTORS |= {
    "GLU": lambda: around(nn.GLU(), 4),
    "Softmax": lambda: around(nn.Softmax(-1)),
    "LogSoftmax": lambda: around(nn.LogSoftmax(-1)),
    "LayerNorm": lambda: around(nn.LayerNorm(8)),
    "LayerNorm, twice": lambda: around(
        nn.Sequential(nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 8), nn.LayerNorm(8))
    ),
    "LayerNorm, plain": lambda: around(nn.LayerNorm(8, elementwise_affine=False)),
    "RMSNorm": lambda: around(nn.RMSNorm(8)),
    "weight_norm": lambda: around(parametrizations.weight_norm(nn.Linear(8, 8))),
    "orthogonal": lambda: around(parametrizations.orthogonal(nn.Linear(8, 8))),
    "spectral_norm, trained": lambda: around(
        parametrizations.spectral_norm(nn.Linear(8, 8)).eval()
    ),
    "Bilinear": lambda: Made(lambda own, x: own["b"](x, x), b=nn.Bilinear(4, 4, 2)),
}
OPERATIONS = {
    "layer_norm": lambda x: F.layer_norm(x, (6,)).tanh(),
    "cosine_similarity": lambda x: F.cosine_similarity(
        x[:, None, :3], x[:, None, 3:], dim=-1
    ),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "logsumexp": lambda x: torch.logsumexp(x, -1, keepdim=True),
    "std": lambda x: x / x.std(-1, keepdim=True),
    "cumsum, cumprod": lambda x: x.cumsum(-1).tanh().cumprod(-1),
    "sort": lambda x: x.sort(-1).values.tanh(),
    "max": lambda x: x.tanh().max(-1, keepdim=True).values,
    "einsum": lambda x: torch.einsum("bi,bj->bij", x, x).flatten(1).tanh(),
    "solve": lambda x: torch.linalg.solve(x.T @ x + torch.eye(6).to(x), x.T).T,
}
OF_IMAGES = {
    "LayerNorm": lambda: image_net(nn.LayerNorm([4, 4, 4])),
    "GroupNorm": lambda: image_net(nn.GroupNorm(2, 4)),
    "InstanceNorm": lambda: image_net(nn.InstanceNorm2d(4, affine=True)),
    "LocalResponseNorm": lambda: image_net(nn.LocalResponseNorm(2)),
    "BatchNorm, trained": lambda: image_net(nn.BatchNorm2d(4)).eval(),
    "MaxPool": lambda: image_net(nn.MaxPool2d(2)),
    "AvgPool": lambda: image_net(nn.AvgPool2d(2)),
    "AdaptiveAvgPool": lambda: image_net(nn.AdaptiveAvgPool2d(2)),
    "AdaptiveMaxPool": lambda: image_net(nn.AdaptiveMaxPool2d(2)),
    "Upsample": lambda: image_net(nn.Upsample(scale_factor=2)),
    "bilinear": lambda: image_net(nn.Upsample(scale_factor=2, mode="bilinear")),
    "PixelShuffle": lambda: image_net(nn.PixelShuffle(2)),
    "strides": lambda: image_net(nn.Conv2d(4, 4, 2, stride=2, groups=2)),
    "reflected": lambda: image_net(
        nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect")
    ),
    "ConvTranspose": lambda: image_net(nn.ConvTranspose2d(4, 2, 3)),
}
OF_SERIES = {
    "Conv1d": lambda: nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.Tanh(), nn.Conv1d(3, 1, 3), nn.Flatten()
    ),
    "InstanceNorm1d": lambda: nn.Sequential(
        nn.Conv1d(2, 4, 3),
        nn.InstanceNorm1d(4),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(16, 2),
    ),
}
PLAIN = {"dropout": 0.0, "batch_first": True}
OF_TOKENS = {
    "encoder": lambda: nn.TransformerEncoderLayer(4, 2, 8, **PLAIN),
    "encoder, eval": lambda: nn.TransformerEncoderLayer(4, 2, 8, **PLAIN).eval(),
    "decoder": lambda: Made(
        lambda own, x: own["d"](x, x), d=nn.TransformerDecoderLayer(4, 2, 8, **PLAIN)
    ),
    "attention": lambda: Made(
        lambda own, x: own["a"](x, x, x, need_weights=False)[0],
        a=nn.MultiheadAttention(4, 2, **PLAIN),
    ),
    "attention, eval": lambda: Made(
        lambda own, x: own["a"](x, x, x)[0], a=nn.MultiheadAttention(4, 2, **PLAIN)
    ).eval(),
    "scaled_dot_product_attention": lambda: after_linear(
        lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)
    ),
}
MODELS = [
    pytest.param(build, shape, id=f"{name}, {len(shape)} axes")
    for models, shape in (
        (OF_VECTORS, VECTOR),
        ({n: partial(after_linear, run) for n, run in OPERATIONS.items()}, VECTOR),
        (OF_IMAGES, IMAGE),
        (OF_SERIES, SERIES),
        (OF_TOKENS, TOKENS),
    )
    for name, build in models.items()
]


def half(prediction, target, mask):
    """A squared error over whatever axes there are, of the observed."""
    error = (prediction - target.view(prediction.shape)).square().flatten(1).mean(dim=1)
    return torch.where(mask == 1, error, 0.0).sum() / mask.sum().clamp(min=1)


def given(build, shape, integers=0, tasks=3, shots=4, queries=3):
    """A model in float64, its parameters, and tasks with some places empty."""
    torch.manual_seed(0)
    rng, model = np.random.default_rng(0), build()
    arrays = []
    for examples in (shots, queries):
        size = (tasks, examples, *shape)
        x = rng.integers(integers, size=size) if integers else rng.normal(size=size)
        with torch.no_grad():
            outputs = model.double()(torch.as_tensor(x[0]))[0].numel()
        mask = np.ones((tasks, examples))
        mask[1, 1:] = 0
        arrays += [x, rng.normal(size=(tasks, examples, outputs)), mask]
    return model, dict(model.named_parameters()), TaskBatch(*arrays)


def plain_loop(model, params, batch, loss_fn):
    """The meta-gradient, as one would write it down."""
    total = 0.0
    with sdpa_kernel(SDPBackend.MATH):
        for sx, sy, sm, qx, qy, qm in zip(
            *vars(batch.map(torch.as_tensor)).values(), strict=True
        ):
            own = params
            for _ in range(STEPS):
                loss = loss_fn(functional_call(model, own, (sx,)), sy, sm)
                slopes = torch.autograd.grad(loss, [*own.values()], create_graph=True)
                own = {
                    n: p - RATE * g
                    for (n, p), g in zip(own.items(), slopes, strict=True)
                }
            total = total + loss_fn(functional_call(model, own, (qx,)), qy, qm)
    return torch.autograd.grad(total / len(batch), [*params.values()])


def assert_same(model, params, batch, loss_fn=half, **how):
    fast = {"fast_lr": RATE, "num_steps": STEPS, **how}
    ours = meta_loss(model, params, batch, loss_fn, **fast)
    found = torch.autograd.grad(ours, [*params.values()])
    for module in model.modules():  # in evaluation attention has fused kernels only
        module.training = module.training or isinstance(
            module, nn.MultiheadAttention | nn.TransformerEncoderLayer
        )
    expected = plain_loop(model, params, batch, loss_fn)
    for name, a, b in zip(params, found, expected, strict=True):
        scale = max(b.abs().max().item(), 1e-3)
        assert (a - b).abs().max() <= 1e-10 * scale, name


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize(("build", "shape"), MODELS)
def test_the_meta_gradient_is_that_of_a_plain_loop(build, shape):
    assert_same(*given(build, shape))


@pytest.mark.parametrize("padding", [None, 0, -1])
def test_embeddings_learn_from_integers_but_not_at_the_padding(padding):
    def build():
        rows = nn.Embedding(6, 4, padding_idx=padding)
        return nn.Sequential(rows, nn.Flatten(), nn.Linear(12, 2), nn.Tanh())

    model, params, batch = given(build, (3,), integers=6)
    assert_same(model, params, batch)
    loss = meta_loss(model, params, batch, half, fast_lr=RATE, num_steps=STEPS)
    slope = torch.autograd.grad(loss, [params["0.weight"]])[0]
    assert (slope.abs().sum(dim=1) == 0).sum() == (padding is not None)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "LSTMCell"])
def test_what_vmap_cannot_take_says_so_and_a_plain_loop_can(name):
    def build():
        layer = getattr(nn, name)(4, 3)
        return Made(lambda own, x: own["layer"](x)[0], layer=layer)

    shape = VECTOR if name == "LSTMCell" else TOKENS
    model, params, batch = given(build, shape)
    with pytest.raises(RuntimeError) as caught:
        meta_loss(model, params, batch, half, fast_lr=RATE, num_steps=STEPS)
    assert "vectorize=False" in caught.value.__notes__[0]
    assert_same(model, params, batch, vectorize=False)


def test_tasks_in_chunks_and_one_by_one_are_the_same_tasks():
    model, params, batch = given(lambda: around(nn.Tanh()), VECTOR, tasks=5)
    values = [
        meta_loss(model, params, batch, mse, fast_lr=RATE, vectorize=how).item()
        for how in (True, 1, 2, 5, 100, False)
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-12)
    for wrong in (0, -1, 1.5, "all"):
        with pytest.raises((TypeError, ValueError), match="vectorize: expected"):
            meta_loss(model, params, batch, mse, vectorize=wrong)


def test_integers_are_not_rounded_with_the_numbers():
    """bfloat16 has no 301."""
    seen = []

    class Seeing(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = nn.Embedding(400, 2)

        def forward(self, x):
            seen.append(x.dtype)
            return self.rows(x)[:, 0]

    model = Seeing().to(torch.bfloat16)
    x, y, mask = np.full((1, 2, 1), 301), np.zeros((1, 2, 2), "f"), np.ones((1, 2), "f")
    batch = TaskBatch(x, y, mask, x, y, mask)
    loss = meta_loss(model, dict(model.named_parameters()), batch, mse, fast_lr=0.1)
    loss.backward()
    assert set(seen) == {torch.int64}
    assert model.rows.weight.grad.abs().sum(dim=1).nonzero().tolist() == [[301]]
