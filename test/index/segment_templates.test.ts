import fc from "fast-check";
import { expect, test } from "vitest";
import { keyOf, parseTemplate, templateKeys } from "../../core/index/segment_templates.ts";
import { segmentKey } from "../../core/log/keys.ts";

test("every key comes back, whatever it looks like", () => {
  const key = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("1", "10-1", "day 7/7.zst"));
  fc.assert(
    fc.property(fc.array(key, { maxLength: 30 }), fc.integer({ min: 1, max: 2_000 }), (keys, from) => {
      const commits = keys.map((segment, index) => ({ commit: from + index, segment }));
      const { templates, indexes } = templateKeys(commits);
      const back = commits.map(({ commit }, index) => {
        const template = parseTemplate(templates[indexes[index] ?? 0] ?? "");
        return template && keyOf(template, commit);
      });
      expect(back).toEqual(keys);
    }),
  );
});

test("the keys of a day share one template for each number of digits", () => {
  const commits = Array.from({ length: 2_000 }, (_, index) => ({
    commit: index + 1,
    segment: segmentKey("account:acme", 0, 1, index + 1),
  }));
  expect(templateKeys(commits).templates.length).toBeLessThanOrEqual(4);
});

test("what is no template is refused", () => {
  for (const json of ["", "{}", "[]", "[1]", '["a","b","c"]', '"a"']) expect(parseTemplate(json)).toBeNull();
});
