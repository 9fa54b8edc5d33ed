import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { spawnRuntime, temporaryStateDir } from "../runtime/boot.ts";

const EVENTS = "/v1/entities/account%3Aacme/events";

let stateDir = "";
beforeAll(async () => {
  stateDir = await temporaryStateDir();
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

describe("npm start", () => {
  it("starts again on the same port and state after it was killed, and has lost nothing acknowledged", async () => {
    const port = await unusedPort();
    const acknowledged: string[] = [];
    for (const round of [1, 2, 3]) {
      const runtime = await spawnRuntime(stateDir, port);
      const id = `event-${round}`;
      const answer = await runtime.call("POST", EVENTS, { events: [{ id, text: `round ${round}` }] });
      expect(answer.status).toBe(201);
      acknowledged.push(id);
      await runtime.kill();
    }
    const runtime = await spawnRuntime(stateDir, port);
    const timeline = (await (await runtime.call("GET", EVENTS)).json()) as { events: { id: string }[] };
    expect(timeline.events.map(({ id }) => id).sort()).toEqual(acknowledged);
    expect(await runtime.terminate()).toBe(0);
  });

  it("says that the port is in use and ends", async () => {
    const server = createServer();
    const port = await listening(server, 0);
    await expect(spawnRuntime(stateDir, port)).rejects.toThrow(`127.0.0.1:${port} is in use`);
    server.close();
  });

  it("refuses a port that is none", async () => {
    await expect(spawnRuntime(stateDir, 0, { PORT: "http" })).rejects.toThrow("PORT is http");
  });
});

function listening(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((settle) => {
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      settle(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

async function unusedPort(): Promise<number> {
  const server = createServer();
  const port = await listening(server, 0);
  await new Promise((settle) => server.close(settle));
  return port;
}
