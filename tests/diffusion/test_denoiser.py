"""Batches, weighted means and controls around a network that is a formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from graphengine.diffusion.conditions import (
    Box,
    PreparedCondition,
    Residuals,
    TimedControl,
)
from graphengine.diffusion.denoiser import Guided, Network
from graphengine.diffusion.guidance import RULES, SamplingOption
from graphengine.diffusion.model_sampling import BEFORE_EVERYTHING, model_sampling
from graphengine.errors import Cancelled, InputError
from graphengine.sockets import Sampling

X0 = model_sampling(Sampling(prediction="x0"))
SIGMA = torch.tensor(2.0)
X = torch.zeros(1, 4, 8, 8)


class Speaks(nn.Module):
    """A network whose output is its context's first number; keeps what it was asked."""

    def __init__(self, limit: int = 100) -> None:
        super().__init__()
        self.calls: list[Tensor] = []
        self.shapes: list[tuple[int, ...]] = []
        self.lengths: list[int] = []
        self.dtypes: list[torch.dtype] = []
        self.limit = limit

    def forward(self, x, t, encoder_hidden_states, class_labels, **residuals):
        if len(x) > self.limit:
            raise torch.OutOfMemoryError("out of memory")
        self.calls.append(encoder_hidden_states[:, 0, 0])
        self.shapes.append(tuple(x.shape))
        self.lengths.append(encoder_hidden_states.shape[1])
        self.dtypes.append(x.dtype)
        extra = residuals["mid_block_additional_residual"]
        value = encoder_hidden_states[:, 0, 0][:, None, None, None]
        return (torch.ones_like(x[:, :4]) * value + (0 if extra is None else extra),)


def says(value: float, *, tokens: int = 2, **fields) -> PreparedCondition:
    given = {"y": None, "box": None, "weight": 1.0, "sigma_start": BEFORE_EVERYTHING}
    context = torch.full((1, tokens, 3), value)
    return PreparedCondition(context, **(given | {"sigma_end": 0.0} | fields))


def network(unet: nn.Module, dtype: torch.dtype = torch.float32, check=lambda: None) -> Network:
    return Network(unet, X0, dtype, torch.tensor([3.0, 2.0, 1.0, 0.0]), check)


def value(unet: nn.Module, *conditions: PreparedCondition, at: tuple[int, int] = (0, 0)) -> float:
    (denoised,) = network(unet).denoised(X, SIGMA, [conditions])
    return float(denoised[0, 0, at[0], at[1]])


def test_negative_and_positive_share_a_call_in_this_order():
    unet = Speaks()
    positive, negative = network(unet).denoised(X, SIGMA, [(says(1),), (says(2),)])
    assert (positive[0, 0, 0, 0], negative[0, 0, 0, 0]) == (1, 2)
    assert [call.tolist() for call in unet.calls] == [[2, 1]]


def test_shorter_contexts_are_repeated_to_share_a_call():
    unet = Speaks()
    network(unet).denoised(X, SIGMA, [(says(1, tokens=2),), (says(2, tokens=3),)])
    assert unet.lengths == [6]
    unet = Speaks()
    network(unet).denoised(X, SIGMA, [(says(1, tokens=2),), (says(2, tokens=9),)])
    assert unet.lengths == [2, 9]  # 18 would be nine times the shorter one


def test_a_batch_that_does_not_fit_is_taken_in_halves():
    unet = Speaks(limit=1)
    denoised = network(unet).denoised(X, SIGMA, [(says(1),), (says(2),), (says(3),)])
    assert [float(one[0, 0, 0, 0]) for one in denoised] == [1, 2, 3]
    assert all(shape[0] == 1 for shape in unet.shapes)
    with pytest.raises(torch.OutOfMemoryError):
        network(Speaks(limit=0)).denoised(X, SIGMA, [(says(1),)])


def test_several_conditions_are_averaged_by_their_weights():
    assert value(Speaks(), says(1), says(4, weight=2.0)) == pytest.approx(3.0)
    assert value(Speaks(), says(5, weight=0.25)) == pytest.approx(5.0)
    half = torch.zeros(1, 1, 8, 8)
    half[..., :4] = 1.0
    assert value(Speaks(), says(1), says(4, weight=half)) == pytest.approx(2.5)
    assert value(Speaks(), says(1), says(4, weight=half), at=(0, 7)) == pytest.approx(1.0)


def test_masks_of_a_batch_take_turns_over_the_latents():
    masks = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])
    latents = X.expand(3, -1, -1, -1)
    (denoised,) = network(Speaks()).denoised(latents, SIGMA, [(says(1), says(4, weight=masks))])
    assert denoised[:, 0, 0, 0].tolist() == [1, 2.5, 1]


