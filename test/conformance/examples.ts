import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { digestOf } from "../../src/base/canonical.ts";
import { ManualClock } from "../../src/base/clock.ts";
import type { Json, JsonObject } from "../../src/base/json.ts";
import { silentLog } from "../../src/base/log.ts";
import { runDocument } from "../../src/cli/workflow/run-document.ts";
import { SUPPORTED_FEATURES } from "../../src/engine/index.ts";
import type { HostCalls } from "../../src/host/host.ts";
import { Orchestrator } from "../../src/orchestrator/index.ts";
import { ImageStore } from "../../src/runner/images/store.ts";
import { testLayout, tinyRoot } from "../../src/runner/images/testing.ts";
import { listRuns, receiveEvent, Store } from "../../src/store/index.ts";
import { featuresOf, loadDocument, type WorkflowDocument } from "../../src/workflow/index.ts";
import { until } from "../support/until.ts";
import { DIRECTORY } from "./ctk.ts";
import { PLANS } from "./example-plans.ts";
import { asyncApi, openServices } from "./services.ts";
import { answer, standIn } from "./stand-in.ts";

export interface Example {
  readonly name: string;
  readonly document: WorkflowDocument;
}

/** How an example is executed and how it has to end. */
export interface Plan {
  readonly input?: Json;
  /** Documents that it runs. */
  readonly publish?: readonly JsonObject[];
  /** Sent one after another once it listens. */
  readonly events?: readonly JsonObject[];
  /** How far the clock goes on while it waits. */
  readonly advanceMs?: number;
  /** `completed` where nothing is said. `waiting` is for those that never end by themselves. */
  readonly ends?: "completed" | "faulted" | "waiting";
  /** It calls what HTTP alone does not stand in for. */
  readonly services?: boolean;
  /** In place of executing it: why not. */
  readonly notRun?: string;
  /** What is worth knowing of how it ends. */
  readonly note?: string;
}

/** Every example of the specification that the schema and the checks accept. */
export function examples(): Example[] {
  return readdirSync(join(DIRECTORY, "examples"))
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(DIRECTORY, "examples", name), "utf8");
      return { name, document: loadDocument(text, { name, mode: "strict" }).document };
    });
}

/** Why an example is not executed here, or null. */
export function reasonNotToRun({ name, document }: Example): string | null {
  const lacking = [...new Set([...featuresOf(document, "strict")].map(({ feature }) => feature))].filter(
    (feature) => !SUPPORTED_FEATURES.has(feature),
  );
  if (lacking.length > 0) return `refused by name: ${lacking.map((feature) => `\`${feature}\``).join(", ")}`;
  return PLANS[name]?.notRun ?? null;
}

/** What any other host answers: a token where one is asked for, else something. */
function respond(host: string, path: string, headers: Headers): Response {
  if (path === "/docs/asyncapi.json") return Response.json(asyncApi(sockets));
  if (path === "/notifications" && host === "fake.com")
    return new Response('{"n":1}\n{"n":2}\n', { headers: { "content-type": "application/x-ndjson" } });
  const known = answer(host, path, headers);
  if (known.status !== 404) return known;
  const [, realm] = /^(.*)\/\.well-known\/openid-configuration$/.exec(path) ?? [];
  if (realm !== undefined) {
    const issuer = `${host === "keycloak" ? "http" : "https"}://${host}${realm}`;
    return Response.json({ issuer, token_endpoint: `${issuer}/token` });
  }
  if (path.includes("token"))
    return Response.json({ access_token: "a-token", token_type: "Bearer", expires_in: 60 });
  return Response.json({ ok: true });
}

/** Where the WebSockets of the running example are. */
let sockets = "";

const SECRET: JsonObject = {
  authority: "https://id.example.com",
  grant: "client_credentials",
  client: { id: "me", secret: "hidden" },
};

let imported: Promise<string> | undefined;

