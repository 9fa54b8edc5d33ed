/**
 * A Slack export (`.zip`): `users.json`, `channels.json` (and `groups.json`, `dms.json`, `mpims.json` where the plan
 * exports them) and a folder a conversation with a file a day.
 * https://slack.com/help/articles/220556107-How-to-read-Slack-data-exports
 *
 * A channel is an entity (`channel:general`), a message an event, a thread a session (the time of its first message).
 * Authors and mentions are resolved to display names; e-mail addresses are not read.
 */
import { strFromU8, type Unzipped, unzipSync } from "fflate";
import { z } from "zod";
import { SLACK_FILE_BYTES_MAX } from "../../core/limits.ts";
import { type ConnectorItem, checkedItem, refused } from "./item.ts";

const userSchema = z.object({
  id: z.string(),
  name: z.string().optional(),
  real_name: z.string().nullish(),
  profile: z.object({ display_name: z.string().nullish(), real_name: z.string().nullish() }).partial().optional(),
});
const usersSchema = z.array(userSchema);
const conversationsSchema = z.array(z.object({ id: z.string(), name: z.string().optional() }));
const messageSchema = z.object({
  type: z.literal("message"),
  ts: z.string().regex(/^\d+\.\d+$/, "is no Slack time"),
  thread_ts: z.string().optional(),
  subtype: z.string().optional(),
  user: z.string().optional(),
  username: z.string().nullish(),
  bot_id: z.string().nullish(),
  text: z.string().nullish(),
  files: z.array(z.object({ name: z.string().nullish(), title: z.string().nullish() })).optional(),
  reactions: z.array(z.object({ count: z.number() })).optional(),
});
type Message = z.infer<typeof messageSchema>;

const DAY_FILE = /^(?:.*\/)?([^/]+)\/\d{4}-\d{2}-\d{2}\.json$/;
const CONVERSATION_LISTS: readonly string[] = ["channels.json", "groups.json", "dms.json", "mpims.json"];

interface Names {
  /** Display name by user id. */
  readonly users: ReadonlyMap<string, string>;
  /** Channel name by channel id. */
  readonly channels: ReadonlyMap<string, string>;
}

interface Entry {
  readonly name: string;
  readonly bytes: number;
}

/** Days of a channel come in order. Files are unpacked a batch at a time: only the archive itself is held. */
export function* slackItems(archive: Uint8Array): Generator<ConnectorItem> {
  const entries = list(archive);
  if (entries === null) {
    yield refused("the archive", "is no zip file");
    return;
  }
  const names = namesIn(archive, entries);
  const days = entries.filter(({ name }) => DAY_FILE.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (days.length === 0) yield refused("the archive", "has no folder of a channel with a file a day");
  for (const batch of batches(days)) {
    const files = unpack(archive, batch);
    for (const { name } of batch) yield* dayItems(name, files.get(name), names);
  }
}

function list(archive: Uint8Array): readonly Entry[] | null {
  const entries: Entry[] = [];
  try {
    unzipSync(archive, { filter: ({ name, originalSize }) => entries.push({ name, bytes: originalSize }) < 0 });
    return entries;
  } catch {
    return null;
  }
}

/** Each pass over the archive reads its whole directory, so a pass unpacks many files, but not too many bytes. */
function* batches(entries: readonly Entry[]): Generator<readonly Entry[]> {
  let batch: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (batch.length > 0 && bytes + entry.bytes > SLACK_FILE_BYTES_MAX) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += entry.bytes;
  }
  if (batch.length > 0) yield batch;
}

/** Their JSON; a file that is damaged, too large or no JSON is missing. */
function unpack(archive: Uint8Array, entries: readonly Entry[]): ReadonlyMap<string, unknown> {
  const wanted = new Set(entries.filter(({ bytes }) => bytes <= SLACK_FILE_BYTES_MAX).map(({ name }) => name));
  const whole = unzipped(archive, wanted);
  // One damaged file fails the pass: then each goes alone.
  const files = whole === null ? [...wanted].map((name) => unzipped(archive, new Set([name])) ?? {}) : [whole];
  return new Map(
    files.flatMap((each) => Object.entries(each).map(([name, bytes]) => [name, parseJson(bytes)] as const)),
  );
}

