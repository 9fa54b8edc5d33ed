/**
 * What the middlewares leave on a request for those after them.
 */
import type { Context } from "hono";
import type { Principal } from "../../../core/access/principal.ts";
import type { Stages } from "./stages.ts";

export interface AppEnv {
  Variables: {
    requestId: string;
    stages: Stages;
    principal: Principal | null;
    /** The template of the route; null where there is none. */
    route: string | null;
  };
}

export type AppContext = Context<AppEnv>;
