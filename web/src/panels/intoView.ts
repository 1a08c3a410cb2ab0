/** As a ref: what appears or is chosen is brought into view, if it is not there. */
export function intoView(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest" });
}
