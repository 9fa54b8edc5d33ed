/** A Worker that answers what the platform adapter makes of the cases in the request's body. Bundled by the test. */
import { nodeCompression, nodeDigest } from "../../adapters/platform/node_compat.ts";
import { answersOf, type Case } from "./platform_cases.ts";

export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(answersOf((await request.json()) as Case[], nodeCompression, nodeDigest));
  },
};