/** The two images that the examples name, made of programs of this host: what they print is known. */
function images(): Promise<string> {
  imported ??= (async () => {
    const base = mkdtempSync(join(tmpdir(), "example-images-"));
    process.on("exit", () => rmSync(base, { recursive: true, force: true }));
    const root = tinyRoot(join(base, "root"), ["sh", "cat", "echo"]);
    const layout = testLayout(join(base, "layout"), [root], { Cmd: ["/bin/echo", "Hello from the image"] });
    const store = new ImageStore(join(base, "images"));
    for (const name of ["hello-world", "alpine"]) await store.import(layout, name);
    return join(base, "images");
  })();
  return imported;
}

/** Execute an example by its plan. @returns how it ended, and its error */
export async function runExample(example: Example): Promise<{ status: string; error: Json }> {
  const { calls } = standIn(respond);
  if (PLANS[example.name]?.services !== true) return await execute(example, calls);
  const services = await openServices(example.name === "call-grpc.yaml");
  sockets = services.sockets;
  try {
    return await execute(withProgram(example, services.npx), { ...calls, ...services.calls });
  } finally {
    await services.stop();
  }
}

/** A server that a document starts, in the place of the one that `npx` would bring. */
const withProgram = ({ name, document }: Example, npx: string): Example => ({
  name,
  document: JSON.parse(
    JSON.stringify(document).replace('"command":"npx"', `"command":${JSON.stringify(npx)}`),
  ) as WorkflowDocument,
});

async function execute(
  { name, document }: Example,
  calls: HostCalls,
): Promise<{ status: string; error: Json }> {
  const plan = PLANS[name] ?? {};
  const features = [...featuresOf(document, "strict")].map(({ feature }) => feature);
  const container = features.includes("run.container");
  const starts = features.includes("call.mcp");
  if (container || starts || features.includes("run.shell") || features.includes("run.script")) {
    const loaded = { document, digest: digestOf(document), diagnostics: [] };
    const report = await runDocument({
      loaded,
      input: plan.input ?? {},
      log: silentLog,
      runner: {
        slots: 1,
        sandbox: starts ? "process" : "auto",
        ...(container ? { imagesDirectory: await images() } : {}),
      },
      calls,
    });
    return { status: report.status, error: report.error };
  }
  const directory = mkdtempSync(join(tmpdir(), "example-"));
  const clock = new ManualClock();
  const store = Store.open(join(directory, "store.db"));
  const artifacts = openArtifacts(join(directory, "artifacts"));
  const orchestrator = new Orchestrator({
    store,
    artifacts,
    clock,
    log: silentLog,
    calls: { ...calls, secrets: { has: () => true, resolve: () => SECRET } },
  });
  try {
    for (const other of plan.publish ?? []) await orchestrator.publish("default", other, digestOf(other));
    const runs = () => store.read(listRuns, { tenantId: "default", limit: 10 });
    const scheduled = document.schedule !== undefined;
    if (scheduled)
      await orchestrator.publish("default", document as unknown as JsonObject, digestOf(document));
    else
      await orchestrator.start({
        tenantId: "default",
        runId: "r",
        idempotent: false,
        sourceEventId: null,
        workflow: name,
        assetId: null,
        document: document as unknown as JsonObject,
        digest: digestOf(document),
        input: plan.input ?? {},
      });
    /** What listens for a schedule is a run too, and the older one. */
    const row = () => runs()[0]!;
    for (const [index, event] of (plan.events ?? []).entries()) {
      const before = row().version;
      await store.write(receiveEvent, {
        tenantId: "default",
        event: { specversion: "1.0", id: `${index}`, source: "/test", ...event },
        lane: null,
        now: clock.wall(),
      });
      // What a schedule starts is a run of its own: no version of this one tells of it.
      if (!scheduled) await until(() => row().version > before);
    }
    if (plan.advanceMs !== undefined) clock.advance(plan.advanceMs);
    if (scheduled) await until(() => runs().some(({ run_id }) => !/^schedule\.[^.]+\.[^.]+$/.test(run_id)));
    if (plan.ends === "waiting") await Bun.sleep(50);
    else await until(() => row().finished_at !== null);
    const { status, snapshot } = row();
    return { status, error: (JSON.parse(snapshot) as { error?: Json }).error ?? null };
  } finally {
    orchestrator.stop();
    await store.close();
    rmSync(directory, { recursive: true });
  }
}
