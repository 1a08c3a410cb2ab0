"""The engine's samplings against diffusers' networks under a plain loop, with tiny networks."""

from __future__ import annotations

import pytest
import torch

from tests.diffusion.two_ways import TINY, run


# NumPy's, inside diffusers.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("family", TINY)
def test_the_engine_samples_as_a_plain_loop_over_diffusers_networks_does(family):
    for name, ours, theirs in run(family, TINY[family]):
        assert ours.shape == theirs.shape, name
        error = (ours.double() - theirs.double()).norm() / theirs.double().norm()
        assert torch.isfinite(ours).all(), name
        # 100 dB; what remains is the order of sums.
        assert error < 1e-5, f"{name}: {float(error):.1e}"
