/**
 * Keys of segments differ by day and commit number only, so a part stores each form once: `[head, tail]`, between
 * which the commit number stands in decimal, or `[key]` for a key without it.
 */

/** What stands before and after the commit number of a key, or the whole key. */
export type SegmentTemplate = readonly [string, string] | readonly [string];

interface TemplatedKeys {
  /** Distinct templates in order of first appearance. */
  readonly templates: readonly string[];
  /** The template of each key. */
  readonly indexes: Uint32Array;
}

export function templateKeys(keys: readonly { readonly commit: number; readonly segment: string }[]): TemplatedKeys {
  const indexOf = new Map<string, number>();
  const indexes = new Uint32Array(keys.length);
  keys.forEach(({ commit, segment }, at) => {
    const template = templateOf(segment, commit);
    let index = indexOf.get(template);
    if (index === undefined) {
      index = indexOf.size;
      indexOf.set(template, index);
    }
    indexes[at] = index;
  });
  return { templates: [...indexOf.keys()], indexes };
}

function templateOf(key: string, commit: number): string {
  const digits = String(commit);
  const at = key.lastIndexOf(digits);
  return JSON.stringify(at === -1 ? [key] : [key.slice(0, at), key.slice(at + digits.length)]);
}

/** null when it is none. */
export function parseTemplate(json: string): SegmentTemplate | null {
  try {
    const parts: unknown = JSON.parse(json);
    if (!Array.isArray(parts) || !parts.every((part) => typeof part === "string")) return null;
    const [head, tail, ...more] = parts;
    if (head === undefined || more.length > 0) return null;
    return tail === undefined ? [head] : [head, tail];
  } catch {
    return null;
  }
}

export function keyOf(template: SegmentTemplate, commit: number): string {
  return template.length === 1 ? template[0] : `${template[0]}${commit}${template[1]}`;
}
