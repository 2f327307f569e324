import type { Environment } from "../../src/base/xdg.ts";
import type { FormatName } from "../providers/conversation.ts";
import { FORMATS, isFormat } from "../providers/dialects.ts";
import { parseSecretReference } from "../providers/secret.ts";
import type { Settings } from "./settings.ts";

/** One upstream that requests can go to, whatever file described it. */
export interface Provider {
  readonly id: string;
  readonly name: string;
  /** `demo` is built in, `channel` comes from `chan/`, `registry` from `provider/inbox`, `environment` from variables. */
  readonly source: "demo" | "channel" | "registry" | "environment";
  readonly baseUrl: string;
  readonly keyReference: string | undefined;
  /** In order of preference. */
  readonly formats: readonly FormatName[];
  /** Model names; `*` takes any name that a request gives. */
  readonly models: readonly string[];
  readonly defaultModel: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly weight: number;
  readonly enabled: boolean;
  /** Requests at once. */
  readonly limit: number;
  readonly timeoutMs: number;
}

const DEMO_MODELS = ["demo", "demo-small"] as const;
const DEFAULT_LIMIT = 16;
const DEFAULT_TIMEOUT_MS = 120_000;

const DEMO: Provider = {
  id: "demo",
  name: "Built-in deterministic demo",
  source: "demo",
  baseUrl: "",
  keyReference: undefined,
  formats: FORMATS,
  models: DEMO_MODELS,
  defaultModel: "demo",
  headers: {},
  priority: -1,
  weight: 1,
  enabled: true,
  limit: 256,
  timeoutMs: DEFAULT_TIMEOUT_MS,
};

/** Names of providers, models, threads and agents; channels, jobs and hooks take the narrower set of the contract. */
export const isName = (name: string): boolean =>
  /^[a-zA-Z0-9]([a-zA-Z0-9._:-]{0,126}[a-zA-Z0-9])?$/.test(name) && !name.includes("..");
export const isShortName = (name: string): boolean =>
  /^[A-Za-z0-9.-]{1,64}$/.test(name) && name !== "." && name !== "..";

