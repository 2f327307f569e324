import type { Check } from "./doctor/check.ts";
import type { Paint } from "./paint.ts";
import { tableText } from "./table-text.ts";

const MARK = { ok: "ok", warn: "warn", fail: "FAIL" } as const;

/** Checks as a table, each remedy under its check. */
export function checksText(checks: readonly Check[], paint: Paint): string {
  const color = { ok: paint.green, warn: paint.yellow, fail: paint.red };
  return tableText(
    checks.flatMap((check) => [
      [color[check.status](MARK[check.status]), check.name, check.detail],
      ...(check.remedy === null ? [] : [["", "", `→ ${check.remedy}`]]),
    ]),
  );
}
