/** The named moments of a lease at which a test may stop the whole runner: a restart from disk must end well. */
export const POINTS = [
  "before_journal_intent",
  "after_journal_intent",
  "after_prepare",
  "after_started",
  "after_journal_executing",
  "after_spawn",
  "after_exit",
  "after_journal_exited",
  "after_artifacts",
  "after_journal_terminal",
  "after_send",
  "after_journal_reported",
  "after_cleanup",
] as const;
/** Those of leases alone that hand a workspace over, or keep it. */
export const KEEPING_POINTS = ["after_commit", "after_freeze", "after_journal_frozen"] as const;
export type Point = (typeof POINTS)[number] | (typeof KEEPING_POINTS)[number];
export type AtPoint = (point: Point, leaseId: string) => void;
