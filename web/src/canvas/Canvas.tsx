/** The canvas: React Flow over the active graph, a light drawing of it when zoomed out. */

import "@xyflow/react/dist/style.css";
import "./canvas.css";
import {
  type Connection,
  type EdgeChange,
  type FinalConnectionState,
  type NodeChange,
  ReactFlow,
  ReactFlowProvider,
  type ReactFlowState,
  SelectionMode,
  useConnection,
  useReactFlow,
  useStore,
  useStoreApi,
  type Viewport,
} from "@xyflow/react";
import {
  type FocusEvent,
  type KeyboardEvent,
  type MouseEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { shallow } from "zustand/shallow";
import { allCommands } from "../commands/all";
import { callByKey, isTyping } from "../commands/keys";
import { useTranslation } from "../i18n";
import { type Bounds, GRAPH_INPUT, GRAPH_OUTPUT, type Point } from "../model/document";
import { inputType, type LooseEnd, outputType } from "../model/edits";
import { isEqual } from "../model/equal";
import { snapped } from "../model/measures";
import { ANY } from "../model/sockets";
import { NodeView } from "../nodes/NodeView";
import { BoundaryView, GroupView, NoteView, RerouteView } from "../nodes/OtherViews";
import { useShowing, useTypes } from "../nodes/shapes";
import { useServer } from "../state/server";
import {
  activeGraph,
  activeGraphId,
  activeTab,
  useWorkspace,
  type Workspace,
} from "../state/workspace";
import type { FlowEdge, FlowNode } from "./flow";
import { LightLayer } from "./LightLayer";
import { endsOf, link, linkToBody, tryLink } from "./linking";
import { Minimap } from "./Minimap";
import {
  boundsOf,
  dragged,
  inside,
  makeScene,
  type Part,
  partIn,
  type Scene,
  type SceneParts,
} from "./scene";
import { camera, GRID, isRefusal, show, useView } from "./view";
import { Wire } from "./Wire";

const NODE_TYPES = {
  node: NodeView,
  note: NoteView,
  reroute: RerouteView,
  "group-frame": GroupView,
  boundary: BoundaryView,
};
const EDGE_TYPES = { wire: Wire };
const MANY = 150;
/** Below this zoom nodes are drawn, not built. */
const LIGHT_BELOW = 0.3;
/** With so many in view, already below this one. */
const LIGHT_MANY_BELOW = 0.6;
const CROWD = 160;
const MIN_ZOOM = 0.02;
const MAX_ZOOM = 3;
const GLIDE_MS = 120;
const FIT = { padding: 0.12, maxZoom: 1 };
/** Pixels that stay free around what is brought into view. */
const EDGE = 24;
const NOTHING: Part = { nodes: [], edges: [] };
const NO_PLACES: Places = new Map();

export function Canvas() {
  return (
    <ReactFlowProvider>
      <Flow />
    </ReactFlowProvider>
  );
}

function Flow() {
  const { t } = useTranslation();
  const scene = useScene();
  const [places, setPlaces] = useState(NO_PLACES);
  const nodes = useMemo(() => dragged(scene.nodes, places), [scene, places]);
  const latest = useRef(nodes);
  latest.current = nodes;
  const lookingAway = useFocus(scene);
  const light = useLight(scene) || lookingAway;
  const part = usePart(scene, places, light);
  const snap = useView((view) => view.snap);
  const locked = useView((view) => view.locked);
  const minimap = useView((view) => view.minimap);
  const wrapper = useRef<HTMLElement>(null);
  useCamera(wrapper);
  useViewOfTab();
  useOwnMeasures();

  const onNodesChange = useNodeChanges(setPlaces, latest);
  const onEdgesChange = useCallback((changes: EdgeChange<FlowEdge>[]) => {
    const tab = activeTab();
    if (tab === undefined) return;
    const chosen = new Set(tab.selectedLinks);
    for (const change of changes) {
      if (change.type !== "select") continue;
      if (change.selected) chosen.add(change.id);
      else chosen.delete(change.id);
    }
    useWorkspace.getState().select(tab.selection, chosen);
  }, []);
  const isValidConnection = useCallback(
    (connection: Connection | FlowEdge) => !isRefusal(tryLink(endsOf(asConnection(connection)))),
    [],
  );
  const onConnect = useCallback((connection: Connection) => void link(endsOf(connection)), []);

  return (
    <section
      ref={wrapper}
      className="canvas"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: its shortcuts need it to have the focus.
      tabIndex={0}
      aria-label={t("canvas.canvas")}
      data-light={light || undefined}
      onPointerDown={(event) => {
        if (event.target instanceof Element && event.target.closest(".react-flow__pane")) {
          wrapper.current?.focus({ preventScroll: true });
        }
      }}
      onDoubleClick={openSearch}
      onKeyDownCapture={arrowCommand}
      onKeyDown={letGo}
      onFocus={(event) => {
        show({ focused: nodeAround(event.target) });
        bringIntoView(event, wrapper.current);
      }}
      onBlur={({ relatedTarget }) => show({ focused: nodeAround(relatedTarget) })}
    >
      <ReactFlow<FlowNode, FlowEdge>
        nodes={part.nodes as FlowNode[]}
        edges={part.edges as FlowEdge[]}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onEdgesChange={onEdgesChange}
        onConnect={onConnect}
        onConnectEnd={onConnectEnd}
        onReconnect={(edge, connection) => relink(edge, connection)}
        onReconnectEnd={(_, edge, __, state) => dropLink(edge, state)}
        isValidConnection={isValidConnection}
        onPaneContextMenu={(event) => openMenu(event)}
        onNodeClick={selectOnly}
        onNodeMouseEnter={(_, node) => show({ pointed: node.id })}
        onNodeMouseLeave={() => show({ pointed: null })}
        onMoveStart={() => show({ moving: true })}
        onMoveEnd={() => show({ moving: false })}
        onNodeContextMenu={(event, node) => openMenu(event, node)}
        onEdgeContextMenu={(event, edge) => openMenu(event, undefined, edge)}
        onlyRenderVisibleElements={nodes.length > MANY}
        elevateNodesOnSelect
        nodesDraggable={!locked}
        nodesConnectable={!locked}
        snapToGrid={snap}
        snapGrid={[GRID, GRID]}
        minZoom={MIN_ZOOM}
        maxZoom={MAX_ZOOM}
        panOnDrag={[0, 1]}
        selectionKeyCode="Shift"
        multiSelectionKeyCode={["Control", "Meta", "Shift"]}
        selectionMode={SelectionMode.Partial}
        deleteKeyCode={null}
        disableKeyboardA11y={locked}
        zoomOnDoubleClick={false}
        connectionRadius={28}
        nodeDragThreshold={2}
        autoPanOnNodeFocus={false}
        colorMode="system"
        proOptions={{ hideAttribution: false }}
        ariaLabelConfig={{
          "node.a11yDescription.default": t("canvas.a11y.node"),
          "node.a11yDescription.keyboardDisabled": t("canvas.a11y.node"),
        }}
      />
      {light && <LightLayer scene={scene} nodes={nodes} setPlaces={setPlaces} />}
      {minimap && scene.nodes.length > 0 && <Minimap nodes={nodes} />}
    </section>
  );
}

// --- what is shown -----------------------------------------------------------------------------

/** The scene; what is typed into nodes is none of it, so nothing is rendered anew for that. */
function useScene(): Scene {
  const types = useTypes();
  const showing = useShowing();
  const made = useRef<{ readonly parts: SceneParts; readonly scene: Scene }>(undefined);
  return useWorkspace((state) => {
    const parts = { ...partsIn(state), types, showing };
    if (made.current === undefined || !shallow(made.current.parts, parts)) {
      made.current = { parts, scene: makeScene(parts, made.current?.scene ?? null) };
    }
    return made.current.scene;
  });
}

function partsIn(state: Workspace) {
  const tab = activeTab(state);
  const { workflow, selection, selectedLinks, path } = tab ?? EMPTY;
  return {
    graph: activeGraph(state),
    graphId: activeGraphId(state),
    workflow,
    selection,
    selectedLinks,
    prefix: path.map((step) => `${step}:`).join(""),
  };
}

const EMPTY = {
  workflow: { version: 1, top: activeGraph(), subgraphs: new Map() },
  selection: new Set<string>(),
  selectedLinks: new Set<string>(),
  path: [] as readonly string[],
};

/** Whether nodes are drawn lightly: zoomed out, or very many at once. */
function useLight(scene: Scene): boolean {
  return useStore((state) => {
    const [x, y, zoom] = state.transform;
    // Before the canvas has a size and looks at the graph, React Flow would build every node.
    if (state.width === 0 || (x === 0 && y === 0 && zoom === 1)) return scene.nodes.length > CROWD;
    if (zoom < LIGHT_BELOW) return true;
    if (zoom >= LIGHT_MANY_BELOW || scene.nodes.length < CROWD) return false;
    const right = (state.width - x) / zoom;
    const bottom = (state.height - y) / zoom;
    let seen = 0;
    for (const { position, width = 0, height = 0 } of scene.nodes) {
      const visible =
        position.x < right &&
        position.y < bottom &&
        position.x + width > -x / zoom &&
        position.y + height > -y / zoom;
      if (visible) seen += 1;
    }
    return seen > CROWD;
  });
}

/** What React Flow is told of: with many nodes those near the view, as it looks at all at each move. */
function usePart(scene: Scene, places: Places, light: boolean): Part {
  const area = useStore(nearView, isEqual);
  const linking = useConnection((connection) => connection.inProgress);
  const whole = scene.nodes.length <= MANY || linking;
  const now = useRef(places);
  now.current = places;
  const part = useMemo(() => {
    if (light) return NOTHING;
    return whole ? scene : partIn(scene, area, now.current);
  }, [scene, area, light, whole]);
  return useMemo(() => ({ nodes: dragged(part.nodes, places), edges: part.edges }), [part, places]);
}

/** The view with at least its own size around it, by steps, so that it seldom is another. */
function nearView({ transform: [x, y, zoom], width, height }: ReactFlowState): Bounds {
  const scale = 2 ** Math.floor(Math.log2(zoom));
  const across = Math.max(1, width) / scale;
  const down = Math.max(1, height) / scale;
  const left = Math.floor(-x / zoom / across - 1) * across;
  const top = Math.floor(-y / zoom / down - 1) * down;
  return [left, top, 4 * across, 4 * down];
}

/**
 * Sizes and places of sockets are known before anything is drawn. React Flow would look for them in
 * each node as it comes into view, whether all its sockets are drawn yet or not.
 */
function useOwnMeasures(): void {
  const store = useStoreApi();
  // At once, as React Flow keeps what it finds when it is rendered for the first time.
  useState(() => store.setState({ updateNodeInternals: () => {} }));
}

// --- the viewport ------------------------------------------------------------------------------

function useCamera(wrapper: React.RefObject<HTMLElement | null>): void {
  const flow = useReactFlow();
  useEffect(() => {
    const middle = () => {
      const box = wrapper.current?.getBoundingClientRect();
      return box === undefined
        ? { x: 0, y: 0 }
        : { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    };
    let aim = 1;
    let until = 0;
    camera.current = {
      zoomBy: (factor) => {
        // While the view glides, the next step begins where it glides to.
        const from = performance.now() < until ? aim : flow.getZoom();
        aim = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, from * factor));
        until = performance.now() + 2 * GLIDE_MS;
        void flow.zoomTo(aim, { duration: GLIDE_MS });
      },
      panBy: (dx, dy) => {
        const { x, y, zoom } = flow.getViewport();
        void flow.setViewport({ x: x + dx, y: y + dy, zoom });
      },
      centre: () => point(flow.screenToFlowPosition(middle())),
      toCanvas: ([x, y]) => point(flow.screenToFlowPosition({ x, y })),
      toScreen: ([x, y]) => point(flow.flowToScreenPosition({ x, y })),
    };
    return () => {
      camera.current = null;
    };
  }, [flow, wrapper]);
}

