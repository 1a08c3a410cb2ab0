import { byArea } from "./areas";

export const texts = byArea(
  import.meta.glob<object>("./en/*.json", { eager: true, import: "default" }),
);
