/**
 * Around the objects of a benchmark: what the platform takes from an object in time, taken at once, so that thousands of
 * reads can meet it. The reads themselves are the shipped code's alone.
 *
 *   instance   gone, as after ten idle seconds; the next call makes another one
 *   copies     the tables in SQLite that hold copies of what the store has, emptied, as after idle days
 *
 * What the isolate keeps for its objects cannot be reached from here: it gives way when more entities are read in turn than
 * it has room for. Which tier an answer came from stands in the answer, and is checked there.
 */
import type { DurableObject } from "cloudflare:workers";
import type { Harness, PlatformClass } from "../../scripts/harness/around.ts";

export interface Forgetful {
  /** Never answers: the instance is gone. `afterMs`: what the read before left to be written is part of what it costs. */
  forget(copies: boolean, afterMs: number): Promise<void>;
}

export const wrapClass: Harness["wrapClass"] = <Class extends PlatformClass>(shipped: Class): Class => {
  return class extends shipped implements Forgetful {
    async forget(copies: boolean, afterMs: number): Promise<void> {
      await scheduler.wait(afterMs);
      const { ctx } = this as unknown as { readonly ctx: DurableObjectState };
      if (copies) dropCopies(ctx.storage.sql);
      await ctx.storage.sync();
      ctx.abort("forgotten for a benchmark");
    }
  };
};

export const wrapHandlers: Harness["wrapHandlers"] = (shipped) => shipped;

const COPIES = /^shard/;

function dropCopies(sql: SqlStorage): void {
  const tables = sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").toArray();
  for (const { name } of tables) if (COPIES.test(name)) sql.exec(`DELETE FROM ${name}`);
}

/** What is bound to the Worker below. */
interface Env {
  readonly ENTITY: DurableObjectNamespace<DurableObject & Forgetful>;
}

/** The module is a Worker too, which is asked from outside: `POST …?object=…&copies=true&after=40`. */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const object = env.ENTITY.get(env.ENTITY.idFromName(searchParams.get("object") ?? ""));
    // It ends with the instance.
    const afterMs = Number(searchParams.get("after"));
    await object.forget(searchParams.get("copies") === "true", afterMs).catch(() => undefined);
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
