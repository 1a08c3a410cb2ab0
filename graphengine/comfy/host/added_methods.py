"""Sampling methods and schedules that plugins add by name, offered by our own nodes as well.

Plugins append a name to ``KSampler.SAMPLERS`` or ``SCHEDULERS``; ComfyUI's nodes read these lists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

from graphengine.comfy.host.crossing import to_hosted
from graphengine.comfy.host.running import RUNNING, Running
from graphengine.methods import SamplerName, SchedulerName
from graphengine.parameters import Choice
from graphengine.registry import Registry
from graphengine.spec import InputSpec, NodeSpec

_OURS: Mapping[str, tuple[str, ...]] = {
    "sampler_name": get_args(SamplerName),
    "scheduler": get_args(SchedulerName),
}


def offer_added_methods(registry: Registry, digest: str) -> None:
    """Let our nodes take the names that plugins have added; ``digest``: of the plugins' code."""
    added = _added()
    if not any(added.values()):
        return
    for node_id, function in _OTHERWISE.items():
        spec = registry.get(node_id)
        if spec is not None and spec.hosted is None:
            registry.replace(_widened(spec, added, function, digest))


def _added() -> Mapping[str, tuple[str, ...]]:
    module = sys.modules.get("comfy.samplers")
    if module is None:
        return {}
    now = {"sampler_name": module.SAMPLER_NAMES, "scheduler": module.SCHEDULER_NAMES}
    return {
        name: tuple(dict.fromkeys(each for each in now[name] if each not in ours))
        for name, ours in _OURS.items()
    }


def _widened(
    spec: NodeSpec, added: Mapping[str, tuple[str, ...]], function: Callable[..., Any], digest: str
) -> NodeSpec:
    """The node with longer lists; for a value of ours it is what it was."""
    usual, context_name = spec.function, spec.context_name

    def call(**arguments: Any) -> Any:
        if all(arguments.get(name, ours[0]) in ours for name, ours in _OURS.items()):
            return usual(**arguments)
        context = arguments.pop(context_name, None) if context_name is not None else None
        token = RUNNING.set(None if context is None else Running(context))
        try:
            return function(**{name: to_hosted(value) for name, value in arguments.items()})
        finally:
            RUNNING.reset(token)

    inputs = tuple(_longer(slot, added.get(slot.name, ())) for slot in spec.inputs)
    origin = replace(spec.origin, digest=spec.origin.digest + digest)
    return replace(spec, function=call, inputs=inputs, origin=origin)


def _longer(slot: InputSpec, names: tuple[str, ...]) -> InputSpec:
    if not isinstance(slot.widget, Choice):
        return slot
    return replace(slot, widget=replace(slot.widget, options=(*slot.widget.options, *names)))


def _sample(*, latent_image: Any, **given: Any) -> Any:
    from graphengine.comfy.host.crossing import to_ours
    from graphengine.comfy.host.sampling import sample

    done = sample(
        given["model"],
        None,
        steps=given["steps"],
        cfg=given["cfg"],
        sampler=given["sampler_name"],
        scheduler=given["scheduler"],
        positive=given["positive"],
        negative=given["negative"],
        latent=latent_image,
        denoise=given.get("denoise", 1.0),
        disable_noise=given.get("add_noise") == "disable",
        start=given.get("start_at_step"),
        end=given.get("end_at_step"),
        full_denoise=given.get("return_with_leftover_noise") == "disable",
        seed=given["seed"] if "seed" in given else given["noise_seed"],
    )
    return to_ours("LATENT", done)


def _select(*, sampler_name: str) -> Any:
    from graphengine.comfy.host.sampler_methods import named_sampler

    return named_sampler(sampler_name)


def _schedule(*, model: Any, scheduler: str, steps: int, denoise: float) -> Any:
    from graphengine.comfy.host.sampling import sigmas_for
    from graphengine.sockets import Sigmas

    return Sigmas(sigmas_for(model, "euler", scheduler, steps, denoise))


_OTHERWISE: Mapping[str, Callable[..., Any]] = {
    "KSampler": _sample,
    "KSamplerAdvanced": _sample,
    "KSamplerSelect": _select,
    "BasicScheduler": _schedule,
}
"""How our nodes do it for names that only plugins know."""
