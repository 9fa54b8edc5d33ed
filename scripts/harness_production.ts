/**
 * `npm run harness:production`: `npm start` with the limits of a deployment around the scripts
 * (harness/production_in_workerd.ts). Same settings, same line on standard output.
 */
import { productionHarness } from "./harness/production.ts";
import { serve } from "./serve.ts";

await serve(await productionHarness());
