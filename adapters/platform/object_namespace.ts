/**
 * A namespace of objects as their callers see it: typed by what the calls answer, not through the platform's RPC types.
 * Those map every nested readonly value and end in "excessively deep".
 */
export interface ObjectNamespace<Api> {
  idFromName(name: string): DurableObjectId;
  get(id: DurableObjectId): Api;
}
