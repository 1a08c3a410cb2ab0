"""What an X/Y plot costs beside as many separate runs: X is the VAE, Y the seed.

    python tools/bench/plot.py [--size 6] [--steps 20] [--threads 1]

The VAEs lie between the checkpoint's and the vivid one, written to a temporary folder. A separate
run has an empty cache, but is spared the start of a process. Processor seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from graphengine.engine import Engine
from graphengine.plot.plot import make_plot, run_plot
from graphengine.setting_sources import load_settings
from graphengine.settings import STARTER_FOLDER
from graphengine.workflow import load_workflow

WORKFLOW = Path(__file__).parents[2] / "workflows/swap_vae.json"
CHECKPOINT = STARTER_FOLDER / "checkpoints/graphengine-starter.safetensors"
VIVID = STARTER_FOLDER / "vae/graphengine-starter-vivid.safetensors"


def write_vaes(folder: Path, count: int) -> list[str]:
    """Files of VAEs from the checkpoint's to the vivid one."""
    folder.mkdir(parents=True)
    vivid, all_weights = load_file(VIVID), load_file(CHECKPOINT)
    prefix = "first_stage_model."
    own = {name.removeprefix(prefix): w for name, w in all_weights.items() if prefix in name}
    names = []
    for i in range(count):
        share = i / max(1, count - 1)
        mixed = {name: torch.lerp(own[name].float(), w.float(), share) for name, w in vivid.items()}
        names.append(f"mixed_{i}.safetensors")
        save_file({name: w.half() for name, w in mixed.items()}, folder / names[-1])
    return names


def main() -> None:
    """Print both costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=6)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        vaes = write_vaes(base / "models/vae", options.size)
        settings = load_settings(base_directory=base, device="cpu", cache_disk=0)
        workflow = load_workflow(WORKFLOW).set("Sampler.steps", options.steps)
        axes = ["Vivid VAE.vae_name=" + ",".join(vaes), f"Sampler.seed=1..{options.size}:1"]
        engine = Engine.open(settings)
        engine.run(workflow.set("Sampler.steps", 1)).raise_for_status()  # imports and first calls

        engine = Engine.open(settings)
        started = time.process_time()
        result = run_plot(engine, make_plot(engine, workflow, axes))
        together = time.process_time() - started
        assert len(result.cells) == options.size**2
        assert all(cell.error_text() is None for cell in result.cells)

        apart = 0.0
        for cell in result.cells:
            one = result.plot.at(cell.place)
            engine = Engine.open(settings)
            started = time.process_time()
            engine.run(one).raise_for_status()
            apart += time.process_time() - started
    print(f"{options.size**2} cells of {options.steps} steps, processor time")
    print(f"one plot: {together:.1f} s; separate runs: {apart:.1f} s; {together / apart:.1%}")


if __name__ == "__main__":
    main()
