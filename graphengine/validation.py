"""Checks a workflow's nodes against their specs: each value, each link, each name.

Everything that is wrong is collected; a node is not blamed for what is wrong with another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from graphengine.errors import ByLanguage, Problem, Severity
from graphengine.folders import Folders
from graphengine.nearest import listed, nearest
from graphengine.other_models import models_of
from graphengine.parameters import WrongValue
from graphengine.shown import shown, type_shown
from graphengine.sockets import ANY, accepts
from graphengine.spec import REQUIRED, Hosted, InputSpec, NodeSpec
from graphengine.workflow import (
    WRAPPED,
    Link,
    Workflow,
    WorkflowNode,
    is_link_list,
    links_of,
    new_tuple,
)

if TYPE_CHECKING:
    from graphengine.registry import Registry

MOST_SUGGESTIONS = 100
"""Nearest names are looked up for so many problems; they take longer than all other checks."""


class Source(Protocol):
    """What a link can come from: a node with its title and spec."""

    @property
    def title(self) -> str: ...

    @property
    def spec(self) -> NodeSpec: ...


class Checked(NamedTuple):
    """A node's values, as far as they are right, and its links, also wrong ones."""

    values: dict[str, Any]
    links: dict[str, Link | tuple[Link, ...]]


class Validation:
    """One pass over a workflow; ``problems`` grows with what `check` finds.

    ``outside``: nodes that are not in the workflow, but that its links may name.
    ``allow_objects``: an input without a widget takes any value that is not JSON.
    """

    def __init__(
        self,
        workflow: Workflow,
        registry: Registry,
        folders: Folders,
        *,
        outside: Mapping[str, Source],
        allow_objects: bool,
    ) -> None:
        self.problems: list[Problem] = []
        types = {node.type for node in workflow.nodes.values()}
        specs = {name: registry.get(name) for name in types}
        known = {name: None if spec is None else spec.now() for name, spec in specs.items()}
        self.specs = {node.id: known[node.type] for node in workflow.nodes.values()}
        self._workflow = workflow
        self._registry = registry
        self._folders = listed_once(folders)
        self._outside = outside
        self._allow_objects = allow_objects
        self._suggestions = 0
        self._between: dict[tuple[str, str], ByLanguage] = {}

    def check(self, node: WorkflowNode) -> Checked:
        """The node's checked values and links; what is wrong goes to ``problems``."""
        spec = self.specs[node.id]
        if spec is None:
            return self._unknown(node)
        given = node.inputs
        found = 0
        checked = new_tuple(Checked, ({}, {}))
        for wanted in spec.inputs:
            name = wanted.name
            if name in given:
                found += 1
                self._given(node, wanted, given[name], checked)
            else:
                self._absent(node, wanted, checked.values)
        if found != len(given):
            self._undeclared(node, spec, checked)
        if spec.hosted is not None and not self._allow_objects:
            self._ask_node(node, spec.hosted, checked)
        return checked

    def title(self, node: WorkflowNode) -> str:
        """What a person calls the node."""
        spec = self.specs[node.id]
        return node.title or (spec.title if spec is not None else "") or node.type

    def type_title(self, node: WorkflowNode) -> ByLanguage | None:
        """What it is called in each language if it has no title of its own."""
        spec = self.specs[node.id]
        return None if node.title or spec is None else spec.titles

    def name(self, node: WorkflowNode, language: str) -> str:
        """Title and id, as messages name it."""
        titles = self.type_title(node)
        return f"{titles[language] if titles else self.title(node)} (#{node.id})"

    # --- inputs ---

    def _given(self, node: WorkflowNode, wanted: InputSpec, value: Any, checked: Checked) -> None:
        if type(value) is Link:
            self._check_link(node, wanted, value)
            checked.links[wanted.name] = (value,) if wanted.many else value
        elif value is None or type(value) is tuple:
            self._unusual(node, wanted, value, checked)
        else:
            value = unwrapped(value) if type(value) is dict else value
            self._literal(node, wanted, value, checked.values)

    def _absent(self, node: WorkflowNode, wanted: InputSpec, values: dict[str, Any]) -> None:
        if wanted.default is REQUIRED:
            if not wanted.optional and not self._is_loose(wanted):
                self._add("missing_input", node, wanted.name, expected=wanted.type)
        elif wanted.default is not None:
            values[wanted.name] = wanted.default

    def _unusual(self, node: WorkflowNode, wanted: InputSpec, value: Any, checked: Checked) -> None:
        """The links of a list input, or null, which is as good as nothing where nothing may be."""
        if is_link_list(value) and (value or wanted.many or not self._allow_objects):
            self._several(node, wanted, value, checked.links)
        elif value is None and wanted.fits is None and (wanted.widget is None or wanted.optional):
            self._absent(node, wanted, checked.values)
        else:
            self._literal(node, wanted, value, checked.values)

    def _several(
        self,
        node: WorkflowNode,
        wanted: InputSpec,
        links: tuple[Link, ...],
        found: dict[str, Link | tuple[Link, ...]],
    ) -> None:
        if not wanted.many and len(links) != 1:
            self._add("one_link_only", node, wanted.name, expected=wanted.type, count=len(links))
        for link in links:
            self._check_link(node, wanted, link)
        found[wanted.name] = links if wanted.many or len(links) != 1 else links[0]

    def _literal(
        self, node: WorkflowNode, wanted: InputSpec, value: Any, values: dict[str, Any]
    ) -> None:
        if wanted.widget is None or self._is_loose(wanted):
            if wanted.fits is not None or self._takes_without_widget(wanted, value):
                values[wanted.name] = value
            else:
                self._add("link_needed", node, wanted.name, expected=wanted.type, got=shown(value))
            return
        try:
            if wanted.many:
                items = value if isinstance(value, list) else [value]
                values[wanted.name] = [wanted.widget.check(item, self._folders) for item in items]
            else:
                values[wanted.name] = wanted.widget.check(value, self._folders)
        except WrongValue as error:
            self._wrong_value(node, wanted, value, error)

    def _is_loose(self, wanted: InputSpec) -> bool:
        """Whether it is an input of a hosted node in a piece of graph, which nothing checks."""
        return self._allow_objects and wanted.fits is not None

    def _ask_node(self, node: WorkflowNode, hosted: Hosted, checked: Checked) -> None:
        """What a hosted node says itself of its inputs."""
        types = {name: self._offered(link) for name, link in checked.links.items()}
        for fault in hosted.check(node.id, checked.values, types):
            self._add(fault.code, node, fault.input, **fault.details)

    def _offered(self, value: Link | tuple[Link, ...]) -> Any:
        """The type that a link's source has, as it was declared; None if there is no such."""
        link = value if type(value) is Link else next(iter(links_of(value)), None)
        spec = None if link is None else self.specs.get(link.node)
        if link is None or spec is None or link.output >= len(spec.outputs):
            return None
        return spec.outputs[link.output].type

    def _takes_without_widget(self, wanted: InputSpec, value: Any) -> bool:
        kind = type_shown(value)
        scalar = kind in ("INT", "FLOAT", "STRING", "BOOLEAN")
        if wanted.type == ANY or (scalar and _fits(wanted.type, kind)):
            return True
        return self._allow_objects and not scalar

    def _wrong_value(
        self, node: WorkflowNode, wanted: InputSpec, value: Any, error: WrongValue
    ) -> None:
        details = dict(error.details)
        choices = details.pop("choices", ())
        if "choices" in error.details:
            details["nearest"] = self._nearest(str(value), map(str, choices))
        self._add(
            error.code,
            node,
            wanted.name,
            expected=error.expected,
            got=shown(value),
            got_type=type_shown(value),
            **details,
        )

    def _undeclared(self, node: WorkflowNode, spec: NodeSpec, checked: Checked) -> None:
        for name, value in node.inputs.items():
            if name in spec.input:
                continue
            wanted = None if spec.hosted is None else spec.hosted.declared(name)
            if wanted is not None:
                self._given(node, wanted, value, checked)
            elif spec.open_inputs and links_of(value):
                checked.links[name] = value
                for link in links_of(value):
                    self._check_link(node, InputSpec(name, ANY), link)
            else:
                close = self._nearest(name, spec.input)
                self._add("unknown_input", node, name, severity="warning", nearest=close)

    # --- links ---

    def _check_link(self, node: WorkflowNode, wanted: InputSpec, link: Link) -> None:
        spec = self.specs.get(link.node)
        if spec is None:
            if link.node in self.specs:
                return  # of an unknown type: that is the other node's problem
            if link.node not in self._outside:
                self._add("dangling_link", node, wanted.name, source=f"#{link.node}")
                return
            spec = self._outside[link.node].spec
        if link.output >= len(spec.outputs):
            self._slot_out_of_range(node, wanted, link, spec)
            return
        offered = spec.outputs[link.output].type
        if wanted.fits is not None:
            if not self._allow_objects and not wanted.fits(offered):
                self._wrong_type(node, wanted, link, offered)
            return
        if offered != wanted.type and not _fits(wanted.type, offered):
            self._wrong_type(node, wanted, link, offered)

    def _slot_out_of_range(
        self, node: WorkflowNode, wanted: InputSpec, link: Link, spec: NodeSpec
    ) -> None:
        outputs = (f"{index} {output.name}" for index, output in enumerate(spec.outputs))
        self._add(
            "slot_out_of_range",
            node,
            wanted.name,
            expected=", ".join(outputs) or "–",
            got=str(link.output),
            source=self._source_title(link),
        )

    def _wrong_type(self, node: WorkflowNode, wanted: InputSpec, link: Link, offered: str) -> None:
        self._add(
            "wrong_link_type",
            node,
            wanted.name,
            expected=wanted.type,
            got=offered,
            source=self._source_title(link),
            between=self._nodes_between(offered, wanted.type),
        )

    def _source_title(self, link: Link) -> str | ByLanguage:
        node = self._workflow.nodes.get(link.node)
        if node is None:
            return f"{self._outside[link.node].title} (#{link.node})"
        return ByLanguage.each(lambda language: self.name(node, language))

    def _nodes_between(self, offered: str, wanted: str) -> ByLanguage:
        """The titles of up to three nodes that turn one type into the other, simplest first."""
        key = (offered, wanted)
        if key not in self._between:
            specs = (self._registry.get(node_id) for node_id in self._registry.ids())
            fitting = [
                spec
                for spec in specs
                if spec is not None and not spec.deprecated and _turns(spec, offered, wanted)
            ]
            fitting.sort(key=lambda spec: len(spec.inputs))
            self._between[key] = listed_titles(fitting[:3])
        return self._between[key]

    # --- problems ---

    def _unknown(self, node: WorkflowNode) -> Checked:
        """A node of an unknown type: only its links are known."""
        models = models_of(node.type)
        if models is not None:
            self._add("node_of_other_models", node, got=node.type, models=models)
        else:
            close = self._nearest(node.type, self._registry.ids())
            self._add("unknown_node", node, got=node.type, nearest=close)
        return Checked({}, {name: value for name, value in node.inputs.items() if links_of(value)})

    def _nearest(self, name: str, names: Iterable[str]) -> str:
        self._suggestions += 1
        return listed(nearest(name, names) if self._suggestions <= MOST_SUGGESTIONS else ())

    def _add(
        self,
        code: str,
        node: WorkflowNode,
        input_name: str | None = None,
        *,
        expected: str | None = None,
        got: str | None = None,
        severity: Severity = "error",
        **details: Any,
    ) -> None:
        self.problems.append(
            Problem(
                code,
                node.id,
                self.title(node),
                input_name,
                expected,
                got,
                severity,
                details,
                self.type_title(node),
            )
        )


