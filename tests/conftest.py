"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No test asserts a time, so a busy machine makes none fail.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
