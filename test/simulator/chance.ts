/**
 * Draws of a simulation. A draw depends on the seed, on what it is drawn for, and on how often that was asked before,
 * and on nothing else: a step that is left out leaves the fate of all others as it was, so that failures can be shrunk.
 */
export class Chance {
  readonly #seed: number;
  readonly #asked = new Map<string, number>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** 0 ≤ x < 1. */
  draw(subject: string): number {
    const count = this.#asked.get(subject) ?? 0;
    this.#asked.set(subject, count + 1);
    return mixed(hashOf(subject), this.#seed, count) / 2 ** 32;
  }

  happens(subject: string, probability: number): boolean {
    return probability > 0 && this.draw(subject) < probability;
  }

  /** A whole number from 0 to `count` - 1. */
  below(subject: string, count: number): number {
    return Math.floor(this.draw(subject) * count);
  }

  pick<T>(subject: string, values: readonly [T, ...T[]]): T {
    return values[this.below(subject, values.length)] ?? values[0];
  }
}

/** FNV-1a over UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}

/** The finalizer of MurmurHash3 over three words. */
function mixed(...words: readonly number[]): number {
  let hash = 0;
  for (const word of words) {
    hash ^= word + 0x9e3779b9 + (hash << 6) + (hash >>> 2);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
