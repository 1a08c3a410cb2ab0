"""ComfyUI's ``nodes``: its core classes over our nodes, and what plugins call beside them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

from graphengine.comfy.host.core_classes import CoreClasses
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import the_host
from graphengine.comfy.modules.comfy.model_management import interrupt_current_processing

MAX_RESOLUTION = 16384
NODE_CLASS_MAPPINGS = CoreClasses(
    lambda: the_host().registry, lambda: the_host().classes, lambda: the_host().adding.classes
)


class _WebFolders(MutableMapping[str, str]):
    """The folders of plugins' scripts by the names under which they are served."""

    def _all(self) -> dict[str, str]:
        host = the_host()
        own = {pack.web_name: str(pack.web) for pack in host.packs if pack.web is not None}
        added = (pack.added.web_folders for pack in host.packs)
        return {**own, **{k: v for each in added for k, v in each.items()}, **self._adding()}

    def _adding(self) -> dict[str, str]:
        return the_host().adding.web_folders

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __setitem__(self, name: str, folder: str) -> None:
        self._adding()[name] = str(folder)

    def __delitem__(self, name: str) -> None:
        del self._adding()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


EXTENSION_WEB_DIRS = _WebFolders()


_IMPORTED = {
    "comfy": "comfy",
    "folder_paths": "folder_paths",
    "node_helpers": "node_helpers",
    "latent_preview": "latent_preview",
    "torch": "torch",
    "np": "numpy",
    "os": "os",
    "json": "json",
    "random": "random",
    "logging": "logging",
}
"""What ComfyUI's own module has imported, and plugins take from there."""


class _Titles(dict[str, str]):
    """Display names, of our nodes too."""

    def __missing__(self, name: str) -> str:
        spec = the_host().registry.get(name)
        if spec is None:
            raise KeyError(name)
        return spec.title or spec.id


NODE_DISPLAY_NAME_MAPPINGS = _Titles()
LOADED_MODULE_DIRS: dict[str, str] = {}


def before_node_execution() -> None:
    """Raise `InterruptProcessingException` if a person stopped the run."""
    from graphengine.comfy.modules.comfy import model_management

    model_management.throw_exception_if_processing_interrupted()


def interrupt_processing(value: bool = True) -> None:
    """Stop the run that this call belongs to."""
    interrupt_current_processing(value)


def common_ksampler(
    model: Any,
    seed: int,
    steps: int,
    cfg: float,
    sampler_name: str,
    scheduler: str,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    denoise: float = 1.0,
    disable_noise: bool = False,
    start_step: int | None = None,
    last_step: int | None = None,
    force_full_denoise: bool = False,
) -> tuple[dict[str, Any]]:
    """A latent sampled as KSampler does it."""
    from graphengine.comfy.host.sampling import sample

    result = sample(
        model,
        None,
        steps=steps,
        cfg=cfg,
        sampler=sampler_name,
        scheduler=scheduler,
        positive=positive,
        negative=negative,
        latent=latent,
        denoise=denoise,
        disable_noise=disable_noise,
        start=start_step,
        end=last_step,
        full_denoise=force_full_denoise,
        seed=seed,
    )
    return (result,)


def __getattr__(name: str) -> Any:
    if name == "__all__":
        ids = (node_id for node_id in the_host().registry.ids() if node_id.isidentifier())
        own = (each for each in globals() if not each.startswith("_"))
        return [*own, *ids, *_IMPORTED, "Image"]
    if name in _IMPORTED:
        return importlib.import_module(_IMPORTED[name])
    if name == "Image":
        import PIL.Image

        return PIL.Image
    if name in NODE_CLASS_MAPPINGS:
        return NODE_CLASS_MAPPINGS[name]
    return missing("nodes", name)