/** Each tab is left and met again in its own view; one never seen is shown whole. */
function useViewOfTab(): void {
  const flow = useReactFlow();
  const tab = useWorkspace((state) => state.active);
  const views = useRef(new Map<string, Viewport>());
  useLayoutEffect(() => {
    const before = views.current.get(tab);
    if (before === undefined) useWorkspace.getState().fit();
    else void flow.setViewport(before);
    return () => {
      views.current.set(tab, flow.getViewport());
    };
  }, [tab, flow]);
}

/**
 * Bring into view what the workspace asks for, as soon as the canvas has a size. True until then for
 * a large graph: React Flow would build all that comes into view before it is drawn lightly.
 */
function useFocus(scene: Scene): boolean {
  const flow = useReactFlow();
  const focus = useWorkspace((state) => state.focus);
  const sized = useStore((state) => state.width > 0 && state.height > 0);
  const done = useRef(-1);
  const [shown, setShown] = useState(-1);
  useEffect(() => {
    if (!sized || done.current === focus.turn) return;
    done.current = focus.turn;
    setShown(focus.turn);
    if (scene.nodes.length === 0) {
      // What is added to an empty canvas stays where it was put.
      void flow.setCenter(0, 0, { zoom: 1, duration: 0 });
      return;
    }
    const wanted = new Set(focus.nodes);
    const chosen = scene.nodes.filter((node) => wanted.size === 0 || wanted.has(node.id));
    const bounds = boundsOf(chosen);
    if (bounds !== null)
      void flow.fitBounds(bounds, { padding: FIT.padding, duration: 0 }).then(() => {
        if (flow.getZoom() > FIT.maxZoom) {
          const centre = { x: bounds.x + bounds.width / 2, y: bounds.y + bounds.height / 2 };
          void flow.setCenter(centre.x, centre.y, { zoom: FIT.maxZoom, duration: 0 });
        }
      });
  }, [focus, scene, sized, flow]);
  return shown !== focus.turn && scene.nodes.length > CROWD;
}

