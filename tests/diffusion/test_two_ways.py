"""The engine's samplings against diffusers' networks under a plain loop, with tiny networks."""

from __future__ import annotations

import pytest
import torch

from tests.diffusion.two_ways import TINY, run


# NumPy's, inside diffusers.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("family", TINY)
def test_the_engine_samples_as_a_plain_loop_over_diffusers_networks_does(family):
    for case in run(family, TINY[family]):
        assert case.ours.shape == case.plain.shape, case.name
        assert torch.isfinite(case.ours).all(), case.name
        error = (case.ours.double() - case.plain.double()).norm() / case.plain.double().norm()
        # 100 dB; what remains is the order of sums.
        assert error < 1e-5, f"{case.name}: {float(error):.1e}"
