"""ComfyUI's ``folder_paths``: where files lie, answered from this installation's folders."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from graphengine.comfy.host.stand_ins import missing
from graphengine.comfy.modules import the_host
from graphengine.folders import MODEL_EXTENSIONS, inside, kind_of

supported_pt_extensions: set[str] = set(MODEL_EXTENSIONS)
_ANNOTATED = re.compile(r"^(?P<name>.*?) ?\[(?P<kind>input|output|temp)\]$", re.DOTALL)


class _Folders(list[str]):
    """The folders of one kind; what is done to the list is done to this installation's."""

    def __init__(self, kind: str, paths: Iterable[str]) -> None:
        super().__init__(paths)
        self._kind = kind

    def append(self, path: str) -> None:
        super().append(path)
        self._keep()

    def insert(self, index: Any, path: str) -> None:
        super().insert(index, path)
        self._keep()

    def extend(self, paths: Iterable[str]) -> None:
        super().extend(paths)
        self._keep()

    def __iadd__(self, paths: Iterable[str]) -> _Folders:  # type: ignore[override, misc]  # as list's
        self.extend(paths)
        return self

    def remove(self, path: str) -> None:
        super().remove(path)
        self._keep()

    def _keep(self) -> None:
        models = the_host().folders.models
        models[self._kind] = tuple(Path(path) for path in self)  # type: ignore[index]


class _FolderTable(MutableMapping[str, tuple[list[str], set[str]]]):
    """Kind → (folders, extensions), as a view of this installation's model folders."""

    def __getitem__(self, kind: str) -> tuple[list[str], set[str]]:
        host = the_host()
        kind = kind_of(kind)
        paths = _Folders(kind, (str(path) for path in host.folders.models[kind]))
        return paths, host.extensions.get(kind, supported_pt_extensions)

    def __setitem__(self, kind: str, value: Any) -> None:
        paths, *rest = value
        host = the_host()
        host.folders.models[kind] = tuple(Path(path) for path in paths)  # type: ignore[index]
        extensions = rest[0] if rest else set()
        host.extensions[kind] = extensions if isinstance(extensions, set) else set(extensions)

    def __delitem__(self, kind: str) -> None:
        del the_host().folders.models[kind]  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[str]:
        return iter(the_host().folders.models)

    def __len__(self) -> int:
        return len(the_host().folders.models)


folder_names_and_paths = _FolderTable()
filename_list_cache: dict[str, Any] = {}
"""Empty: lists of files are kept where the folders are watched."""
extension_mimetypes_cache: dict[str, str] = {"webp": "image", "fbx": "model"}


class CacheHelper:
    """Lists of files for a while: nothing to do, as the folders are watched."""

    def __enter__(self) -> CacheHelper:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def clear(self) -> None:
        """Nothing to do."""


cache_helper = CacheHelper()


def map_legacy(folder_name: str) -> str:
    """The present name of a kind that was renamed."""
    return kind_of(folder_name)


def get_folder_paths(folder_name: str) -> list[str]:
    """The folders of a kind."""
    return folder_names_and_paths[folder_name][0]


def add_model_folder_path(
    folder_name: str, full_folder_path: str, is_default: bool = False
) -> None:
    """Look for files of a kind in one more folder, first of all with ``is_default``."""
    host = the_host()
    kind = kind_of(folder_name)
    there = host.folders.models.get(kind, ())
    new = Path(full_folder_path)
    others = tuple(path for path in there if path != new)
    both = (new, *others) if is_default else (*others, new) if new not in there else there
    host.folders.models[kind] = both  # type: ignore[index]  # one table for all who hold it
    if not there:
        host.extensions.setdefault(kind, set())


def get_filename_list(folder_name: str) -> list[str]:
    """The names of all files of a kind, relative to its folders, sorted."""
    paths, extensions = folder_names_and_paths[folder_name]
    if extensions == set(MODEL_EXTENSIONS):
        return list(the_host().folders.list(folder_name))
    names = {name for path in paths for name in recursive_search(path)[0]}
    return sorted(filter_files_extensions(list(names), list(extensions)))


def recursive_search(
    directory: str, excluded_dir_names: list[str] | None = None
) -> tuple[list[str], dict[str, float]]:
    """All files below a folder by their relative names, and the folders with their times."""
    files: list[str] = []
    times: dict[str, float] = {}
    for folder, subfolders, names in os.walk(directory, followlinks=True):
        subfolders[:] = [name for name in subfolders if name not in (excluded_dir_names or ())]
        times[folder] = Path(folder).stat().st_mtime
        files += [os.path.relpath(Path(folder, name), directory) for name in names]
    return files, times


def filter_files_extensions(files: list[str], extensions: list[str]) -> list[str]:
    """The files with one of some extensions; all if none is named."""
    return sorted(f for f in files if not extensions or Path(f).suffix.lower() in extensions)


