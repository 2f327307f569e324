import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/base/canonical.ts";
import { openEnvelope, readEnvelope, signStatement } from "../../src/release/index.ts";
import { runBinary } from "../support/binary.ts";
import { git, type ReleaseHost, releaseHost, repository } from "../support/release-host.ts";

setDefaultTimeout(90_000);

let host: ReleaseHost;
let project: string;
let run: string;
let published: string;

/** A small real project: a locked dependency that lies in the repository, tests of its own, a build. */
function makeProject(path: string): string {
  const vendor = join(host.box.path, "dependency");
  mkdirSync(vendor);
  writeFileSync(
    join(vendor, "package.json"),
    '{"name":"greeting","version":"2.1.0","license":"MIT","main":"index.js"}',
  );
  writeFileSync(join(vendor, "index.js"), 'module.exports = "hello";\n');
  const npm = (cwd: string, ...args: string[]) => {
    const done = Bun.spawnSync(["npm", "--offline", "--no-audit", "--no-fund", ...args], {
      cwd,
      env: { ...process.env, HOME: host.box.path },
    });
    if (done.exitCode !== 0) throw new Error(done.stderr.toString());
  };
  mkdirSync(join(path, "vendor"), { recursive: true });
  npm(vendor, "pack", "--pack-destination", join(path, "vendor"));
  const files: Record<string, string> = {
    "package.json": JSON.stringify({
      name: "hello",
      version: "1.0.0",
      files: ["out"],
      scripts: { test: "node --test test.js", build: "mkdir -p out && cp index.js out/index.js" },
      dependencies: { greeting: "file:vendor/greeting-2.1.0.tgz" },
    }),
    "index.js": 'module.exports = (name) => `${require("greeting")} ${name}`;\n',
    "test.js":
      'const test = require("node:test");\nconst assert = require("node:assert");\ntest("greets", () => assert.equal(require("./index.js")("you"), "hello you"));\n',
    ".gitignore": "node_modules\nout\n",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  npm(path, "install", "--package-lock-only", "--ignore-scripts");
  return repository(path, {});
}

beforeAll(async () => {
  host = await releaseHost({ shipped: "release" });
  project = makeProject(join(host.box.path, "hello"));
  writeFileSync(join(project, "uncommitted.js"), "left lying\n");
});
afterAll(async () => {
  await host?.stop();
});

const started = async () =>
  (
    await host.lightflow([
      "run",
      "start",
      "workflow.release_typescript",
      "--inputs",
      JSON.stringify({ repository: project, registry: host.registry }),
      "--json",
    ])
  ).json["run_id"] as string;

test("SR-10.1, SR-10.6: a release is built and tested, and waits for a person before it is published, with nothing leased", async () => {
  run = await started();
  const approval = await host.approval(run, "release.publish");
  const shown = (await host.lightflow(["approvals", "show", approval])).json;
  expect(JSON.stringify(shown)).toContain(join(host.registry, "hello/1.0.0"));
  const runners = (await host.lightflow(["runners", "list"])).json["runners"] as {
    session: { active_leases: number };
  }[];
  expect(runners.map(({ session }) => session.active_leases)).toEqual([0]);
  expect(readdirSync(host.registry)).toEqual([]);
  expect((await host.lightflow(["approvals", "approve", approval])).code).toBe(0);
  for (const step of ["release.sign", "release.tag"]) {
    const next = await host.approval(run, step);
    expect(git(project, "tag", "--list")).toBe("");
    expect((await host.lightflow(["approvals", "approve", next])).code).toBe(0);
  }
  expect(await host.ended(run)).toBe("succeeded");
  published = join(host.registry, "hello/1.0.0");
  expect(readdirSync(published).sort()).toEqual([
    "hello-1.0.0.tgz",
    "manifest.json",
    "provenance.intoto.json",
    "sbom.cdx.json",
  ]);
  expect(git(project, "tag", "--list")).toBe("v1.0.0");
  expect(git(project, "rev-parse", "v1.0.0^{commit}")).toBe(git(project, "rev-parse", "HEAD"));
});

test("RN-68: every command works in a clean checkout of the runner's own; only approved actions may write to the host", async () => {
  const { entries } = (await host.lightflow(["audit", "tail", "--lines", "1000", "--tenant", "default"]))
    .json as {
    entries: { action: string; body: Record<string, unknown> }[];
  };
  const issued = entries.filter(({ action }) => action === "lease.issued").map(({ body }) => body);
  const writes = new Map<string, { writable: string[]; mode: string; workspace: string }>();
  for (const body of issued) {
    const { mode, mounts, workspace } = body["isolation"] as {
      mode: string;
      mounts: { source: string; readOnly: boolean }[];
      workspace: { mode: string };
    };
    const writable = mounts.filter(({ readOnly }) => !readOnly).map(({ source }) => source);
    writes.set(String(body["reference"]), { writable, mode, workspace: workspace.mode });
  }
  const all = [...writes.values()];
  expect(all.filter(({ mode }) => mode === "per-publish").map(({ workspace }) => workspace)).toEqual([
    "ephemeral",
    "ephemeral",
    "ephemeral",
  ]);
  const commands = all.filter(({ mode }) => mode === "workflow-session");
  expect(commands.length).toBeGreaterThanOrEqual(5);
  expect(commands.flatMap(({ writable }) => writable)).toEqual([]);
  // What lay uncommitted in the repository is still there, and in nothing that was made.
  expect(readFileSync(join(project, "uncommitted.js"), "utf8")).toBe("left lying\n");
  expect(git(project, "status", "--porcelain").trim()).toBe("?? uncommitted.js");
  const listed = Bun.spawnSync(["tar", "-tzf", join(published, "hello-1.0.0.tgz")]).stdout.toString();
  expect(listed).toContain("package/out/index.js");
  expect(listed).not.toContain("uncommitted");
  // It came from the store of artifacts, by its digest.
  const manifest = readFileSync(join(published, "manifest.json"), "utf8");
  expect(manifest).toContain(sha256(readFileSync(join(published, "hello-1.0.0.tgz"))));
});

test("SR-12: the provenance of what is published holds, and names runner, policy, sandbox and commit", async () => {
  const verified = await host.lightflow([
    "provenance",
    "verify",
    join(published, "hello-1.0.0.tgz"),
    "--json",
  ]);
  expect(verified).toMatchObject({ code: 0 });
  expect(verified.json).toMatchObject({
    verified: true,
    builder: "https://lightflow.dev/runner/default/rel",
    materials: [{ uri: `git+file://${project}`, digest: { gitCommit: git(project, "rev-parse", "HEAD") } }],
  });
  const envelope = readEnvelope(readFileSync(join(published, "provenance.intoto.json"), "utf8"));
  const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString());
  expect(statement).toMatchObject({
    _type: "https://in-toto.io/Statement/v1",
    predicateType: "https://slsa.dev/provenance/v1",
  });
  expect(statement.predicate.buildDefinition.internalParameters).toMatchObject({
    policyDigest: expect.stringMatching(/^sha256:/),
    executionProfile: "release@1",
    network: "deny-all",
    sandbox: { mode: "workflow-session", boundary: "user-namespace" },
  });
  // The bill of materials names the dependency with the digest of its lock file.
  const bom = JSON.parse(readFileSync(join(published, "sbom.cdx.json"), "utf8"));
  expect(bom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
  expect(bom.components).toMatchObject([
    {
      name: "greeting",
      version: "2.1.0",
      hashes: [{ alg: "SHA-512" }],
      licenses: [{ license: { id: "MIT" } }],
    },
  ]);
  const signature = readEnvelope(
    readFileSync(join(host.registry, "hello/1.0.0.release.intoto.json"), "utf8"),
  );
  const signed = openEnvelope(signature, createPublicKey(host.signingKey));
  expect((signed["subject"] as { name: string }[]).map(({ name }) => name)).toEqual([
    "hello-1.0.0.tgz",
    "sbom.cdx.json",
  ]);
});

test("a changed artifact, another key and a changed statement do not verify", async () => {
  const copy = join(host.box.path, "copy.tgz");
  writeFileSync(copy, Buffer.concat([readFileSync(join(published, "hello-1.0.0.tgz")), Buffer.from("x")]));
  const provenance = join(published, "provenance.intoto.json");
  const changed = await host.lightflow(["provenance", "verify", copy, "--provenance", provenance, "--json"]);
  expect(JSON.parse(changed.stderr)).toMatchObject({ code: "artifact_digest_mismatch" });
  const other = join(host.box.path, "other.pem");
  writeFileSync(other, createPublicKey(host.signingKey).export({ format: "pem", type: "spki" }));
  const artifact = join(published, "hello-1.0.0.tgz");
  const wrongKey = await host.lightflow(["provenance", "verify", artifact, "--key", other, "--json"]);
  expect(JSON.parse(wrongKey.stderr)).toMatchObject({
    code: "provenance_invalid",
    detail: expect.stringContaining("by the key"),
  });
  const unsigned = await host.lightflow(["provenance", "verify", copy]);
  expect([unsigned.code, unsigned.stderr]).toEqual([
    2,
    expect.stringContaining("no provenance.intoto.json beside it"),
  ]);
  const envelope = JSON.parse(readFileSync(provenance, "utf8"));
  const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString());
  statement.predicate.runDetails.builder.id = "https://example.org/mine";
  const forged = join(host.box.path, "forged.json");
  writeFileSync(
    forged,
    JSON.stringify({ ...envelope, payload: Buffer.from(JSON.stringify(statement)).toString("base64") }),
  );
  const bent = await host.lightflow(["provenance", "verify", artifact, "--provenance", forged, "--json"]);
  expect(JSON.parse(bent.stderr)).toMatchObject({
    code: "provenance_invalid",
    detail: expect.stringContaining("changed since"),
  });
  // Signed rightly, by somebody else.
  const foreign = join(host.box.path, "foreign.json");
  writeFileSync(foreign, JSON.stringify(signStatement(statement, generateKeyPairSync("ed25519").privateKey)));
  const strange = await host.lightflow(["provenance", "verify", artifact, "--provenance", foreign]);
  expect([strange.code, strange.stderr]).toEqual([
    2,
    expect.stringContaining("by no runner of this control plane"),
  ]);
});

