"""Load a VAE from a file of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from graphengine.api import Context, Folders, ModelFile, Vae, node

PIXEL_SPACE = "pixel_space"
TINY = ("taesd", "taesdxl")
APPROXIMATE = "vae_approx"


@dataclass(frozen=True, kw_only=True)
class VaeFile(ModelFile):
    """A file of the folder, or the name of a TAESD whose two halves lie in ``vae_approx``."""

    kind: str = "vae"

    def choices(self, folders: Folders) -> Sequence[Any]:
        """The files, the TAESDs that are whole, and what needs no file."""
        tiny = (name for name in TINY if len(list(_halves(name, folders))) == 2)
        return (*folders.list(self.kind), *tiny, *self.extra)

    def fingerprint(self, value: Any, folders: Folders) -> str:
        """Changes when the file does, or either half."""
        if value not in TINY:
            return super().fingerprint(value, folders)
        return ",".join(folders.fingerprint(APPROXIMATE, half) for half in _halves(value, folders))


@node("VAELoader", title="Load VAE", category="loaders", search=("autoencoder", "taesd"))
def load_vae(
    vae_name: Annotated[
        str,
        VaeFile(
            extra=(PIXEL_SPACE,),
            help="Decides how vivid and how sharp pictures become when they are decoded. "
            "“pixel_space” is for models that work on pixels.",
        ),
    ],
    context: Context,
) -> Vae:
    """Load a VAE to use instead of the checkpoint's own."""
    from graphengine.diffusion.checkpoint import load_vae_file, pixel_space_vae
    from graphengine.diffusion.tiny_vae import load_tiny_vae

    folders = context.folders
    if vae_name == PIXEL_SPACE:
        return pixel_space_vae()
    if vae_name in TINY:
        halves = [folders.path(APPROXIMATE, half) for half in _halves(vae_name, folders)]
        return load_tiny_vae(vae_name, *halves)
    return load_vae_file(folders.path("vae", vae_name))


def _halves(name: str, folders: Folders) -> Iterator[str]:
    """The files of a TAESD's encoder and decoder, as far as they are there."""
    files = folders.list(APPROXIMATE)
    for half in ("encoder", "decoder"):
        yield from [file for file in files if file.startswith(f"{name}_{half}.")][:1]
