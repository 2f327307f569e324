import { sha256 } from "../../src/base/canonical.ts";
import type { Environment } from "../../src/base/xdg.ts";
import type { Candidate } from "../providers/call.ts";
import type { FormatName } from "../providers/conversation.ts";
import { configurationProblem, type Provider } from "./providers.ts";

/** How a provider has behaved lately, from the calls themselves. */
export interface Health {
  readonly status: "ready" | "degraded" | "failed";
  readonly latencyMs: number;
  readonly lastError: string;
  readonly time: number;
}

/** A provider that failed is asked after the others for this long. */
const FAILED_MS = 30_000;

export interface RouteQuestion {
  readonly format: FormatName;
  /** The model that the body names, or undefined for the provider's own. */
  readonly model: string | undefined;
  readonly providers: ReadonlyMap<string, Provider>;
  /** Provider ids that the caller's policy allows; undefined allows all. */
  readonly allowed: readonly string[] | undefined;
  readonly defaultProvider: string | undefined;
  readonly health: ReadonlyMap<string, Health>;
  readonly env: Environment;
  readonly now: number;
  /** Spreads requests over providers of one priority by weight: the same key always falls on the same one. */
  readonly key: string;
}

export interface Route {
  readonly provider: string;
  readonly model: string;
  /** `ready`, or why no provider can take the request. */
  readonly reason:
    | "ready"
    | "policy_denied"
    | "provider_disabled"
    | "missing_secret"
    | "missing_configuration"
    | "unsupported_model"
    | "unsupported_format";
  readonly candidates: readonly Candidate[];
}

const denied = (reason: Route["reason"], provider = ""): Route => ({
  provider,
  model: "",
  reason,
  candidates: [],
});

/**
 * Choose where a request goes. Order: the caller's default provider, providers that did not fail lately, priority,
 * weight. Formats that a provider lacks are converted, so a provider that speaks the asked one goes first among equals.
 * The built-in demo answers only when it is named or when nothing else is configured: it never stands in for a real
 * provider that is down.
 */
export function route(question: RouteQuestion): Route {
  const { format, providers, allowed, env } = question;
  let model = question.model;
  let named = [...providers.values()];
  if (model !== undefined) {
    const prefix = named.find(
      (provider) => model!.startsWith(`${provider.id}.`) || model!.startsWith(`${provider.id}/`),
    );
    if (prefix !== undefined && !named.some((provider) => provider.models.includes(model!))) {
      named = [prefix];
      model = model.slice(prefix.id.length + 1);
    }
  }
  const wanted = (provider: Provider): string | undefined => {
    if (model === undefined) return provider.defaultModel;
    return provider.models.some((pattern) => matches(pattern, model)) ? model : undefined;
  };
  const real = named.filter((provider) => provider.source !== "demo");
  const demoNamed =
    question.defaultProvider === "demo" ||
    (model !== undefined && providers.get("demo")?.models.includes(model));
  const inQuestion = demoNamed || real.length === 0 ? named : real;
  if (inQuestion.length === 0) return denied("unsupported_format");
  const permitted = inQuestion.filter((provider) => allowed === undefined || allowed.includes(provider.id));
  if (permitted.length === 0) return denied("policy_denied", inQuestion[0]!.id);
  const usable: Provider[] = [];
  let problem: Route | undefined;
  for (const provider of permitted) {
    const reason = configurationProblem(provider, env);
    if (reason !== undefined) problem ??= denied(reason as Route["reason"], provider.id);
    else if (wanted(provider) === undefined) problem ??= denied("unsupported_model", provider.id);
    else usable.push(provider);
  }
  if (usable.length === 0) return problem ?? denied("unsupported_format");
  const rank = (provider: Provider): number[] => {
    const health = question.health.get(provider.id);
    const failed = health?.status === "failed" && question.now - health.time < FAILED_MS;
    return [
      provider.id === question.defaultProvider ? 0 : 1,
      failed ? 1 : 0,
      -provider.priority,
      provider.formats.includes(format) ? 0 : 1,
      -spread(question.key, provider),
    ];
  };
  const ranked = usable
    .map((provider) => ({ provider, rank: rank(provider) }))
    .sort((a, b) => compare(a.rank, b.rank));
  const candidates = ranked.map(({ provider }) => ({
    provider: provider.id,
    model: wanted(provider)!,
    format: provider.formats.includes(format) ? format : provider.formats[0]!,
    baseUrl: provider.baseUrl,
    keyReference: provider.keyReference,
    headers: provider.headers,
  }));
  return { provider: candidates[0]!.provider, model: candidates[0]!.model, reason: "ready", candidates };
}

/** `*` at the end or alone stands for anything. */
function matches(pattern: string, model: string): boolean {
  return pattern.endsWith("*") ? model.startsWith(pattern.slice(0, -1)) : pattern === model;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}

/** Weighted rendezvous hashing: over many keys each provider comes first in proportion to its weight. */
function spread(key: string, provider: Provider): number {
  const unit = (Number.parseInt(sha256(`${key}\0${provider.id}`).slice(0, 12), 16) + 1) / (2 ** 48 + 2);
  return -provider.weight / Math.log(unit);
}
