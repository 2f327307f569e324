import { configurationProblem, isHttpUrl } from "../exchange/providers.ts";
import { errno } from "../fuse/errno.ts";
import { collection, fixed, isFlag, isNumber, lines, type Place, setting, text, view } from "./build.ts";
import { exchange } from "./home.ts";
import { modelDirectory } from "./model.ts";
import type { Directory } from "./node.ts";

/** `provider/`: every upstream, however it was described, with its registry inbox for the mounting user. */
export function providerDirectory(place: Place): Directory {
  const { engine } = place;
  return collection(
    place,
    {
      names: () => [...engine.providers().keys()],
      type: (name) =>
        name === "inbox" || name === "outbox" || engine.providers().has(name) ? "directory" : "file",
      has: (name) => engine.providers().has(name),
      make: (name) => oneProvider(place, name),
    },
    exchange(place, "provider", place.owner.uid),
  );
}

function oneProvider(place: Place, id: string): Directory {
  const { engine } = place;
  const current = () => {
    const provider = engine.providers().get(id);
    if (provider === undefined) throw errno("ENOENT");
    return provider;
  };
  const registered = current().source === "registry";
  const overridable = registered || id === "demo";
  const health = () => engine.health.get(id);
  const effective = (value: () => string) => text(place, value);
  return fixed(place, {
    name: text(place, () => current().name),
    source: text(place, () => current().source),
    format: view(place, { content: () => lines(current().formats) }),
    auth: text(place, () => (current().keyReference === undefined ? "none" : "key")),
    acct: text(place, () => (current().source === "demo" ? "local_runtime" : "key")),
    url: fixed(place, {
      effective: effective(() => current().baseUrl),
      ...(registered
        ? { current: setting(place, `provider/${id}/url`, { valid: (v) => v === "" || isHttpUrl(v) }) }
        : {}),
    }),
    enabled: fixed(place, {
      effective: effective(() => (current().enabled ? "1" : "0")),
      ...(overridable
        ? { current: setting(place, `provider/${id}/enabled`, { initial: "1", valid: isFlag }) }
        : {}),
    }),
    priority: registered
      ? setting(place, `provider/${id}/priority`, {
          initial: () => String(current().priority),
          valid: isNumber,
        })
      : text(place, () => String(current().priority)),
    weight: text(place, () => String(current().weight)),
    limit: text(place, () => String(current().limit)),
    health: fixed(place, {
      status: text(place, () => configurationProblem(current(), engine.env) ?? health()?.status ?? "unknown"),
      latency_ms: text(place, () => String(health()?.latencyMs ?? "")),
      last_error: text(place, () => health()?.lastError ?? ""),
    }),
    secrets: fixed(place, {
      status: text(place, () => {
        if (current().keyReference === undefined) return "none";
        return configurationProblem(current(), engine.env) === "missing_secret" ? "missing" : "referenced";
      }),
      active: text(place, () => current().keyReference ?? ""),
    }),
    model: modelDirectory(place, () =>
      current()
        .models.filter((model) => !/[*/\0]/.test(model))
        .map((model) => `${id}.${model}`),
    ),
  });
}
