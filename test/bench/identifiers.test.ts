import { expect, test } from "vitest";
import { identifiersOf } from "../../bench/eval/identifiers.ts";

test.each<{ text: string; identifiers: readonly string[] }>([
  { text: "nothing to see here, at 3 or 42.", identifiers: [] },
  { text: "see `racket/base` and (lib/a.rkt)!", identifiers: ["racket/base", "lib/a.rkt"] },
  { text: "order EMEA-2022-152156: shipped", identifiers: ["EMEA-2022-152156"] },
  { text: "v6.12, then v6.12 again; utf-8.", identifiers: ["v6.12", "utf-8"] },
  { text: "<https://example.test/a?b=1#c>", identifiers: ["https://example.test/a?b=1#c"] },
  { text: "/usr/local/lib and ~/notes/todo.md", identifiers: ["/usr/local/lib", "~/notes/todo.md"] },
  { text: "main.rkt:299:2: unbound", identifiers: ["main.rkt:299:2"] },
])("$text", ({ text, identifiers }) => {
  expect(identifiersOf(text)).toEqual(identifiers);
});
