"""All tests run small networks: one thread is fastest, and the same everywhere."""

import hypothesis
import torch

torch.set_num_threads(1)

# No test reads the clock: on a busy machine a slow example is no failure.
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")
