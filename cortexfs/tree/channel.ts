import {
  configurationProblem,
  isHttpUrl,
  isSecretHeader,
  isShortName,
  listValues,
} from "../exchange/providers.ts";
import { errno } from "../fuse/errno.ts";
import { isFormat } from "../providers/dialects.ts";
import { parseSecretReference } from "../providers/secret.ts";
import { collection, fixed, isFlag, isNumber, type Place, setting, text } from "./build.ts";
import type { Directory } from "./node.ts";

/** `chan/`: `mkdir` an upstream and describe it by its files; it is a provider once `enabled` holds 1. */
export function channelDirectory(place: Place): Directory {
  const { engine } = place;
  return collection(
    place,
    {
      names: () => engine.settings.children("chan"),
      type: () => "directory",
      has: (name) => engine.settings.hasChild("chan", name),
      make: (name) => oneChannel(place, name),
      mkdir: (name, caller) => {
        if (!isShortName(name) || name === "demo" || name === "environment") throw errno("EINVAL");
        engine.audit.add({ event: "configured", ...caller, name: `chan/${name}` });
        return engine.settings.set(`chan/${name}/enabled`, "0");
      },
      rmdir: (name, caller) => {
        engine.audit.add({ event: "configured", ...caller, name: `chan/${name}`, decision: "removed" });
        return engine.settings.remove(`chan/${name}`);
      },
    },
    {},
    0o755,
  );
}

function oneChannel(place: Place, id: string): Directory {
  const { engine } = place;
  const base = `chan/${id}`;
  const provider = () => engine.providers().get(id);
  const status = (): string => {
    const current = provider();
    return current === undefined
      ? "missing_configuration"
      : (configurationProblem(current, engine.env) ?? "ready");
  };
  return fixed(
    place,
    {
      url: setting(place, `${base}/url`, { valid: (value) => value === "" || isHttpUrl(value) }),
      keyref: setting(place, `${base}/keyref`, {
        valid: (value) => value === "" || parseSecretReference(value) !== undefined,
      }),
      fmt: setting(place, `${base}/fmt`, {
        initial: "openai.chat",
        valid: (value) => listValues(value).every(isFormat),
      }),
      mod: setting(place, `${base}/mod`, { initial: "*" }),
      headers: setting(place, `${base}/headers`, {
        valid: (value) =>
          listValues(value).every(
            (entry) => /^[A-Za-z0-9-]+: ?[\x20-\x7e]*$/.test(entry) && !isSecretHeader(entry.split(":")[0]!),
          ),
      }),
      enabled: setting(place, `${base}/enabled`, { initial: "0", valid: isFlag }),
      prio: setting(place, `${base}/prio`, { initial: "0", valid: isNumber }),
      wt: setting(place, `${base}/wt`, { initial: "1", valid: isNumber }),
      limit: setting(place, `${base}/limit`, { initial: "16", valid: isNumber }),
      timeout_ms: setting(place, `${base}/timeout_ms`, { initial: "120000", valid: isNumber }),
      status: text(place, status),
      health: text(place, () => engine.health.get(id)?.status ?? "unknown"),
      // No HTTP gateway stands in front of a channel, and a file must not promise one.
      localurl: text(place, () => ""),
    },
    0o755,
  );
}