test("SR-8: the signing key stands in no log, no state, no artifact and no file of the runner", async () => {
  const secret = host.signingKey.split("\n")[1]!;
  const found = Bun.spawnSync(["grep", "-rlF", secret, join(host.box.path, "state"), host.registry]);
  expect(found.stdout.toString()).toBe("");
});

test("SR-10.2: what is published never changes: another release of the version is refused, and nothing of it is left", async () => {
  writeFileSync(
    join(project, "index.js"),
    'module.exports = (name) => `${require("greeting")}  ${name}`.replace("  ", " ");\n',
  );
  git(project, "commit", "--all", "--quiet", "--message", "another");
  const before = readFileSync(join(published, "manifest.json"), "utf8");
  const second = await started();
  const approval = await host.approval(second, "release.publish");
  await host.lightflow(["approvals", "approve", approval]);
  expect(await host.ended(second)).toBe("failed");
  expect(JSON.stringify((await host.lightflow(["run", "get", second])).json)).toContain(
    "published with other contents",
  );
  expect(readFileSync(join(published, "manifest.json"), "utf8")).toBe(before);
  expect(readdirSync(join(host.registry, "hello")).some((name) => name.startsWith(".staging"))).toBe(false);
});

test("SR-10.5: a profile that only shares a session's sandbox publishes nothing", async () => {
  const profile = JSON.parse(readFileSync(join(host.box.path, "release.json"), "utf8"));
  profile.id = "narrow";
  profile.policy.allow.actions = ["sbom"];
  writeFileSync(join(host.box.path, "narrow.json"), JSON.stringify(profile));
  expect((await host.lightflow(["profile", "publish", "narrow.json"])).code).toBe(0);
  const text = readFileSync(join(host.box.path, "lightflow/workflows/release_typescript.ts"), "utf8")
    .replace('"workflow.release_typescript"', '"workflow.narrow"')
    .replace('.profile("release")', '.profile("narrow")');
  writeFileSync(join(host.box.path, "lightflow/workflows/narrow.ts"), text);
  const refused = await host.lightflow([
    "run",
    "start",
    "workflow.narrow",
    "--json",
    "--inputs",
    JSON.stringify({ repository: project, registry: host.registry }),
  ]);
  expect(refused.code).not.toBe(0);
  expect(JSON.parse(refused.stderr)).toMatchObject({
    code: "execution_policy_denied",
    details: { field: "allow.actions" },
  });
});

