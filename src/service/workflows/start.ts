import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { findPublished, type Publication, readDefinition } from "../../store/index.ts";
import { orchestrationOf, type ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { IdempotencyKey, identityOf } from "../runs/start.ts";
import { closed, RunId, StartedRun } from "../shapes.ts";

const Name = Type.String({ minLength: 1, maxLength: 128 });

interface Ready {
  document: JsonObject;
  digest: string;
}

/** A document may name any command; over the network only what the project holds or was published is started. */
async function ownDocument(
  context: ServiceContext,
  given: unknown,
  mode: "strict" | "light",
): Promise<Ready> {
  if (!context.trustsPaths)
    throw fail("forbidden", "only a caller on this host may start a document of its own");
  const { checkDocument, documentDigest, documentInvalid } = await import("../../workflow/index.ts");
  const diagnostics = checkDocument(given as JsonObject, { mode });
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw documentInvalid(errors, diagnostics);
  return { document: given as JsonObject, digest: documentDigest(given as never) };
}

/** Documents that were started last, by digest: most starts are of a few. */
const recent = new Map<string, JsonObject>();
const RECENT = 64;

/** What names stood for at a commit: a look at the store for each of many starts costs as much as their checks. */
const seen = new WeakMap<ServiceContext["views"], { at: number; found: Map<string, Publication> }>();

function findOnce(
  context: ServiceContext,
  wanted: { namespace: string; name: string; version: string },
): Publication | undefined {
  const { views, tenantId } = context;
  const at = views.commits();
  let known = seen.get(views);
  if (known?.at !== at) {
    known = { at, found: new Map() };
    seen.set(views, known);
  }
  const key = [tenantId, wanted.namespace, wanted.name, wanted.version].join("\0");
  const before = known.found.get(key);
  if (before !== undefined) return before;
  const found = views.read(findPublished, { tenantId, ...wanted });
  if (found !== undefined) known.found.set(key, found);
  return found;
}

/** What stands under a name; it was checked when it was published. */
function published(
  context: ServiceContext,
  wanted: { namespace: string; name: string; version: string },
): Ready {
  const found = findOnce(context, wanted);
  if (found === undefined)
    throw fail(
      "not_found",
      `no workflow is published as ${wanted.namespace}/${wanted.name} ${wanted.version}`,
      {
        hint: "`lightflow workflow list` shows those that are",
      },
    );
  let document = recent.get(found.digest);
  if (document === undefined) {
    document = context.views.read(readDefinition, found.digest)!;
    if (recent.size >= RECENT) recent.delete(recent.keys().next().value!);
    recent.set(found.digest, document);
  }
  return { document, digest: found.digest };
}

export const startWorkflow = defineOperation({
  name: "workflow.start",
  scope: "run",
  summary: "Start a run of a published workflow, or of a document where the caller is on this host",
  method: "POST",
  path: "/workflows/start",
  status: 202,
  idempotent: true,
  input: closed({
    document: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    /** The published workflow to start, in place of a document; the highest version where none is said. */
    workflow: Type.Optional(closed({ namespace: Name, name: Name, version: Type.Optional(Name) })),
    mode: Type.Optional(Type.Union([Type.Literal("strict"), Type.Literal("light")])),
    run_id: Type.Optional(RunId),
    input: Type.Optional(Type.Unknown()),
    /** Repeating a start with the same run id and content is answered with the first run. */
    idempotent: Type.Optional(Type.Boolean()),
    idempotency_key: IdempotencyKey,
  }),
  output: StartedRun,
  async run(context, input) {
    if ((input.document === undefined) === (input.workflow === undefined))
      throw fail("invalid_request", "either a document or a published workflow is started");
    const { document, digest } =
      input.workflow === undefined
        ? await ownDocument(context, input.document!, input.mode ?? "light")
        : published(context, { version: "latest", ...input.workflow });
    const { name } = document["document"] as { name: string };
    const started = await orchestrationOf(context).start({
      tenantId: context.tenantId,
      ...identityOf(input, name, context.clock.wall()),
      sourceEventId: null,
      workflow: name,
      assetId: null,
      document,
      digest,
      input: (input.input ?? {}) as Json,
      options: { by: context.principal.subject },
    });
    context.onStarted?.(started.runId);
    return { run_id: started.runId, instance_id: started.instanceId, created: started.created };
  },
});
