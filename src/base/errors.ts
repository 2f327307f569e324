/**
 * Every refusal of the product, in one table: a stable code, the HTTP status it maps to, and the retry class.
 *
 * - `never`: the same request will be refused again.
 * - `safe`: nothing happened; the same request may be sent again.
 * - `inspect`: something may have happened; look before repeating.
 */
export type RetryClass = "never" | "safe" | "inspect";

interface ErrorRow {
  readonly status: number;
  readonly retry: RetryClass;
  readonly text: string;
}

const row = (status: number, retry: RetryClass, text: string): ErrorRow => ({ status, retry, text });

export const ERRORS = {
  // Requests
  usage: row(400, "never", "the command line is not understood"),
  invalid_request: row(400, "never", "the request is not valid"),
  invalid_json: row(400, "never", "the text is not valid JSON"),
  schema_violation: row(400, "never", "the value does not match its schema"),
  not_found: row(404, "never", "not found"),
  method_not_allowed: row(405, "never", "the method is not one of this path"),
  conflict: row(409, "never", "the request conflicts with what is stored"),
  idempotency_conflict: row(409, "never", "the same key came with another request"),
  range_not_satisfiable: row(416, "never", "the range lies outside of the bytes"),
  payload_too_large: row(413, "never", "the request is larger than the limit"),
  unsupported_media_type: row(415, "never", "the content type is not supported"),
  unauthenticated: row(401, "never", "the credential is missing, expired or revoked"),
  forbidden: row(403, "never", "the credential does not allow this"),
  rate_limited: row(429, "safe", "too many requests"),
  internal: row(500, "inspect", "an internal error; this is a defect"),
  io: row(500, "inspect", "a file or network operation failed"),
  unsupported: row(422, "never", "not supported by this build"),
  unavailable: row(503, "safe", "not available at the moment"),
  no_orchestrator: row(503, "safe", "no orchestrator is running on this store"),

  // Assets and documents
  asset_invalid: row(400, "never", "the asset is not valid"),
  asset_not_found: row(404, "never", "no such asset"),
  document_invalid: row(400, "never", "the workflow document is not valid"),
  expression_invalid: row(400, "never", "the expression does not compile"),
  expression_failed: row(400, "never", "the expression failed"),
  expression_budget: row(400, "never", "the expression used up its budget"),

  // Store
  store_newer: row(500, "never", "the store was written by a newer version"),
  store_corrupt: row(500, "inspect", "the store is damaged"),
  store_busy: row(503, "safe", "the store is locked by another process"),
  state_too_large: row(413, "never", "the instance state is over its limit"),

  // Runner protocol: who may speak
  runner_session_inactive: row(401, "never", "the runner session is not active"),
  runner_quarantined: row(403, "never", "the runner is quarantined"),
  runner_draining: row(403, "never", "the runner is draining"),
  runner_unhealthy: row(403, "safe", "the runner reports that it is not healthy"),
  tenant_mismatch: row(403, "never", "the credential belongs to another tenant"),
  runner_mismatch: row(403, "never", "the credential belongs to another runner"),
  host_mismatch: row(403, "never", "the credential belongs to another host"),
  pool_mismatch: row(403, "never", "the runner is not in the pool"),
  profile_denied: row(403, "never", "the execution profile is not allowed"),
  controller_untrusted: row(502, "safe", "the controller's certificate is not trusted"),
  registration_refused: row(403, "never", "the registration was refused"),
  protocol_unsupported: row(400, "never", "the protocol version is not supported"),

  // Leases
  lease_not_found: row(404, "never", "no such lease"),
  lease_used: row(409, "never", "the lease was already used"),
  lease_state_conflict: row(409, "never", "the lease is not in a state that allows this"),
  runner_lease_expired: row(410, "never", "the lease has expired"),
  stale_fence: row(410, "never", "a newer attempt has taken over"),
  lease_revoked: row(410, "never", "the lease was revoked"),
  identity_mismatch: row(422, "never", "an echoed identity or digest does not match the lease"),
  policy_digest_mismatch: row(422, "never", "the policy digest does not match"),
  lease_signature_invalid: row(422, "never", "the signature of the lease does not match"),
  result_conflict: row(409, "never", "another result is already stored for this lease"),
  log_gap: row(409, "safe", "the log chunk is not the next one"),

  // Admission and execution outcomes
  execution_admission_denied: row(403, "never", "the task was not admitted"),
  execution_capacity_deferred: row(429, "safe", "no capacity at the moment"),
  execution_queue_timeout: row(408, "safe", "no runner took the task in time"),
  execution_commit_failed: row(500, "inspect", "the changed files could not be taken over into the session"),
  execution_session_lost: row(410, "inspect", "the runner that holds the session's workspace is gone"),
  execution_policy_denied: row(403, "never", "policy does not allow the task"),
  execution_capability_missing: row(403, "never", "a required capability is missing"),
  execution_start_failed: row(500, "safe", "the task could not be started"),
  execution_timeout: row(408, "inspect", "the task ran past its deadline"),
  command_failed: row(500, "inspect", "the command failed"),
  execution_output_too_large: row(413, "inspect", "the output is over its limit"),
  execution_output_invalid: row(422, "inspect", "the output is not what the task declares"),
  execution_cancelled: row(409, "inspect", "the task was cancelled"),
  execution_outcome_unknown: row(500, "inspect", "the outcome of the task is not known"),
  browser_crashed: row(500, "inspect", "the browser, or a page in it, ended by itself"),
  browser_timeout: row(408, "inspect", "a page did not answer in time"),
  browser_limit_exceeded: row(413, "inspect", "the browser took more than the task may"),
  browser_navigation_failed: row(502, "inspect", "a page could not be reached"),
  execution_cleanup_pending: row(500, "inspect", "the sandbox is not cleaned up yet"),
  workspace_change_denied: row(403, "never", "the workspace change is not allowed"),
  provenance_generation_failed: row(500, "inspect", "the provenance could not be made"),
  provenance_invalid: row(422, "never", "the provenance does not hold"),
  agent_output_invalid: row(422, "inspect", "the agent's answer is not what the task declares"),
  agent_budget_exhausted: row(429, "never", "the agent used up its budget"),
  agent_model_failed: row(502, "inspect", "the agent's model could not be asked"),
  agent_repair_failed: row(500, "inspect", "the agent did not repair it in the attempts that it had"),
  agent_tool_conflict: row(409, "never", "two tools of the agent have the same name for its model"),
  agent_tool_missing: row(
    404,
    "never",
    "the MCP server does not offer a tool that the agent was published with",
  ),
  agent_tool_changed: row(
    409,
    "never",
    "a tool of an MCP server is not the one that the agent was published with",
  ),
  mcp_start_failed: row(422, "safe", "the MCP server cannot be started"),
  mcp_server_ended: row(502, "inspect", "the MCP server ended before it answered"),
  mcp_timeout: row(504, "inspect", "the MCP server did not answer in time"),
  mcp_output_too_large: row(413, "inspect", "the MCP server's answer is over its limit"),
  mcp_output_invalid: row(502, "inspect", "the MCP server prints what is no message of MCP"),
  template_denied: row(403, "never", "the command template is not approved"),
  boundary_too_weak: row(403, "never", "the isolation is weaker than required"),
  host_exposure_too_broad: row(403, "never", "the sandbox sees more of the host than allowed"),
  compatibility_digest_mismatch: row(422, "never", "the sandbox is not the approved one"),
  feature_unsupported: row(422, "never", "the sandbox lacks a required feature"),
  approval_invalid: row(403, "never", "the approval does not cover this"),
  approval_expired: row(410, "never", "nobody approved in time"),
  approval_rejected: row(403, "never", "the approval was rejected"),
  assertion_failed: row(422, "never", "an assertion failed"),

  // Artifacts and secrets
  artifact_not_found: row(404, "never", "no such artifact"),
  artifact_expired: row(410, "never", "the artifact's retention is over"),
  artifact_held: row(409, "never", "a legal hold keeps it"),
  artifact_digest_mismatch: row(422, "never", "the bytes do not match the digest"),
  artifact_path_denied: row(422, "never", "the artifact path is not allowed"),
  secret_denied: row(403, "never", "the secret may not be used here"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface FailureExtra {
  /** The next step, for a person. */
  readonly hint?: string;
  /** JSON-safe facts; never secrets. */
  readonly details?: Record<string, unknown>;
  readonly cause?: unknown;
}

/** The one error class. Its `message` is a sentence for people; its `code` is what programs branch on. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: ErrorCode;
  readonly status: number;
  readonly retry: RetryClass;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, extra: FailureExtra) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.code = code;
    this.status = ERRORS[code].status;
    this.retry = ERRORS[code].retry;
    this.hint = extra.hint;
    this.details = extra.details;
  }
}

/**
 * Make a failure to throw.
 * @example throw fail("lease_used", `lease ${id} was already started`, { hint: "claim again" })
 */
export function fail(
  code: ErrorCode,
  message: string = ERRORS[code].text,
  extra: FailureExtra = {},
): Failure {
  return new Failure(code, message, extra);
}

/** Any thrown value as a Failure, so that every boundary answers in one shape. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error) {
    return new Failure("io", error.message, { cause: error });
  }
  return new Failure("internal", error instanceof Error ? error.message : String(error), { cause: error });
}

/** RFC 9457 problem body, plus the plain `error` text that the first interface had. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  retry: RetryClass;
  error: string;
  hint?: string;
  details?: Record<string, unknown>;
}

export function toProblem(failure: Failure): Problem {
  return {
    type: `urn:lightflow:error:${failure.code}`,
    title: ERRORS[failure.code].text,
    status: failure.status,
    detail: failure.message,
    code: failure.code,
    retry: failure.retry,
    error: failure.message,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.details === undefined ? {} : { details: failure.details }),
  };
}

/** The reverse of {@link toProblem}, for clients; an unknown body becomes `internal`. */
export function fromProblem(status: number, body: unknown): Failure {
  if (
    typeof body === "object" &&
    body !== null &&
    "code" in body &&
    typeof body.code === "string" &&
    body.code in ERRORS
  ) {
    const problem = body as Partial<Problem> & { code: ErrorCode };
    return new Failure(problem.code, problem.error ?? problem.detail ?? ERRORS[problem.code].text, {
      ...(problem.hint === undefined ? {} : { hint: problem.hint }),
      ...(problem.details === undefined ? {} : { details: problem.details }),
    });
  }
  return new Failure(status === 404 ? "not_found" : "internal", `the server answered ${status}`, {});
}
