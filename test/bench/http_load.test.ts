/** The load generator against servers whose faults are known. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { generateLoad } from "../../bench/http/generator.ts";
import { type Ask, type LoadPlan, NUMBER } from "../../bench/http/load.ts";

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((listening) => started.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

const get: Ask = { method: "GET", path: "/", body: null, status: 200, tier: null, after: null };
const plan = { key: "key", rate: 200, requests: 40, warmup: 0, asks: [get], floor: null };

function load(changes: Partial<LoadPlan> & Pick<LoadPlan, "url">) {
  return generateLoad({ ...plan, ...changes });
}

describe("a load", () => {
  it("counts from when a request was due, so that a stall shows in every request that it kept waiting", async () => {
    const stallMs = 300;
    let stalledUntilMs = 0;
    let seen = 0;
    const url = await serve((_, response) => {
      seen += 1;
      if (seen === 10) stalledUntilMs = Date.now() + stallMs;
      setTimeout(() => response.end(), Math.max(0, stalledUntilMs - Date.now()));
    });
    const { latenciesMs, errors } = await load({ url, requests: 100 });
    expect([latenciesMs.length, errors]).toEqual([100, 0]);
    // Sixty are due while the server stands still; closed loops would have had one of them wait.
    expect(latenciesMs.filter((ms) => ms > stallMs / 3).length).toBeGreaterThan(30);
  });

  it("asks the floor as often, and times it apart", async () => {
    const paths = new Map<string, number>();
    const url = await serve(({ url: path = "" }, response) => {
      paths.set(path, (paths.get(path) ?? 0) + 1);
      response.end();
    });
    const report = await load({ url, warmup: 5, floor: { ...get, path: "/floor" } });
    expect([...paths].sort()).toEqual([
      ["/", 45],
      ["/floor", 45],
    ]);
    expect([report.latenciesMs.length, report.floorLatenciesMs.length]).toEqual([40, 40]);
  });

  it("asks in turn, numbers what it writes, and makes its request after the answer", async () => {
    const bodies: string[] = [];
    const url = await serve((request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += String(chunk);
      });
      request.on("end", () => {
        bodies.push(`${request.url} ${text}`);
        response.end();
      });
    });
    const write = (path: string): Ask => ({ ...get, method: "POST", path, body: `n${NUMBER}`, after: "/after" });
    await load({ url, requests: 3, asks: [write("/a"), write("/b")] });
    expect(bodies.filter((body) => !body.startsWith("/after")).sort()).toEqual(["/a n0", "/a n2", "/b n1"]);
    expect(bodies.filter((body) => body.startsWith("/after"))).toHaveLength(3);
  });

  it("lets no ask pass what follows another one with the same, however late it is for that", async () => {
    const seen: string[] = [];
    const url = await serve(({ url: path = "" }, response) => {
      seen.push(`${path} begins`);
      setTimeout(() => {
        seen.push(`${path} ends`);
        response.end();
      }, 20);
    });
    await load({ url, requests: 5, asks: [{ ...get, path: "/read", after: "/forget" }] });
    const once = ["/read begins", "/read ends", "/forget begins", "/forget ends"];
    expect(seen).toEqual(Array.from({ length: 5 }, () => once).flat());
  });

  it("names answers of another status, of another tier, and none at all", async () => {
    const url = await serve((request, response) => {
      if (request.url === "/cut") return void request.socket.destroy();
      response.statusCode = request.url === "/bad" ? 503 : 200;
      response.end(JSON.stringify({ performance: { cache: "ssd" } }));
    });
    const asks = [
      { ...get, path: "/bad" },
      { ...get, path: "/cut" },
      { ...get, path: "/ssd", tier: "ssd" as const },
      { ...get, path: "/warm", tier: "memory" as const },
    ];
    const report = await load({ url, requests: 4, asks });
    expect(report.errors).toBe(3);
    expect(report.latenciesMs).toHaveLength(4);
    const said = report.errorSamples.join("\n");
    expect(said).toContain("GET /bad: 503");
    expect(said).toContain("GET /cut: 0 ");
    expect(said).toContain("GET /warm: came from ssd, not memory");
  });
});
