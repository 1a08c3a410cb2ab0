"""One call of a denoising network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


def predict(
    unet: nn.Module,
    x: Tensor,
    t: Tensor,
    context: Tensor,
    *,
    y: Tensor | None = None,
    down_residuals: Sequence[Tensor] | None = None,
    mid_residual: Tensor | None = None,
    encoder_residuals: Sequence[Tensor] | None = None,
    objects: Tensor | None = None,
) -> Tensor:
    """The network's raw output, [B, out_channels, h, w], in the dtype of ``x``.

    ``unet``: UNet2DConditionModel as ``ModelStore.unet`` gives it. ``x``: [B, in_channels, h, w],
    already scaled for the network and in its dtype. ``t``: [B] float timesteps, 0..999.
    ``context``: [B, T, D]. ``y``: [B, A], the finished vector condition of SDXL, its refiner and
    unCLIP. ``down_residuals``, ``mid_residual``: what ControlNets add to the skip connections and
    the middle. ``encoder_residuals``: what T2I adapters add to the encoder, one a level.
    ``objects``: [B, N, D], tokens of what lies where, for a network to which
    `Grounding.attached` has given the layers that read them.
    """
    output: Tensor = unet(
        x,
        t,
        encoder_hidden_states=context,
        class_labels=y,
        down_block_additional_residuals=down_residuals,
        mid_block_additional_residual=mid_residual,
        cross_attention_kwargs=None if objects is None else {"gligen": {"objs": objects}},
        # diffusers takes items off this list.
        down_intrablock_additional_residuals=encoder_residuals and list(encoder_residuals),
        return_dict=False,
    )[0]
    return output
