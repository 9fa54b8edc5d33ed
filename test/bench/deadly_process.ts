/** A process of systems that do what a corpus's name says: they live, die, hang or block, when opened or when asked. */
import { type Contender, OURS, type Search } from "../../bench/kernel/contender.ts";
import { serveParent } from "../../bench/kernel/node_process.ts";

const BEHAVIOURS = [
  "lives",
  "lives too",
  "dies when opened",
  "dies when asked",
  "dies in company",
  "hangs when opened",
  "blocks when opened",
] as const;
type Behaviour = (typeof BEHAVIOURS)[number];

serveParent(async () => {
  const ours = [system(OURS, true, "lives"), system(`${OURS}, dying`, true, "dies when opened")];
  return { contenders: [...ours, ...BEHAVIOURS.map((name) => system(name, false, name))], absent: [] };
});

/** Peers that were opened in this process. */
let company = 0;

function system(name: string, ours: boolean, behaviour: Behaviour): Contender {
  return {
    system: name,
    ours,
    async open(corpus) {
      if (name !== OURS && !corpus.name.split(", ").includes(ours ? "ours dies" : name)) return { reason: null };
      if (!ours) company++;
      if (behaviour === "dies when opened") die();
      if (behaviour === "hangs when opened") await new Promise(() => {});
      while (behaviour === "blocks when opened");
      const search: Search = (question) => {
        if (behaviour === "dies when asked" && question === 2) die();
        if (behaviour === "dies in company" && company > 1) die();
        return [question];
      };
      return { settings: "", buildMs: 1, bytes: null, coldLoadMs: null, prepare: () => search };
    },
  };
}

/** As a process does that the system has no memory left for. */
function die(): void {
  process.kill(process.pid, "SIGKILL");
  while (true);
}
