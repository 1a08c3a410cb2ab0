"""The scene of the bench: samplers with four inputs and prompts, in a grid, all linked."""

from __future__ import annotations

from typing import Any

COLUMNS = 40
STEP = (330, 420)


def scene(count: int) -> dict[str, Any]:
    """``count`` nodes: of four, three are samplers, linked in a row, and one is their prompt."""
    nodes = [_node(index) for index in range(count)]
    links: list[dict[str, Any]] = []
    for index, node in enumerate(nodes):
        if node["type"] != "KSampler":
            continue
        prompt = index - index % 4
        for slot, origin in ((1, prompt), (2, prompt), (3, index - 1)):
            if origin < 0 or (slot == 3 and nodes[origin]["type"] != "KSampler"):
                continue
            kind = "LATENT" if slot == 3 else "CONDITIONING"
            links.append(
                {
                    "id": str(len(links) + 1),
                    "from": [str(origin + 1), 0],
                    "to": [str(index + 1), slot],
                    "type": kind,
                }
            )
    return {"format": "graphengine workflow", "version": 1, "nodes": nodes, "links": links}


def _node(index: int) -> dict[str, Any]:
    column, row = index % COLUMNS, index // COLUMNS
    node: dict[str, Any] = {"id": str(index + 1), "position": [column * STEP[0], row * STEP[1]]}
    if index % 4 == 0:
        return {
            **node,
            "type": "CLIPTextEncode",
            "values": {"text": f"(a red heart:1.2) number {index}, white background"},
            "inputs": [{"name": "clip", "type": "CLIP"}],
            "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING"}],
        }
    return {
        **node,
        "type": "KSampler",
        "values": {"seed": index, "steps": 20, "cfg": 7.0, "denoise": 1.0}
        | {"sampler_name": "euler", "scheduler": "normal"},
        "inputs": [
            {"name": "model", "type": "MODEL"},
            {"name": "positive", "type": "CONDITIONING"},
            {"name": "negative", "type": "CONDITIONING"},
            {"name": "latent_image", "type": "LATENT"},
        ],
        "outputs": [{"name": "LATENT", "type": "LATENT"}],
    }
