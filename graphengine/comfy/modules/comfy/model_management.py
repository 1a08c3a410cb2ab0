"""ComfyUI's ``comfy.model_management``: devices, memory, and whether a person stopped the run."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from enum import Enum
from typing import Any

from graphengine.comfy.host.running import running_context
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import the_host
from graphengine.errors import Cancelled

InterruptProcessingException = Cancelled


class VRAMState(Enum):
    """How much memory the device has for networks."""

    DISABLED = 0
    NORMAL_VRAM = 3
    SHARED = 5


class CPUState(Enum):
    """Which kind of device is computed on."""

    GPU = 0
    CPU = 1
    MPS = 2


def get_torch_device() -> Any:
    """The device that is computed on."""
    import torch

    wanted = the_host().device
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def intermediate_device() -> Any:
    """Where values between nodes lie."""
    import torch

    return torch.device("cpu")


unet_offload_device = text_encoder_offload_device = vae_offload_device = intermediate_device
text_encoder_device = vae_device = get_torch_device


def unet_inital_load_device(parameters: int, dtype: Any) -> Any:
    """Where a denoiser's weights are put first."""
    del parameters, dtype
    return intermediate_device()


def throw_exception_if_processing_interrupted() -> None:
    """Raise `InterruptProcessingException` if a person stopped the run."""
    context = running_context()
    if context is not None:
        context.check_cancelled()


def processing_interrupted() -> bool:
    """Whether a person stopped the run."""
    context = running_context()
    return context is not None and context.run.cancel.is_set()


def interrupt_current_processing(value: bool = True) -> None:
    """Stop the run that this call belongs to."""
    context = running_context()
    if value and context is not None:
        context.run.cancel.set()


def is_device_cpu(device: Any) -> bool:
    """Whether a device is the processor."""
    return bool(getattr(device, "type", device) == "cpu")


def is_device_mps(device: Any) -> bool:
    """Whether a device is Apple's."""
    return bool(getattr(device, "type", device) == "mps")


def is_device_cuda(device: Any) -> bool:
    """Whether a device is a CUDA one."""
    return bool(getattr(device, "type", device) == "cuda")


def is_nvidia() -> bool:
    """Whether NVIDIA's device is computed on."""
    import torch

    return get_torch_device().type == "cuda" and torch.version.cuda is not None


def is_intel_xpu() -> bool:
    """Whether Intel's device is computed on: no."""
    return False


def get_torch_device_name(device: Any) -> str:
    """The name of a device."""
    import torch

    if getattr(device, "type", device) == "cuda":
        return f"{device} {torch.cuda.get_device_name(device)}"
    return str(device)


def cpu_mode() -> bool:
    """Whether the processor is computed on."""
    return is_device_cpu(get_torch_device())


def mps_mode() -> bool:
    """Whether Apple's device is computed on."""
    return is_device_mps(get_torch_device())


def get_total_memory(dev: Any = None, torch_total_too: bool = False) -> Any:
    """A device's memory in bytes."""
    total = _memory(dev)[1]
    return (total, total) if torch_total_too else total


def get_free_memory(dev: Any = None, torch_free_too: bool = False) -> Any:
    """What of a device's memory is free, in bytes."""
    free = _memory(dev)[0]
    return (free, 0) if torch_free_too else free


def should_use_fp16(*args: Any, **kwargs: Any) -> bool:
    """Whether networks are computed in 16 bits: on CUDA devices."""
    del args, kwargs
    return is_device_cuda(get_torch_device())


def should_use_bf16(*args: Any, **kwargs: Any) -> bool:
    """Whether networks are computed in bfloat16: where they are told to only."""
    del args, kwargs
    return False


def unet_dtype(*args: Any, **kwargs: Any) -> Any:
    """The type in which denoisers are computed."""
    import torch

    return torch.float16 if should_use_fp16(*args, **kwargs) else torch.float32


text_encoder_dtype = vae_dtype = unet_dtype


def module_size(module: Any) -> int:
    """The bytes of a module's weights."""
    return sum(tensor.nelement() * tensor.element_size() for tensor in module.state_dict().values())


def dtype_size(dtype: Any) -> int:
    """The bytes of one number."""
    return int(dtype.itemsize)


def load_models_gpu(models: Iterable[Any], *args: Any, **kwargs: Any) -> None:
    """Nothing to do: a network is put on its device when something is computed with it."""
    del models, args, kwargs


def load_model_gpu(model: Any) -> None:
    """As `load_models_gpu`."""
    del model


def free_memory(memory_required: float, device: Any, keep_loaded: Any = ()) -> list[Any]:
    """Let networks go until so many bytes are free."""
    del device, keep_loaded
    the_host().get_models().free(int(memory_required))
    return []


def unload_all_models() -> None:
    """Let all networks go."""
    the_host().get_models().free()


def soft_empty_cache(force: bool = False) -> None:
    """Give memory back that nothing holds."""
    del force
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def cleanup_models(*args: Any) -> None:
    """Nothing to do: networks that nothing describes any more go by themselves."""
    del args


cleanup_models_gc = cleanup_models


def xformers_enabled() -> bool:
    """Whether xformers is used: torch's own attention is."""
    return False


def pytorch_attention_enabled() -> bool:
    """Whether torch's own attention is used."""
    return True


def cast_to_device(tensor: Any, device: Any, dtype: Any, copy: bool = False) -> Any:
    """A tensor on a device and of a type."""
    return tensor.to(device=device, dtype=dtype, copy=copy)


def get_autocast_device(dev: Any) -> str:
    """A device's kind for torch.autocast."""
    return str(getattr(dev, "type", "cuda"))


def supports_dtype(device: Any, dtype: Any) -> bool:
    """Whether numbers of a type can be computed with on a device."""
    import torch

    return dtype == torch.float32 or not is_device_cpu(device)


def __getattr__(name: str) -> Any:
    if name == "OOM_EXCEPTION":
        import torch

        return torch.OutOfMemoryError
    if name == "vram_state":
        return VRAMState.DISABLED if cpu_mode() else VRAMState.NORMAL_VRAM
    if name == "cpu_state":
        return CPUState.CPU if cpu_mode() else CPUState.GPU
    raise missing("comfy.model_management", name)


def _memory(device: Any) -> tuple[int, int]:
    """Free and total bytes."""
    import os

    import torch

    device = get_torch_device() if device is None else torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)
    page = os.sysconf("SC_PAGE_SIZE")
    return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")
