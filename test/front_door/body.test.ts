import fc from "fast-check";
import { expect, it } from "vitest";
import { readBody } from "../../workers/query/http/body.ts";

const BYTES_MAX = 32;
const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 16 }), { maxLength: 6 });

/** Without a Content-Length: the size shows only as the body arrives. */
function streamed(parts: readonly Uint8Array[]): Request {
  const body = new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  return new Request("http://front.door/", { method: "POST", body, duplex: "half" } as RequestInit);
}

it("reads a body that arrives in any pieces, and refuses it exactly when it is larger than the cap", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, async (parts) => {
      const sent = Buffer.concat(parts);
      const read = await readBody(streamed(parts), BYTES_MAX);
      expect(read.ok).toBe(sent.length <= BYTES_MAX);
      if (read.ok) expect(Buffer.from(read.value).equals(sent)).toBe(true);
      else
        expect(read.failure).toEqual({
          reason: "too_large",
          what: "The request body",
          size: sent.length,
          max: BYTES_MAX,
          unit: "bytes",
        });
    }),
  );
});

it("reads no body as none", async () => {
  expect(await readBody(new Request("http://front.door/"), BYTES_MAX)).toEqual({ ok: true, value: new Uint8Array(0) });
});