// --- moving and selecting ----------------------------------------------------------------------

type Places = ReadonlyMap<string, { x: number; y: number }>;
type SetPlaces = (places: Places) => void;

/** React Flow's changes: places stay out of the document while something is dragged. */
function useNodeChanges(setPlaces: SetPlaces, latest: React.RefObject<readonly FlowNode[]>) {
  const moving = useRef(new Map<string, { x: number; y: number }>());
  const frames = useRef(new Map<string, readonly FlowNode[]>());
  return useCallback(
    (changes: NodeChange<FlowNode>[]) => {
      let isDragging = false;
      let moved = false;
      const selection: [string, boolean][] = [];
      // Who resizes writes the new corner too.
      const resized = new Set(
        changes.flatMap((change) => (change.type === "dimensions" ? [change.id] : [])),
      );
      for (const change of changes) {
        if (change.type === "select") selection.push([change.id, change.selected]);
        if (change.type !== "position" || change.position === undefined) continue;
        if (resized.has(change.id)) continue;
        moved = true;
        isDragging ||= change.dragging === true;
        moving.current.set(change.id, change.position);
        moveContents(change.id, change.position, latest.current, frames.current, moving.current);
      }
      const ended = changes.some(
        (one) => one.type === "position" && one.dragging !== true && !resized.has(one.id),
      );
      if (isDragging) setPlaces(new Map(moving.current));
      else if (moved || (ended && moving.current.size > 0)) {
        commitPlaces(moving.current);
        moving.current = new Map();
        frames.current.clear();
        setPlaces(NO_PLACES);
      }
      if (selection.length > 0) selectAlso(selection);
    },
    [setPlaces, latest],
  );
}

