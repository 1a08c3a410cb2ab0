"""Prompts as clients send them: checked, and what is wrong said in ComfyUI's words.

Good outputs of a partly bad prompt are run. Each reason's ``extra_info`` also holds our own code,
message and hint in every language.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphengine.comfy.node_info import input_config
from graphengine.comfy.ui_format import is_ui_format
from graphengine.engine import Engine
from graphengine.errors import LANGUAGES, Problem, ProblemsFound
from graphengine.graph import Graph, check_graph
from graphengine.native import is_native
from graphengine.server.answers import Refusal
from graphengine.spec import InputSpec
from graphengine.validation import unwrapped
from graphengine.workflow import Link, Workflow, links_of, parse_api, to_api

MOST_DEPENDENTS = 200
"""Of so many broken nodes it is told which outputs they break."""
_BAD_LINK = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
_UNKNOWN = ("unknown_node", "node_of_other_models")
_REASONS = {
    "missing_input": ("required_input_missing", "Required input is missing"),
    "bad_link": ("bad_linked_input", _BAD_LINK),
    "link_needed": ("bad_linked_input", _BAD_LINK),
    "one_link_only": ("bad_linked_input", _BAD_LINK),
    "dangling_link": ("bad_linked_input", "Bad linked input, there is no such node"),
    "slot_out_of_range": ("bad_linked_input", "Bad linked input, there is no such output"),
    "wrong_link_type": ("return_type_mismatch", "Return type mismatch between linked nodes"),
    "wrong_value_type": (
        "invalid_input_type",
        "Failed to convert an input value to a {type} value",
    ),
    "not_finite": ("invalid_input_type", "Failed to convert an input value to a {type} value"),
    "below_minimum": ("value_smaller_than_min", "Value {value} smaller than min of {min}"),
    "above_maximum": ("value_bigger_than_max", "Value {value} bigger than max of {max}"),
    "not_in_list": ("value_not_in_list", "Value not in list"),
    "missing_file": ("value_not_in_list", "Value not in list"),
    "hosted_refused": ("custom_validation_failed", "Custom validation failed for node"),
    "cycle": ("dependency_cycle", "Dependency cycle detected"),
}
"""Our problem codes → ComfyUI's type and message."""
_SHAPE_CODES = ("missing_class_type", "node_not_object", "inputs_not_object")
LONGEST_LIST = 20


@dataclass(frozen=True)
class Accepted:
    """What of a prompt can run: the workflow, its targets, and the errors of the rest."""

    workflow: Workflow
    graph: Graph
    targets: tuple[str, ...]
    node_errors: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> dict[str, Any]:
        """The workflow in API format."""
        return to_api(self.workflow)


def accept(data: Any, engine: Engine, *, only: Collection[str] | None = None) -> Accepted:
    """Check a prompt; ``only`` limits its outputs. Raises `Refusal`."""
    workflow = _parsed(data, engine)
    specs = {node.id: engine.registry.get(node.type) for node in workflow.nodes.values()}
    _refuse_unknown_nodes(workflow, engine)
    sinks = [key for key, spec in specs.items() if spec is not None and spec.sink]
    if only is not None:
        sinks = [key for key in sinks if key in only]
    if not sinks:
        raise _no_outputs(workflow, engine)
    graph, problems = check_graph(workflow, engine.registry, engine.folders, targets=sinks)
    if graph is not None:
        return Accepted(workflow, graph, tuple(sinks))
    return _partly(workflow, engine, sinks, [p for p in problems if p.severity == "error"])


def _no_outputs(workflow: Workflow, engine: Engine) -> Refusal:
    _, problems = check_graph(workflow, engine.registry, engine.folders)
    ours = next((_ours(problem) for problem in problems if problem.code == "no_output"), None)
    return Refusal(400, "prompt_no_outputs", "Prompt has no outputs", extra_info=ours)


def _partly(
    workflow: Workflow, engine: Engine, sinks: list[str], problems: list[Problem]
) -> Accepted:
    """What is left of a prompt without its bad outputs; raises `Refusal` if nothing is."""
    users = _users(workflow)
    broken = {problem.node_id for problem in problems if problem.node_id is not None}
    failed = _reached(broken, users)
    node_errors = _node_errors(workflow, engine, problems, sinks, users)
    good = tuple(sink for sink in sinks if sink not in failed)
    if good:
        graph, _ = check_graph(workflow, engine.registry, engine.folders, targets=good)
        if graph is not None:
            return Accepted(workflow, graph, good, node_errors)
    details = [
        f"{reason['message']}: {reason['details']}"
        for sink in sinks
        for reason in node_errors.get(sink, {}).get("errors", ())
    ]
    raise Refusal(
        400,
        "prompt_outputs_failed_validation",
        "Prompt outputs failed validation",
        "\n".join(details),
        node_errors=node_errors,
    )


