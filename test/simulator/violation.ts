/** An invariant that a history violates, by name, and where it does. */
export interface Violation {
  readonly invariant: string;
  readonly what: string;
}
