import { strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { slackItems } from "../../adapters/connectors/slack.ts";
import { collected } from "./collected.ts";

const USERS = [
  { id: "U1", name: "one", profile: { display_name: "First", email: "first@example.com" } },
  { id: "U2", name: "two", real_name: "Second" },
];

function archive(files: Record<string, unknown>): Uint8Array {
  const entries = { "users.json": USERS, "channels.json": [{ id: "C1", name: "general" }], ...files };
  return zipSync(
    Object.fromEntries(
      Object.entries(entries).map(([name, content]) => [
        name,
        content instanceof Uint8Array ? content : strToU8(JSON.stringify(content)),
      ]),
    ),
  );
}

const message = (ts: string, fields: object) => ({ type: "message", ts, ...fields });

describe("a Slack export", () => {
  it("is an entity a channel and an event a message, in the order of the days", async () => {
    const { accepted, refused } = await collected(
      slackItems(
        archive({
          "general/2026-03-02.json": [
            message("1772445600.000200", { user: "U2", text: "later", thread_ts: "1772359200.000100" }),
          ],
          "general/2026-03-01.json": [message("1772359200.000100", { user: "U1", text: "first" })],
        }),
      ),
    );
    expect(refused).toEqual([]);
    expect(accepted).toEqual([
      {
        ok: true,
        entity: "channel:general",
        event: {
          id: "general/1772359200.000100",
          ts: 1772359200000,
          kind: "message",
          source: "slack",
          session: "1772359200.000100",
          actor: "First",
          text: "first",
          attributes: { channel: "general", author: "First" },
        },
      },
      {
        ok: true,
        entity: "channel:general",
        event: {
          id: "general/1772445600.000200",
          ts: 1772445600000,
          kind: "message",
          source: "slack",
          session: "1772359200.000100",
          actor: "Second",
          text: "later",
          attributes: { channel: "general", author: "Second" },
        },
      },
    ]);
    expect(JSON.stringify(accepted)).not.toContain("example.com");
  });

  it.each([
    ["hello <@U1>", "hello @First"],
    ["hello <@U9>", "hello @U9"],
    ["see <#C1>", "see #general"],
    ["see <#C7|other>", "see #other"],
    ["<!channel> now", "@channel now"],
    ["<https://example.com/a_b>", "https://example.com/a_b"],
    ["<https://example.com|the page>", "the page (https://example.com)"],
    ["a &lt;b&gt; &amp;amp;", "a <b> &amp;"],
  ])("reads %s as %s", async (text, expected) => {
    const { accepted } = await collected(
      slackItems(archive({ "general/2026-03-01.json": [message("1.0", { text })] })),
    );
    expect(accepted[0]?.event.text).toBe(expected);
  });

  it("finds a message that is only a file by the file's name", async () => {
    const files = [{ name: "plan.pdf", title: "The plan" }];
    const { accepted } = await collected(
      slackItems(archive({ "general/2026-03-01.json": [message("1.0", { text: "", files })] })),
    );
    expect(accepted[0]?.event.text).toBe("file: The plan");
  });

  it("reads an export that was zipped with its folder", async () => {
    const { accepted } = await collected(
      slackItems(archive({ "export/general/2026-03-01.json": [message("1.0", { text: "hi" })] })),
    );
    expect(accepted.map(({ entity }) => entity)).toEqual(["channel:general"]);
  });

  it("names the file and the message it refuses, and goes on", async () => {
    const { accepted, refused } = await collected(
      slackItems(
        archive({
          "general/2026-03-01.json": [
            { type: "message" },
            message("1.0", { text: "kept" }),
            { type: "other", ts: "2.0" },
          ],
          "general/2026-03-02.json": strToU8("{broken"),
          "general/2026-03-03.json": [message("3.0", { text: "kept too" })],
        }),
      ),
    );
    expect(accepted.map(({ event }) => event.text)).toEqual(["kept", "kept too"]);
    expect(refused.map(({ where }) => where)).toEqual([
      "general/2026-03-01.json, message 1",
      "general/2026-03-01.json, message 3",
      "general/2026-03-02.json",
    ]);
  });

  it("refuses what is no zip file, and a zip file without channels", async () => {
    expect((await collected(slackItems(strToU8("no zip")))).refused).toHaveLength(1);
    expect((await collected(slackItems(archive({})))).refused).toHaveLength(1);
  });
});
