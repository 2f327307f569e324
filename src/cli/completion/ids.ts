import { join } from "node:path";
import { listAssets } from "../../assets/listing.ts";
import { isObject } from "../../base/json.ts";
import { probeSocket, socketPath } from "../../host/probe.ts";
import type { CommandSpec, IdKind, Run } from "../spec.ts";

/** Where the running host lists a kind, and the member of its rows that is the id. */
const LISTED: Readonly<Record<HostKind, { readonly path: string; readonly id: string }>> = {
  agent: { path: "/agents", id: "name" },
  approval: { path: "/approvals?limit=100", id: "id" },
  artifact: { path: "/artifacts?limit=100", id: "sha256" },
  batch: { path: "/batches?limit=100", id: "batch_id" },
  hold: { path: "/admin/holds?limit=100", id: "hold_id" },
  pool: { path: "/admin/pools", id: "id" },
  profile: { path: "/admin/profiles", id: "id" },
  publication: { path: "/publications", id: "name" },
  run: { path: "/runs?limit=100", id: "run_id" },
  runner: { path: "/admin/runners", id: "runner_id" },
  secret: { path: "/admin/secrets", id: "name" },
  step: { path: "/runs/:of/steps", id: "step_id" },
  task: { path: "/inbox", id: "id" },
  template: { path: "/admin/templates", id: "id" },
  tenant: { path: "/admin/tenants", id: "id" },
  token: { path: "/admin/tokens", id: "id" },
  upload: { path: "/admin/quarantine?limit=100", id: "upload_id" },
  webhook: { path: "/admin/webhooks", id: "id" },
};

/** Files of the project say these; no host is asked. */
const ASSETS = { model: "model", workflow: "workflow" } as const;

type HostKind = Exclude<IdKind, keyof typeof ASSETS>;

/** Longer than this nobody waits for a key to answer. */
const WAIT_MS = 150;

/** What a shell hands on as one word without looking into it: no other id is offered. */
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_.:@/-]{0,199}$/;

export const spec = {
  description:
    "What the completion scripts ask while a command is typed: ids that exist, one a line, newest first. Workflows and models come from the files of the project, everything else from the running host. Where nobody answers within 150 ms there is no output.",
  positionals: [
    {
      name: "kind",
      label: "kind",
      choices: [...Object.keys(LISTED), ...Object.keys(ASSETS)].sort() as readonly IdKind[],
    },
    { name: "of", label: "owner", about: "the run whose steps are wanted", optional: true },
  ],
  examples: [
    { command: "lightflow completion ids run", does: "the last hundred runs" },
    { command: "lightflow completion ids step release-1", does: "the steps of a run" },
  ],
} satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const kind = positionals.kind as IdKind;
  const ids = isAssetKind(kind)
    ? await assetIds(kind, io.root(), join(io.paths.cache, "assets"))
    : await hostIds(kind, positionals.of ?? "", io.paths).catch(() => []);
  const plain = [...new Set(ids)].filter((id) => PLAIN.test(id));
  io.stdout.write(plain.map((id) => `${id}\n`).join(""));
  return 0;
};

const isAssetKind = (kind: IdKind): kind is keyof typeof ASSETS => Object.hasOwn(ASSETS, kind);

async function assetIds(kind: keyof typeof ASSETS, root: string, directory: string): Promise<string[]> {
  const reader = () => import("../../assets/entry.ts");
  const { assets } = await listAssets(root, directory, [ASSETS[kind]], reader);
  return assets.map((each) => each.meta.id);
}

async function hostIds(
  kind: HostKind,
  of: string,
  paths: Parameters<typeof socketPath>[0],
): Promise<string[]> {
  const signal = AbortSignal.timeout(WAIT_MS);
  const socket = socketPath(paths);
  const health = await probeSocket(socket, signal);
  if (health === null || health.state !== paths.state) return [];
  const { path, id } = LISTED[kind];
  const answer = await fetch(`http://localhost${path.replace(":of", encodeURIComponent(of))}`, {
    unix: socket,
    signal,
  } as RequestInit);
  if (!answer.ok) return [];
  const body: unknown = await answer.json();
  const rows = isObject(body) ? Object.values(body).find(Array.isArray) : undefined;
  return (rows ?? []).filter(isObject).flatMap((row) => {
    const value = row[id];
    if (typeof value !== "string") return [];
    return [kind === "publication" ? `${row["namespace"]}/${value}` : value];
  });
}
