import { describe, expect, it } from "vitest";
import { parseBinary, parseText } from "./messages";

function frame(id: number, second: number, ...parts: Uint8Array[]): ArrayBuffer {
  const size = parts.reduce((sum, part) => sum + part.length, 8);
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, id);
  new DataView(bytes.buffer).setUint32(4, second);
  let at = 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes.buffer;
}

const utf8 = (text: string) => new TextEncoder().encode(text);

describe("text frames", () => {
  it("tell the length of the queue", () => {
    const text =
      '{"type":"status","data":{"status":{"exec_info":{"queue_remaining":3}},"sid":"a"}}';
    expect(parseText(text)).toEqual({ kind: "status", remaining: 3 });
  });

  it("name the node that a person sees, not the one that grew out of it", () => {
    const text = '{"type":"executing","data":{"node":"5.0.1","display_node":"5","prompt_id":"p"}}';
    expect(parseText(text)).toEqual({ kind: "executing", job: "p", node: "5" });
  });

  it("are ignored if they are of an unknown type, or no JSON", () => {
    expect(parseText('{"type":"plugin.event","data":{"prompt_id":"p"}}')).toBeNull();
    expect(parseText("{")).toBeNull();
    expect(parseText("null")).toBeNull();
  });

  it("do not take a blocked node for a failed job", () => {
    const data = { prompt_id: "p", exception_type: "ExecutionBlocked" };
    expect(parseText(JSON.stringify({ type: "execution_error", data }))).toBeNull();
  });
});

describe("binary frames", () => {
  it("carry a preview with its node and job", () => {
    const head = utf8('{"node_id":"5","prompt_id":"p","image_type":"image/png"}');
    const message = parseBinary(frame(4, head.length, head, utf8("PNG")));
    expect(message).toMatchObject({ kind: "preview", job: "p", node: "5" });
    if (message?.kind !== "preview") throw new Error("no preview");
    expect(message.image.type).toBe("image/png");
    expect(message.image.size).toBe(3);
  });

  it("carry a plain preview and a node's text", () => {
    expect(parseBinary(frame(1, 1, utf8("JPEG")))).toMatchObject({ kind: "preview", node: null });
    expect(parseBinary(frame(3, 2, utf8("12"), utf8("half")))).toEqual({
      kind: "text",
      node: "12",
      text: "half",
    });
  });

  it("are ignored if they are cut off, or lie about their length", () => {
    expect(parseBinary(new ArrayBuffer(3))).toBeNull();
    expect(parseBinary(frame(4, 4_000_000_000, utf8("{}")))).toBeNull();
    expect(parseBinary(frame(9, 0))).toBeNull();
  });
});
