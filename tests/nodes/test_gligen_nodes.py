from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from graphengine.api import Context, Folders
from graphengine.diffusion.gligen import GligenLayout, build_gligen, gligen_table
from graphengine.registry import Registry
from tests.diffusion import tiny_models as tiny

LAYOUT = GligenLayout((("middle_block.1.transformer_blocks.0.fuser", 64),), 64, 16)


@pytest.mark.parametrize(
    ("node_id", "inputs", "outputs"),
    [
        ("GLIGENLoader", ["gligen_name"], ["GLIGEN"]),
        (
            "GLIGENTextBoxApply",
            [
                "conditioning_to", "clip", "gligen_textbox_model", "text",
                "width", "height", "x", "y",
            ],
            ["CONDITIONING"],
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


def test_a_text_is_placed_in_latent_pixels_by_its_pooled_state(
    call: Callable[..., Any], context: Context, folders: Folders
) -> None:
    for kind in ("checkpoints", "gligen"):
        folders.roots(kind)[0].mkdir(parents=True)
    tiny.make_checkpoint(folders.roots("checkpoints")[0] / "tiny.safetensors")
    path = folders.roots("gligen")[0] / "gligen.safetensors"
    save_file(tiny.random_tensors(build_gligen(LAYOUT), gligen_table(LAYOUT), 1), str(path))
    gligen = call("GLIGENLoader", gligen_name=path.name, context=context)
    _, clip, _ = call("CheckpointLoaderSimple", ckpt_name="tiny.safetensors", context=context)
    prompt = call("CLIPTextEncode", text="a room", clip=clip, context=context)
    pooled = call("CLIPTextEncode", text="a cat", clip=clip, context=context).conditions[0].pooled
    placed = call(
        "GLIGENTextBoxApply",
        conditioning_to=prompt,
        clip=clip,
        gligen_textbox_model=gligen,
        text="a cat",
        width=128,
        height=64,
        x=32,
        y=16,
        context=context,
    )
    (thing,) = placed.conditions[0].extra["gligen"].things
    assert torch.equal(thing.name, pooled)
    area = thing.area
    assert (area.width, area.height, area.x, area.y) == (16, 8, 4, 2)