/** What a frame held when its drag began moves with it. */
function moveContents(
  id: string,
  position: { x: number; y: number },
  nodes: readonly FlowNode[],
  frames: Map<string, readonly FlowNode[]>,
  moving: Map<string, { x: number; y: number }>,
): void {
  const graph = activeGraph();
  const group = graph.groups.get(id);
  if (group === undefined) return;
  const frame = nodes.find((node) => node.id === id);
  if (frame === undefined) return;
  const held = frames.get(id) ?? nodes.filter((node) => isCarried(frame, node));
  frames.set(id, held);
  const [left, top] = group.bounds;
  for (const node of held) {
    moving.set(node.id, {
      x: node.position.x + position.x - left,
      y: node.position.y + position.y - top,
    });
  }
}

function isCarried(frame: FlowNode, node: FlowNode): boolean {
  return !node.selected && node.draggable !== false && inside(frame, node);
}

export function commitPlaces(places: Places): void {
  const graph = activeGraph();
  const graphId = activeGraphId();
  const { snap } = useView.getState();
  const at = ({ x, y }: { x: number; y: number }): Point =>
    snap ? snapped([x, y], GRID) : [Math.round(x), Math.round(y)];
  const nodes = [...places].filter(([id]) => graph.nodes.has(id));
  const groups = [...places].filter(([id]) => graph.groups.has(id));
  const extra = { ...graph.extra };
  const edges = [...places].filter(([id]) => id === GRAPH_INPUT || id === GRAPH_OUTPUT);
  for (const [id, place] of edges) {
    const name = id === GRAPH_INPUT ? "inputNode" : "outputNode";
    extra[name] = { id: Number(id), bounding: [...at(place), 160, 80] };
  }
  useWorkspace.getState().apply(
    [
      { kind: "move", graph: graphId, to: Object.fromEntries(nodes.map(([id, p]) => [id, at(p)])) },
      ...groups.map(([id, place]) => {
        const [, , width, height] = graph.groups.get(id)?.bounds ?? [0, 0, 0, 0];
        const bounds = [...at(place), width, height] as const;
        return { kind: "edit-group", graph: graphId, group: id, fields: { bounds } } as const;
      }),
      ...(edges.length === 0 ? [] : [{ kind: "set-extra", graph: graphId, extra } as const]),
    ],
    { group: `move ${[...places.keys()].join()}` },
  );
}

