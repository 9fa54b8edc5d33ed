/**
 * The last step of a handler: what a call answered, as the wire writes it. Failures pass through.
 */
import { ok, type Result } from "../../core/errors.ts";

export function mapped<Value, Wire>(result: Result<Value>, map: (value: Value) => Wire): Result<Wire> {
  return result.ok ? ok(map(result.value)) : result;
}
