"""ComfyUI's ``comfy_api.latest.ui``: what nodes show."""

from __future__ import annotations

from typing import Any

from graphengine.comfy.host.saving import save_pictures, temporary_suffix
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
        kind = FolderType(folder_type).value
        hidden = getattr(cls, "hidden", None)
        saved = save_pictures(
            images,
            filename_prefix,
            folder_paths.get_directory_by_type(kind) or "",
            kind,
            prompt=getattr(hidden, "prompt", None),
            extra_pnginfo=getattr(hidden, "extra_pnginfo", None),
            compress_level=compress_level,
        )
        return [SavedResult(**each) for each in saved]

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
        self.values = ImageSaveHelper.save_images(
            image, f"ComfyUI{temporary_suffix()}", FolderType.temp, cls, compress_level=1
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


class PreviewVideo(_Shown):
    """Films that were written."""

    def __init__(self, values: list[Any], **kwargs: Any) -> None:
        del kwargs
        self.values = values

    def as_dict(self) -> dict[str, Any]:
        """The films."""
        return {"images": [dict(value) for value in self.values], "animated": (True,)}


class PreviewUI3D(_Shown):
    """A model in space, and how it is looked at."""

    def __init__(self, model_file: Any, camera_info: Any = None, **kwargs: Any) -> None:
        del kwargs
        self.model_file, self.camera_info = model_file, camera_info

    def as_dict(self) -> dict[str, Any]:
        """File and camera."""
        return {"result": [self.model_file, self.camera_info]}


class SavedAudios(_Shown):
    """Sounds that were written."""

    def __init__(self, results: list[SavedResult]) -> None:
        self.results = results

    def as_dict(self) -> dict[str, Any]:
        """The sounds."""
        return {"audio": [dict(result) for result in self.results]}


class AudioSaveHelper:
    """Writes sounds."""

    @staticmethod
    def save_audio(
        audio: Any,
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        format: str = "wav",
        quality: str = "128k",
    ) -> list[SavedResult]:
        """Write [B, C, N] with values -1..1 as WAV files, the one format without a library."""
        from graphengine.comfy.host.saving import save_sounds

        del cls, quality
        if format != "wav":
            raise NotImplementedError(f"graphengine writes sounds as wav, not as {format}")
        kind = FolderType(folder_type).value
        folder = folder_paths.get_directory_by_type(kind) or ""
        return [SavedResult(**each) for each in save_sounds(audio, filename_prefix, folder, kind)]


class PreviewAudio(SavedAudios):
    """Sounds in the folder of temporary files."""

    def __init__(self, audio: Any, cls: Any = None, **kwargs: Any) -> None:
        del kwargs
        name = f"ComfyUI{temporary_suffix()}"
        super().__init__(AudioSaveHelper.save_audio(audio, name, FolderType.temp, cls))


def __getattr__(name: str) -> Any:
    return missing("comfy_api.latest.ui", name)