function selectAlso(changes: readonly (readonly [string, boolean])[]): void {
  const tab = activeTab();
  if (tab === undefined) return;
  const chosen = new Set(tab.selection);
  for (const [id, selected] of changes) {
    if (selected) chosen.add(id);
    else chosen.delete(id);
  }
  const { select } = useWorkspace.getState();
  select(chosen, chosen.size === 0 ? tab.selectedLinks : []);
}

/** A click on one of several selected nodes leaves only that one selected. */
function selectOnly(event: MouseEvent, node: FlowNode): void {
  if (event.shiftKey || event.ctrlKey || event.metaKey) return;
  if ((activeTab()?.selection.size ?? 0) > 1) useWorkspace.getState().select([node.id]);
}

// --- links -------------------------------------------------------------------------------------

function asConnection(one: Connection | FlowEdge): Connection {
  return { ...one, sourceHandle: one.sourceHandle ?? null, targetHandle: one.targetHandle ?? null };
}

function onConnectEnd(
  event: globalThis.MouseEvent | TouchEvent,
  state: FinalConnectionState,
): void {
  if (state.isValid || state.fromHandle === null || state.fromNode === null) return;
  if (state.toHandle !== null && state.toNode !== null) {
    const outward = state.fromHandle.type === "source";
    const [source, target] = outward
      ? [state.fromHandle, state.toHandle]
      : [state.toHandle, state.fromHandle];
    if (source.type === target.type) return;
    link({
      from: { node: source.nodeId, place: Number(source.id ?? 0) },
      to: { node: target.nodeId, name: target.id ?? "" },
    });
    return;
  }
  const screen = screenPoint(event);
  const end = looseEnd(state.fromHandle);
  const body = document.elementFromPoint(...screen)?.closest(".react-flow__node");
  const id = body?.getAttribute("data-id");
  if (id && id !== state.fromNode.id) {
    linkToBody(id, end);
    return;
  }
  const at = camera.current?.toCanvas(screen);
  if (at === undefined) return;
  show({ search: { at, screen, link: end } });
}

function looseEnd(handle: { nodeId: string; id?: string | null; type: string }): LooseEnd {
  const { workflow } = activeTab() ?? EMPTY;
  const graphId = activeGraphId();
  const types = useServer.getState().nodes;
  const node = handle.nodeId;
  if (handle.type === "source") {
    const from = { node, place: Number(handle.id ?? 0) };
    return { from, type: outputType(workflow, graphId, types, from) ?? ANY };
  }
  const to = { node, name: handle.id ?? "" };
  return { to, type: inputType(workflow, graphId, types, to) ?? ANY };
}

