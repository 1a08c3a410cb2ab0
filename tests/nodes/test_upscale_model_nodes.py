from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import save_file

from graphengine.api import Context, Folders, Image
from graphengine.events import Event, NodeProgress


def test_a_model_that_adds_nothing_gives_the_nearest_pixels(
    call: Callable[..., Any], context: Context, folders: Folders, events: list[Event]
) -> None:
    folder = folders.roots("upscale_models")[0]
    folder.mkdir(parents=True)
    tensors = {
        "body.0.weight": torch.zeros(4, 3, 3, 3),
        "body.0.bias": torch.zeros(4),
        "body.1.weight": torch.zeros(4),
        "body.2.weight": torch.zeros(12, 4, 3, 3),
        "body.2.bias": torch.zeros(12),
    }
    save_file(tensors, str(folder / "x2.safetensors"))
    model = call("UpscaleModelLoader", model_name="x2.safetensors", context=context)
    pixels = torch.rand(2, 5, 7, 3, generator=torch.Generator().manual_seed(1))
    found = call("ImageUpscaleWithModel", upscale_model=model, image=Image(pixels), context=context)
    torch.testing.assert_close(
        found.pixels, pixels.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    )
    assert [event.value for event in events if isinstance(event, NodeProgress)] == [1, 2]