@dataclass(frozen=True)
class _ListedOnce(Folders):
    """Folders that are walked once for all the values of a workflow."""

    _lists: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    def list(self, kind: str) -> tuple[str, ...]:
        if kind not in self._lists:
            self._lists[kind] = super().list(kind)
        return self._lists[kind]


def listed_titles(specs: Sequence[NodeSpec]) -> ByLanguage:
    """What nodes are called, for a message in each language."""
    return ByLanguage.each(lambda language: listed(spec.titles[language] for spec in specs))


def listed_once(folders: Folders) -> Folders:
    """The same folders, whose listings are read once."""
    return _ListedOnce(folders.input, folders.output, folders.temp, folders.user, folders.models)


def unwrapped(value: Any) -> Any:
    """The literal in ``{"__value__": literal}``, or the value itself."""
    if type(value) is dict and len(value) == 1 and WRAPPED in value:
        return value[WRAPPED]
    return value


def _fits(wanted: str, offered: str) -> bool:
    """As `accepts`; also a whole number where a number is wanted, a text where a choice is."""
    if accepts(wanted, offered):
        return True
    return (wanted == "COMBO" and accepts("STRING", offered)) or (
        accepts("INT", offered) and accepts("FLOAT", wanted)
    )


def _turns(spec: NodeSpec, offered: str, wanted: str) -> bool:
    """Whether a node has a socket for the one type and an output of the other."""
    takes = any(
        slot.widget is None and slot.type != ANY and accepts(slot.type, offered)
        for slot in spec.inputs
    )
    return takes and any(
        output.type != ANY and accepts(wanted, output.type) for output in spec.outputs
    )
