import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { App } from "./App";

test("the page has a main landmark", () => {
  render(<App />);
  expect(screen.getByRole("main")).toBeDefined();
});
