/** Unit costs, worked out from rows that were made up from known ones. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OURS, OURS_HNSW } from "../../bench/kernel/contender.ts";
import { type CostRow, unitCostLines, unitCosts } from "../../bench/kernel/unit_costs.ts";
import { HNSW_BEAM_DEFAULT } from "../../core/limits.ts";

const DOCUMENTS = 100_000;

const rowOf = (row: string, system: string, us: number, figures: Partial<CostRow>): CostRow => ({
  row,
  system,
  runtime: "node",
  documents: DOCUMENTS,
  dimensions: 100,
  p50_us: us,
  p50_in_a_row_us: null,
  visited: null,
  ...figures,
});
const costNs = fc.integer({ min: 1, max: 10_000 }).map((thousandths) => thousandths / 1_000);

describe("unit costs", () => {
  it("are those that the rows were made from, in each runtime and timing", () => {
    fc.assert(
      fc.property(costNs, costNs, costNs, costNs, costNs, costNs, (...costs) => {
        const [scanByte, scanVector, visitByte, visitVector, gathered, filter] = costs;
        const scan = (dimensions: number): number => (DOCUMENTS * (scanByte * dimensions + scanVector)) / 1_000;
        const walk = (dimensions: number, visited: number): number =>
          (visited * (visitByte * dimensions + visitVector)) / 1_000;
        const rows = [100, 384].flatMap((dimensions, index) => {
          const visited = HNSW_BEAM_DEFAULT * (11 + 2 * index);
          return [
            rowOf(`vector-100k-${dimensions}`, OURS, scan(dimensions), { dimensions }),
            rowOf(`vector-100k-${dimensions}`, OURS_HNSW, walk(dimensions, visited), { dimensions, visited }),
          ];
        });
        const filtered = [
          { row: "filter-1%-100k-100", matches: 1_000 },
          { row: "filter-0.1%-100k-100", matches: 100 },
        ].map(({ row, matches }) => rowOf(row, OURS, (gathered * matches + filter) / 1_000, {}));
        const here = [...rows, ...filtered];
        const there = here.map(
          (row): CostRow => ({ ...row, runtime: "workerd", p50_us: null, p50_in_a_row_us: row.p50_us }),
        );
        const found = unitCosts([...here, ...there]);
        expect(found.map(({ runtime, timing }) => [runtime, timing])).toEqual([
          ["node", "in turns"],
          ["workerd", "in a row"],
        ]);
        for (const each of found) {
          const close = (value: number | null, known: number): void =>
            expect(Math.abs((value ?? Number.NaN) - known)).toBeLessThanOrEqual(0.02 * known + 0.02);
          close(each.scan_byte_ns, scanByte);
          close(each.scan_vector_ns, scanVector);
          close(each.visit_byte_ns, visitByte);
          close(each.visit_vector_ns, visitVector);
          close(each.visits_per_beam, 12);
          close(each.gathered_vector_ns, gathered);
          close(each.filter_ns, filter);
        }
      }),
    );
  });

  it("are those of the greatest corpora: small ones lie in caches", () => {
    const great = [100, 384].map((dimensions) => rowOf(`vector-100k-${dimensions}`, OURS, dimensions, { dimensions }));
    const small = rowOf("vector-10k-64", OURS, 1_000, { documents: 10_000, dimensions: 64 });
    expect(unitCosts([...great, small])).toEqual(unitCosts(great));
  });

  it("are not there without the rows they come from, nor ever of peers", () => {
    expect(unitCosts([])).toEqual([]);
    const one = rowOf("vector-100k-100", OURS, 10, {});
    expect(unitCosts([one, rowOf("vector-100k-384", "peer", 20, { dimensions: 384 })])).toEqual([]);
    const [scanned] = unitCosts([one, rowOf("vector-100k-384", OURS, 20, { dimensions: 384 })]);
    expect(scanned?.scan_byte_ns).toBeGreaterThan(0);
    expect(scanned?.visit_byte_ns).toBeNull();
    expect(unitCostLines(scanned === undefined ? [] : [scanned]).join("\n")).not.toContain("null");
  });
});
