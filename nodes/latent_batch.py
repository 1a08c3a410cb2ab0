"""Batches of latents, and the noise that each latent gets."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Help, Int, Items, Latent, node


@node("LatentFromBatch", title="Latent From Batch", category="latent/batch", search=("pick",))
def from_batch(
    samples: Annotated[Latent, Help("The batch to take from.")],
    batch_index: Annotated[int, Int(ge=0, le=63, help="The first one to take; 0 = first.")] = 0,
    length: Annotated[int, Int(ge=1, le=64, help="How many to take.")] = 1,
) -> Latent:
    """Take latents out of a batch; they keep the noise that they had in it."""
    from graphengine.diffusion.latents import from_batch

    return from_batch(samples, batch_index, length)


@node("RepeatLatentBatch", title="Repeat Latent Batch", category="latent/batch")
def repeat(
    samples: Annotated[Latent, Help("The batch to repeat.")],
    amount: Annotated[int, Int(ge=1, le=64, help="How many times.")] = 1,
) -> Latent:
    """Repeat a batch, to sample several pictures from the same latent."""
    from graphengine.diffusion.latents import repeat

    return repeat(samples, amount)


@node("LatentBatch", title="LatentBatch", category="latent/batch", search=("join", "append"))
def join(
    samples1: Annotated[Latent, Help("The latents that come first.")],
    samples2: Annotated[Latent, Help("The latents that follow, brought to the same size.")],
) -> Latent:
    """Put two batches into one."""
    from graphengine.diffusion.latents import join

    return join(samples1, samples2)


@node(
    "LatentBatchSeedBehavior",
    title="LatentBatchSeedBehavior",
    category="latent/advanced",
    search=("noise",),
)
def seed_behaviour(
    samples: Annotated[Latent, Help("The batch.")],
    seed_behavior: Annotated[
        Literal["random", "fixed"],
        Choice(help="random: each picture gets its own noise. fixed: all get the first one's."),
    ] = "fixed",
) -> Latent:
    """Decide whether the pictures of a batch start from the same noise."""
    from graphengine.diffusion.latents import set_seed_behaviour

    return set_seed_behaviour(samples, fixed=seed_behavior == "fixed")


@node("RebatchLatents", title="Rebatch Latents", category="latent/batch", search=("split",))
def rebatch(
    latents: Annotated[Items[Latent], Help("Latents in batches of any length.")],
    batch_size: Annotated[int, Int(ge=1, le=4096, help="How many go on together.")] = 1,
) -> Items[Latent]:
    """Split latents into batches that are worked on one after the other, to save memory."""
    from graphengine.diffusion.latents import rebatch

    return Items(rebatch(latents, batch_size))
