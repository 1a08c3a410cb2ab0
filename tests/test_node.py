"""From a typed function to a spec: every form a signature may take, and every mistake in one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import pytest

from graphengine.api import (
    Artifacts,
    Block,
    Choice,
    Context,
    Expand,
    Float,
    Help,
    Image,
    ImageFile,
    Int,
    Items,
    Latent,
    Lazy,
    Mask,
    ModelFile,
    Prompt,
    Seed,
    Text,
    Vae,
    node,
    socket,
)
from graphengine.node import NodeDefinitionError, describe
from graphengine.parameters import Bool
from graphengine.spec import REQUIRED, InputSpec, NodeSpec, NodeTexts, Origin

if TYPE_CHECKING:
    from graphengine.api import Sampler


@socket("PALETTE")
@dataclass(frozen=True)
class Palette:
    """A socket as a plugin defines it."""

    colours: tuple[str, ...]


def spec_of(function: Callable[..., Any], **options: Any) -> NodeSpec:
    return describe(node("Test", **options)(function))


def input_of(function: Callable[..., Any], name: str = "x") -> InputSpec:
    return spec_of(function).input[name]


# --- inputs ---------------------------------------------------------------------------------------


def test_a_socket_type_is_an_input_that_needs_a_link() -> None:
    def body(x: Vae) -> Image: ...

    assert input_of(body) == InputSpec("x", "VAE", widget=None, default=REQUIRED)
    assert input_of(body).required


def test_plugins_define_sockets() -> None:
    def body(x: Palette) -> Palette: ...

    spec = spec_of(body)
    assert spec.input["x"].type == "PALETTE"
    assert (spec.outputs[0].name, spec.outputs[0].type) == ("PALETTE", "PALETTE")


def test_plain_scalars_get_plain_widgets() -> None:
    def body(i: int, f: float, s: str, b: bool) -> int: ...

    spec = spec_of(body)
    assert [each.widget for each in spec.inputs] == [Int(), Float(), Text(), Bool()]
    assert [each.type for each in spec.inputs] == ["INT", "FLOAT", "STRING", "BOOLEAN"]


def test_a_widget_carries_its_range_and_explanation() -> None:
    def body(x: Annotated[int, Int(ge=1, le=12, help="How many.")] = 3) -> int: ...

    found = input_of(body)
    assert found.widget == Int(ge=1, le=12, help="How many.")
    assert (found.help, found.default, found.required) == ("How many.", 3, False)


@pytest.mark.parametrize(
    ("widget", "type_name"),
    [
        (Seed(), "INT"),
        (Float(ge=0.0, le=1.0), "FLOAT"),
        (Prompt(), "STRING"),
        (ModelFile(kind="vae"), "COMBO"),
        (ImageFile(), "COMBO"),
        (Choice(find=lambda folders: folders.list("vae")), "COMBO"),
    ],
)
def test_every_widget_names_its_link_type(widget: Any, type_name: str) -> None:
    def body(x: Any) -> int: ...

    body.__annotations__["x"] = Annotated[str, widget]
    assert (input_of(body).type, input_of(body).widget) == (type_name, widget)


def test_a_literal_is_a_choice() -> None:
    def body(x: Literal["a", "b"], y: Annotated[Literal[1, 2], Choice(help="Which.")]) -> int: ...

    assert input_of(body).widget == Choice(options=("a", "b"))
    assert input_of(body, "y").widget == Choice(options=(1, 2), help="Which.")


def test_help_explains_an_input_that_is_only_a_socket() -> None:
    def body(x: Annotated[Vae, Help("Which decoder.")]) -> int: ...

    assert input_of(body).help == "Which decoder."


def test_an_input_that_may_be_none_may_be_left_out() -> None:
    def body(x: Mask | None = None, y: Annotated[Mask | None, Help("h")] = None) -> int: ...

    found = input_of(body)
    assert (found.type, found.optional, found.default, found.required) == (
        "MASK",
        True,
        None,
        False,
    )
    assert (input_of(body, "y").optional, input_of(body, "y").help) == (True, "h")


def test_several_links_on_one_input_are_a_list() -> None:
    def body(x: list[Image], y: list[int]) -> int: ...

    assert (input_of(body).type, input_of(body).many) == ("IMAGE", True)
    assert (input_of(body, "y").type, input_of(body, "y").many) == ("INT", True)


def test_an_input_may_be_lazy() -> None:
    def body(x: Lazy[Image], y: Lazy[Annotated[int, Int(ge=2)]], z: Lazy[Mask | None]) -> int: ...

    spec = spec_of(body)
    assert spec.has_lazy
    assert [(each.type, each.lazy) for each in spec.inputs] == [
        ("IMAGE", True),
        ("INT", True),
        ("MASK", True),
    ]
    assert spec.input["y"].widget == Int(ge=2)
    assert spec.input["z"].optional


def test_all_items_of_a_mapped_link_may_come_in_one_call() -> None:
    def body(x: Items[Image]) -> int: ...

    assert (input_of(body).type, input_of(body).items) == ("IMAGE", True)


def test_an_input_may_take_one_of_several_types_or_any() -> None:
    def body(x: Image | Mask, y: Any) -> int: ...

    assert input_of(body).type == "IMAGE,MASK"
    assert input_of(body, "y").type == "*"


def test_the_context_is_not_an_input() -> None:
    def body(x: int, around: Context) -> int: ...

    spec = spec_of(body)
    assert spec.context_name == "around"
    assert [each.name for each in spec.inputs] == ["x"]


def test_keyword_only_parameters_and_open_links_are_inputs() -> None:
    def body(*, x: int, **links: Any) -> int: ...

    spec = spec_of(body)
    assert [each.name for each in spec.inputs] == ["x"]
    assert spec.open_inputs


# --- outputs --------------------------------------------------------------------------------------


class Parts(NamedTuple):
    """Several outputs."""

    image: Image
    alpha: Annotated[Mask, Help("Where it is opaque.")]
    count: int


class Saved(NamedTuple):
    """An output and what is shown."""

    image: Image
    shown: Artifacts


def test_several_outputs_are_a_named_tuple_in_its_order() -> None:
    def body() -> Parts: ...

    outputs = spec_of(body).outputs
    assert [(each.name, each.type) for each in outputs] == [
        ("IMAGE", "IMAGE"),
        ("alpha", "MASK"),
        ("count", "INT"),
    ]
    assert outputs[1].help == "Where it is opaque."


def test_a_body_that_returns_artifacts_is_a_sink() -> None:
    def body(x: Image) -> Artifacts: ...

    spec = spec_of(body)
    assert (spec.sink, spec.outputs, spec.artifacts_field) == (True, (), "")


def test_artifacts_beside_outputs_make_a_sink_too() -> None:
    def body(x: Image) -> Saved: ...

    spec = spec_of(body)
    assert (spec.sink, spec.artifacts_field) == (True, "shown")
    assert [each.type for each in spec.outputs] == ["IMAGE"]


def test_items_go_on_one_by_one() -> None:
    def body() -> Items[Latent]: ...

    assert [(each.type, each.items) for each in spec_of(body).outputs] == [("LATENT", True)]


def test_a_body_may_also_grow_or_block() -> None:
    def body() -> Image | Expand | Block: ...

    spec = spec_of(body)
    assert [each.type for each in spec.outputs] == ["IMAGE"]
    assert not spec.sink


def test_an_async_body_is_recognised() -> None:
    async def body() -> int: ...

    assert spec_of(body).is_async


# --- what the decorator says ----------------------------------------------------------------------


def test_the_decorator_leaves_the_function_as_it_is() -> None:
    @node("Twice")
    def twice(x: int) -> int:
        """Two times x."""
        return 2 * x

    assert twice(4) == 8
    assert describe(twice).description == "Two times x."


def test_options_of_the_decorator_reach_the_spec() -> None:
    def fingerprint(values: Any, folders: Any) -> str:
        return "f"

    def body() -> int: ...

    spec = spec_of(
        body,
        title="A test",
        category="tests",
        version=3,
        cache="never",
        fingerprint=fingerprint,
        concurrent=True,
        per_node=True,
        deprecated=True,
        experimental=True,
        search=("trial",),
    )
    assert (spec.id, spec.title, spec.category, spec.version) == ("Test", "A test", "tests", 3)
    assert (spec.cache, spec.fingerprint, spec.concurrent) == ("never", fingerprint, True)
    assert (spec.per_node, spec.deprecated, spec.experimental) == (True, True, True)
    assert spec.search == ("trial",)


def test_without_a_title_the_id_is_shown() -> None:
    def body() -> int: ...

    assert spec_of(body).title == "Test"


def test_a_new_version_or_file_gives_new_keys() -> None:
    def body() -> int: ...

    first = spec_of(body).key
    marked = node("Test", version=2)(body)
    keys = {
        first,
        describe(marked).key,
        describe(marked, origin=Origin("p", "f", 1, "digest")).key,
    }
    assert len(keys) == 3


def test_texts_fall_back_to_english_one_by_one() -> None:
    def body(x: Annotated[int, Int(help="Number.")], y: Annotated[int, Int(help="Other.")]) -> int:
        """Says something."""

    japanese = NodeTexts(title="試験", inputs={"x": "数値。"})
    spec = describe(node("Test", title="A test")(body), texts={"ja": japanese})

    assert spec.text("ja").title == "試験"
    assert spec.text("ja").description == "Says something."
    assert spec.text("ja").inputs == {"x": "数値。", "y": "Other."}
    assert spec.text("en").title == "A test"
    assert spec.text("fr") == spec.text("en")


# --- mistakes -------------------------------------------------------------------------------------


def untyped(x) -> int: ...  # type: ignore[no-untyped-def]


def positional(x: int, /) -> int: ...


def many_positional(*x: int) -> int: ...


def no_socket(x: dict[str, int]) -> int: ...


def no_socket_out() -> bytes: ...


def no_return(x: int): ...  # type: ignore[no-untyped-def]


def only_grows() -> Expand: ...


def only_blocks() -> Block: ...


def nothing_out(x: int) -> None: ...


def tuple_out(x: int) -> tuple[int, str]: ...


class NoFunction:
    """As a node of ComfyUI is written."""


def unknown_name(x: Sampler) -> int: ...


def no_python(x: "one two") -> int: ...  # type: ignore  # noqa: F722


def no_attribute(x: Literal.nothing) -> int: ...  # type: ignore


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (untyped, "node_untyped", '"x"'),
        (positional, "node_positional", '"x"'),
        (many_positional, "node_positional", '"x"'),
        (no_socket, "node_no_socket", "dict"),
        (no_socket_out, "node_no_socket", "bytes"),
        (no_return, "node_no_return", "Test"),
        (only_grows, "node_no_return", "Test"),
        (only_blocks, "node_no_return", "Test"),
        (nothing_out, "node_no_return", "Test"),
        (tuple_out, "node_tuple", "tuple[int, str]"),
        (NoFunction, "node_is_class", "NoFunction"),
        (unknown_name, "node_annotation", "Sampler"),
        (no_python, "node_annotation", "one two"),
        (no_attribute, "node_annotation", "nothing"),
    ],
)
def test_a_signature_that_cannot_be_read_is_named(
    body: Callable[..., Any], code: str, named: str
) -> None:
    with pytest.raises(NodeDefinitionError) as caught:
        spec_of(body)

    assert caught.value.code == code
    for language in ("en", "ja"):
        assert "Test" in caught.value.text(language)
        assert named.strip('"') in caught.value.text(language)


@pytest.mark.parametrize(("id", "named"), [(no_return, "no_return"), ("", "''"), (None, "None")])
def test_a_decorator_without_an_id_is_told_how_to_write_it(id: Any, named: str) -> None:
    with pytest.raises(NodeDefinitionError) as caught:
        node(id)

    assert caught.value.code == "node_no_id"
    for language in ("en", "ja"):
        assert named in caught.value.text(language)
        assert '@node("MyNode")' in caught.value.text(language)
