/**
 * Lines of a part over many entities. Each says whose it is, and its id is told apart from that of another entity, or of
 * an earlier incarnation: duplicates and tombstones act within one incarnation of one entity, by the same code that acts
 * on an entity's own log.
 *
 *   {"id":"a", …}                    in a segment of account:acme
 *   {"entity":"account:acme","id":"account:acme\n1\na", …}
 *
 * No entity and no id holds a line feed.
 */
import { canonicalJson } from "../log/canonical.ts";
import { parseLine, TOMBSTONE_KIND, WITHDRAWS } from "../log/line.ts";
import type { Json } from "../schema/scalar.ts";

const SEPARATOR = "\n";

export interface EntityLife {
  readonly entity: string;
  readonly incarnation: number;
}

export function scopedId({ entity, incarnation }: EntityLife, id: string): string {
  return [entity, incarnation, id].join(SEPARATOR);
}

/** Of an id that `scopedId` made. */
export function parseScopedId(text: string): EntityLife & { readonly id: string } {
  const [entity, incarnation, id, ...rest] = text.split(SEPARATOR);
  if (entity === undefined || incarnation === undefined || id === undefined || rest.length > 0)
    throw new Error("an id of a part over many entities without its entity");
  return { entity, incarnation: Number(incarnation), id };
}

/** Of a segment's line. */
export function scopedLine(line: string, life: EntityLife): string {
  const event = parseLine(line);
  const scoped = { ...event, entity: life.entity, id: scopedId(life, event.id) };
  if (event.kind !== TOMBSTONE_KIND) return canonicalJson(scoped as unknown as Json);
  const relations = (event.relations ?? []).map(({ type, target }) => {
    return { type, target: type === WITHDRAWS ? scopedId(life, target) : target };
  });
  return canonicalJson({ ...scoped, relations } as unknown as Json);
}
