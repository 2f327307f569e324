/** What one check found. `remedy` says what to do, and is null when there is nothing to do. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly remedy: string | null;
}

export const good = (name: string, detail: string): Check => ({ name, status: "ok", detail, remedy: null });
export const warning = (name: string, detail: string, remedy: string): Check => ({
  name,
  status: "warn",
  detail,
  remedy,
});
export const failure = (name: string, detail: string, remedy: string): Check => ({
  name,
  status: "fail",
  detail,
  remedy,
});

export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ");
}
