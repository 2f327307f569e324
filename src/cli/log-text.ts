import type { LogLine } from "../base/log.ts";
import type { Paint } from "./paint.ts";
import { detailText } from "./value-text.ts";

/** Longer facts are for the log of a service, not for somebody who looks on. */
const WIDTH = 400;

/** An entry of the log for a terminal: `warn: what happened; fact=value …`. */
export function logText(paint: Paint): LogLine {
  return (level, message, facts = {}) => {
    const style = level === "error" ? paint.red : level === "warn" ? paint.yellow : paint.dim;
    const told = detailText(facts, WIDTH);
    return `${style(`${level}:`)} ${message}${told === "" ? "" : paint.dim(`; ${told}`)}\n`;
  };
}
