import { canonicalJson } from "../../base/canonical.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import type { Admission, Registration } from "../../protocol/index.ts";
import type { RunnerOffer } from "./session.ts";

/** Facts that must be exactly as approved. */
const EXACT = [
  "runnerKind",
  "imageDigest",
  "vmImageId",
  "binaryDigest",
  "browserExecutable",
  "browserDigest",
  "configHash",
  "commandAllowlistHash",
  "workspacePolicy",
  "networkZone",
  "secretPolicy",
] as const;

/** Facts that a heartbeat repeats. */
export const HASHES = [
  "binaryDigest",
  "browserDigest",
  "commandAllowlistHash",
  "configHash",
  "imageDigest",
] as const;

/** The hashes of a message, in the form in which two of them are compared. */
export const hashesOf = (message: { readonly [Name in (typeof HASHES)[number]]?: string | undefined }) =>
  canonicalJson(Object.fromEntries(HASHES.map((name) => [name, message[name]])));

/** What a registration states of the runner, in the admission's terms; what it does not state is null. */
export function factsOf(asked: Registration): JsonObject {
  return {
    ...Object.fromEntries(EXACT.map((name) => [name, asked[name] ?? null])),
    mounts: asked.mounts,
    modelProviderScopes: asked.modelProviderScopes,
    sandboxModes: asked.sandbox.modes,
    sandboxProviders: asked.sandbox.providers.map(({ provider, template }) => ({ provider, template })),
  };
}

/** What an operator said, and what was pinned where nothing was said. */
export function approvedFacts(admission: Admission, pinned: JsonObject): JsonObject {
  const { snapshot: _, ...said } = admission as unknown as JsonObject;
  return { ...pinned, ...said };
}

/** What of a first registration holds from now on because the admission said nothing of it. */
export function leftOpen(admission: Admission, facts: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(facts).filter(([name, value]) => value !== null && !Object.hasOwn(admission, name)),
  );
}

/** The facts of a registration that are not as approved. Mounts may be fewer; the rest is cut down, not refused. */
export function unapproved(facts: JsonObject, approved: JsonObject): JsonObject {
  const differing: JsonObject = {};
  for (const name of EXACT) {
    if (canonicalJson(facts[name] ?? null) !== canonicalJson(approved[name] ?? null)) {
      differing[name] = facts[name] ?? null;
    }
  }
  const mounts = (approved["mounts"] ?? []) as Json[];
  if ((facts["mounts"] as Json[]).some((path) => !mounts.includes(path)))
    differing["mounts"] = facts["mounts"]!;
  return differing;
}

const both = <Item extends Json>(requested: readonly Item[], allowed: Json | undefined): Item[] => {
  const texts = new Set(((allowed ?? []) as Json[]).map((item) => canonicalJson(item)));
  return requested.filter((item) => texts.has(canonicalJson(item)));
};

/** Requested ∩ approved: what the runner may be given. */
export function offerFor(asked: Registration, admission: Admission, approved: JsonObject): RunnerOffer {
  // A machine is a boundary only by an operator's own word about its image and its executable: what a first
  // registration said of itself proves neither.
  const isAttested = admission.vmImageId !== undefined && admission.binaryDigest !== undefined;
  const providers = asked.sandbox.providers.filter(
    ({ provider, template }) =>
      both([{ provider, template }], approved["sandboxProviders"]).length > 0 &&
      (provider !== "vm" || (isAttested && template === admission.vmImageId)),
  );
  return {
    hostId: asked.hostId,
    runnerKind: asked.runnerKind,
    runnerPools: both(asked.runnerPools, admission.runnerPools),
    executionProfiles: both(asked.executionProfiles, admission.executionProfiles),
    capabilities: both(asked.capabilities, admission.capabilities),
    sandboxModes: both(asked.sandbox.modes, approved["sandboxModes"]).filter(
      (mode) => mode === "none" || providers.length > 0,
    ),
    sandboxProviders: providers,
    modelProviderScopes: both(asked.modelProviderScopes, approved["modelProviderScopes"]),
    slots: Math.min(asked.slots, admission.slots),
  };
}
