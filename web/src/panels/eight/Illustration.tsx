/** Small drawings of what each setting does. They say nothing that the text beside them does not. */

const WIDTH = 132;
const HEIGHT = 60;

export type IllustrationName =
  | "embedding"
  | "vae"
  | "lcm"
  | "method"
  | "steps"
  | "cfg"
  | "seed"
  | "clipSkip";

export function Illustration({ name }: { readonly name: IllustrationName }) {
  return (
    <svg
      className="illustration"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
      focusable="false"
    >
      {DRAWINGS[name]}
    </svg>
  );
}

/** A number from 0 to 1 that looks random and is always the same. */
function scattered(at: number, salt: number): number {
  const wave = Math.sin((at + 1) * salt) * 43_758.545;
  return wave - Math.floor(wave);
}

/** Speckles that thin out from left to right: noise that is removed. */
function Noise({ x, y, size, amount }: Record<"x" | "y" | "size" | "amount", number>) {
  const specks = Array.from({ length: Math.round(amount * 26) }, (_, at) => {
    const across = scattered(at, 12.9898);
    const down = scattered(at, 78.233);
    return <circle key={across} cx={x + across * size} cy={y + down * size} r="1" />;
  });
  return <g className="noise">{specks}</g>;
}

function Heart({
  x,
  y,
  size,
  className = "shape",
}: {
  x: number;
  y: number;
  size: number;
  className?: string;
}) {
  return (
    <path
      className={className}
      transform={`translate(${x} ${y}) scale(${size / 20})`}
      d="M10 17C2 11 1 7.5 3 5c2-2.4 5.4-1.6 7 1 1.6-2.6 5-3.4 7-1 2 2.5 1 6-7 12z"
    />
  );
}

function Frame({ x, y, size }: { x: number; y: number; size: number }) {
  return <rect className="frame" x={x} y={y} width={size} height={size} rx="3" />;
}

const DRAWINGS: Readonly<Record<IllustrationName, React.ReactNode>> = {
  embedding: (
    <>
      <rect className="frame" x="4" y="20" width="46" height="20" rx="10" />
      <text x="27" y="34" textAnchor="middle">
        cat-x
      </text>
      <path className="flow" d="M52 30h20M68 26l5 4-5 4" />
      {[0, 1, 2, 3, 4].map((at) => (
        <rect
          key={at}
          className="shape"
          x={80 + at * 10}
          y={30 - (10 + ((at * 37) % 17)) / 2}
          width="6"
          height={10 + ((at * 37) % 17)}
          rx="2"
        />
      ))}
    </>
  ),
  vae: (
    <>
      <Frame x={4} y={8} size={44} />
      <Heart x={13} y={18} size={26} />
      <path className="flow" d="M52 24h12M60 20l5 4-5 4M64 38H52M57 34l-5 4 5 4" />
      {[0, 1, 2, 3].map((at) => (
        <rect
          key={at}
          className={at % 3 === 0 ? "shape" : "soft"}
          x={72 + (at % 2) * 9}
          y={21 + Math.floor(at / 2) * 9}
          width="8"
          height="8"
        />
      ))}
      <path className="flow" d="M94 30h8M98 26l5 4-5 4" />
      <Frame x={106} y={18} size={24} />
      <Heart x={110} y={23} size={16} className="shape vivid" />
    </>
  ),
  lcm: (
    <>
      <path className="soft-line" d="M6 46c10-1 12-10 22-11s12-9 22-10 12-8 22-9 14-5 22-6" />
      {[6, 17, 28, 39, 50, 61, 72, 83, 94].map((x, at) => (
        <circle key={x} className="soft" cx={x} cy={46 - at * 4.4} r="2" />
      ))}
      <path className="flow" d="M6 52C40 52 84 44 112 14" />
      {[6, 46, 82, 112].map((x, at) => (
        <circle key={x} className="shape" cx={x} cy={[52, 47, 34, 14][at]} r="3.4" />
      ))}
    </>
  ),
  method: (
    <>
      <path className="soft-line" d="M8 50C40 46 92 34 122 10" />
      <path className="flow thin" d="M8 50L34 30L62 44L90 18L122 10" />
      <path className="flow" d="M8 50C38 48 90 32 122 10" />
      <circle className="shape" cx="122" cy="10" r="4" />
      <Noise x={2} y={44} size={12} amount={0.5} />
    </>
  ),
  steps: (
    <>
      {[0, 1, 2, 3].map((at) => (
        <g key={at}>
          <Frame x={3 + at * 33} y={16} size={28} />
          <g opacity={0.15 + at * 0.28}>
            <Heart x={8 + at * 33} y={21} size={18} />
          </g>
          <Noise x={5 + at * 33} y={18} size={24} amount={1 - at * 0.32} />
        </g>
      ))}
    </>
  ),
  cfg: (
    <>
      <path className="soft-line" d="M8 50h116M8 50V8" />
      <path className="flow" d="M10 46C30 42 34 14 58 13s30 4 38 14 12 20 26 22" />
      <rect className="band" x="42" y="8" width="34" height="42" />
    </>
  ),
  seed: (
    <>
      <rect className="frame" x="4" y="16" width="28" height="28" rx="6" />
      {[
        [11, 23],
        [25, 23],
        [18, 30],
        [11, 37],
        [25, 37],
      ].map(([x, y]) => (
        <circle key={`${x}/${y}`} className="shape" cx={x} cy={y} r="2.3" />
      ))}
      <path className="flow" d="M38 30h10M44 26l5 4-5 4" />
      <Frame x={54} y={16} size={28} />
      <Noise x={56} y={18} size={24} amount={1} />
      <path className="flow" d="M86 30h10M92 26l5 4-5 4" />
      <Frame x={102} y={16} size={28} />
      <Heart x={107} y={21} size={18} />
    </>
  ),
  clipSkip: (
    <>
      {[0, 1, 2, 3, 4].map((at) => (
        <rect
          key={at}
          className={at < 3 ? "shape" : "soft"}
          x="30"
          y={46 - at * 9}
          width="44"
          height="6"
          rx="3"
        />
      ))}
      <path className="flow" d="M78 31h18M92 27l5 4-5 4" />
      <path className="soft-line" d="M78 13h18" strokeDasharray="3 3" />
      <text x="103" y="34">
        2
      </text>
      <text x="103" y="17" className="faint">
        1
      </text>
    </>
  ),
};
