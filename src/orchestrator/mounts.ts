import { posix } from "node:path";
import type { Json, JsonObject } from "../base/json.ts";
import { coversPath, type EffectivePolicy, overlaps } from "../policy/index.ts";
import type { Mount } from "../protocol/index.ts";
import { denied } from "./admits.ts";

/** Where programs stand, and what they load. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc"];

/** What policy chose as the program is not to be another one by a directory that is seen in its place. */
export function mountsOf(light: JsonObject, command: string, effective: EffectivePolicy): Mount[] {
  const mounts = ((light["mounts"] ?? []) as JsonObject[]).map((mount) => hostMount(mount, effective));
  const { template, policy } = effective;
  if (template === null && (policy.allow?.executables ?? []).includes("/")) return mounts;
  for (const { source, target } of mounts) {
    const seen = posix.normalize(target);
    const covers = [...SYSTEM, command].some((path) => overlaps(coversPath, seen, path));
    if (source !== target && covers)
      throw denied(
        `the mount at ${target} would stand in the place of the program ${command}`,
        "allow.mounts",
      );
  }
  return mounts;
}

/** One directory or file of the host, if policy shows it. */
export function hostMount(mount: JsonObject, effective: EffectivePolicy): Mount {
  const { policy } = effective;
  const source: Json | undefined = mount["source"];
  if (typeof source !== "string" || !source.startsWith("/") || source.split("/").includes("..")) {
    throw denied(`the mount source ${JSON.stringify(source)} is not an absolute path`, "allow.mounts");
  }
  const readOnly = mount["readOnly"] !== false;
  if (policy.hostExposure === "none" || (!readOnly && policy.hostExposure !== "read-write")) {
    throw denied(
      `the task asks to see ${source}${readOnly ? "" : " for writing"}, which its profile does not allow`,
      "hostExposure",
    );
  }
  if (!readOnly && effective.workloadTrust === "model-generated") {
    throw denied(
      `what a model wrote gets ${source} to read or to copy, and never for writing`,
      "hostExposure",
    );
  }
  const path = source.replace(/\/+/g, "/").replace(/\/$/, "") || "/";
  const allowed = (policy.allow?.mounts ?? []).some((wide) => coversPath(wide, path));
  const forbidden = (policy.deny?.mounts ?? []).some((no) => overlaps(coversPath, no, path));
  if (!allowed || forbidden) {
    throw denied(`the task asks to see ${source}, which is not a path that policy allows`, "allow.mounts");
  }
  return { source, target: typeof mount["target"] === "string" ? mount["target"] : source, readOnly };
}
