/** Which output fits which input. */

export const ANY = "*";

/** Whether a link of type `offered` may end in an input of type `wanted`; as the server decides. */
export function accepts(wanted: string, offered: string): boolean {
  if (wanted === offered || wanted === ANY || offered === ANY) return true;
  if (!wanted.includes(",") && !offered.includes(",")) return false;
  const names = new Set(wanted.split(",").map((part) => part.trim()));
  return offered.split(",").some((part) => names.has(part.trim()));
}

/** The shape of a socket of a type: families share one, so that colour is not all that tells. */
export type SocketShape = "circle" | "square" | "diamond" | "triangle" | "hexagon" | "ring";

export interface SocketLook {
  readonly color: string;
  readonly shape: SocketShape;
}

const LOOKS: { readonly [type: string]: SocketLook } = {
  MODEL: { color: "var(--socket-violet)", shape: "hexagon" },
  CLIP: { color: "var(--socket-yellow)", shape: "hexagon" },
  VAE: { color: "var(--socket-red)", shape: "hexagon" },
  CONTROL_NET: { color: "var(--socket-teal)", shape: "hexagon" },
  CLIP_VISION: { color: "var(--socket-blue)", shape: "hexagon" },
  STYLE_MODEL: { color: "var(--socket-green)", shape: "hexagon" },
  UPSCALE_MODEL: { color: "var(--socket-grey)", shape: "hexagon" },
  CONDITIONING: { color: "var(--socket-orange)", shape: "circle" },
  CLIP_VISION_OUTPUT: { color: "var(--socket-blue)", shape: "circle" },
  LATENT: { color: "var(--socket-pink)", shape: "square" },
  IMAGE: { color: "var(--socket-blue)", shape: "square" },
  MASK: { color: "var(--socket-green)", shape: "square" },
  SIGMAS: { color: "var(--socket-teal)", shape: "diamond" },
  SAMPLER: { color: "var(--socket-violet)", shape: "diamond" },
  GUIDER: { color: "var(--socket-orange)", shape: "diamond" },
  NOISE: { color: "var(--socket-grey)", shape: "diamond" },
  INT: { color: "var(--socket-green)", shape: "triangle" },
  FLOAT: { color: "var(--socket-teal)", shape: "triangle" },
  STRING: { color: "var(--socket-yellow)", shape: "triangle" },
  BOOLEAN: { color: "var(--socket-red)", shape: "triangle" },
  COMBO: { color: "var(--socket-grey)", shape: "triangle" },
  "*": { color: "var(--socket-grey)", shape: "ring" },
};

const COLORS = ["violet", "yellow", "red", "teal", "blue", "green", "orange", "pink"];
const SHAPES: readonly SocketShape[] = ["circle", "square", "diamond"];

/** The colour and shape of a type; one that we do not know always gets the same of its own. */
export function socketLook(type: string): SocketLook {
  const known = LOOKS[type];
  if (known !== undefined) return known;
  let sum = 0;
  for (const letter of type) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return {
    color: `var(--socket-${COLORS[sum % COLORS.length]})`,
    shape: SHAPES[sum % SHAPES.length] ?? "circle",
  };
}
