"""The strong simple methods that a meta-learner has to be compared with."""

from refimpl.baselines.growth import (
    direct_regression,
    each_alone,
    hierarchical_polynomial,
    pooled_polynomial,
    trusted_level,
)
from refimpl.baselines.posterior import Posterior, fit_posterior
from refimpl.baselines.questions import (
    at_random,
    best_form,
    fixed_form,
    look_ahead,
    maximum_information,
    play,
)
from refimpl.baselines.ratings import crossed_effects
from refimpl.baselines.responses import (
    item_mean,
    item_means,
    item_response,
    shrunken_student_mean,
)

__all__ = [
    "Posterior",
    "at_random",
    "best_form",
    "crossed_effects",
    "direct_regression",
    "each_alone",
    "fit_posterior",
    "fixed_form",
    "hierarchical_polynomial",
    "item_mean",
    "item_means",
    "item_response",
    "look_ahead",
    "maximum_information",
    "play",
    "pooled_polynomial",
    "shrunken_student_mean",
    "trusted_level",
]
