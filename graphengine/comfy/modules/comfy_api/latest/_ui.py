"""ComfyUI's ``comfy_api.latest.ui``: what nodes show."""

from __future__ import annotations

import json
import secrets
import string
from pathlib import Path
from typing import Any

from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import folder_paths
from graphengine.comfy.modules.comfy_api.latest._io import FolderType


class SavedResult(dict[str, Any]):
    """A file that was written."""

    def __init__(self, filename: str, subfolder: str, type: Any) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=FolderType(type).value)

    @property
    def filename(self) -> str:
        """Its name."""
        return str(self["filename"])

    @property
    def subfolder(self) -> str:
        """Its sub-folder."""
        return str(self["subfolder"])

    @property
    def type(self) -> FolderType:
        """Its folder."""
        return FolderType(self["type"])


class _Shown:
    """Something that a node shows: values by name."""

    def as_dict(self) -> dict[str, Any]:
        """The form in which clients get it."""
        raise NotImplementedError


class SavedImages(_Shown):
    """Pictures that were written."""

    def __init__(self, results: list[SavedResult], is_animated: bool = False) -> None:
        self.results = results
        self.is_animated = is_animated

    def as_dict(self) -> dict[str, Any]:
        """The pictures, and whether they move."""
        shown: dict[str, Any] = {"images": [dict(result) for result in self.results]}
        if self.is_animated:
            shown["animated"] = (True,)
        return shown


class ImageSaveHelper:
    """Writes pictures as PNG files that carry their workflow."""

    @staticmethod
    def save_images(
        images: Any,
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        compress_level: int = 4,
    ) -> list[SavedResult]:
        """Write [B, H, W, C] with values 0..1; returns where the files lie."""
        root = folder_paths.get_directory_by_type(FolderType(folder_type).value)
        height, width = images[0].shape[0], images[0].shape[1]
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, root or "", width, height
        )
        info = _text_chunks(cls)
        saved = []
        for index, image in enumerate(images):
            named = name.replace("%batch_num%", str(index))
            file = f"{named}_{number + index:05}_.png"
            _pil(image).save(Path(folder) / file, pnginfo=info, compress_level=compress_level)
            saved.append(SavedResult(file, subfolder, folder_type))
        return saved

    @staticmethod
    def get_save_images_ui(
        images: Any, filename_prefix: str, cls: Any, compress_level: int = 4
    ) -> SavedImages:
        """Write to the output folder."""
        return SavedImages(
            ImageSaveHelper.save_images(
                images, filename_prefix, FolderType.output, cls, compress_level
            )
        )


class PreviewImage(_Shown):
    """Pictures in the folder of temporary files."""

    def __init__(self, image: Any, animated: bool = False, cls: Any = None, **kwargs: Any) -> None:
        del kwargs
        letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
        self.values = ImageSaveHelper.save_images(
            image, f"ComfyUI_temp_{letters}", FolderType.temp, cls, compress_level=1
        )
        self.animated = animated

    def as_dict(self) -> dict[str, Any]:
        """The pictures, and whether they move."""
        return {"images": [dict(value) for value in self.values], "animated": (self.animated,)}


class PreviewMask(PreviewImage):
    """Masks as grey pictures."""

    def __init__(self, mask: Any, animated: bool = False, cls: Any = None, **kwargs: Any) -> None:
        grey = mask.reshape((-1, 1, mask.shape[-2], mask.shape[-1])).movedim(1, -1)
        super().__init__(grey.expand(-1, -1, -1, 3), animated, cls, **kwargs)


class PreviewText(_Shown):
    """A text."""

    def __init__(self, value: str, **kwargs: Any) -> None:
        del kwargs
        self.value = value

    def as_dict(self) -> dict[str, Any]:
        """The text."""
        return {"text": (self.value,)}


def __getattr__(name: str) -> Any:
    raise missing("comfy_api.latest.ui", name)


def _pil(image: Any) -> Any:
    import PIL.Image

    pixels = (image.detach().cpu().float() * 255).clamp(0, 255).byte().numpy()
    return PIL.Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)


def _text_chunks(cls: Any) -> Any:
    """What a picture tells of how it was made."""
    from PIL.PngImagePlugin import PngInfo

    hidden = getattr(cls, "hidden", None)
    if hidden is None:
        return None
    info = PngInfo()
    if hidden.prompt is not None:
        info.add_text("prompt", json.dumps(hidden.prompt))
    for name, value in (hidden.extra_pnginfo or {}).items():
        info.add_text(name, json.dumps(value))
    return info
