"""ComfyUI's ``comfy.model_management``: devices, memory, and whether a person stopped the run."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable
from enum import Enum
from typing import Any

from graphengine.comfy.host.running import running_context
from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import the_host
from graphengine.errors import Cancelled

InterruptProcessingException = Cancelled
XFORMERS_IS_AVAILABLE = XFORMERS_ENABLED_VAE = False
ENABLE_PYTORCH_ATTENTION = True
DISABLE_SMART_MEMORY = False
FORCE_FP32 = False
EXTRA_RESERVED_VRAM = 0
current_loaded_models: list[Any] = []
"""Always empty: which networks are loaded is this engine's concern."""
interrupt_processing_mutex = threading.RLock()


class VRAMState(Enum):
    """How much memory the device has for networks."""

    DISABLED = 0
    NO_VRAM = 1
    LOW_VRAM = 2
    NORMAL_VRAM = 3
    HIGH_VRAM = 4
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
    """Put plugins' own networks on the device; ours go there when they are used."""
    del args, kwargs
    for model in models:
        if getattr(model, "network", None) is not None:
            model.patch_model()


def load_model_gpu(model: Any) -> None:
    """As `load_models_gpu`."""
    load_models_gpu([model])


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


def loaded_models(only_currently_used: bool = False) -> list[Any]:
    """Nothing: which networks are loaded is this engine's concern."""
    del only_currently_used
    return []


def unload_model_clones(model: Any, *args: Any, **kwargs: Any) -> None:
    """Nothing to do: what models share is loaded once."""
    del model, args, kwargs


def minimum_inference_memory() -> float:
    """Bytes that are kept free for what is computed."""
    return 1024.0**3


def extra_reserved_memory() -> float:
    """Bytes that are kept free beside that."""
    return 0.0


def maximum_vram_for_weights(device: Any = None) -> float:
    """Bytes that weights may take."""
    return float(get_total_memory(device)) * 0.88 - minimum_inference_memory()


def text_encoder_initial_device(load_device: Any, offload_device: Any, model_size: int = 0) -> Any:
    """Where a text encoder's weights are put first."""
    del load_device, model_size
    return offload_device


def unet_manual_cast(weight_dtype: Any, inference_device: Any, supported_dtypes: Any = ()) -> Any:
    """The type to which weights are cast while they are computed with; None: their own."""
    del supported_dtypes
    return None if supports_dtype(inference_device, weight_dtype) else unet_dtype()


def pick_weight_dtype(dtype: Any, fallback_dtype: Any, device: Any = None) -> Any:
    """A type, or another one where it is none or cannot be computed with."""
    wanted = fallback_dtype if dtype is None else dtype
    return wanted if supports_cast(device, wanted) else fallback_dtype


def supports_cast(device: Any, dtype: Any) -> bool:
    """Whether weights of a type can be cast on a device."""
    del dtype
    return not is_device_mps(device)


def supports_fp8_compute(device: Any = None) -> bool:
    """Whether a device computes in 8 bits: not here."""
    del device
    return False


def device_supports_non_blocking(device: Any) -> bool:
    """Whether tensors are sent to a device without waiting: not here."""
    del device
    return False


device_should_use_non_blocking = device_supports_non_blocking


def force_channels_last() -> bool:
    """Whether channels lie last in memory: no."""
    return False


def lora_compute_dtype(device: Any) -> Any:
    """The type in which changes of weights are computed."""
    import torch

    del device
    return torch.float32


def cast_to(
    weight: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    stream: Any = None,
) -> Any:
    """A tensor on a device and of a type."""
    del non_blocking, stream
    return weight.to(device=device or weight.device, dtype=dtype or weight.dtype, copy=copy)


def is_device_type(device: Any, type: str) -> bool:
    """Whether a device is of a kind."""
    return bool(getattr(device, "type", device) == type)


def is_device_xpu(device: Any) -> bool:
    """Whether a device is Intel's."""
    return is_device_type(device, "xpu")


def is_amd() -> bool:
    """Whether AMD's device is computed on."""
    import torch

    return get_torch_device().type == "cuda" and torch.version.hip is not None


def is_ascend_npu() -> bool:
    """Whether Huawei's device is computed on: no."""
    return False


is_mlu = is_directml_enabled = is_ascend_npu
directml_enabled = False


def mac_version() -> tuple[int, ...] | None:
    """The version of macOS; None on other systems."""
    import platform

    version = platform.mac_ver()[0]
    return tuple(map(int, version.split("."))) if version else None


def force_upcast_attention_dtype() -> dict[Any, Any]:
    """Types in which attention is not computed: none."""
    return {}


def sage_attention_enabled() -> bool:
    """Whether SageAttention is used: torch's own attention is."""
    return False


flash_attention_enabled = xformers_enabled_vae = sage_attention_enabled


def pytorch_attention_flash_attention() -> bool:
    """Whether torch's attention may choose its quickest way."""
    return True


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
    if name in ("total_vram", "total_ram"):
        total = get_total_memory(None if name == "total_vram" else "cpu")
        return total / 1024**2
    if name == "args":
        from graphengine.comfy.modules.comfy.cli_args import args

        return args
    return missing("comfy.model_management", name)


def _memory(device: Any) -> tuple[int, int]:
    """Free and total bytes."""
    import os

    import torch

    device = get_torch_device() if device is None else torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)
    page = os.sysconf("SC_PAGE_SIZE")
    return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")
