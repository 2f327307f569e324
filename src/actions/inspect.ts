import type { Json } from "../base/json.ts";
import type { ActionContext } from "./child.ts";

/** What stands where an action has published, or opened a pull request. It changes nothing. */
export async function inspect(context: ActionContext): Promise<Json> {
  if (context.given["api"] === undefined) return await (await import("./publish.ts")).inspect(context);
  return await (await import("./pull-request.ts")).inspectPull(context);
}