test("F58: a publication that stands although nobody heard of it is found by its key, and made no second time", async () => {
  // The same task as the runner does it, twice: the answer of the first one is lost.
  const inputs = join(published);
  const files = JSON.parse(readFileSync(join(inputs, "manifest.json"), "utf8"));
  const staged = join(host.box.path, "inputs");
  mkdirSync(staged, { recursive: true });
  for (const { name, sha256 } of files.files)
    writeFileSync(join(staged, sha256), readFileSync(join(inputs, name)));
  const registry = join(host.box.path, "second registry");
  mkdirSync(registry);
  const runnerKey = JSON.parse(readFileSync(join(host.runnerData, "identity.json"), "utf8"))
    .publicKey as string;
  const given = {
    registry,
    name: "hello",
    version: "1.0.0",
    artifacts: files.files.filter(({ name }: { name: string }) => name !== "provenance.intoto.json"),
    provenance: files.files.filter(({ name }: { name: string }) => name === "provenance.intoto.json"),
  };
  const act = (action: string, what: object, key = "sha256:one", builders = runnerKey) =>
    runBinary(["action-child", action], {
      env: {
        ...host.box.env,
        LIGHTFLOW_INPUTS: staged,
        LIGHTFLOW_IDEMPOTENCY_KEY: key,
        LIGHTFLOW_BUILDER_KEYS: builders,
      },
      cwd: host.box.path,
      stdin: JSON.stringify(what),
    });
  const place = { registry, name: "hello", version: "1.0.0" };
  expect((await act("inspect", place)).stdout).toContain('"absent"');
  expect(await act("publish", given)).toMatchObject({ code: 0 });
  expect((await act("publish", given)).stdout).toContain("published by this very task before");
  expect((await act("inspect", place)).stdout).toContain('"published"');
  expect((await act("publish", given, "sha256:two")).stderr).toContain("conflict");
  // Without a provenance by a builder that counts there is no publication.
  const fresh = { ...given, version: "2.0.0" };
  expect((await act("publish", fresh, "sha256:three", "")).stderr).toContain("provenance_invalid");
  expect(
    (await act("publish", { ...fresh, provenance: given.artifacts.slice(0, 1) }, "sha256:three")).stderr,
  ).toContain("provenance_invalid");
  expect((await act("publish", { ...fresh, registri: 1 })).stderr).toContain("no parameter registri");
  expect((await act("publish", { ...fresh, name: "../../evil" })).stderr).toContain("not a plain name");
  expect((await act("push", {})).stderr).toContain("no action push");
  writeFileSync(join(staged, files.files[0].sha256), "changed");
  expect((await act("publish", fresh, "sha256:three")).stderr).toContain("artifact_digest_mismatch");
  expect(existsSync(join(registry, "hello/2.0.0"))).toBe(false);
});

