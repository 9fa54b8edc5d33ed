/**
 * Isolates of the front door that read the store by themselves: each keeps heads and opened shards in its memory, and all
 * share the data centre's cache, which forgets nothing.
 */
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import type { BlockCache, Clock, ObjectStore } from "../../core/ports.ts";
import { createEventualReader, type EventualReader } from "../../workers/query/eventual/eventual_reader.ts";
import type { Chance } from "./chance.ts";
import { builder, checksum, doorSlabs } from "./kernel.ts";
import { Process } from "./network.ts";

interface Isolate {
  readonly process: Process;
  readonly reader: EventualReader;
}

const ISOLATES = 2;

export class FrontDoors {
  readonly #storeFor: (process: Process) => ObjectStore;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #blocks = cacheOfTheColo();
  #isolates: Isolate[] = [];

  constructor(storeFor: (process: Process) => ObjectStore, clock: Clock, chance: Chance) {
    this.#storeFor = storeFor;
    this.#clock = clock;
    this.#chance = chance;
  }

  any(): Isolate {
    while (this.#isolates.length < ISOLATES) this.#isolates.push(this.#begin(`door#${this.#isolates.length + 1}`));
    const [first = this.#begin("door"), ...others] = this.#isolates;
    return this.#chance.pick("door", [first, ...others]);
  }

  /** What they keep in memory is gone; answers that are under way still come. */
  end(): void {
    this.#isolates = [];
  }

  #begin(name: string): Isolate {
    const process = new Process(name);
    const reader = createEventualReader({
      store: this.#storeFor(process),
      clock: this.#clock,
      blocks: this.#blocks,
      compression: nodeCompression,
      digest: nodeDigest,
      checksum,
      builder,
      slabs: doorSlabs,
      embedder: null,
    });
    return { process, reader };
  }
}

function cacheOfTheColo(): BlockCache {
  const blocks = new Map<string, Uint8Array>();
  return {
    get: async (name) => blocks.get(name) ?? null,
    put: async (name, bytes) => void blocks.set(name, bytes.slice()),
  };
}
