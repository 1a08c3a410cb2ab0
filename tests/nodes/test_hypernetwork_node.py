from collections.abc import Callable
from typing import Any

import torch

from graphengine.api import Context, Folders
from graphengine.diffusion.hypernetwork import Hypernetwork
from graphengine.registry import Registry
from tests.diffusion import tiny_models as tiny


def test_inputs_are_named_as_saved_workflows_name_them(builtins: Registry) -> None:
    spec = builtins.get("HypernetworkLoader")
    assert spec is not None
    assert [item.name for item in spec.inputs] == ["model", "hypernetwork_name", "strength"]
    assert set(spec.texts["ja"].inputs) == {"model", "hypernetwork_name", "strength"}


def test_a_hypernetwork_becomes_an_option_of_the_model(
    call: Callable[..., Any], context: Context, folders: Folders
) -> None:
    for kind in ("checkpoints", "hypernetworks"):
        folders.roots(kind)[0].mkdir(parents=True)
    tiny.make_checkpoint(folders.roots("checkpoints")[0] / "tiny.safetensors")
    weights = {"linear.0.weight": torch.zeros(64, 64), "linear.0.bias": torch.zeros(64)}
    path = folders.roots("hypernetworks")[0] / "hyper.pt"
    torch.save({64: (weights, weights)}, path)
    model, _, _ = call("CheckpointLoaderSimple", ckpt_name="tiny.safetensors", context=context)
    changed = call(
        "HypernetworkLoader",
        model=model,
        hypernetwork_name=path.name,
        strength=0.7,
        context=context,
    )
    (option,) = changed.options
    assert isinstance(option, Hypernetwork)
    assert (option.file.path, option.strength) == (str(path), 0.7)