test("the two templates of the documentation look and change nothing: each runs with its slot, and with no other value", async () => {
  const page = readFileSync(join(import.meta.dir, "../../docs/15-release.md"), "utf8");
  const bin = join(host.box.path, "bin");
  mkdirSync(bin);
  for (const name of ["event-importer", "config-profile"])
    writeFileSync(join(bin, name), '#!/bin/sh\necho "$(basename "$0")" "$@"\n', { mode: 0o755 });
  const shown = page.match(/^\{"id":"[\s\S]*?\n?.*\]\}$/gm) ?? [];
  expect(shown).toHaveLength(2);
  for (const text of shown) {
    const published = text.replace("/usr/local/bin", bin);
    expect(await host.lightflow(["template", "publish", "-"], published)).toMatchObject({ code: 0 });
  }
  const ran = async (template: string, value: string, mounts: object[] = [{ source: bin, target: bin }]) => {
    const path = join(host.box.path, "dry.json");
    const task = {
      run: { shell: { command: template, arguments: [value] } },
      metadata: { lightWorkflow: { runner: { commandTemplateId: template }, mounts } },
    };
    writeFileSync(
      path,
      JSON.stringify({
        document: {
          dsl: "1.0.3",
          namespace: "t",
          name: "dry",
          version: "1.0.0",
          metadata: { lightWorkflow: { runner: { executionProfile: "release" } } },
        },
        do: [{ dry: task }],
      }),
    );
    const id = await host.start([path]);
    const status = await host.ended(id);
    return `${status} ${JSON.stringify((await host.lightflow(["run", "get", id])).json)}`;
  };
  expect(await ran("event-importer-dry-run", "events/today.json")).toContain(
    "event-importer --dry-run --file events/today.json",
  );
  expect(await ran("config-profile-manifest", "staging")).toContain(
    "config-profile manifest --profile staging",
  );
  for (const [template, value] of [
    ["event-importer-dry-run", "--apply"],
    ["event-importer-dry-run", "a b"],
    ["config-profile-manifest", "Staging; id"],
    ["config-profile-manifest", "x".repeat(65)],
  ] as const)
    expect(await ran(template, value)).toMatch(/^failed .*"template_denied"/);
  // Nor does another program stand where the approved one does.
  const other = join(host.box.path, "other");
  mkdirSync(other);
  for (const target of [bin, "//usr/bin", "/etc"])
    expect(await ran("config-profile-manifest", "staging", [{ source: other, target }])).toContain(
      "would stand in the place of the program",
    );
});
