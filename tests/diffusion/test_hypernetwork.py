"""Hypernetworks: files of the web UI, and what they change in a sampling."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import hardswish, layer_norm, leaky_relu, linear

from graphengine.diffusion.files import file_ref
from graphengine.diffusion.hypernetwork import Hypernetwork, add_hypernetwork, read_hypernetwork
from graphengine.diffusion.sampling import sample
from graphengine.errors import InputError, ModelFileError
from graphengine.sockets import FileRef, Latent
from tests.diffusion import tiny_models as tiny

RUN = {"seed": 5, "steps": 2, "cfg": 3.0, "sampler": "euler", "scheduler": "normal"}
EMPTY = Latent(torch.zeros(1, 4, 8, 8))


def noise(seed: int, *shape: int) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def perceptron(seed: int, width: int, *numbers: int, hidden: int = 16) -> dict[str, Tensor]:
    """Two linear layers under the given numbers."""
    first, last = numbers
    return {
        f"linear.{first}.weight": noise(seed, hidden, width),
        f"linear.{first}.bias": noise(seed + 1, hidden),
        f"linear.{last}.weight": noise(seed + 2, width, hidden),
        f"linear.{last}.bias": noise(seed + 3, width),
    }


def save(path: Path, width: int = 64, numbers: tuple[int, int] = (0, 2), **more: object) -> FileRef:
    pair = perceptron(1, width, *numbers), perceptron(11, width, *numbers)
    torch.save({width: pair, "step": 3, "name": "tiny"} | more, path)
    return file_ref(path)


def two_layers(w: dict[str, Tensor], x: Tensor, first: int, last: int, activation) -> Tensor:
    x = activation(linear(x, w[f"linear.{first}.weight"], w[f"linear.{first}.bias"]))
    return linear(x, w[f"linear.{last}.weight"], w[f"linear.{last}.bias"])


@pytest.mark.parametrize(
    ("name", "activation"),
    [("swish", hardswish), ("leakyrelu", leaky_relu), (None, lambda x: x), ("linear", lambda x: x)],
)
def test_a_network_computes_what_the_web_ui_trained(tmp_path, name, activation):
    found = read_hypernetwork(save(tmp_path / "h.pt", activation_func=name))
    x = noise(7, 3, 64)
    for network, seed in zip(found[64], (1, 11), strict=True):
        expected = two_layers(perceptron(seed, 64, 0, 2), x, 0, 2, activation)
        torch.testing.assert_close(network(x), expected)


def test_layer_norms_and_an_activated_output_are_in_their_places(tmp_path):
    w = perceptron(1, 64, 0, 3)
    w |= {"linear.2.weight": 1 + noise(5, 16), "linear.2.bias": noise(6, 16)}
    w |= {"linear.5.weight": 1 + noise(8, 64), "linear.5.bias": noise(9, 64)}
    stored = {64: (w, w), "activation_func": "relu", "is_layer_norm": True, "activate_output": True}
    torch.save(stored, tmp_path / "h.pt")
    network = read_hypernetwork(file_ref(tmp_path / "h.pt"))[64][0]
    x = noise(7, 3, 64)
    y = linear(x, w["linear.0.weight"], w["linear.0.bias"]).relu()
    y = layer_norm(y, (16,), w["linear.2.weight"], w["linear.2.bias"])
    y = linear(y, w["linear.3.weight"], w["linear.3.bias"]).relu()
    y = layer_norm(y, (64,), w["linear.5.weight"], w["linear.5.bias"])
    torch.testing.assert_close(network(x), y)


def test_the_first_files_have_names_of_their_own(tmp_path):
    new = perceptron(1, 64, 0, 1)
    old = {
        key.replace("linear.0", "linear1").replace("linear.1", "linear2"): new[key] for key in new
    }
    torch.save({64: (old, old)}, tmp_path / "h.pt")
    network = read_hypernetwork(file_ref(tmp_path / "h.pt"))[64][0]
    x = noise(7, 3, 64)
    torch.testing.assert_close(network(x), two_layers(new, x, 0, 1, lambda x: x))


@torch.no_grad()
def test_it_acts_before_keys_and_values_and_leaves_the_network_as_it_was(
    tiny_store, tiny_model, tmp_path
):
    unet = tiny_store.unet(tiny_model("sd1"))
    file = save(tmp_path / "h.pt", activation_func="relu")
    attention = unet.mid_block.attentions[0].transformer_blocks[0].attn2
    x = noise(3, 1, 5, 64)
    before = attention.to_k(x), attention.to_v(x), attention.to_q(x)
    with Hypernetwork(file, 0.5).attach(unet, None, (1, 4, 8, 8)):
        k, v, q = attention.to_k(x), attention.to_v(x), attention.to_q(x)
    for found, layer, seed in ((k, attention.to_k, 1), (v, attention.to_v, 11)):
        added = two_layers(perceptron(seed, 64, 0, 2), x, 0, 2, torch.relu)
        torch.testing.assert_close(found, layer(x + 0.5 * added))
    assert torch.equal(q, before[2])
    assert torch.equal(attention.to_k(x), before[0])
    assert torch.equal(attention.to_v(x), before[1])


def test_it_changes_the_picture_and_only_while_it_is_there(tiny_store, tiny_model, words, tmp_path):
    model = tiny_model("sd1")
    changed = add_hypernetwork(model, save(tmp_path / "h.pt"), 1.0)

    def run(each) -> Tensor:
        return sample(tiny_store, each, EMPTY, words(1), words(2), **RUN).samples

    plain = run(model)
    assert (run(changed) - plain).abs().max() > 0.01
    assert torch.equal(run(model), plain)
    assert add_hypernetwork(model, save(tmp_path / "h.pt"), 0.0) is model


def test_what_does_not_fit_is_refused(tiny_model, tmp_path):
    with pytest.raises(InputError, match=r"widths \[48\]"):
        add_hypernetwork(tiny_model("sd1"), save(tmp_path / "other.pt", 48), 1.0)
    with pytest.raises(ModelFileError, match="“maxout”"):
        read_hypernetwork(save(tmp_path / "odd.pt", activation_func="maxout"))
    path = tiny.make_checkpoint(tmp_path / "model.safetensors")
    with pytest.raises(ModelFileError, match="not a hypernetwork"):
        read_hypernetwork(file_ref(path))