# --- the whole ------------------------------------------------------------------------------------


def read_prompt(data: Any, engine: Engine) -> Workflow:
    """The workflow of an API prompt, or of what an editor has saved; raises GraphEngineError."""
    if is_ui_format(data) or is_native(data):
        from graphengine.comfy.layouts import Layouts
        from graphengine.opening import open_data

        return open_data(data, Layouts(engine.registry)).workflow
    return parse_api(data)


def _parsed(data: Any, engine: Engine) -> Workflow:
    try:
        return read_prompt(data, engine)
    except ProblemsFound as error:
        raise _shape_refusal(error.problems, data, engine) from error


def _shape_refusal(problems: tuple[Problem, ...], data: Any, engine: Engine) -> Refusal:
    first = problems[0]
    shapes = [p for p in problems if p.code in _SHAPE_CODES]
    if not shapes and all(problem.code == "bad_link" for problem in problems):
        errors = _by_node(problems, data, engine)
        return Refusal(
            400,
            "prompt_outputs_failed_validation",
            "Prompt outputs failed validation",
            "\n".join(f"{_BAD_LINK}: {problem.input}" for problem in problems),
            node_errors=errors,
        )
    first = shapes[0] if shapes else first
    message = first.message()
    if first.code == "missing_class_type":
        message = "Cannot execute because a node is missing the class_type property."
    details = f"Node ID '#{first.node_id}'" if first.node_id is not None else first.hint()
    return Refusal(400, "invalid_prompt", message, details, extra_info=_ours(first))


def _by_node(problems: Iterable[Problem], data: Any, engine: Engine) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    for problem in problems:
        raw = data[problem.node_id]
        slot = _slot(engine, str(raw.get("class_type", "")), problem.input)
        entry = errors.setdefault(
            str(problem.node_id),
            {"errors": [], "dependent_outputs": [], "class_type": raw.get("class_type", "")},
        )
        received = raw["inputs"].get(problem.input)
        extra = {
            "input_name": problem.input,
            "input_config": None if slot is None else input_config(slot, engine.folders),
            "received_value": received,
            **_ours(problem),
        }
        reason = {"type": "bad_linked_input", "message": _BAD_LINK, "details": problem.input or ""}
        entry["errors"].append({**reason, "extra_info": extra})
    return errors


def _refuse_unknown_nodes(workflow: Workflow, engine: Engine) -> None:
    unknown = [n for n in workflow.nodes.values() if engine.registry.get(n.type) is None]
    if not unknown:
        return
    _, problems = check_graph(workflow, engine.registry, engine.folders)
    wrong = {p.node_id: p for p in problems if p.code in _UNKNOWN}
    errors = {
        node.id: {
            "errors": [
                {
                    "type": "invalid_prompt",
                    "message": f"Node type {node.type} does not exist",
                    "details": wrong[node.id].text(),
                    "extra_info": _ours(wrong[node.id]),
                }
            ],
            "dependent_outputs": [],
            "class_type": node.type,
        }
        for node in unknown
    }
    first = unknown[0]
    raise Refusal(
        400,
        "invalid_prompt",
        f"Cannot execute because node {first.type} does not exist.",
        f"Node ID '#{first.id}'",
        extra_info=_ours(wrong[first.id]),
        node_errors=errors,
    )


# --- single nodes ---------------------------------------------------------------------------------


def _node_errors(
    workflow: Workflow,
    engine: Engine,
    problems: Iterable[Problem],
    sinks: Collection[str],
    users: Mapping[str, list[str]],
) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    for problem in problems:
        node = workflow.nodes.get(problem.node_id or "")
        if node is None:
            continue
        if node.id not in errors:
            told = len(errors) < MOST_DEPENDENTS
            reached = _reached({node.id}, users) if told else {node.id}
            errors[node.id] = {
                "errors": [],
                "dependent_outputs": [sink for sink in sinks if sink in reached],
                "class_type": node.type,
            }
        errors[node.id]["errors"].append(_reason(problem, workflow, engine))
    return errors


