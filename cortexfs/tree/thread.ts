import { isoTime } from "../../src/base/clock.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { isName } from "../exchange/providers.ts";
import { isPending } from "../exchange/requests.ts";
import { loopLimits } from "../exchange/surfaces/thread.ts";
import { errno } from "../fuse/errno.ts";
import { collection, control, fixed, isNumber, type Place, setting, text, view } from "./build.ts";
import { ExchangeDirectory } from "./inbox.ts";
import type { Caller, Directory } from "./node.ts";

const RESERVED = new Set(["count", "list", "current"]);

/** `home/<uid>/thread`: `mkdir` begins a conversation, `rmdir` ends it with all its messages. */
export function threadDirectory(place: Place, uid: number): Directory {
  const { engine } = place;
  const base = `home/${uid}/thread`;
  const names = (): string[] => engine.settings.children(base).filter((name) => !RESERVED.has(name));
  return collection(
    place,
    {
      names,
      type: () => "directory",
      has: (name) => engine.settings.hasChild(base, name),
      make: (name) => oneThread(place, uid, name),
      mkdir: (name, caller) => {
        if (!isName(name) || RESERVED.has(name)) throw errno("EINVAL");
        engine.audit.add({ event: "configured", ...caller, name: `${base}/${name}` });
        engine.settings.put(`${base}/current`, name);
        return engine.settings.set(`${base}/${name}/created`, isoTime(engine.clock.wall()));
      },
      rmdir: (name, caller) => {
        const rows = [...engine.requests.surface(uid, `thread/${name}`).rows.values()];
        if (rows.some(isPending)) throw errno("EBUSY");
        for (const row of rows) {
          for (const part of ["request", "fingerprint", "route", "result", "stream"] as const) {
            engine.removeFile(row, part, caller).catch(() => {});
          }
        }
        engine.audit.add({ event: "configured", ...caller, name: `${base}/${name}`, decision: "removed" });
        engine.threads.remove(uid, name);
        return engine.settings.remove(`${base}/${name}`);
      },
    },
    {
      current: setting(place, `${base}/current`, { valid: (name) => name === "" || names().includes(name) }),
    },
    0o755,
  );
}

function oneThread(place: Place, uid: number, id: string): Directory {
  const { engine } = place;
  const base = `home/${uid}/thread/${id}`;
  const thread = () => engine.threads.get(uid, id);
  const created = (): string => engine.settings.get(`${base}/created`) ?? "";
  const cancel = (_text: string, caller: Caller): void => {
    engine.audit.add({ event: "control", ...caller, name: `${base}/control/cancel` });
    for (const row of engine.requests.surface(uid, `thread/${id}`).rows.values()) {
      if (isPending(row)) engine.cancel(row);
    }
  };
  const updated = (): number => thread().updated;
  return fixed(
    place,
    {
      context: text(place, `user:${uid}:thread:s0`),
      inbox: new ExchangeDirectory({ ...place, surface: `thread/${id}`, home: uid, parts: "both" }),
      "messages.jsonl": view(place, { content: () => thread().text, time: updated }),
      "latest.md": view(place, { content: () => render(engine.threads.messages(uid, id)), time: updated }),
      state: text(place, () => thread().state),
      created: text(place, created),
      updated: text(place, () => isoTime(updated())),
      fingerprint: text(
        place,
        () => [...engine.requests.surface(uid, `thread/${id}`).rows.values()].at(-1)?.fingerprint ?? "",
      ),
      scope: setting(place, `${base}/scope`, { initial: "private" }),
      cwd: setting(place, `${base}/cwd`),
      control: fixed(place, { cancel: control(place, cancel) }),
      "tool-loop": fixed(place, {
        state: text(place, () => thread().state),
        "steps.jsonl": view(place, { content: () => thread().steps }),
        limit: fixed(place, {
          max_steps: setting(place, `${base}/tool-loop/limit/max_steps`, {
            initial: () => String(loopLimits(engine, uid, id).steps),
            valid: isNumber,
          }),
          max_time_ms: setting(place, `${base}/tool-loop/limit/max_time_ms`, {
            initial: () => String(loopLimits(engine, uid, id).timeMs),
            valid: isNumber,
          }),
        }),
        control: fixed(place, { cancel: control(place, cancel) }),
      }),
    },
    0o755,
  );
}

/** The conversation for a reader. */
function render(messages: readonly JsonObject[]): string {
  const body = (content: unknown): string =>
    typeof content === "string" ? content : ["```json", JSON.stringify(content), "```"].join("\n");
  return messages.map(({ role, content }) => `## ${String(role)}\n\n${body(content)}\n`).join("\n");
}
