/** The S3 adapter over a server that speaks S3, and what it makes of stores that are slow, wrong or unfit. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { s3Store } from "../../adapters/storage/s3_store.ts";
import { UnfitStore } from "../../core/errors.ts";
import type { TenantStore } from "../../core/ports.ts";
import { objectStoreContract } from "./object_store_contract.ts";
import { type Fault, type S3Server, startS3Server } from "./s3_server.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.close());

objectStoreContract("S3", async () => s3Store(server.settings));

describe("an S3 store", () => {
  let store: TenantStore;
  let tenants = 0;
  beforeEach(async () => {
    store = s3Store(server.settings).forTenant(`own${++tenants}`);
    // The probe lies there, and this store has proved itself.
    await store.put("there", bytesOf("0123456789"), { n: "1" });
    server.asked.length = 0;
    server.next.length = 0;
    server.lacks = null;
  });

  const calls: [string, (store: TenantStore) => Promise<unknown>][] = [
    ["get", (to) => to.get("there")],
    ["getRange", (to) => to.getRange("there", 0, 1)],
    ["put", (to) => to.put("there", bytesOf("x"))],
    ["create", (to) => to.create("new", bytesOf("x"))],
    ["list", (to) => to.list("")],
    ["folders", (to) => to.folders("")],
    ["delete", (to) => to.delete(["there"])],
  ];

  it("sends an encoded name so that it arrives as it is", async () => {
    const key = "entities/account%3Aacme/a+b=c&d'e\"<f>(g)!*~.x";
    await store.put(key, bytesOf("x"));
    expect(server.asked.at(-1)?.url).toContain(
      "/entities/account%253Aacme/a%2Bb%3Dc%26d%27e%22%3Cf%3E%28g%29%21%2A~.x",
    );
    expect(await store.get(key)).toEqual({ bytes: bytesOf("x"), metadata: {} });
    expect((await store.list("entities/")).objects).toEqual([{ key, bytes: 1 }]);
    await store.delete([key]);
    expect(await store.get(key)).toBeNull();
  });

  it("carries metadata of the project in the open, under names that other tools know", async () => {
    await store.put("segment", bytesOf("x"), {
      raw_bytes: "17",
      sha256: "ab".repeat(32),
      min_ts_ms: "-62167219200000",
    });
    expect((await store.get("segment"))?.metadata).toEqual({
      raw_bytes: "17",
      sha256: "ab".repeat(32),
      min_ts_ms: "-62167219200000",
    });
    await expect(store.put("x", bytesOf("x"), { "Not A Name": "1" })).rejects.toThrow(RangeError);
  });

  describe.each(calls)("asked to %s", (_, call) => {
    it.each<Extract<Fault, { code: string }> | "hang_up">([
      { status: 500, code: "InternalError" },
      { status: 503, code: "SlowDown" },
      { status: 429, code: "TooManyRequests" },
      { status: 403, code: "AccessDenied" },
      { status: 404, code: "NoSuchBucket" },
      { status: 301, code: "PermanentRedirect" },
      "hang_up",
    ])(
      "rejects with the fault's name when the store says %o, once, and gives away neither keys nor names",
      async (fault) => {
        server.next.push(fault);
        const error = await call(store).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        const { name = "", message = "" } = error instanceof Error ? error : {};
        expect(name).toMatch(
          typeof fault === "string" ? /^S3Fault: .*no connection$/ : new RegExp(`^S3Fault: .*${fault.code}$`),
        );
        expect(`${name} ${message}`).not.toMatch(/S3RVER|own\d|there|127\.0\.0\.1|AWS4/);
        expect(server.asked).toHaveLength(1);
      },
    );
  });

  const whole = "<IsTruncated>false</IsTruncated>";
  const item = "<Contents><Key>tenants/other/x</Key><Size>1</Size></Contents>";
  it.each<[string, (store: TenantStore) => Promise<unknown>, string]>([
    ["a listing that is cut short", (to) => to.list(""), `<ListBucketResult>${whole}`],
    ["a listing that does not say whether it is all", (to) => to.list(""), "<ListBucketResult/>"],
    [
      "a listing that goes on nowhere",
      (to) => to.list(""),
      "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
    ["a listing of somebody else's keys", (to) => to.list(""), `<ListBucketResult>${whole}${item}</ListBucketResult>`],
    ["a page of something else", (to) => to.folders(""), "<html><body>Welcome</body></html>"],
    ["no listing", (to) => to.folders(""), ""],
    [
      "a deletion that failed for one key",
      (to) => to.delete(["a"]),
      "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>",
    ],
    ["no word of what was deleted", (to) => to.delete(["a"]), ""],
    ["more than was asked for from nowhere", (to) => to.getRange("there", 0, 1), "0123456789"],
  ])("rejects %s", async (_, call, body) => {
    server.next.push({ status: body.startsWith("0") ? 206 : 200, body });
    await expect(call(store)).rejects.toMatchObject({ name: expect.stringMatching(/^S3Fault: /) });
  });

  it("reads answers as other servers write them", async () => {
    const head =
      '<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\n  <Prefix/>';
    const key = "tenants/other/a&#x26;b&apos;&#39;c";
    const object = `<Contents><Size>7</Size><Owner><ID>x</ID></Owner><Key>${key}</Key></Contents>`;
    server.next.push({ status: 200, body: `${head}<IsTruncated>false</IsTruncated>${object}</ListBucketResult>\n` });
    expect(await s3Store(server.settings).forTenant("other").list("")).toEqual({
      objects: [{ key: "a&b''c", bytes: 7 }],
      cursor: null,
    });
    server.next.push({ status: 200, body: '<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>' });
    await store.delete(["there"]);
  });

  it("gives a request up that is not answered, and is there for the next", async () => {
    const hasty = s3Store(server.settings, 500).forTenant("hasty");
    server.next.push("silence");
    await expect(hasty.get("there")).rejects.toMatchObject({ name: "S3Fault: GET nothing in time" });
    expect(await hasty.get("there")).toBeNull();
  });

  it("begins no put after a proof that took all the time there was", async () => {
    const hasty = s3Store(server.settings, 600).forTenant("hasty");
    server.next.push({ lateMs: 400 }, { lateMs: 400 });
    await expect(hasty.create("late", bytesOf("x"))).rejects.toMatchObject({
      name: expect.stringMatching(/nothing in time$/),
    });
    expect(server.asked.filter(({ url }) => url.includes("late"))).toEqual([]);
    expect(await s3Store(server.settings).forTenant("hasty").get("late")).toBeNull();
  });

  it("takes 409 for an object that is there only when it is", async () => {
    server.next.push({ status: 409, code: "ConditionalRequestConflict" });
    expect(await store.create("there", bytesOf("x"))).toBe(false);
    server.next.push({ status: 409, code: "ConditionalRequestConflict" });
    await expect(store.create("absent", bytesOf("x"))).rejects.toThrow("409");
    expect(await store.create("absent", bytesOf("x"))).toBe(true);
  });

  it("rejects a secret that is wrong", async () => {
    const wrong = s3Store({ ...server.settings, secretAccessKey: "wrong-secret" }).forTenant("own1");
    for (const [, call] of calls) {
      await expect(call(wrong)).rejects.toMatchObject({ name: expect.stringMatching(/403 SignatureDoesNotMatch$/) });
    }
  });

  it("proves itself before its first write, with two requests, and never again", async () => {
    const fresh = s3Store(server.settings);
    await fresh.forTenant("probe").get("x");
    await fresh.forTenant("probe").create("x", bytesOf("x"));
    await fresh.system().create("probe", bytesOf("x"));
    expect(server.asked.map(({ method, url }) => `${method} ${url.replace(/\?.*/, "")}`)).toEqual([
      "GET /context-plane/tenants/probe/x",
      "PUT /context-plane/probe/create_only",
      "GET /context-plane/probe/create_only",
      "PUT /context-plane/tenants/probe/x",
      "PUT /context-plane/system/probe",
    ]);
  });

  it("that could not be proved for a moment is proved later", async () => {
    const fresh = s3Store(server.settings).forTenant("later");
    server.next.push({ status: 503, code: "SlowDown" });
    await expect(fresh.create("x", bytesOf("x"))).rejects.toThrow("SlowDown");
    expect(await fresh.create("x", bytesOf("x"))).toBe(true);
  });
});

describe("a store that is unfit", () => {
  it.each([
    ["overwrites under create-only", "create_only", "create-only puts"],
    ["has a proxy that drops headers with underscores", "underscores", "metadata"],
  ] as const)("because it %s is refused by name before anything is written", async (_, lack, named) => {
    const own = await startS3Server();
    own.lacks = lack;
    const store = s3Store(own.settings).forTenant("unfit");
    for (const write of [() => store.create("a", bytesOf("x")), () => store.put("a", bytesOf("x"))]) {
      await expect(write()).rejects.toBeInstanceOf(UnfitStore);
      await expect(write()).rejects.toMatchObject({ name: `UnfitStore: ${named}` });
    }
    own.lacks = null;
    expect(await store.get("a")).toBeNull();
    await own.close();
  });

  it("because it does not know create-only puts is refused by name", async () => {
    const own = await startS3Server();
    own.next.push({ status: 501, code: "NotImplemented" });
    const write = s3Store(own.settings).forTenant("unfit").create("a", bytesOf("x"));
    await expect(write).rejects.toMatchObject({ name: "UnfitStore: create-only puts" });
    await own.close();
  });

  it("because it lists in another order than that of bytes is refused by name", async () => {
    const own = await startS3Server();
    const store = s3Store(own.settings).forTenant("unfit");
    for (const key of ["a/1", "a.x"]) await store.put(key, bytesOf("x"));
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual(["a.x", "a/1"]);
    own.lacks = "order";
    await expect(store.list("")).rejects.toMatchObject({ name: "UnfitStore: ordered lists" });
    await own.close();
  });
});
