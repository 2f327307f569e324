/** Every default limit of the product, with the reason beside it. Sizes in bytes, times in milliseconds. */
export const KIB = 1024;
export const MIB = 1024 * KIB;

export const LIMITS = {
  /** One HTTP request body on the gateway: inputs are references when they are larger. */
  gatewayBodyBytes: 2 * MIB,
  /** One request to a model through CortexFS: prompts and pictures in it, not archives. */
  exchangeBodyBytes: 16 * MIB,
  /** One protocol message of a runner: a result holds references, never output. */
  protocolBodyBytes: 1 * MIB,
  /** One log chunk: large enough that 100 MB/s is 400 requests, small enough to show progress. */
  logChunkBytes: 256 * KIB,
  /** A chunk is sent at the latest after this time, so that a watcher sees output live. */
  logFlushMs: 100,
  /** Both streams of one task together; over it the task is stopped with `execution_output_too_large`. */
  taskLogBytes: 256 * MIB,
  /** Structured output of a task that may enter the workflow state. */
  taskOutputBytes: 1 * MIB,
  /** Values over this leave the state and become artifacts. */
  inlineValueBytes: 64 * KIB,
  /** One instance snapshot. */
  snapshotBytes: 1 * MIB,
  /** One artifact of a task. */
  artifactBytes: 4 * 1024 * MIB,
  artifactCount: 1024,
  artifactNameBytes: 1024,
  /** From the first byte of an upload to the record that names it: a slow line and a large file fit well inside. */
  uploadMs: 86_400_000,
  /** Uploads that were not what they were announced as stay this long, for whoever looks into it. */
  quarantineMs: 7 * 86_400_000,
  /** One asset file: hand-written source is far below. */
  assetFileBytes: 1 * MIB,
  /** One workflow document. */
  documentBytes: 1 * MIB,
  documentDepth: 64,
  /** The code of one `run.script`: it travels as one argument, and the kernel takes 128 KiB in one. */
  scriptBytes: 120 * KIB,
  /** One answer to a call task, unpacked: what enters the workflow state is no larger (`taskOutputBytes`). */
  callResponseBytes: 1 * MIB,
  /** One description that a call reads first (OpenAPI, AsyncAPI, proto): the largest public ones are near it. */
  callDocumentBytes: 8 * MIB,
  /** Redirects of one call: what browsers allow is 20, what services use is 2. */
  callRedirects: 10,
  /** Access tokens kept by one process. */
  callTokens: 1000,
  /** A lease that is not renewed for this long is lost. */
  leaseMs: 30_000,
  /** A started lease is renewed at a third of its life. */
  leaseRenewMs: 10_000,
  /** A task that states no timeout of its own. */
  taskTimeoutMs: 600_000,
  /** The longest a claim waits for work: below the idle timeout of common proxies. */
  claimWaitMs: 25_000,
  heartbeatMs: 5_000,
  /** A session that was silent for this long takes no more leases. */
  sessionSilentMs: 20_000,
  /** A session's credentials die this long after its last heartbeat, which renews them. */
  credentialMs: 300_000,
  /** However often it is renewed, a session ends after this time and the runner proves its key again. */
  sessionMs: 86_400_000,
  /** From a challenge to the registration that answers it. */
  challengeMs: 60_000,
  /** An enrolment token that nobody used. */
  enrolmentMs: 86_400_000,
  /** Between two deep audits of a runner. */
  auditIntervalMs: 600_000,
  /** A runner that hears of an audit answers within this time, or becomes suspicious; within twice, or is quarantined. */
  auditAnswerMs: 60_000,
  /** A lease that was issued this long ago and that its runner does not list never arrived. */
  lostOfferMs: 10_000,
  /** The steps of a session whose runner was silent for this long fail: a restart and a reconnect fit well inside. */
  sessionLostMs: 120_000,
  /** TERM, this long, then KILL. */
  killGraceMs: 5_000,
  /** How long a start waits in the queue before `execution_queue_timeout`. */
  queueTimeoutMs: 3_600_000,
  retryAfterMs: 1_000,
  /** The shortest interval of a schedule. */
  scheduleEveryMs: 1_000,
  /** A due time that passed while nobody was there is caught up within this time, and passed over after it. */
  scheduleCatchUpMs: 3_600_000,
} as const;