function namesIn(archive: Uint8Array, entries: readonly Entry[]): Names {
  const read = (file: string): unknown => {
    const entry = entries.find(({ name }) => name === file || name.endsWith(`/${file}`));
    return entry === undefined ? [] : unpack(archive, [entry]).get(entry.name);
  };
  const users = usersSchema.safeParse(read("users.json")).data ?? [];
  const conversations = CONVERSATION_LISTS.flatMap((file) => conversationsSchema.safeParse(read(file)).data ?? []);
  return {
    users: new Map(users.map((user) => [user.id, displayName(user)])),
    channels: new Map(conversations.map(({ id, name }) => [id, name ?? id])),
  };
}

/** null when one of them is damaged. */
function unzipped(archive: Uint8Array, wanted: ReadonlySet<string>): Unzipped | null {
  try {
    return unzipSync(archive, { filter: ({ name }) => wanted.has(name) });
  } catch {
    return null;
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(strFromU8(bytes));
  } catch {
    return undefined;
  }
}

function displayName({ id, name, real_name, profile }: z.infer<typeof userSchema>): string {
  return profile?.display_name || profile?.real_name || real_name || name || id;
}

function* dayItems(day: string, json: unknown, names: Names): Generator<ConnectorItem> {
  const channel = DAY_FILE.exec(day)?.[1] ?? "";
  const messages = z.array(z.unknown()).safeParse(json);
  if (!messages.success) {
    yield refused(day, `is no JSON list, is damaged, or is larger than ${SLACK_FILE_BYTES_MAX} bytes`);
    return;
  }
  for (const [index, entry] of messages.data.entries()) {
    const where = `${day}, message ${index + 1}`;
    const message = messageSchema.safeParse(entry);
    if (!message.success) {
      const [issue] = message.error.issues;
      yield refused(where, `${issue?.path.join(".")}: ${issue?.message}`);
    } else {
      yield messageItem(where, channel, message.data, names);
    }
  }
}

function messageItem(where: string, channel: string, message: Message, names: Names): ConnectorItem {
  const conversation = names.channels.get(channel) ?? channel;
  const author = names.users.get(message.user ?? "") ?? message.username ?? message.user ?? message.bot_id ?? undefined;
  const files = (message.files ?? []).map(({ title, name }) => title || name || "").filter((name) => name !== "");
  const text = [readable(message.text ?? "", names), ...files.map((name) => `file: ${name}`)]
    .filter(Boolean)
    .join("\n");
  return checkedItem(where, {
    entity: `channel:${conversation}`,
    id: `${channel}/${message.ts}`,
    ts: Math.round(Number(message.ts) * 1000),
    kind: "message",
    source: "slack",
    session: message.thread_ts ?? message.ts,
    ...(author !== undefined && { actor: author }),
    ...(text !== "" && { text }),
    attributes: {
      channel: conversation,
      ...(author !== undefined && { author }),
      ...(message.subtype !== undefined && { subtype: message.subtype }),
      ...(message.reactions !== undefined && {
        reactions: message.reactions.reduce((sum, { count }) => sum + count, 0),
      }),
    },
  });
}

/** Slack's markup as a reader sees it: `<@U1>`, `<#C1|general>`, `<https://…|label>` and three escaped characters. */
function readable(text: string, { users, channels }: Names): string {
  return text
    .replace(/<([@#!]?)([^>|]+)(?:\|([^>]*))?>/g, (_, sign: string, target: string, label: string | undefined) => {
      if (sign === "@") return `@${label || users.get(target) || target}`;
      if (sign === "#") return `#${label || channels.get(target) || target}`;
      if (sign === "!") return `@${label || target}`;
      return label === undefined || label === "" || label === target ? target : `${label} (${target})`;
    })
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
