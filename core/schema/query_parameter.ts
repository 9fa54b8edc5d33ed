/**
 * Query parameters: text that stands for a time, a number or a page.
 */
import { z } from "zod";
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from "../limits.ts";
import { timeSchema } from "./scalar.ts";

const WHOLE_NUMBER = /^-?\d{1,16}$/;

/** RFC 3339, or epoch milliseconds in digits. */
export const timeParameterSchema = z
  .string()
  .transform((text) => (WHOLE_NUMBER.test(text) ? Number(text) : text))
  .pipe(timeSchema)
  .describe("RFC 3339 or epoch milliseconds");

export const limitParameterSchema = z
  .string()
  .regex(WHOLE_NUMBER, "must be a whole number")
  .transform(Number)
  .pipe(z.number().int().min(1).max(LIST_LIMIT_MAX))
  .default(LIST_LIMIT_DEFAULT)
  .describe(`1 to ${LIST_LIMIT_MAX}, default ${LIST_LIMIT_DEFAULT}`);

/** Opaque: what a page answered as `next_cursor`. Whoever made it checks it. */
export const cursorParameterSchema = z.string().min(1).max(4_096);

export const noParametersSchema = z.strictObject({});
export const pageParametersSchema = z.strictObject({
  limit: limitParameterSchema,
  cursor: cursorParameterSchema.optional(),
});
/** Pages whose size is the store's own. */
export const cursorParametersSchema = z.strictObject({ cursor: cursorParameterSchema.optional() });
