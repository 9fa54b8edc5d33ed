/** What every graph is built and searched with: hnswlib's own defaults, with the beam of its examples. */
export const GRAPH = { m: 16, efConstruction: 200, ef: 64 } as const;
