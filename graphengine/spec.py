"""What the engine knows of a node: a frozen description, made from a function or by an adapter."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from graphengine.errors import ByLanguage
from graphengine.parameters import Widget

if TYPE_CHECKING:
    from graphengine.folders import Folders


Migrate = Callable[[int, Mapping[str, Any]], Mapping[str, Any]]
"""From an older version's number and values, the values by name of the present version."""


Bridge = Callable[["NodeSpec"], "NodeSpec"]
"""From a node of ours, one that also takes what hosted nodes give."""


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


BUILTIN_PACKAGE = "graphengine_nodes"
"""The package of the nodes that come with the engine."""
REQUIRED = _Required()
"""The default of an input that has none."""


@dataclass(frozen=True)
class InputSpec:
    """One input. A link may always come in; without a widget nothing else can.

    ``many``: several links, given as a list. ``lazy``: evaluated only when the body calls it.
    ``items``: gets all items of a list-mapped link in one call, instead of one call an item.
    ``optional``: shown as optional to ComfyUI's clients. It may be absent altogether: the body then
    gets None or, where there is a default, is called without it.
    ``raw_link``: the body gets the link itself instead of its value.
    ``fits``: decides which types of links may come in, where that is not the engine's rule.
    ``declared``: ``[type, options]`` as a hosted node wrote it.
    """

    name: str
    type: str
    widget: Widget | None = None
    default: Any = REQUIRED
    optional: bool = False
    many: bool = False
    lazy: bool = False
    items: bool = False
    raw_link: bool = False
    help: str = ""
    fits: Callable[[Any], bool] | None = None
    declared: tuple[Any, ...] | None = None

    @property
    def required(self) -> bool:
        """Whether a workflow must give it."""
        return self.default is REQUIRED


@dataclass(frozen=True)
class OutputSpec:
    """One output. ``items``: the body returns a list whose items go on one by one.

    ``optional``: the body may return None.
    """

    name: str
    type: str
    items: bool = False
    help: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Fault:
    """What a hosted node's own check found: a problem's code, the input, and details."""

    code: str
    input: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def _none(name: str) -> InputSpec | None:  # noqa: ARG001
    """No input."""
    return None


@dataclass(frozen=True)
class Hosted:
    """What is different about a node that was written for ComfyUI.

    Its inputs take any literal where they have no widget, and links that it does not declare.
    ``refresh``: the node as it describes itself now. ``check``: what it says of the literal values
    and of the types of the links of a node, by the node's id. ``ask``: called with the inputs,
    gives the names of the lazy ones that it wants next. ``info``: itself as /object_info tells it;
    None if it cannot say. ``bridge``: lets nodes of ours take what it gives. ``declared``: an
    input that it lists nowhere but takes by that name.
    """

    refresh: Callable[[], NodeSpec]
    check: Callable[[str, Mapping[str, Any], Mapping[str, Any]], Iterable[Fault]]
    info: Callable[[], Mapping[str, Any] | None]
    bridge: Bridge
    ask: Callable[..., Any] | None = None
    declared: Callable[[str], InputSpec | None] = _none


@dataclass(frozen=True)
class NodeTexts:
    """A node's texts in one language; inputs and outputs by name."""

    title: str = ""
    description: str = ""
    category: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    search: tuple[str, ...] = ()


@dataclass(frozen=True)
class Origin:
    """Where a node came from. ``digest`` changes with the file's content, so results do too."""

    package: str
    file: str = ""
    line: int = 0
    digest: str = ""


