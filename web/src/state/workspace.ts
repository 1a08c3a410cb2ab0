/** The open workflows: their tabs, what is selected in them, and everything that can be undone. */

import { create } from "zustand";
import { applyChange, batch, type Change } from "../model/changes";
import {
  EMPTY_WORKFLOW,
  type Graph,
  type GraphId,
  graphOf,
  type NodeId,
  TOP,
  type Workflow,
} from "../model/document";
import { type History, NO_HISTORY, recorded, redone, undone } from "../model/history";
import { newUuid } from "../model/ids";

export type TabId = string;

/** Where one stands: the instances entered on the way, the outermost first. */
export type Path = readonly NodeId[];

/** The saved version on the server: its name, the tag of its content. */
export interface SavedAs {
  readonly name: string;
  readonly etag: string;
}

export interface Tab {
  readonly id: TabId;
  readonly name: string;
  readonly workflow: Workflow;
  readonly history: History;
  /** The workflow as it was last saved or opened; the tab is unsaved when it differs. */
  readonly savedWorkflow: Workflow;
  readonly savedAs: SavedAs | null;
  readonly path: Path;
  readonly selection: ReadonlySet<NodeId>;
  readonly selectedLinks: ReadonlySet<string>;
}

export interface OpenOptions {
  readonly savedAs?: SavedAs;
  /** A draft that comes back: it is unsaved and keeps its id. */
  readonly draft?: TabId;
  /** The canvas's own first tab: it gives way if nothing was done in it. */
  readonly background?: boolean;
}

export interface ApplyOptions {
  /** Changes of one group that follow each other closely are undone together. */
  readonly group?: string;
  /** The tab that is changed; the active one by default. */
  readonly tab?: TabId;
}

export interface Focus {
  readonly nodes: readonly NodeId[];
  /** Counts up, so that the same nodes can be shown twice. */
  readonly turn: number;
}

export interface Workspace {
  readonly tabs: readonly Tab[];
  readonly active: TabId;
  /** What the canvas is asked to bring into view; no nodes = all. */
  readonly focus: Focus;

  apply(changes: Change | readonly Change[], options?: ApplyOptions): void;
  undo(): void;
  redo(): void;

  open(workflow: Workflow, name: string, options?: OpenOptions): TabId;
  close(id: TabId): void;
  activate(id: TabId): void;
  rename(id: TabId, name: string): void;
  /** Tell that a tab's workflow is now on the server. */
  saved(id: TabId, workflow: Workflow, as: SavedAs): void;
  /** Tell that a tab's workflow is no longer on the server. */
  forgetSaved(id: TabId): void;
  /** Put another workflow in a tab, as one step that can be undone. */
  replace(id: TabId, workflow: Workflow): void;

  select(nodes: Iterable<NodeId>, links?: Iterable<string>): void;
  enter(instance: NodeId): void;
  /** Leave subgraphs until so many are entered. */
  leaveTo(depth: number): void;
  /** Go to a node by its path "5:12": enter the subgraphs, select it, bring it into view. */
  goTo(path: string): void;
  fit(nodes?: readonly NodeId[]): void;
}

const NOTHING: ReadonlySet<string> = new Set();

export const useWorkspace = create<Workspace>()((set, get) => {
  const change = (id: TabId, edit: (tab: Tab) => Tab): void =>
    set((state) => ({ tabs: state.tabs.map((tab) => (tab.id === id ? edit(tab) : tab)) }));
  const changeActive = (edit: (tab: Tab) => Tab): void => change(get().active, edit);

  return {
    tabs: [],
    active: "",
    focus: { nodes: [], turn: 0 },

    apply: (changes, options) =>
      change(options?.tab ?? get().active, (tab) =>
        applied(tab, "kind" in changes ? changes : batch(changes), options),
      ),
    undo: () => changeActive((tab) => stepped(tab, undone(tab.workflow, tab.history))),
    redo: () => changeActive((tab) => stepped(tab, redone(tab.workflow, tab.history))),

    open: (workflow, name, options = {}) => {
      const tab = newTab(workflow, name, options);
      set((state) => ({
        tabs: [...state.tabs.filter((one) => one.id !== tab.id), tab],
        active: options.background && state.active !== "" ? state.active : tab.id,
      }));
      get().fit();
      return tab.id;
    },
    close: (id) =>
      set((state) => {
        const place = state.tabs.findIndex((tab) => tab.id === id);
        const tabs = state.tabs.filter((tab) => tab.id !== id);
        const next = tabs[Math.min(place, tabs.length - 1)];
        return { tabs, active: state.active === id ? (next?.id ?? "") : state.active };
      }),
    activate: (id) => {
      if (get().tabs.some((tab) => tab.id === id)) set({ active: id });
    },
    rename: (id, name) => change(id, (tab) => ({ ...tab, name })),
    saved: (id, workflow, as) =>
      change(id, (tab) => ({ ...tab, savedWorkflow: workflow, savedAs: as, name: as.name })),
    forgetSaved: (id) =>
      change(id, (tab) => ({ ...tab, savedWorkflow: EMPTY_WORKFLOW, savedAs: null })),
    replace: (id, workflow) => change(id, (tab) => replaced(tab, workflow)),

    select: (nodes, links = []) =>
      changeActive((tab) => {
        const selection = new Set(nodes);
        const selectedLinks = new Set(links);
        if (sameSet(selection, tab.selection) && sameSet(selectedLinks, tab.selectedLinks)) {
          return tab;
        }
        return { ...tab, selection, selectedLinks };
      }),
    enter: (instance) => {
      changeActive((tab) => {
        const type = graphOf(tab.workflow, graphIdAt(tab)).nodes.get(instance)?.type;
        if (type === undefined || !tab.workflow.subgraphs.has(type)) return tab;
        return standing(tab, [...tab.path, instance]);
      });
      get().fit();
    },
    leaveTo: (depth) => {
      const before = activeTab();
      if (before === undefined || depth >= before.path.length) return;
      const left = before.path[depth];
      changeActive((tab) => ({
        ...standing(tab, tab.path.slice(0, depth)),
        selection: new Set(left === undefined ? [] : [left]),
      }));
      get().fit();
    },
    goTo: (path) => {
      const steps = path.split(":");
      const node = steps.at(-1) ?? "";
      changeActive((tab) => ({
        ...standing(tab, steps.slice(0, -1)),
        selection: new Set([node]),
      }));
      get().fit([node]);
    },
    fit: (nodes = []) => set((state) => ({ focus: { nodes, turn: state.focus.turn + 1 } })),
  };
});

