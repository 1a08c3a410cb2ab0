import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeAll, expect, test } from "vitest";
import { startI18n } from "../i18n";
import { useServer } from "../state/server";
import { Picture } from "./Picture";

beforeAll(startI18n);
afterEach(cleanup);

const GONE = "The picture is no longer there";

test("a picture whose file is gone says so instead of looking broken", () => {
  render(<Picture src="/view?filename=a.png" alt="Result" />);
  fireEvent.error(screen.getByRole("img", { name: "Result" }));
  expect(screen.getByRole("img", { name: `Result: ${GONE}` }).tagName).toBe("SPAN");
  expect(screen.getByText(GONE)).toBeTruthy();
});

test("another picture in its place, or a server that is back, is tried again", () => {
  const { rerender } = render(<Picture src="/a.png" alt="" />);
  const broken = () => fireEvent.error(document.querySelector("img") as HTMLImageElement);
  broken();
  expect(document.querySelector("img")).toBeNull();
  rerender(<Picture src="/b.png" alt="" />);
  expect(document.querySelector("img")?.getAttribute("src")).toBe("/b.png");
  broken();
  act(() => useServer.setState({ connection: "lost" }));
  expect(document.querySelector("img")).not.toBeNull();
  broken();
  act(() => useServer.setState({ connection: "open" }));
  expect(document.querySelector("img")).not.toBeNull();
});
