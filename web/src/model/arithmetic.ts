/** Numbers that somebody types: "512*1.5", "(1+2)/3", "2^10", "１２" from a Japanese keyboard. */

/** The value of an arithmetic text; null if it is none or not finite. */
export function evaluate(text: string): number | null {
  const reader = new Reader(text.normalize("NFKC").replace(/[×✕]/g, "*").replace(/÷/g, "/"));
  const value = reader.sum();
  return reader.ended && value !== null && Number.isFinite(value) ? value : null;
}

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    const whole = /^(?:\s*(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|\*\*|[-+*/%^()]))*\s*$/i.test(text);
    this.#tokens = whole ? (text.match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|\*\*|\S/gi) ?? []) : [];
  }

  get ended(): boolean {
    return this.#at === this.#tokens.length;
  }

  sum(): number | null {
    let left = this.#product();
    for (let sign = this.#take("+", "-"); sign !== null; sign = this.#take("+", "-")) {
      const right = this.#product();
      if (left === null || right === null) return null;
      left = sign === "+" ? left + right : left - right;
    }
    return left;
  }

  #product(): number | null {
    let left = this.#signed();
    for (let sign = this.#take("*", "/", "%"); sign !== null; sign = this.#take("*", "/", "%")) {
      const right = this.#signed();
      if (left === null || right === null) return null;
      left = sign === "*" ? left * right : sign === "/" ? left / right : left % right;
    }
    return left;
  }

  #signed(): number | null {
    const sign = this.#take("-", "+");
    if (sign === null) return this.#power();
    const value = this.#signed();
    return value === null ? null : sign === "-" ? -value : value;
  }

  #power(): number | null {
    const base = this.#atom();
    if (this.#take("^", "**") === null) return base;
    const exponent = this.#signed();
    return base === null || exponent === null ? null : base ** exponent;
  }

  #atom(): number | null {
    if (this.#take("(") !== null) {
      const inner = this.sum();
      return this.#take(")") === null ? null : inner;
    }
    const token = this.#tokens[this.#at];
    if (token === undefined || !/^[\d.]/.test(token)) return null;
    this.#at += 1;
    return Number(token);
  }

  #take(...wanted: readonly string[]): string | null {
    const token = this.#tokens[this.#at];
    if (token === undefined || !wanted.includes(token)) return null;
    this.#at += 1;
    return token;
  }
}
