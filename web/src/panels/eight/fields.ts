/** Where a value is really set: at the node, at what is linked to it, or at a subgraph's instance. */

import type { Change } from "../../model/changes";
import { type GraphNode, graphOf, type Workflow } from "../../model/document";
import { isObject, type Json } from "../../model/json";
import { isLinked, nodeAt, type Place, sourceOfInput } from "./walk";

/** A value that can be changed: by its name, or by its place among those without names. */
export interface Field {
  readonly at: Place;
  readonly name: string | number;
}

/** Where the value of a node's input is set; null if other nodes compute it. */
export function fieldOf(workflow: Workflow, place: Place, name: string): Field | null {
  if (!isLinked(workflow, place, name)) return ownField(workflow, place, name);
  const source = sourceOfInput(workflow, place, name);
  switch (source.kind) {
    case "primitive":
      return firstField(workflow, source.at);
    case "promoted":
      return promotedField(workflow, place, name, source.instance, source.name);
    case "node":
      return valueNodeField(workflow, source.at);
    case "none":
      return null;
  }
}

/** The value of a field now. */
export function readField(workflow: Workflow, field: Field): Json | undefined {
  const node = nodeAt(workflow, field.at);
  return typeof field.name === "number" ? node?.unnamed[field.name] : node?.values[field.name];
}

/** The change that gives a field a value. */
export function setField(workflow: Workflow, field: Field, value: Json): Change {
  const { graph, node } = field.at;
  if (typeof field.name === "string") {
    return { kind: "set-value", graph, node, name: field.name, value };
  }
  const unnamed = [...(graphOf(workflow, graph).nodes.get(node)?.unnamed ?? [])];
  unnamed[field.name] = value;
  return { kind: "edit-node", graph, node, fields: { unnamed } };
}

/** The instance's own value of a widget inside it, if it gives one; else the node's. */
function ownField(workflow: Workflow, place: Place, name: string): Field {
  const instance = place.inside;
  const node = instance === null ? undefined : nodeAt(workflow, instance);
  const promoted = node === undefined ? null : proxied(node, place.node, name);
  if (instance === null || promoted === null) return { at: place, name };
  return { at: instance, name: promoted };
}

function promotedField(
  workflow: Workflow,
  place: Place,
  name: string,
  instance: Place,
  outer: string,
): Field {
  const node = nodeAt(workflow, instance);
  if (node !== undefined && Object.hasOwn(node.values, outer)) return { at: instance, name: outer };
  const slots = node?.inputs.filter((slot) => slot.widget !== undefined) ?? [];
  const listed = slots.findIndex((slot) => slot.name === outer);
  const unnamed = node !== undefined && Object.keys(node.values).length === 0;
  if (unnamed && listed !== -1 && listed < node.unnamed.length) {
    return { at: instance, name: listed };
  }
  return { at: place, name };
}

/** The name, or the place, of an instance's value for a widget inside it. */
function proxied(instance: GraphNode, inner: string, name: string): string | number | null {
  const owners = proxies(instance);
  const at = owners.findIndex(([owner, widget]) => owner === inner && widget === name);
  if (at === -1) return null;
  if (Object.hasOwn(instance.values, name)) return name;
  const slots = instance.inputs.filter((slot) => slot.widget !== undefined).length;
  const place = instance.unnamed.length === owners.length ? at : at + slots;
  const given = Object.keys(instance.values).length === 0 && place < instance.unnamed.length;
  return given && instance.unnamed[place] !== null ? place : null;
}

function proxies(instance: GraphNode): readonly (readonly [string, string])[] {
  const properties = instance.extra["properties"];
  const listed = isObject(properties) ? properties["proxyWidgets"] : undefined;
  if (!Array.isArray(listed)) return [];
  return (listed as readonly Json[]).flatMap((item) =>
    Array.isArray(item) && item.length >= 2 ? [[String(item[0]), String(item[1])] as const] : [],
  );
}

function firstField(workflow: Workflow, at: Place): Field | null {
  const node = nodeAt(workflow, at);
  if (node === undefined) return null;
  if (node.unnamed.length > 0) return { at, name: 0 };
  const [name] = Object.keys(node.values);
  return name === undefined ? null : { at, name };
}

/** A node that only holds a value (PrimitiveInt, PrimitiveString, …) is where it is set. */
function valueNodeField(workflow: Workflow, at: Place): Field | null {
  const node = nodeAt(workflow, at);
  const names = Object.keys(node?.values ?? {});
  return names.length === 1 && names[0] === "value" ? fieldOf(workflow, at, "value") : null;
}
