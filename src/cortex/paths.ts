import { join } from "node:path";
import { fail } from "../base/errors.ts";
import type { Environment } from "../base/xdg.ts";

/** Where a `/ctx` is, and as which uid it is used. Both can be set: `LIGHTFLOW_CTX_MOUNT`, `LIGHTFLOW_CTX_UID`. */
export interface CortexPlace {
  readonly mount: string;
  readonly uid: number;
}

const API_FORMATS = [
  "openai.chat",
  "openai.responses",
  "anthropic.messages",
  "google.generate_content",
] as const;
export type ApiFormat = (typeof API_FORMATS)[number];

export type TargetKind =
  | { readonly kind: "api"; readonly format: ApiFormat }
  | { readonly kind: "tool"; readonly tool_id: string }
  | { readonly kind: "thread"; readonly thread_id: string };

/** The files of one request. Absolute paths; `route_metadata` exists for API requests alone. */
export interface RequestTarget {
  readonly target: TargetKind;
  readonly request_id: string;
  readonly inbox_dir: string;
  readonly outbox_dir: string;
  readonly staged_request: string;
  readonly commit_request: string;
  readonly response: string;
  readonly error: string;
  readonly fingerprint: string;
  readonly route_metadata: string | null;
}

export function cortexPlace(env: Environment = process.env): CortexPlace {
  const uid = env["LIGHTFLOW_CTX_UID"];
  if (uid !== undefined && uid !== "" && !(/^\d{1,10}$/.test(uid) && Number(uid) <= 0xffff_ffff)) {
    throw fail("usage", `invalid LIGHTFLOW_CTX_UID: ${uid} is not a uid`, {
      hint: "an integer from 0 to 4294967295",
    });
  }
  return {
    mount: env["LIGHTFLOW_CTX_MOUNT"] || "/ctx",
    uid: uid ? Number(uid) : (process.getuid?.() ?? 0),
  };
}

export function cortexHome({ mount, uid }: CortexPlace): string {
  return join(mount, "home", String(uid));
}

/** Refuse what cannot be one name of a request: the contract's rule for steps, tools and threads. */
function checkSegment(name: string, value: string): string {
  const bad =
    value === "" ||
    value === "." ||
    value === ".." ||
    value.includes("/") ||
    value.includes("\0") ||
    value.endsWith(".resp.json") ||
    value.endsWith(".error");
  if (bad) throw fail("invalid_request", `invalid ${name} path segment: ${value}`);
  return value;
}

/** The narrower rule for channels, jobs and hooks. */
function checkShort(name: string, value: string): string {
  if (!/^[A-Za-z0-9.-]{1,64}$/.test(value) || value === "." || value === "..") {
    throw fail("invalid_request", `invalid ${name} path segment: ${value}`);
  }
  return value;
}

function files(target: TargetKind, id: string, inbox: string, outbox: string): RequestTarget {
  const request = checkSegment("step_id", id);
  return {
    target,
    request_id: request,
    inbox_dir: inbox,
    outbox_dir: outbox,
    staged_request: join(inbox, `${request}.tmp`),
    commit_request: join(inbox, `${request}.req.json`),
    response: join(outbox, `${request}.resp.json`),
    error: join(outbox, `${request}.error`),
    fingerprint: join(outbox, `${request}.fingerprint`),
    route_metadata: target.kind === "api" ? join(outbox, `${request}.route.json`) : null,
  };
}

/** @example apiTarget(cortexPlace(), "openai.chat", "step-001").response */
export function apiTarget(place: CortexPlace, format: string, id: string): RequestTarget {
  if (!(API_FORMATS as readonly string[]).includes(format)) {
    throw fail("invalid_request", `invalid api_format UnsupportedValue: ${format}`);
  }
  const base = join(cortexHome(place), "api", format);
  return files({ kind: "api", format: format as ApiFormat }, id, join(base, "inbox"), join(base, "outbox"));
}

export function toolTarget(place: CortexPlace, tool: string, id: string): RequestTarget {
  const base = join(place.mount, "tool", checkSegment("tool_id", tool), "invoke");
  return files({ kind: "tool", tool_id: tool }, id, join(base, "inbox"), join(base, "outbox"));
}

/** A thread answers in its inbox. */
export function threadTarget(place: CortexPlace, thread: string, id: string): RequestTarget {
  const inbox = join(cortexHome(place), "thread", checkSegment("thread_id", thread), "inbox");
  return files({ kind: "thread", thread_id: thread }, id, inbox, inbox);
}

export function channelPaths(place: CortexPlace, channel: string) {
  const root = join(place.mount, "chan", checkShort("channel_id", channel));
  return {
    channel_id: channel,
    root,
    url: join(root, "url"),
    keyref: join(root, "keyref"),
    formats: join(root, "fmt"),
    model_filter: join(root, "mod"),
    enabled: join(root, "enabled"),
    status: join(root, "status"),
    local_url: join(root, "localurl"),
  };
}

export function jobPaths(place: CortexPlace, job: string) {
  const root = join(cortexHome(place), "job", checkShort("job_id", job));
  return {
    job_id: job,
    root,
    spec: join(root, "spec"),
    request: join(root, "req"),
    output: join(root, "out.json"),
    status: join(root, "status"),
  };
}

export function hookPaths(place: CortexPlace, hook: string) {
  const root = join(cortexHome(place), "hook", checkShort("hook_id", hook));
  return {
    hook_id: hook,
    root,
    trigger: join(root, "trigger"),
    spec: join(root, "spec"),
    request: join(root, "req"),
    output: join(root, "out.json"),
    status: join(root, "status"),
    last: join(root, "last"),
    log: join(root, "log.jsonl"),
  };
}
