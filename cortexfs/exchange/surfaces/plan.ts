import { errno } from "../../fuse/errno.ts";
import type { Planner } from "../plan.ts";
import { planAgent } from "./agent.ts";
import { planApi } from "./api.ts";
import { planBatch } from "./batch.ts";
import { planProvider } from "./provider.ts";
import { planThread } from "./thread.ts";
import { planTool } from "./tool.ts";

const PLANNERS: Readonly<Record<string, Planner>> = {
  api: planApi,
  tool: planTool,
  thread: planThread,
  agent: planAgent,
  batch: planBatch,
  provider: planProvider,
};

/** A surface is named like its directory: `api/openai.chat`, `tool/filesystem.read`, `thread/t1`, `batch`. */
export const planRequest: Planner = (engine, request) => {
  const planner = PLANNERS[request.surface.split("/", 1)[0]!];
  if (planner === undefined) throw errno("EINVAL");
  return planner(engine, request);
};
