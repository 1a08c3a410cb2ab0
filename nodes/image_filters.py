"""Pictures filtered: blur, sharpen, noise, morphology, edges."""

from __future__ import annotations

from typing import Annotated, Literal

from graphengine.api import Choice, Float, Help, Image, Int, Seed, node


@node("ImageBlur", category="image/postprocessing", search=("gaussian", "soft"))
def blur(
    image: Annotated[Image, Help("The picture to blur.")],
    blur_radius: Annotated[int, Int(ge=1, le=31, help="How many pixels it reaches.")] = 1,
    sigma: Annotated[
        float,
        Float(
            ge=0.1,
            le=10.0,
            step=0.1,
            help="How evenly within the radius, in radii: small = little.",
        ),
    ] = 1.0,
) -> Image:
    """Blur a picture with a Gaussian window."""
    from graphengine.diffusion.filters import blur

    return blur(image, blur_radius, sigma)


@node("ImageSharpen", category="image/postprocessing", search=("unsharp",))
def sharpen(
    *,
    image: Annotated[Image, Help("The picture to sharpen.")],
    sharpen_radius: Annotated[int, Int(ge=1, le=31, help="Size of the details, in pixels.")] = 1,
    sigma: Annotated[
        float,
        Float(ge=0.1, le=10.0, step=0.01, help="Shape of the window within the radius, in radii."),
    ] = 1.0,
    alpha: Annotated[float, Float(ge=0.0, le=5.0, step=0.01, help="How strongly.")] = 1.0,
) -> Image:
    """Sharpen a picture: what a blur would take away is added instead."""
    from graphengine.diffusion.filters import sharpen

    return sharpen(image, sharpen_radius, sigma, alpha)


@node("ImageAddNoise", title="ImageAddNoise", category="image", search=("grain",))
def add_noise(
    image: Annotated[Image, Help("The picture to roughen.")],
    seed: Annotated[int, Seed(help="Which noise; -1 draws a new one each time.")] = 0,
    strength: Annotated[float, Float(ge=0.0, le=1.0, step=0.01, help="How much noise.")] = 0.5,
) -> Image:
    """Add random grain to a picture."""
    from graphengine.diffusion.filters import add_noise

    return add_noise(image, seed, strength)


@node(
    "Morphology",
    title="ImageMorphology",
    category="image/postprocessing",
    search=("erode", "dilate"),
)
def morphology(
    image: Annotated[Image, Help("The picture to change.")],
    operation: Annotated[
        Literal["erode", "dilate", "open", "close", "gradient", "bottom_hat", "top_hat"],
        Choice(
            help="erode: dark grows. dilate: light grows. open: small light spots go. close: small "
            "dark spots go. gradient: outlines. bottom_hat, top_hat: the spots that close and "
            "open take away."
        ),
    ],
    kernel_size: Annotated[
        int, Int(ge=3, le=999, help="Side of the square that is looked at, in pixels.")
    ] = 3,
) -> Image:
    """Let light or dark areas grow, find spots or outlines."""
    from graphengine.diffusion.filters import morph

    return morph(image, operation, kernel_size)


@node("Canny", category="image/preprocessors", search=("edge", "outline", "controlnet"))
def canny(
    image: Annotated[Image, Help("The picture whose edges are wanted.")],
    low_threshold: Annotated[
        float, Float(ge=0.01, le=0.99, step=0.01, help="Weaker edges than this are dropped.")
    ] = 0.4,
    high_threshold: Annotated[
        float,
        Float(
            ge=0.01,
            le=0.99,
            step=0.01,
            help="Stronger edges are kept; those between are if they touch one.",
        ),
    ] = 0.8,
) -> Image:
    """Draw a picture's edges white on black, for a ControlNet that follows them."""
    from graphengine.diffusion.edges import canny

    return canny(image, low_threshold, high_threshold)
