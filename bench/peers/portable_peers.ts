/** Peers that run in Node and in workerd alike, given their libraries. */
import type { Contender } from "../kernel/contender.ts";
import { type Edgevec, edgevec } from "./edgevec.ts";
import { type FlexSearch, flexSearch } from "./flexsearch.ts";
import { type MiniSearchLibrary, miniSearch } from "./minisearch.ts";
import { type Orama, orama } from "./orama.ts";
import { type Voy, voy } from "./voy.ts";

/** By package name. What a library is, is only known when it is loaded: it is trusted to be what its version was. */
export const PORTABLE_PEERS: Readonly<Record<string, (library: unknown, version: string) => Contender>> = {
  edgevec: (library, version) => edgevec(library as Edgevec, version),
  "voy-search": (library, version) => voy(library as Voy, version),
  minisearch: (library, version) => miniSearch(library as MiniSearchLibrary, version),
  "@orama/orama": (library, version) => orama(library as Orama, version),
  flexsearch: (library, version) => flexSearch(library as FlexSearch, version),
};
