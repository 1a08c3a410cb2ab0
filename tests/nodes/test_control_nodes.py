"""The nodes that steer by pictures: ComfyUI's inputs and outputs, and what they attach."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphengine.api import Context, Folders, InputError
from graphengine.diffusion.control import load_control_file
from graphengine.diffusion.controlnet import ControlNetLayout, build_controlnet, controlnet_table
from graphengine.errors import ModelFileError
from graphengine.registry import Registry
from graphengine.sockets import Condition, Conditioning, ControlNet, Image
from tests.diffusion import tiny_models as tiny

Call = Callable[..., Any]
LAYOUT = ControlNetLayout(tiny.SD1_UNET, 3, (8, 16))
PICTURE = Image(torch.zeros(1, 16, 16, 3))
PROMPT = Conditioning((Condition(torch.zeros(1, 77, 64)),))


def save_controlnet(folders: Folders, name: str, **more: torch.Tensor) -> Path:
    folder = folders.roots("controlnet")[0]
    folder.mkdir(parents=True, exist_ok=True)
    tensors = tiny.random_tensors(build_controlnet(LAYOUT), controlnet_table(LAYOUT), 1)
    save_file(tensors | more, str(folder / name))
    return folder / name


@pytest.fixture
def net(call: Call, context: Context, folders: Folders) -> ControlNet:
    save_controlnet(folders, "net.safetensors")
    loaded: ControlNet = call(
        "ControlNetLoader", control_net_name="net.safetensors", context=context
    )
    return loaded


@pytest.mark.parametrize(
    ("node_id", "inputs", "outputs"),
    [
        ("ControlNetLoader", ["control_net_name"], ["CONTROL_NET"]),
        ("DiffControlNetLoader", ["model", "control_net_name"], ["CONTROL_NET"]),
        ("ControlNetApply", ["conditioning", "control_net", "image", "strength"], ["CONDITIONING"]),
        (
            "ControlNetApplyAdvanced",
            [
                "positive", "negative", "control_net", "image", "strength", "start_percent",
                "end_percent", "vae",
            ],
            ["CONDITIONING", "CONDITIONING"],
        ),
    ],
)  # fmt: skip
def test_inputs_and_outputs_are_named_as_saved_workflows_name_them(
    builtins: Registry, node_id: str, inputs: list[str], outputs: list[str]
) -> None:
    spec = builtins.get(node_id)
    assert spec is not None
    assert [item.name for item in spec.inputs] == inputs
    assert [item.type for item in spec.outputs] == outputs
    assert set(spec.texts["ja"].inputs) == set(inputs)


def test_a_loaded_controlnet_knows_the_width_of_its_prompts(net: ControlNet) -> None:
    assert (net.kind, net.context_width, net.patches) == ("controlnet", 64, ())


def test_both_sides_share_one_application(call: Call, net: ControlNet) -> None:
    positive, negative = call(
        "ControlNetApplyAdvanced",
        positive=PROMPT,
        negative=PROMPT,
        control_net=net,
        image=PICTURE,
        strength=0.7,
        start_percent=0.1,
        end_percent=0.9,
    )
    (application,) = positive.conditions[0].control
    assert negative.conditions[0].control == (application,)
    assert (application.strength, application.start, application.end) == (0.7, 0.1, 0.9)
    assert not positive.conditions[0].control_on_negative


def test_the_old_node_acts_on_the_negative_side_by_itself(call: Call, net: ControlNet) -> None:
    steered = call("ControlNetApply", conditioning=PROMPT, control_net=net, image=PICTURE)
    assert steered.conditions[0].control_on_negative
    assert PROMPT.conditions[0].control == ()


def test_at_strength_zero_the_prompt_stays_as_it_is(call: Call, net: ControlNet) -> None:
    steered = call(
        "ControlNetApply", conditioning=PROMPT, control_net=net, image=PICTURE, strength=0.0
    )
    assert steered is PROMPT


def test_a_prompt_of_another_family_is_refused(call: Call, net: ControlNet) -> None:
    other = Conditioning((Condition(torch.zeros(1, 77, 128)),))
    with pytest.raises(InputError, match="another model family"):
        call("ControlNetApply", conditioning=other, control_net=net, image=PICTURE)


def test_differences_need_their_own_loader(call: Call, context: Context, folders: Folders) -> None:
    path = save_controlnet(folders, "diff.safetensors", difference=torch.zeros(0))
    name = path.name
    with pytest.raises(ModelFileError, match="DiffControlNetLoader"):
        call("ControlNetLoader", control_net_name=name, context=context)
    checkpoints = folders.roots("checkpoints")[0]
    checkpoints.mkdir(parents=True)
    tiny.make_checkpoint(checkpoints / "tiny.safetensors")
    model, _, _ = call("CheckpointLoaderSimple", ckpt_name="tiny.safetensors", context=context)
    loaded = call("DiffControlNetLoader", model=model, control_net_name=name, context=context)
    assert len(loaded.patches) == 1
    assert loaded == load_control_file(path, model)