def _reason(problem: Problem, workflow: Workflow, engine: Engine) -> dict[str, Any]:
    node = workflow.nodes[problem.node_id or ""]
    if problem.code == "hosted_raised":
        return _raised(problem, workflow, engine)
    kind, message = _REASONS.get(problem.code, ("custom_validation_failed", problem.message()))
    if problem.input is None:
        return _told(kind, message, problem.text(), _ours(problem))
    received = unwrapped(node.inputs.get(problem.input))
    slot = _slot(engine, node.type, problem.input)
    config = None if slot is None else input_config(slot, engine.folders)
    extra: dict[str, Any] = {"input_name": problem.input}
    if problem.code != "missing_input":
        extra["input_config"] = config
    if kind == "return_type_mismatch":
        links = links_of(received)
        linked = list(links[0]) if links else None
        offered = getattr(problem.got, "raw", problem.got)
        extra |= {"received_type": offered, "linked_node": linked}
    elif problem.code != "missing_input":
        extra["received_value"] = _plain(received)
    if kind == "invalid_input_type":
        extra["exception_message"] = problem.message()
    options = config[1] if config is not None and len(config) > 1 else {}
    choices = config[0] if config is not None and isinstance(config[0], list) else None
    if choices is not None and len(choices) > LONGEST_LIST:
        extra["input_config"] = None
    filled = message.format(
        type=slot.type if slot is not None else "",
        value=received,
        min=options.get("min"),
        max=options.get("max"),
    )
    wanted = "" if slot is None else slot.declared[0] if slot.declared else slot.type
    details = _details(kind, problem, received, choices, wanted)
    return _told(kind, filled, details, {**extra, **_ours(problem)})


def _raised(problem: Problem, workflow: Workflow, engine: Engine) -> dict[str, Any]:
    """A node's own code failed while it checked its inputs."""
    node = workflow.nodes[problem.node_id or ""]
    spec = engine.registry.get(node.type)
    inner = "inner " if spec is not None and not spec.sink else ""
    details = problem.details
    return _told(
        f"exception_during_{'inner_' if inner else ''}validation",
        f"Exception when validating {inner}node",
        str(details["cause"]),
        {
            "exception_type": details["type"],
            "exception_message": str(details["cause"]),
            "traceback": details["traceback"],
            **_ours(problem),
        },
    )


def _details(
    kind: str, problem: Problem, received: Any, choices: list[Any] | None, wanted: Any
) -> str:
    name = problem.input or ""
    if kind == "return_type_mismatch":
        received = getattr(problem.got, "raw", problem.got)
        return f"{name}, received_type({received}) mismatch input_type({wanted})"
    if problem.code == "hosted_refused":
        said = problem.details.get("said")
        return f"{name} - {said}" if said else name
    if kind == "invalid_input_type":
        return f"{name}, {received}, {problem.message()}"
    if kind == "value_not_in_list" and choices is not None:
        shown = f"(list of length {len(choices)})" if len(choices) > LONGEST_LIST else str(choices)
        return f"{name}: '{received}' not in {shown}"
    if problem.code in ("dangling_link", "slot_out_of_range"):
        return f"{name}: {problem.text()}"
    return name


def _told(kind: str, message: str, details: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": dict(extra)}


def _ours(problem: Problem) -> dict[str, Any]:
    """What we would say ourselves."""
    return {
        "code": problem.code,
        "text": {language: problem.message(language) for language in LANGUAGES},
        "hint": {language: problem.hint(language) for language in LANGUAGES},
    }


def _slot(engine: Engine, node_type: str, name: str | None) -> InputSpec | None:
    spec = engine.registry.get(node_type)
    return None if spec is None or name is None else spec.now().input.get(name)


def _plain(received: Any) -> Any:
    return list(received) if isinstance(received, Link) else received


# --- who needs whom -------------------------------------------------------------------------------


def _users(workflow: Workflow) -> dict[str, list[str]]:
    """For every node, those that link to it."""
    users: dict[str, list[str]] = {}
    for node in workflow.nodes.values():
        for value in node.inputs.values():
            for link in links_of(value):
                users.setdefault(link.node, []).append(node.id)
    return users


def _reached(nodes: Collection[str], users: Mapping[str, list[str]]) -> set[str]:
    """The nodes themselves and all that need them."""
    reached = set(nodes)
    waiting = list(reached)
    while waiting:
        for user in users.get(waiting.pop(), ()):
            if user not in reached:
                reached.add(user)
                waiting.append(user)
    return reached
