import { byArea } from "./areas";

export const texts = byArea(
  import.meta.glob<object>("./ja/*.json", { eager: true, import: "default" }),
);