/** A link's end was dragged to another socket. */
function relink(edge: FlowEdge, connection: Connection): void {
  const ends = endsOf(connection);
  const change = tryLink(ends);
  if (isRefusal(change)) {
    link(ends);
    return;
  }
  const removal = { kind: "remove", graph: activeGraphId(), links: [edge.id] } as const;
  useWorkspace.getState().apply([change, removal]);
}

/** A link's end was dropped in the open: the link is gone. */
function dropLink(edge: FlowEdge, state: FinalConnectionState): void {
  if (state.isValid || state.toHandle !== null) return;
  useWorkspace.getState().apply({ kind: "remove", graph: activeGraphId(), links: [edge.id] });
}

/** Arrows with Ctrl or Alt are commands; React Flow would move the focused node by them. */
function arrowCommand(event: KeyboardEvent): void {
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (!modified || !event.key.startsWith("Arrow")) return;
  if (callByKey(event.nativeEvent, allCommands)) event.stopPropagation();
}

/** The node that an element belongs to. */
function nodeAround(element: EventTarget | null): string | null {
  if (!(element instanceof Element)) return null;
  return element.closest(".react-flow__node")?.getAttribute("data-id") ?? null;
}

/** What gets the focus by keyboard is brought into view. */
function bringIntoView({ target }: FocusEvent<HTMLElement>, box: HTMLElement | null): void {
  // React tells of the focus in a list of choices too, which floats over the page.
  if (box === null || target === box || !box.contains(target)) return;
  if (!target.matches(":focus-visible")) return;
  const view = box.getBoundingClientRect();
  const own = target.getBoundingClientRect();
  const beyond = (from: number, to: number, least: number, most: number) =>
    from < least ? least - from : to > most ? Math.max(least - from, most - to) : 0;
  const x = beyond(own.left, own.right, view.left + EDGE, view.right - EDGE);
  const y = beyond(own.top, own.bottom, view.top + EDGE, view.bottom - EDGE);
  if (x !== 0 || y !== 0) camera.current?.panBy(x, y);
}

/** Escape leaves a field for its node, where keys are commands again; then what is selected. */
function letGo({ key, target, currentTarget, nativeEvent }: KeyboardEvent): void {
  if (key !== "Escape" || nativeEvent.isComposing || !(target instanceof Element)) return;
  const node = target.closest<HTMLElement>(".react-flow__node");
  if (isTyping(target)) node?.focus({ preventScroll: true });
  else if (currentTarget.contains(target)) useWorkspace.getState().select([]);
}

// --- search and menus --------------------------------------------------------------------------

/** A double click adds a node: in the open there, on a link into the link. */
function openSearch(event: MouseEvent): void {
  const hit = event.target instanceof Element ? event.target : null;
  const screen: Point = [event.clientX, event.clientY];
  const at = camera.current?.toCanvas(screen);
  if (at === undefined || !hit?.closest(".react-flow__pane") || hit.closest(".react-flow__node")) {
    return;
  }
  const into = hit.closest(".react-flow__edge")?.getAttribute("data-id");
  show({ search: { at, screen, ...(into ? { into } : {}) } });
}

function openMenu(
  event: MouseEvent | globalThis.MouseEvent,
  node?: FlowNode,
  edge?: FlowEdge,
): void {
  event.preventDefault();
  const screen: Point = [event.clientX, event.clientY];
  const at = camera.current?.toCanvas(screen) ?? [0, 0];
  if (node === undefined && edge === undefined) {
    show({ menu: { target: { kind: "canvas", at }, screen } });
  } else if (edge !== undefined) {
    show({ menu: { target: { kind: "link", id: edge.id, at }, screen } });
  } else if (node !== undefined && node.type !== "boundary") {
    const tab = activeTab();
    if (!tab?.selection.has(node.id)) useWorkspace.getState().select([node.id]);
    const kind = node.type === "group-frame" ? "group" : "node";
    show({ menu: { target: { kind, id: node.id }, screen } });
  }
}

function screenPoint(event: globalThis.MouseEvent | TouchEvent): Point {
  const touch = "changedTouches" in event ? event.changedTouches[0] : event;
  return [touch?.clientX ?? 0, touch?.clientY ?? 0];
}

function point({ x, y }: { x: number; y: number }): Point {
  return [x, y];
}
