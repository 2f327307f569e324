import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, type Sandbox, sandbox } from "./binary.ts";
import { eventually, type Started, startBinary } from "./processes.ts";

const ROOT = join(import.meta.dir, "../..");

/** A profile as it is shipped, for directories below one; who starts a run may also approve it. */
export function shippedProfile(name: "release" | "repair", directory: string, hosts: string[] = []) {
  const text = readFileSync(join(ROOT, `lightflow/profiles/${name}.yaml`), "utf8");
  const { id, policy } = Bun.YAML.parse(text) as { id: string; policy: { allow: object } };
  const allow = { ...policy.allow, mounts: [directory], networkHosts: hosts };
  return { id, policy: { ...policy, approvalSeparation: false, allow } };
}

/** Wider than what is shipped: tests of refusals by other parts than the profile take it. */
export const releaseProfile = (directory: string, more: object = {}) => ({
  id: "release",
  policy: {
    sandboxMode: "workflow-session",
    boundary: "user-namespace",
    modelGeneratedBoundary: "user-namespace",
    hostExposure: "read-write",
    network: "deny-all",
    secretPolicy: "task-scoped",
    persistence: "session",
    workloadTrust: "trusted-template",
    provenance: "unsigned",
    directCommands: true,
    artifactExport: true,
    aiDiagnosisAllowed: true,
    approvalRequired: false,
    approvalSeparation: false,
    allow: {
      runnerPools: ["default"],
      capabilities: ["git", "npm", "node"],
      executables: ["/"],
      actions: ["sbom", "publish", "inspect", "sign", "tag", "branch", "pull-request", "repair"],
      networkHosts: ["127.0.0.1"],
      commandTemplates: ["*"],
      tools: ["*"],
      mounts: [directory],
      sandboxProviders: ["*"],
      agentPlacements: ["runner"],
      modelProviderScopes: ["tenant"],
      modelProviders: ["*"],
      dataBoundaries: ["tenant-network"],
      credentialClasses: ["*"],
      environmentNames: ["*"],
      artifactPaths: ["."],
      approvers: ["admin", "approver"],
    },
    protectedPaths: [".github", "CODEOWNERS"],
    limits: {
      taskMs: 3_600_000,
      artifactCount: 64,
      concurrency: 8,
      repairAttempts: 3,
      modelTokens: 1_000_000,
      modelCostMicros: 1_000_000,
      outputBytes: 1_000_000,
    },
    ...more,
  },
});

export interface ReleaseHost {
  readonly box: Sandbox;
  readonly registry: string;
  readonly runnerData: string;
  /** PEM of the release's signing key. */
  readonly signingKey: string;
  lightflow(
    args: string[],
    stdin?: string,
  ): Promise<{ code: number; stdout: string; stderr: string; json: Record<string, unknown> }>;
  /** Start and give the run's id. */
  start(args: string[]): Promise<string>;
  status(run: string): Promise<string>;
  ended(run: string): Promise<string>;
  /** The approval that waits for a step of a run. */
  approval(run: string, step: string, seconds?: number): Promise<string>;
  /** SIGKILL for the runner, and the same one anew. */
  runnerPid(): number;
  killRunner(): Promise<void>;
  startRunner(): Promise<void>;
  stop(): Promise<void>;
}

interface Waiting {
  readonly id: string;
  readonly run_id: string;
  readonly step_id: string;
}

