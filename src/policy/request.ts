import { isObject, type JsonObject } from "../base/json.ts";
import type { PolicyLayer } from "../protocol/policy.ts";
import { setValue } from "./fields.ts";

/**
 * `metadata.lightWorkflow` of a document or a task as a layer of policy; its schema was checked when the document was
 * loaded. What is asked for as a single thing is a list of one.
 */
export function requestLayer(light: JsonObject): PolicyLayer {
  const { sandbox, ...said } = (isObject(light["security"]) ? light["security"] : {}) as PolicyLayer & {
    sandbox?: { mode?: string };
  };
  // A layer of its own: `allow` and `limits` get more members below.
  const layer: PolicyLayer = {
    ...said,
    ...(said.allow === undefined ? {} : { allow: { ...said.allow } }),
    ...(said.limits === undefined ? {} : { limits: { ...said.limits } }),
  };
  const runner = (isObject(light["runner"]) ? light["runner"] : {}) as JsonObject;
  const one = (path: string, value: unknown) => {
    if (typeof value === "string") setValue(layer, path, [value]);
  };
  one("allow.runnerPools", runner["runnerPool"]);
  one("allow.executionProfiles", runner["executionProfile"]);
  one("allow.commandTemplates", runner["commandTemplateId"]);
  // A task cannot do one of the product's own actions without saying so to policy.
  const action = (isObject(light["action"]) ? light["action"] : {}) as JsonObject;
  if (typeof action["name"] === "string") {
    setValue(layer, "allow.actions", [...new Set([...(layer.allow?.actions ?? []), action["name"]])]);
  }
  if (Array.isArray(runner["capabilities"])) {
    setValue(layer, "allow.capabilities", runner["capabilities"] as string[]);
  }
  if (sandbox?.mode !== undefined) setValue(layer, "sandboxMode", sandbox.mode);
  if (typeof light["network"] === "string") setValue(layer, "network", light["network"]);
  // Last: whatever else the task asks for, an action reaches the hosts that it is given, and no other.
  const hosts = actionHosts(action["with"]);
  if (hosts.length > 0) {
    if (layer.network !== "deny-all") setValue(layer, "network", "allowlisted");
    setValue(layer, "allow.networkHosts", hosts);
  }
  if (typeof light["timeoutMs"] === "number") setValue(layer, "limits.taskMs", light["timeoutMs"]);
  if (typeof light["queueTimeoutMs"] === "number") setValue(layer, "limits.queueMs", light["queueTimeoutMs"]);
  return layer;
}

/** The hosts that an action is given addresses of. */
function actionHosts(given: unknown): string[] {
  const { api, remote } = (isObject(given) ? given : {}) as JsonObject;
  const hosts = [api, remote].flatMap((value) =>
    typeof value === "string" && /^https?:\/\//.test(value) && URL.canParse(value)
      ? [new URL(value).hostname]
      : [],
  );
  return [...new Set(hosts)];
}

/** What a task asks for, with what the arguments of an agent's call name: the templates of its commands. */
export function taskRequestLayer(task: JsonObject, light: JsonObject): PolicyLayer {
  const layer = requestLayer(light);
  const given = isObject(task["with"]) ? task["with"]["commands"] : undefined;
  if (task["call"] !== "agent" || !Array.isArray(given)) return layer;
  const templates = given.flatMap((each) =>
    isObject(each) && typeof each["template"] === "string" ? [each["template"]] : [],
  );
  if (templates.length === 0) return layer;
  const named = new Set([...(layer.allow?.commandTemplates ?? []), ...templates]);
  return { ...layer, allow: { ...layer.allow, commandTemplates: [...named] } };
}

/** Those of an agent's call are its tools' and servers': the call itself is made by none. */
export function withoutTemplates(asked: PolicyLayer): PolicyLayer {
  if (asked.allow?.commandTemplates === undefined) return asked;
  const { commandTemplates: _, ...allow } = asked.allow;
  return { ...asked, allow };
}

/** The profile that a document asks for by name. */
export const askedProfile = (layer: PolicyLayer): string | undefined => layer.allow?.executionProfiles?.[0];
