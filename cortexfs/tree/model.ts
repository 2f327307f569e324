import type { Engine } from "../exchange/engine.ts";
import { configurationProblem, type Provider } from "../exchange/providers.ts";
import { collection, fixed, lines, type Place, text, view } from "./build.ts";
import type { Caller, Directory } from "./node.ts";

/** `<provider>.<model>` of every model that is named; a filter like `*` names none. */
export function modelNames(engine: Engine, uid?: number): string[] {
  const allowed = uid === undefined ? undefined : engine.allowedProviders(uid);
  return [...engine.providers().values()]
    .filter((provider) => allowed === undefined || allowed.includes(provider.id))
    .flatMap((provider) =>
      provider.models.filter((model) => !/[*/\0]/.test(model)).map((model) => `${provider.id}.${model}`),
    )
    .sort();
}

function find(engine: Engine, name: string): { provider: Provider; model: string } | undefined {
  for (const provider of engine.providers().values()) {
    if (!name.startsWith(`${provider.id}.`)) continue;
    const model = name.slice(provider.id.length + 1);
    if (provider.models.includes(model)) return { provider, model };
  }
  return undefined;
}

/** `model/` of the root and of each home, with `allowed` and `reason` in the latter. */
export function modelDirectory(place: Place, names: (caller: Caller) => string[], uid?: number): Directory {
  const { engine } = place;
  return collection(place, {
    names,
    type: () => "directory",
    make: (name) => {
      const found = find(engine, name);
      if (found === undefined) return undefined;
      const { provider, model } = found;
      const status = (): string =>
        configurationProblem(engine.providers().get(provider.id) ?? provider, engine.env) ?? "ready";
      const children = {
        provider: text(place, provider.id),
        model: text(place, model),
        format: view(place, { content: () => lines(provider.formats) }),
        status: text(place, status),
      };
      if (uid === undefined) return fixed(place, children);
      const allowed = (): boolean => engine.allowedProviders(uid)?.includes(provider.id) ?? true;
      return fixed(place, {
        ...children,
        allowed: text(place, () => (allowed() ? "1" : "0")),
        reason: text(place, () => (allowed() ? status() : "policy_denied")),
      });
    },
  });
}