/** A host without a runner of its own, and a release runner beside it with the signing key. */
export async function releaseHost(
  options: {
    runnerArgs?: string[];
    runnerEnv?: Record<string, string>;
    profile?: object;
    /** One that is shipped, in place of the wide one. */
    shipped?: "release" | "repair";
    /** Of the control plane. */
    hostEnv?: Record<string, string>;
    /** What its runner.yaml says beside who it is. */
    runnerFile?: object;
  } = {},
): Promise<ReleaseHost> {
  const box = sandbox("release");
  for (const folder of ["lightflow/workflows", "lightflow/compositions", "lightflow/preload", "registry"]) {
    mkdirSync(join(box.path, folder), { recursive: true });
  }
  for (const name of [
    "workflows/release_typescript.ts",
    "workflows/release_rust.ts",
    "workflows/release_java.ts",
    "workflows/repair_typescript.ts",
    "compositions/release_checkout.ts",
    "compositions/release_publish.ts",
    "preload/lightflow.ts",
  ]) {
    copyFileSync(join(ROOT, "lightflow", name), join(box.path, "lightflow", name));
  }
  const signingKey = generateKeyPairSync("ed25519").privateKey.export({
    format: "pem",
    type: "pkcs8",
  }) as string;
  const keyFile = join(box.path, "signing.pem");
  writeFileSync(keyFile, signingKey, { mode: 0o600 });
  const up: Started = await startBinary(
    ["up", "--no-runner", "--no-ctx", "--port", "0", "--controller-port", "0"],
    { ...box.env, ...options.hostEnv },
    box.path,
  );
  let runner: Started | undefined;
  const lightflow: ReleaseHost["lightflow"] = async (args, stdin) => {
    const ran = await runBinary(args, {
      env: box.env,
      cwd: box.path,
      ...(stdin === undefined ? {} : { stdin }),
    });
    return { ...ran, json: jsonOf(ran.stdout) };
  };
  const must = async (args: string[], stdin?: string) => {
    const ran = await lightflow(args, stdin);
    if (ran.code !== 0) throw new Error(`${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
    return ran;
  };
  /** A look by the host's own socket: a process for each would take the processor from what it waits for. */
  const ask = async (path: string): Promise<Record<string, unknown>> => {
    const unix = join(box.env["XDG_RUNTIME_DIR"]!, "lightflow/api.sock");
    const response = await fetch(`http://localhost${path}`, { unix });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  const status = async (run: string) => (await ask(`/runs/${run}`))["status"] as string;
  const token = join(box.path, "runner.token");
  const profileId = options.shipped ?? "release";
  const configured = () => {
    const path = join(box.path, "runner.yaml");
    const file = {
      version: 1,
      controllerUrl: up.ready["controller"],
      credentialFile: token,
      runnerId: "rel",
      executionProfiles: [profileId],
      dataDirectory: join(box.path, "state/runner-rel"),
      slots: 2,
      mounts: [box.path],
      secrets: { release_signing_key: { file: keyFile } },
      ...options.runnerFile,
    };
    writeFileSync(path, JSON.stringify(file));
    return startBinary(["runner", "--config", path], { ...box.env, ...options.runnerEnv }, box.path);
  };
  const spawnRunner = () => {
    if (options.runnerFile !== undefined) return configured();
    return startBinary(
      [
        "runner",
        ...["--controller", up.ready["controller"]!, "--id", "rel", "--profile", profileId],
        ...["--token-file", token, "--slots", "2", "--mount", box.path],
        ...[
          "--data-dir",
          join(box.path, "state/runner-rel"),
          "--secret",
          `release_signing_key=file:${keyFile}`,
        ],
        ...(options.runnerArgs ?? []),
      ],
      { ...box.env, ...options.runnerEnv },
      box.path,
    );
  };
  try {
    const profile =
      options.shipped === undefined
        ? { ...releaseProfile(box.path, options.profile), id: profileId }
        : shippedProfile(options.shipped, box.path, ["127.0.0.1"]);
    writeFileSync(join(box.path, "release.json"), JSON.stringify(profile));
    await must(["profile", "publish", "release.json"]);
    await must(["runner", "enroll", "rel", "--profile", profileId, "--out", token, "--slots", "2"]);
    runner = await spawnRunner();
  } catch (error) {
    await runner?.stop();
    await up.stop();
    box.remove();
    throw error;
  }
  return {
    box,
    registry: join(box.path, "registry"),
    runnerData: join(box.path, "state/runner-rel"),
    signingKey,
    lightflow,
    start: async (args) => (await must(["workflow", "start", ...args])).json["run_id"] as string,
    status,
    ended: (run) =>
      eventually(
        async () => (await ask(`/runs/${run}/wait?wait_ms=5000`))["status"] as string,
        (now) => ["succeeded", "failed", "cancelled"].includes(now),
        60,
      ),
    approval: async (run, step, seconds = 60) => {
      const find = async () => {
        const listed = (await ask("/approvals")) as { approvals?: Waiting[] };
        const found = listed.approvals?.find((each) => each.run_id === run && each.step_id === step);
        if (found === undefined && ["failed", "succeeded"].includes(await status(run))) {
          throw new Error(`the run ended: ${(await lightflow(["run", "get", run])).stdout}`);
        }
        return found;
      };
      return (await eventually(find, (found) => found !== undefined, seconds))!.id;
    },
    runnerPid: () => runner!.pid,
    killRunner: async () => await runner?.kill(),
    async startRunner() {
      runner = await spawnRunner();
    },
    async stop() {
      await runner?.stop();
      await up.stop();
      box.remove();
    },
  };
}

/** An artifact's bytes are no answer of the program. */
function jsonOf(stdout: string): Record<string, unknown> {
  try {
    return JSON.parse(stdout) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** git with an identity of its own; the output. */
export function git(path: string, ...args: string[]): string {
  const identity = [
    "-c",
    "user.name=Somebody",
    "-c",
    "user.email=somebody@example.org",
    "-c",
    "commit.gpgsign=false",
  ];
  const done = Bun.spawnSync(["git", ...identity, ...args], { cwd: path, stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(done.stderr.toString());
  return done.stdout.toString().trim();
}

/** A repository with these files and one commit. */
export function repository(path: string, files: Record<string, string>): string {
  mkdirSync(path, { recursive: true });
  git(path, "init", "--quiet", "--initial-branch=main");
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(path, file, ".."), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  git(path, "add", "--all");
  git(path, "commit", "--quiet", "--message", "a commit");
  return path;
}