def filter_files_content_types(files: list[str], content_types: list[str]) -> list[str]:
    """The files whose names say that they are pictures, sounds, videos, …"""
    import mimetypes

    def kind(name: str) -> str:
        return (mimetypes.guess_type(name)[0] or "").split("/")[0]

    return [name for name in files if kind(name) in content_types]


def get_full_path(folder_name: str, filename: str) -> str | None:
    """The path of a file of a kind; None if there is none."""
    for path in folder_names_and_paths[folder_name][0]:
        found = inside(Path(path), filename, follow_links=True)
        if found is not None and found.is_file():
            return str(found)
    return None


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    """The path of a file of a kind; raises FileNotFoundError."""
    found = get_full_path(folder_name, filename)
    if found is None:
        raise FileNotFoundError(f"{filename!r} is in no folder of {folder_name!r}")
    return found


def get_input_directory() -> str:
    """The folder of inputs."""
    return _made(the_host().folders.input)


def get_output_directory() -> str:
    """The folder of outputs."""
    return _made(the_host().folders.output)


def get_temp_directory() -> str:
    """The folder of temporary files."""
    return _made(the_host().folders.temp)


def get_user_directory() -> str:
    """The folder of what belongs to users."""
    return _made(the_host().folders.user)


def get_public_user_directory(user_id: str) -> str | None:
    """The folder of one user; None for a name that is not one."""
    if user_id.startswith("__"):
        return None
    found = inside(the_host().folders.user, user_id)
    return None if found is None else str(found)


def get_system_user_directory(name: str = "system") -> str:
    """A folder that belongs to no user."""
    return str(the_host().folders.user / f"__{name}")


def get_directory_by_type(type_name: str) -> str | None:
    """The folder ``output``, ``temp`` or ``input``; None for another name."""
    if type_name not in ("output", "temp", "input"):
        return None
    return _made(the_host().folders.roots(type_name)[0])


def get_input_subfolders() -> list[str]:
    """The folders below the folder of inputs."""
    root = Path(get_input_directory())
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir())


def annotated_filepath(name: str) -> tuple[str, str | None]:
    """The name without `` [input]``, `` [output]`` or `` [temp]``, and that folder."""
    match = _ANNOTATED.match(name)
    return (name, None) if match is None else (match["name"], get_directory_by_type(match["kind"]))


def get_annotated_filepath(name: str, default_dir: str | None = None) -> str:
    """The path of a file of inputs, or of the folder that its name ends in; inside of it.

    Raises ValueError for a name that leaves the folder.
    """
    plain, folder = annotated_filepath(name)
    root = Path(folder or default_dir or get_input_directory())
    found = inside(root, plain)
    if found is None:
        raise ValueError(f"{name!r} is not a name inside {root}")
    return str(found)


def exists_annotated_filepath(name: str) -> bool:
    """Whether there is such a file."""
    try:
        return Path(get_annotated_filepath(name)).exists()
    except ValueError:
        return False


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """Folder, file name, next number, sub-folder and prefix for files of a prefix.

    Raises ValueError for a prefix that leaves the folder.
    """
    prefix = _filled(filename_prefix, image_width, image_height)
    subfolder, name = os.path.split(os.path.normpath(prefix))
    folder = inside(Path(output_dir), prefix)
    if folder is None:
        raise ValueError(f"{filename_prefix!r} would leave {output_dir}")
    folder = folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    numbers = (_number(path.name, name) for path in folder.iterdir())
    return str(folder), name, 1 + max(numbers, default=0), subfolder, prefix


def __getattr__(name: str) -> Any:
    """Folders as they are now; a clear word for what is not there."""
    host = the_host()
    folders = {
        "base_path": host.folders.output.parent,
        "models_dir": _models_folder(),
        "input_directory": host.folders.input,
        "output_directory": host.folders.output,
        "temp_directory": host.folders.temp,
        "user_directory": host.folders.user,
    }
    if name in folders:
        return str(folders[name])
    return missing("folder_paths", name)


def _models_folder() -> Path:
    roots = the_host().folders.roots("checkpoints")
    return roots[0].parent if roots else the_host().folders.output.parent / "models"


def _made(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _filled(prefix: str, width: int, height: int) -> str:
    now = time.localtime()
    values = {
        "width": width,
        "height": height,
        "year": now.tm_year,
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    for name, value in values.items():
        prefix = prefix.replace(f"%{name}%", str(value))
    return prefix


def _number(file: str, name: str) -> int:
    """The number in ``name_00001_.png``; 0 for another file."""
    match = re.match(rf"{re.escape(name)}_(\d+)", file)
    return int(match[1]) if match else 0
