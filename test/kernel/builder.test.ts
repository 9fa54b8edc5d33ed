import { describe, expect, test } from "vitest";
import { createKernelBuilder } from "../../wasm/kernel.ts";
import { KernelCapacityError } from "../../wasm/kernel_instance.ts";
import { builder, kernelModule } from "./fixture.ts";

const MIB = 1024 * 1024;

function manyWords(count: number): readonly string[] {
  return Array.from({ length: count / 100 }, (_, i) =>
    Array.from({ length: 100 }, (_, j) => `w${(i * 100 + j).toString(36)}`).join(" "),
  );
}

describe("the builder", () => {
  test("grows as far as it may, and no further", () => {
    const small = createKernelBuilder(kernelModule, 2 * MIB);
    const fitting = manyWords(5_000);
    expect(small.textSections(fitting, null)).toEqual(builder.textSections(fitting, null));
    expect(() => small.textSections(manyWords(200_000), null)).toThrow(KernelCapacityError);
    expect(() => small.analyze("x1 ".repeat(2 * MIB))).toThrow(KernelCapacityError);
    expect(() =>
      small.vectorSections([{ vectors: Array(2_000).fill(new Float32Array(1_024).fill(1)) }], 1_024, "dot"),
    ).toThrow(KernelCapacityError);
    expect(small.textSections(fitting, null)).toEqual(builder.textSections(fitting, null));
  });

  test("needs no receiver: its calls can be passed around", () => {
    const { analyze, countTokens } = builder;
    expect(["alpha beta"].map(analyze)).toEqual([builder.analyze("alpha beta")]);
    expect(countTokens("alpha beta")).toBe(2);
  });

  test("grows its memory while it reads a text larger than it began with", () => {
    const text = "alpha ".repeat(400_000);
    expect(builder.countTokens(text)).toBe(400_000);
    expect(builder.analyze(text)).toEqual([{ field: "word", term: "alpha", count: 400_000 }]);
  });
});
