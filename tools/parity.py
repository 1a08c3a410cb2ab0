"""How near graphengine comes to ComfyUI's numbers and to diffusers': a table.

    python tools/parity.py [--networks sd1 sd2 sdxl inpaint refiner] [--cases LoRA …]
                           [--exact] [--tiny]

One row a sampler: its end state on an analytic denoiser (8 steps, Karras' levels, seed 7)
against ComfyUI 0.3.64's, and where diffusers has the same method, against that. Then every
schedule at every step count, KSampler's levels, noise, timesteps, and every prompt's tokens. dB
is signal over difference, 20·log10(|reference| / |difference|). Exits 1 if anything is below
110 dB (diffusers: 75 dB, because it ends UniPC at another level) or different in kind.

``--networks`` adds whole samplings at 128 pixels and 8 steps with networks of the published sizes
and random weights, by the engine and by diffusers' networks under a plain loop (see
tests/diffusion/two_ways); ``--cases`` only those whose names hold one of these words. They need a
PSNR of 110 dB, the peak being the largest absolute value. ``--exact`` computes the plain loop in
double precision too, which tells how far float32 itself is from the truth: guidance multiplies
what the order of sums leaves in the two predictions by 9 (CFG 7). Minutes each; SDXL takes 16 GB
of memory, with ``--exact`` 30. ``--tiny``: small networks of the same families, 4 steps, seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from graphengine.diffusion.model_sampling import model_sampling  # noqa: E402
from graphengine.diffusion.noise import SamplerNoise, initial_noise  # noqa: E402
from graphengine.diffusion.samplers import SAMPLERS, Run  # noqa: E402
from graphengine.diffusion.sampling import ksampler_sigmas  # noqa: E402
from graphengine.diffusion.schedules import karras, schedule_sigmas  # noqa: E402
from graphengine.sockets import Sampling  # noqa: E402
from tests.diffusion.oracle import ORACLES, ListedNoise, by_diffusers  # noqa: E402
from tests.diffusion.reference import ReferenceDenoiser, sampling_reference  # noqa: E402
from tests.diffusion.two_ways import PUBLISHED, TINY, TwoWays, run  # noqa: E402

if TYPE_CHECKING:
    from graphengine.diffusion.tokenizer import TextKind

ENOUGH_DB, ENOUGH_DB_DIFFUSERS = 110.0, 75.0
SD = model_sampling(Sampling())
LEVELS = {
    "schedules": SD,
    "schedules_lcm": model_sampling(Sampling("lcm", "lcm")),
    "schedules_zsnr": model_sampling(Sampling("v", zero_terminal_snr=True)),
}


@dataclass(frozen=True)
class Row:
    """One line of a table; ``good`` is whether it is near enough."""

    cells: tuple[str, ...]
    good: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", choices=list(PUBLISHED), default=[])
    parser.add_argument("--cases", nargs="*", default=[""])
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    console = Console()
    tables = {
        ("sampler", "ComfyUI dB", "largest difference", "diffusers dB"): list(_samplers()),
        ("schedule", "step counts", "worst dB"): list(_schedules()),
        ("what", "cases", "worst dB or equal"): [*_levels(), *_noise(), *_prompts()],
    }
    if options.networks:
        torch.set_num_threads(threads)
        columns = ("sampling with networks", "dB", "PSNR", "engine to exact", "plain to exact")
        models = TINY if options.tiny else PUBLISHED
        models = {family: models[family] for family in options.networks}
        tables[columns] = list(_networks(models, options.cases, exact=options.exact))
    for columns, rows in tables.items():
        table = Table(*columns)
        for row in rows:
            table.add_row(*row.cells, style=None if row.good else "red")
        console.print(table)
    bad = [row for rows in tables.values() for row in rows if not row.good]
    console.print(f"{sum(map(len, tables.values())) - len(bad)} good, {len(bad)} not")
    sys.exit(1 if bad else 0)


def decibels(got: Tensor, expected: Tensor) -> float:
    """20·log10(|expected| / |got - expected|); infinite where they are equal."""
    if got.shape != expected.shape:
        return -math.inf
    difference = float((got.double() - expected.double()).norm())
    if difference == 0:
        return math.inf
    return 20 * math.log10(float(expected.double().norm()) / difference)


def _samplers() -> Iterator[Row]:
    for name, expected in sampling_reference()["samplers"].items():
        end = _end_state(name)
        got = torch.stack([*end.flatten()[:4], end.mean(), end.std()])
        wanted = torch.tensor([*expected["first4"], expected["mean"], expected["std"]])
        db, oracle = decibels(got, wanted), _against_diffusers(name)
        cells = name, f"{db:.1f}", f"{float((got - wanted).abs().max()):.1e}"
        good = db >= ENOUGH_DB and (oracle is None or oracle >= ENOUGH_DB_DIFFUSERS)
        yield Row((*cells, "" if oracle is None else f"{oracle:.1f}"), good)


def _end_state(name: str) -> Tensor:
    sigmas, latent = karras(SD, 8), torch.zeros(1, 4, 8, 8)
    x = SD.add_noise(latent, initial_noise(latent, 7), sigmas[0], from_the_top=True)
    return SAMPLERS[name](Run(ReferenceDenoiser(), SD, SamplerNoise(7)), x, sigmas)


def _against_diffusers(name: str) -> float | None:
    if name not in ORACLES:
        return None
    sigmas = karras(SD, 9)
    x = initial_noise(torch.zeros(1, 4, 8, 8), 11) * sigmas[0]
    ours = SAMPLERS[name](Run(ReferenceDenoiser(), SD, ListedNoise(11)), x, sigmas)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's, inside diffusers
        return decibels(by_diffusers(name, ReferenceDenoiser(), x, 9, 11), ours)


def _schedules() -> Iterator[Row]:
    for key, levels in LEVELS.items():
        for name, cases in sampling_reference()[key].items():
            found = [
                decibels(schedule_sigmas(name, levels, int(steps)), torch.tensor(expected))
                for steps, expected in cases.items()
            ]
            title = f"{name} {key.removeprefix('schedules').strip('_')}".strip()
            yield _worst(title, ", ".join(cases), found)


def _levels() -> Iterator[Row]:
    reference = sampling_reference()
    found = []
    for case, expected in reference["ksampler_sigmas"].items():
        sampler, scheduler, steps, denoise = case.split("|")
        sigmas = ksampler_sigmas(SD, sampler, scheduler, steps=int(steps), denoise=float(denoise))
        found.append(decibels(sigmas, torch.tensor(expected)))
    yield _worst("KSampler's levels", str(len(found)), found)
    timesteps = reference["timestep_of_sigma"]
    found = [
        decibels(SD.timestep(karras(SD, int(steps))[:-1]), torch.tensor(expected).float())
        for steps, expected in timesteps.items()
    ]
    yield _worst("timesteps", str(len(found)), found)


def _noise() -> Iterator[Row]:
    found = []
    for case, expected in sampling_reference()["noise"].items():
        seed, shape, *index = case.split("|")
        chosen = json.loads(index[0].removeprefix("batch_index")) if index else None
        noise = initial_noise(torch.zeros(json.loads(shape)), int(seed), chosen).flatten()
        wanted = torch.tensor(expected.get("first8") or expected["first4"])
        found.append(decibels(noise[: len(wanted)], wanted))
    yield _worst("noise", str(len(found)), found)


def _prompts() -> Iterator[Row]:
    from graphengine.diffusion.prompt import parse, tokenize
    from graphengine.diffusion.tokenizer import PAD

    data = ROOT / "tests" / "data"
    prompts = json.loads((data / "clip_tokens.json").read_text("utf-8"))["prompts"]
    kinds: tuple[TextKind, ...] = ("clip_l", "clip_g")
    for kind in kinds:
        equal = 0
        for prompt in prompts:
            chunks = tokenize(prompt["text"], kind)
            found = [[[token.id, token.weight] for token in chunk] for chunk in chunks]
            equal += found == [_framed(words, PAD[kind]) for words in prompt["chunks"]]
        title = f"tokens of prompts, {kind}"
        yield Row((title, str(len(prompts)), f"{equal} equal"), equal == len(prompts))
    weights = json.loads((data / "prompt_weights.json").read_text("utf-8"))["prompts"]
    equal = sum(
        [[segment.text, segment.weight] for segment in parse(prompt["text"])] == prompt["segments"]
        for prompt in weights
    )
    yield Row(("weights of prompts", str(len(weights)), f"{equal} equal"), equal == len(weights))


def _networks(models: Mapping[str, TwoWays], words: Sequence[str], *, exact: bool) -> Iterator[Row]:
    for family, model in models.items():
        found = run(
            family,
            model,
            wanted=lambda name: any(word in name for word in words),
            exact=exact,
        )
        for case in found:
            snr = decibels(case.ours, case.plain)
            psnr = snr + crest(case.plain)
            pairs = () if case.exact is None else (case.ours, case.plain)
            distances = [f"{decibels(got, case.exact):.1f}" for got in pairs]
            cells = (case.name, f"{snr:.1f}", f"{psnr:.1f}", *distances)
            print(*cells, sep=" | ", file=sys.stderr, flush=True)
            yield Row(cells, psnr >= ENOUGH_DB)


def crest(reference: Tensor) -> float:
    """What the peak of a signal is above its mean square, in dB: from dB to PSNR."""
    return 20 * math.log10(float(reference.abs().max() / reference.square().mean().sqrt()))


def _framed(words: Sequence[object], pad: int) -> list[list[object]]:
    """A chunk's 77 tokens with their weights; ``words`` without a weight count once."""
    from graphengine.diffusion.tokenizer import END, START

    tokens = [START, *words, END, *[pad] * (75 - len(words))]
    return [token if isinstance(token, list) else [token, 1.0] for token in tokens]


def _worst(title: str, cases: str, found: Sequence[float]) -> Row:
    worst = min(found)
    shown = "equal" if worst == math.inf else f"{worst:.1f}"
    return Row((title, cases, shown), worst >= ENOUGH_DB)


if __name__ == "__main__":
    main()
