"""Time and memory from a checkpoint's path to networks that hold its weights.

    python tools/bench/load.py [--folder DIR] [--runs N]

Writes a random-weight Stable-Diffusion-1.5-sized fp16 single file (about 2 GB, deleted at the
end) and loads it in fresh processes. "Ready": UNet, text encoder and VAE are built and hold the
file's tensors, memory-mapped; importing PyTorch and the network classes is not counted. "Own"
memory is what the process does not share with the file: the growth of its anonymous pages.
The second line also brings the networks to the dtype they compute in, as their first use does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2]))

from graphengine.diffusion.checkpoint import load_checkpoint
from graphengine.diffusion.networks import (
    build_text_encoder,
    build_unet,
    build_vae,
    open_text_encoder,
    open_unet,
    open_vae,
)
from graphengine.diffusion.residency import ModelStore
from tests.diffusion.published import FAMILIES
from tests.diffusion.tiny_models import parts_tensors

GB = 1e9
PARTS = FAMILIES["sd1"]


def main() -> None:
    """Parse the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the file goes (default: temporary)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measure(options.measure)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "sd15_random_fp16.safetensors"
        size = write_checkpoint(path)
        print(f"{path.name}: {size / GB:.2f} GB, torch {torch.__version__}, "
              f"{torch.get_num_threads()} threads")  # fmt: skip
        report([in_fresh_process(path) for _ in range(options.runs)])


def write_checkpoint(path: Path) -> int:
    """Write the file; its size in bytes."""
    tensors = parts_tensors(PARTS)
    save_file({key: tensor.half() for key, tensor in tensors.items()}, str(path))
    return path.stat().st_size


def in_fresh_process(path: Path) -> dict[str, float]:
    """What `measure` says in a process that has loaded nothing yet."""
    command = [sys.executable, __file__, "--measure", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measure(path: Path) -> dict[str, float]:
    """Seconds and bytes of own memory for both stages, imports done beforehand."""
    build_unet(PARTS.unet)  # imports diffusers and transformers
    build_vae(PARTS.vae)
    for layout in PARTS.texts.values():
        build_text_encoder(layout)
    before = own_bytes()
    start_cpu = time.process_time()
    kept, ready_s = timed(lambda: open_networks(path))
    ready_cpu_s = time.process_time() - start_cpu
    ready_bytes = own_bytes() - before
    del kept
    computing, use_s = timed(lambda: resident_networks(path))
    used_bytes = own_bytes() - before
    del computing
    return {
        "ready_s": ready_s,
        "ready_cpu_s": ready_cpu_s,
        "ready_bytes": ready_bytes,
        "use_s": use_s,
        "used_bytes": used_bytes,
    }


def open_networks(path: Path) -> list[nn.Module]:
    """The three networks with the file's own tensors."""
    model, clip, vae = load_checkpoint(path)
    assert clip is not None
    assert vae is not None
    assert vae.weights is not None
    encoder = clip.encoders[0]
    return [
        open_unet(model.weights),
        open_text_encoder(encoder.weights, encoder.kind),
        open_vae(vae.weights),
    ]


def resident_networks(path: Path) -> tuple[ModelStore, list[nn.Module]]:
    """The three networks in the dtype and on the device that they compute on."""
    model, clip, vae = load_checkpoint(path)
    assert clip is not None
    assert vae is not None
    store = ModelStore()
    with store.hold():
        return store, [store.unet(model), store.text_encoder(clip.encoders[0]), store.vae(vae)]


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """What ``work`` returns, and how long it took."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def own_bytes() -> int:
    """Anonymous resident memory of this process (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def report(results: list[dict[str, float]]) -> None:
    """Print medians."""
    medians = {key: statistics.median(r[key] for r in results) for key in results[0]}
    print(f"| stage ({len(results)} runs, median) | s | own memory, GB |")
    print("|---|---|---|")
    print(f"| networks ready (memory-mapped fp16) | {medians['ready_s']:.2f} "
          f"| {medians['ready_bytes'] / GB:.2f} |")  # fmt: skip
    print(f"| in their compute dtype on the device | {medians['use_s']:.2f} "
          f"| {medians['used_bytes'] / GB:.2f} |")  # fmt: skip
    fastest = min(result["ready_s"] for result in results)
    print(f"ready: fastest {fastest:.2f} s; CPU time {medians['ready_cpu_s']:.2f} s (median)")


if __name__ == "__main__":
    main()
