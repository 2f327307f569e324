import type { KeyObject } from "node:crypto";
import { fail } from "../../base/errors.ts";
import {
  type AgentWork,
  Lease,
  type RegistrationAccepted,
  secretConflict,
  validate,
  verifyLease,
} from "../../protocol/index.ts";
import type { EffectiveConfig } from "../config.ts";
import { checkEnvironmentNames } from "../environment.ts";
import { checkArtifactPath } from "../files/collect.ts";

const SAAS_SECRET = "saas-secret://";
const RUNNER_SECRET = "runner-secret://";

/**
 * Whether this lease is what the controller signed, and meant for this runner in this session.
 * @throws Failure `schema_violation`, `lease_signature_invalid`, `tenant_mismatch`, `runner_mismatch`, `host_mismatch`,
 * `runner_session_inactive`
 */
export function verifyOffer(
  value: unknown,
  config: EffectiveConfig,
  session: RegistrationAccepted,
  key: KeyObject,
): Lease {
  const lease = validate(Lease, value, "schema_violation");
  if (!verifyLease(lease, key)) throw fail("lease_signature_invalid");
  if (lease.tenantId !== config.tenantId)
    throw fail("tenant_mismatch", "the lease belongs to another tenant");
  if (lease.runnerId !== config.runnerId)
    throw fail("runner_mismatch", "the lease belongs to another runner");
  if (lease.hostId !== config.hostId) throw fail("host_mismatch", "the lease belongs to another host");
  if (lease.sessionId !== session.sessionId) {
    throw fail("runner_session_inactive", "the lease belongs to another session");
  }
  return lease;
}

/**
 * What no policy of a server can make this runner do.
 * @throws Failure `secret_denied`, `template_denied`, `execution_policy_denied`, `artifact_path_denied`
 */
export function checkContent(
  lease: Pick<
    Lease,
    | "task"
    | "agent"
    | "artifacts"
    | "commandTemplateId"
    | "commandTemplateDigest"
    | "secretPolicy"
    | "workspace"
  >,
  config: EffectiveConfig,
): void {
  const { task } = lease;
  const command = task.command ?? "";
  const visible = [command, ...task.arguments, task.stdin ?? ""];
  for (const text of [...visible, ...Object.values(task.environment)]) {
    if (text.includes(SAAS_SECRET)) {
      throw fail("secret_denied", "a runner never resolves saas-secret:// references");
    }
  }
  // Arguments show in the process list, and a shell's history: a secret goes into the environment alone.
  if (visible.some((text) => text.includes(RUNNER_SECRET))) {
    throw fail("secret_denied", "a secret may stand in the environment only, never in arguments or input");
  }
  if ([command, ...task.arguments].some((text) => text.includes("\0"))) {
    throw fail("execution_policy_denied", "an argument holds a NUL byte");
  }
  if (
    lease.secretPolicy === "none" &&
    Object.values(task.environment).some((value) => value.includes(RUNNER_SECRET))
  ) {
    throw fail("secret_denied", "the lease's secret policy is none, and its environment refers to a secret");
  }
  checkEnvironmentNames(task.environment);
  // What could not be handed over afterwards is not begun.
  for (const { path } of lease.artifacts) checkArtifactPath(path);
  checkCopy(lease.workspace);
  if (lease.agent !== undefined) {
    checkAgent(lease.agent, config);
    return;
  }
  if (config.commandTemplates !== undefined) {
    const digest = lease.commandTemplateDigest;
    if (digest === undefined || !config.commandTemplates.includes(digest)) {
      throw fail(
        "template_denied",
        digest === undefined
          ? "this runner runs approved command templates alone, and the lease names none"
          : `the template ${lease.commandTemplateId} (${digest}) is not in the runner's list`,
      );
    }
  }
  checkListed(commandName(task), config);
}

function checkListed(command: string, { commands }: EffectiveConfig): void {
  if (commands !== undefined && !commands.includes(command))
    throw fail("template_denied", `${command} is not in the runner's list of commands`);
}

/** The programs of an agent are those that its tools start; its worker is this executable. */
function checkAgent(work: AgentWork, config: EffectiveConfig): void {
  const { commands, templates = [], mcpServers = [] } = work;
  const programs = [
    ...commands.map(({ command }) => ({ command, digest: undefined })),
    ...templates.map(({ template, digest }) => ({ command: template.executable, digest })),
    ...mcpServers.map(({ command, commandTemplateDigest: digest }) => ({ command, digest })),
  ];
  for (const { command, digest } of programs) {
    checkListed(command, config);
    if (config.commandTemplates === undefined) continue;
    if (digest === undefined || !config.commandTemplates.includes(digest))
      throw fail(
        "template_denied",
        `this runner runs approved command templates alone, and ${command} is of none in its list`,
      );
  }
  const holders = mcpServers.map(({ name, secrets }) => ({
    name,
    hasSecrets: Object.keys(secrets).length > 0,
  }));
  const held = secretConflict(holders, work.allowedTools.includes("run") || work.verify !== undefined);
  if (held !== null) throw fail("execution_policy_denied", held);
  for (const { command, arguments: given, environment, secrets } of mcpServers) {
    checkEnvironmentNames({ ...environment, ...secrets });
    const texts = [command, ...given, ...Object.values(environment)];
    if (texts.some((text) => text.includes(SAAS_SECRET) || text.includes(RUNNER_SECRET)))
      throw fail("secret_denied", "a secret of an MCP server stands in the task's environment only");
    if (texts.some((text) => text.includes("\0")))
      throw fail("execution_policy_denied", "an argument holds a NUL byte");
  }
}

/** Only a workspace of the task's own can be a copy, and only a copy can replace what it was made from. */
function checkCopy({ mode, key, copyOf, commitTo }: Lease["workspace"]): void {
  if (copyOf === undefined && commitTo === undefined) return;
  const session = copyOf !== undefined && "session" in copyOf ? copyOf.session : undefined;
  const wrong =
    mode === "session" ||
    copyOf === undefined ||
    key === session ||
    key === commitTo ||
    (session !== undefined && commitTo !== undefined && session !== commitTo);
  if (wrong)
    throw fail("execution_policy_denied", "the lease's workspace is a copy of itself, or of nothing");
}

/** What the list of commands names: a program, or an image whatever it runs. */
const commandName = (task: Lease["task"]): string =>
  task.type === "run.container" ? task.image : task.command;
