import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startI18n } from "../../i18n";
import { useServer } from "../../state/server";
import { useNotices } from "../notices/notices";
import { cancel } from "./actions";

const STUCK = "The node does not stop";

/** A server whose queue has these jobs running whenever it is asked. */
function serve(running: () => readonly string[]) {
  const answer = (path: string) =>
    path.endsWith("/queue") ? { paused: false, running: running(), queued: [] } : {};
  vi.stubGlobal("fetch", async (path: string) => new Response(JSON.stringify(answer(path))));
}

function notices(): readonly string[] {
  return useNotices.getState().notices.map(({ text }) => text);
}

beforeEach(async () => {
  await startI18n();
  vi.useFakeTimers();
  useNotices.setState({ notices: [] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("a job that ended without a word is not said to be stuck: the server is asked again", async () => {
  let running = ["job"];
  serve(() => running);
  await cancel("job");
  expect(useServer.getState().queue.running).toEqual(["job"]);
  running = [];
  await vi.advanceTimersByTimeAsync(10_000);
  expect(notices()).toEqual([]);
  expect(useServer.getState().queue.running).toEqual([]);
});

test("a job that still runs long after it was stopped can be ended with the server", async () => {
  serve(() => ["job"]);
  await cancel("job");
  await vi.advanceTimersByTimeAsync(3000);
  expect(notices()).toEqual([]);
  await vi.advanceTimersByTimeAsync(7000);
  const [notice] = useNotices.getState().notices;
  expect(notice?.text).toContain(STUCK);
  expect(notice?.action?.text).toBe("Restart the server");
});

test("whether it runs is asked, not remembered from the last time that the server spoke", async () => {
  let running: string[] = [];
  serve(() => running);
  await cancel("job");
  running = ["job"];
  await vi.advanceTimersByTimeAsync(10_000);
  expect(notices()).toHaveLength(1);
});
