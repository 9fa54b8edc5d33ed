/** A process of Node that measures one corpus, as asked by node_runtime.ts: our kernel and every peer that runs here. */
import { nodePeers } from "../peers/node_peers.ts";
import { bandwidthLimit } from "./bandwidth_limit.ts";
import { serveParent } from "./node_process.ts";
import { compiled, ourKernel } from "./our_kernel.ts";
import { ourShard } from "./our_shard.ts";

serveParent(async ({ kernel, reader }) => {
  const ours = ourKernel(compiled(kernel));
  const peers = await nodePeers(ours.analyze);
  const contenders = [...ours.contenders, ourShard(ours), bandwidthLimit(compiled(reader)), ...peers.contenders];
  return { contenders, absent: peers.absent };
});