@dataclass(frozen=True)
class NodeSpec:
    """A node type: its inputs, outputs, function, and how its results may be kept.

    ``function`` is called with the inputs by name (and the context, if it asks for one).
    ``sink``: it is run for what it shows or writes; a workflow needs at least one.
    ``cache``: ``inputs`` = same inputs, same result; ``never`` = runs every time.
    ``fingerprint``: what else decides the result, from the literal values (a linked one is absent).
    ``concurrent``: may overlap with other work because it waits (files, network), not computes.
    ``open_inputs``: links to names that it does not declare are passed on as well.
    ``per_node``: the node's id is part of its results' key, so equal nodes do not share results.
    ``renamed_from``: ids that it had before; workflows that name one of them get this node.
    ``migrate``: from a version and the values that it was saved with, this version's values.
    ``hosted``: it was written for ComfyUI and follows its rules.
    """

    id: str
    function: Callable[..., Any]
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    title: str = ""
    category: str = ""
    description: str = ""
    sink: bool = False
    is_async: bool = False
    cache: Literal["inputs", "never"] = "inputs"
    version: int = 1
    fingerprint: Callable[[Mapping[str, Any], Folders], Hashable] | None = None
    concurrent: bool = False
    open_inputs: bool = False
    per_node: bool = False
    context_name: str | None = None
    artifacts_field: str | None = None
    deprecated: bool = False
    experimental: bool = False
    search: tuple[str, ...] = ()
    renamed_from: tuple[str, ...] = ()
    migrate: Migrate | None = None
    texts: Mapping[str, NodeTexts] = field(default_factory=dict)
    origin: Origin = Origin("")
    hosted: Hosted | None = None

    def now(self) -> NodeSpec:
        """The node as it describes itself now."""
        return self if self.hosted is None else self.hosted.refresh()

    @cached_property
    def is_builtin(self) -> bool:
        """Whether it came with the engine."""
        return self.origin.package.startswith(f"{BUILTIN_PACKAGE}.")

    @cached_property
    def input(self) -> Mapping[str, InputSpec]:
        """The inputs by name."""
        return {spec.name: spec for spec in self.inputs}

    @cached_property
    def key(self) -> str:
        """What of the node itself decides its results."""
        return f"{self.id}:{self.version}:{self.origin.digest}"

    @cached_property
    def widget_names(self) -> frozenset[str]:
        """The inputs that a person can set."""
        return frozenset(spec.name for spec in self.inputs if spec.widget is not None)

    @cached_property
    def has_lazy(self) -> bool:
        """Whether any input is evaluated on demand."""
        return bool(self.lazy_names)

    @cached_property
    def lazy_names(self) -> frozenset[str]:
        """The inputs that are evaluated on demand."""
        return frozenset(spec.name for spec in self.inputs if spec.lazy)

    @cached_property
    def items_names(self) -> frozenset[str]:
        """The inputs that get all items in one call."""
        return frozenset(spec.name for spec in self.inputs if spec.items)

    @cached_property
    def gives_items(self) -> bool:
        """Whether an output goes on item by item."""
        return any(output.items for output in self.outputs)

    @cached_property
    def raw_names(self) -> frozenset[str]:
        """The inputs that get the link itself."""
        return frozenset(spec.name for spec in self.inputs if spec.raw_link)

    @cached_property
    def absent(self) -> Mapping[str, None]:
        """What the body gets for inputs without a default that nothing was given for."""
        if self.hosted is not None:
            return {}
        return {spec.name: None for spec in self.inputs if spec.optional and spec.required}

    @cached_property
    def looks_outside(self) -> bool:
        """Whether more than the inputs decides its results: files, or what it says itself."""
        return bool(self.watched) or self.fingerprint is not None

    @cached_property
    def watched(self) -> tuple[InputSpec, ...]:
        """The inputs whose widgets look at files."""
        return tuple(
            spec
            for spec in self.inputs
            if spec.widget is not None and type(spec.widget).fingerprint is not Widget.fingerprint
        )

    @cached_property
    def titles(self) -> ByLanguage:
        """What it is called in each language."""
        return ByLanguage.each(lambda language: self.text(language).title)

    def text(self, language: str) -> NodeTexts:
        """The texts in a language, English where one is missing."""
        english = NodeTexts(
            title=self.title or self.id,
            description=self.description,
            category=self.category,
            inputs={spec.name: spec.help for spec in self.inputs},
            outputs={spec.name: spec.help for spec in self.outputs},
            search=self.search,
        )
        other = self.texts.get(language)
        if other is None:
            return english
        return NodeTexts(
            title=other.title or english.title,
            description=other.description or english.description,
            category=other.category or english.category,
            inputs={**english.inputs, **other.inputs},
            outputs={**english.outputs, **other.outputs},
            search=other.search or english.search,
        )