def test_an_area_is_seen_alone_and_counts_only_there():
    unet = Speaks()
    box = Box(4, 6, 2, 1)
    area = says(9, box=box, weight=torch.full((1, 1, 4, 6), 3.0))
    (denoised,) = network(unet).denoised(X, SIGMA, [(says(1), area)])
    assert sorted(unet.shapes) == [(1, 4, 4, 6), (1, 4, 8, 8)]
    assert denoised[0, 0, 2, 1] == pytest.approx((1 + 3 * 9) / 4)
    assert denoised[0, 0, 1, 1] == 1


def test_a_condition_out_of_its_range_is_not_asked():
    unet = Speaks()
    assert value(unet, says(1), says(7, sigma_start=1.9)) == 1
    assert value(unet, says(7, sigma_end=2.1)) == 0
    assert [call.tolist() for call in unet.calls] == [[1]]


def test_the_network_gets_its_dtype_and_the_result_is_float32():
    unet = Speaks()
    (denoised,) = network(unet, torch.bfloat16).denoised(X, SIGMA, [(says(1),)])
    assert unet.dtypes == [torch.bfloat16]
    assert denoised.dtype == torch.float32


def test_items_of_a_batch_share_a_condition_or_have_their_own():
    unet = Speaks()
    own = says(1)
    two = PreparedCondition(
        torch.cat([own.context, own.context * 5]), None, None, 1.0, BEFORE_EVERYTHING, 0.0
    )
    denoised, _ = network(unet).denoised(X.expand(2, -1, -1, -1), SIGMA, [(two,), (own,)])
    assert denoised[:, 0, 0, 0].tolist() == [1, 5]


def test_controls_that_act_now_are_summed_into_the_call():
    def adds(amount: float, start: float = BEFORE_EVERYTHING) -> TimedControl:
        return TimedControl(lambda x, *_: Residuals(None, torch.full_like(x, amount)), start, 0.0)

    controls = (adds(10), adds(100), adds(1000, start=1.0))
    assert value(Speaks(), says(1, controls=controls)) == 111


def test_conditions_with_different_controls_do_not_share_a_call():
    unet = Speaks()
    control = TimedControl(lambda *_: Residuals(None, None), BEFORE_EVERYTHING, 0.0)
    network(unet).denoised(X, SIGMA, [(says(1, controls=(control,)),), (says(2),)])
    assert len(unet.calls) == 2


def test_cancelling_is_looked_at_before_each_call():
    unet = Speaks()

    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        network(unet, check=check).denoised(X, SIGMA, [(says(1),)])
    assert unet.calls == []


@pytest.mark.parametrize(("bad", "what"), [(float("nan"), "NaN"), (float("inf"), "∞")])
def test_an_output_that_is_no_number_names_step_and_sigma(bad, what):
    class Breaks(Speaks):
        def forward(self, *args, **options):
            return (super().forward(*args, **options)[0] * bad,)

    with pytest.raises(InputError) as caught:
        network(Breaks()).denoised(X, SIGMA, [(says(1),)])
    assert caught.value.code == "network_not_finite"
    assert caught.value.details == {"what": what, "step": 2, "steps": 3, "sigma": 2.0}
    assert "step 2 of 3" in caught.value.text()


def guided(unet: nn.Module, scale: float, options: tuple[SamplingOption, ...] = ()) -> Guided:
    return Guided(network(unet), [(says(1),), (says(2),)], RULES["cfg"], (scale,), options)


def test_cfg_one_asks_only_the_positive_side():
    unet = Speaks()
    assert guided(unet, 1.0)(X, SIGMA)[0, 0, 0, 0] == 1
    assert [call.tolist() for call in unet.calls] == [[1]]
    assert guided(unet, 3.0)(X, SIGMA)[0, 0, 0, 0] == -1


def test_cfg_pp_samplers_get_the_negative_side_even_at_one():
    denoised, uncond = guided(Speaks(), 1.0).with_uncond(X, SIGMA)
    assert (denoised[0, 0, 0, 0], uncond[0, 0, 0, 0]) == (1, 2)


def test_without_a_negative_side_the_unconditional_prediction_is_the_only_one():
    basic = Guided(network(Speaks()), [(says(1),)], RULES["basic"], (), ())
    denoised, uncond = basic.with_uncond(X, SIGMA)
    assert torch.equal(denoised, uncond)


class Curious(SamplingOption):
    @property
    def needs_uncond(self) -> bool:
        return True

    def after_guidance(self, look, denoised):
        cond, uncond = look.predict(look.x, look.sigma)
        assert look.uncond is not None
        return denoised + 100 * cond + 1000 * uncond


def test_an_option_may_ask_the_model_again():
    assert guided(Speaks(), 1.0, (Curious(),))(X, SIGMA)[0, 0, 0, 0] == 1 + 100 + 2000