// --- what is asked of it -----------------------------------------------------------------------

export function activeTab(state: Workspace = useWorkspace.getState()): Tab | undefined {
  return state.tabs.find((tab) => tab.id === state.active);
}

/** The graph in which one stands: `TOP` or a subgraph's id. */
export function graphIdAt(tab: Tab): GraphId {
  let id: GraphId = TOP;
  for (const instance of tab.path) {
    const type = graphOf(tab.workflow, id).nodes.get(instance)?.type;
    if (type === undefined || !tab.workflow.subgraphs.has(type)) return id;
    id = type;
  }
  return id;
}

export function activeGraph(state: Workspace = useWorkspace.getState()): Graph {
  const tab = activeTab(state);
  return tab === undefined ? EMPTY_WORKFLOW.top : graphOf(tab.workflow, graphIdAt(tab));
}

export function activeGraphId(state: Workspace = useWorkspace.getState()): GraphId {
  const tab = activeTab(state);
  return tab === undefined ? TOP : graphIdAt(tab);
}

/** A node's path as the server names it: "5:12" is node 12 in the instance 5. */
export function pathOf(node: NodeId, state: Workspace = useWorkspace.getState()): string {
  return [...(activeTab(state)?.path ?? []), node].join(":");
}

export function isUnsaved(tab: Tab): boolean {
  return tab.workflow !== tab.savedWorkflow;
}

export function useActiveTab(): Tab | undefined {
  return useWorkspace(activeTab);
}

export function useDocument(): Workflow {
  return useWorkspace((state) => activeTab(state)?.workflow ?? EMPTY_WORKFLOW);
}

export function useGraph(): Graph {
  return useWorkspace(activeGraph);
}

// --- tabs --------------------------------------------------------------------------------------

function newTab(workflow: Workflow, name: string, options: OpenOptions): Tab {
  return {
    id: options.draft ?? newUuid(),
    name,
    workflow,
    history: NO_HISTORY,
    savedWorkflow: options.draft === undefined ? workflow : EMPTY_WORKFLOW,
    savedAs: options.savedAs ?? null,
    path: [],
    selection: NOTHING,
    selectedLinks: NOTHING,
  };
}

function applied(tab: Tab, change: Change, options: ApplyOptions = {}): Tab {
  const [workflow, inverse] = applyChange(tab.workflow, change);
  if (workflow === tab.workflow) return tab;
  const step = { change, inverse, group: options.group, time: Date.now() };
  return within({ ...tab, workflow, history: recorded(tab.history, step) });
}

function stepped(tab: Tab, [workflow, history]: readonly [Workflow, History]): Tab {
  return within({ ...tab, workflow, history });
}

function replaced(tab: Tab, workflow: Workflow): Tab {
  const change: Change = { kind: "replace", workflow };
  return { ...applied(tab, change), selection: NOTHING, selectedLinks: NOTHING };
}

/** The tab, out of subgraphs and selections that are gone. */
function within(tab: Tab): Tab {
  const path: NodeId[] = [];
  let graph = tab.workflow.top;
  for (const instance of tab.path) {
    const subgraph = tab.workflow.subgraphs.get(graph.nodes.get(instance)?.type ?? "");
    if (subgraph === undefined) break;
    path.push(instance);
    graph = subgraph.graph;
  }
  const gone = [...tab.selection].some((id) => !graph.nodes.has(id) && !graph.groups.has(id));
  const selection = gone
    ? new Set([...tab.selection].filter((id) => graph.nodes.has(id) || graph.groups.has(id)))
    : tab.selection;
  return { ...tab, path: path.length === tab.path.length ? tab.path : path, selection };
}

function standing(tab: Tab, path: Path): Tab {
  return within({ ...tab, path, selection: NOTHING, selectedLinks: NOTHING });
}

function sameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((item) => other.has(item));
}
