import type { ErrorCode } from "./errors.ts";

/** What a task's browser may do. */
export interface BrowserLimits {
  /** Pages open at once. */
  readonly pages: number;
  /** Of all files together that pages hand out. */
  readonly downloadBytes: number;
  /** How long one step of a page may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Of a page, in CSS pixels. */
  readonly width: number;
  readonly height: number;
}

/** What the child that runs a browser task is told by its runner. */
export interface BrowserStart extends BrowserLimits {
  /** The program that was proven. */
  readonly executable: string;
  /** Show what the program itself says. */
  readonly verbose?: boolean;
}

export const BROWSER_DEFAULTS: BrowserLimits = {
  pages: 4,
  downloadBytes: 64 * 1024 * 1024,
  timeoutMs: 30_000,
  width: 1280,
  height: 720,
};

/**
 * The exit codes by which the child of a browser task says what kind of end it was. Codes, because the journal keeps
 * them: a crash of the runner loses no reason.
 */
export const BROWSER_EXITS = {
  browser_crashed: 81,
  browser_timeout: 82,
  browser_limit_exceeded: 83,
  browser_navigation_failed: 84,
} as const satisfies Partial<Record<ErrorCode, number>>;
export type BrowserErrorCode = keyof typeof BROWSER_EXITS;

/** The error that an exit code of that child stands for; null for any other. */
export function browserErrorOf(exitCode: number | null): BrowserErrorCode | null {
  const found = Object.entries(BROWSER_EXITS).find(([, code]) => code === exitCode);
  return found === undefined ? null : (found[0] as BrowserErrorCode);
}