/** Values of a list file: one a line, blank lines and surrounding space ignored. */
export function listValues(text: string | undefined): string[] {
  return (text ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

export function isHttpUrl(text: string): boolean {
  try {
    const url = new URL(text);
    // Credentials in a URL would be readable in the tree, and a query is where some providers take a key.
    if (url.search !== "" || url.hash !== "") return false;
    return (
      (url.protocol === "http:" || url.protocol === "https:") && url.username === "" && url.password === ""
    );
  } catch {
    return false;
  }
}

function number(text: string | undefined, fallback: number): number {
  return text !== undefined && /^-?\d{1,9}$/.test(text.trim()) ? Number(text.trim()) : fallback;
}

function channel(settings: Settings, id: string): Provider {
  const value = (field: string): string | undefined =>
    settings.get(`chan/${id}/${field}`)?.trim() || undefined;
  const formats = listValues(value("fmt")).filter(isFormat);
  const models = listValues(value("mod"));
  return {
    id,
    name: id,
    source: "channel",
    baseUrl: value("url") ?? "",
    keyReference: value("keyref"),
    formats: formats.length > 0 ? formats : ["openai.chat"],
    models: models.length > 0 ? models : ["*"],
    defaultModel: models.find((model) => !model.includes("*")),
    headers: parseHeaders(value("headers")),
    priority: number(value("prio"), 0),
    weight: Math.max(1, number(value("wt"), 1)),
    enabled: value("enabled") === "1",
    limit: Math.max(1, number(value("limit"), DEFAULT_LIMIT)),
    timeoutMs: Math.max(1, number(value("timeout_ms"), DEFAULT_TIMEOUT_MS)),
  };
}

/** `Name: value` lines; a header that could carry a key is not taken from a readable file. */
function parseHeaders(text: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of listValues(text)) {
    const match = /^([A-Za-z0-9-]+):\s*([\x20-\x7e]*)$/.exec(line);
    if (match !== null && !isSecretHeader(match[1]!)) headers[match[1]!.toLowerCase()] = match[2]!;
  }
  return headers;
}

export const isSecretHeader = (name: string): boolean => /auth|key|token|cookie|secret/i.test(name);

/** A registry entry as `provider/inbox` takes it. */
export interface RegistryEntry {
  readonly id: string;
  readonly name?: string;
  readonly base_url: string;
  readonly key_ref?: string;
  readonly formats: readonly FormatName[];
  readonly models?: readonly string[];
  readonly default_model?: string;
  readonly priority?: number;
  readonly weight?: number;
  readonly enabled?: boolean;
  readonly limit?: number;
  readonly timeout_ms?: number;
}

function registered(settings: Settings, id: string): Provider | undefined {
  const text = settings.get(`provider/${id}/entry`);
  if (text === undefined) return undefined;
  const entry = JSON.parse(text) as RegistryEntry;
  const current = (field: string): string | undefined =>
    settings.get(`provider/${id}/${field}`)?.trim() || undefined;
  const models = entry.models ?? (entry.default_model === undefined ? ["*"] : [entry.default_model]);
  return {
    id,
    name: entry.name ?? id,
    source: "registry",
    baseUrl: current("url") ?? entry.base_url,
    keyReference: entry.key_ref,
    formats: entry.formats,
    models,
    defaultModel: entry.default_model ?? models.find((model) => !model.includes("*")),
    headers: {},
    priority: number(current("priority"), entry.priority ?? 0),
    weight: Math.max(1, entry.weight ?? 1),
    enabled: (current("enabled") ?? (entry.enabled === false ? "0" : "1")) === "1",
    limit: Math.max(1, entry.limit ?? DEFAULT_LIMIT),
    timeoutMs: Math.max(1, entry.timeout_ms ?? DEFAULT_TIMEOUT_MS),
  };
}

function fromEnvironment(env: Environment): Provider | undefined {
  const baseUrl = env["CORTEXFS_OPENAI_BASE_URL"];
  if (!baseUrl || !isHttpUrl(baseUrl)) return undefined;
  const keyName = env["CORTEXFS_OPENAI_API_KEY"] ? "CORTEXFS_OPENAI_API_KEY" : "FENGYING_API_KEY";
  const model = env["CORTEXFS_OPENAI_MODEL"] || undefined;
  return {
    ...DEMO,
    id: "environment",
    name: "From CORTEXFS_OPENAI_*",
    source: "environment",
    baseUrl,
    keyReference: env[keyName] ? `env:${keyName}` : undefined,
    formats: ["openai.chat"],
    models: model === undefined ? ["*"] : [model],
    defaultModel: model,
    priority: 0,
    limit: DEFAULT_LIMIT,
  };
}

/** All providers, by id. A channel and a registry entry of one id are one name: the channel stands. */
export function allProviders(settings: Settings, env: Environment): Map<string, Provider> {
  const all = new Map<string, Provider>();
  const add = (provider: Provider | undefined): void => {
    if (provider !== undefined) all.set(provider.id, provider);
  };
  add(DEMO);
  add(fromEnvironment(env));
  for (const id of settings.children("provider")) add(registered(settings, id));
  for (const id of settings.children("chan")) add(channel(settings, id));
  const demo = settings.get("provider/demo/enabled")?.trim();
  if (demo === "0") all.set("demo", { ...DEMO, enabled: false });
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What stops a provider from being used, before any request is looked at. */
export function configurationProblem(provider: Provider, env: Environment): string | undefined {
  if (!provider.enabled) return "provider_disabled";
  if (provider.source !== "demo" && !isHttpUrl(provider.baseUrl)) return "missing_configuration";
  if (provider.keyReference === undefined) return undefined;
  const reference = parseSecretReference(provider.keyReference);
  if (reference === undefined) return "missing_secret";
  if (reference.kind === "env" && !env[reference.name]) return "missing_secret";
  if (reference.kind === "systemd-creds" && !env["CREDENTIALS_DIRECTORY"]) return "missing_secret";
  return undefined;
}
