import { isoTime } from "../../src/base/clock.ts";
import { isJobSpec, parseSpec, runJobAt } from "../exchange/jobs.ts";
import { errno } from "../fuse/errno.ts";
import { collection, fixed, line, type Place, setting, text, view } from "./build.ts";
import { make, requestFile } from "./job.ts";
import type { Caller, Directory } from "./node.ts";

const TRIGGERS = /^(manual|systemd\.timer|git\.[a-z-]{1,40}|cron( [^\n]{1,100})?)$/;
const LOG_LIMIT = 256 * 1024;

/**
 * `home/<uid>/hook`: a job bound to a trigger. The trigger is a declaration; what fires it, a timer or a Git hook, writes
 * `req`. Nothing in here fires by itself.
 */
export function hookDirectory(place: Place, uid: number): Directory {
  const { engine } = place;
  const base = `home/${uid}/hook`;
  return collection(
    place,
    {
      names: () => engine.settings.children(base),
      type: () => "directory",
      has: (name) => engine.settings.hasChild(base, name),
      make: (name) => oneHook(place, uid, name),
      mkdir: (name, caller) => make(place, `${base}/${name}`, name, caller),
      rmdir: (name) => engine.settings.remove(`${base}/${name}`),
    },
    {},
    0o755,
  );
}

/** A hook names a job (`kind=job`, `job=<id>`), or is a job of its own. */
const isHookSpec = (spec: string): boolean => isJobSpec(spec) || parseSpec(spec)?.get("kind") === "job";

function oneHook(place: Place, uid: number, id: string): Directory {
  const { engine } = place;
  const base = `home/${uid}/hook/${id}`;
  const stored = (name: string) => ({
    content: () => line(engine.settings.get(`${base}/${name}`) ?? ""),
    time: () => engine.settings.time(`${base}/${name}`) ?? place.started,
  });
  const run = (input: string, caller: Caller): Promise<void> => {
    let spec = parseSpec(engine.settings.get(`${base}/spec`) ?? "");
    if (spec?.get("kind") === "job") {
      const job = parseSpec(engine.settings.get(`home/${uid}/job/${spec.get("job") ?? ""}/spec`) ?? "");
      // What the hook states goes before what the job states.
      spec =
        job === undefined
          ? undefined
          : new Map([...job, ...[...spec].filter(([key]) => key !== "kind" && key !== "job")]);
    }
    if (spec === undefined || !spec.has("kind")) throw errno("EINVAL");
    return fire(spec, input, caller);
  };
  const fire = async (spec: Map<string, string>, input: string, caller: Caller): Promise<void> => {
    const began = engine.clock.wall();
    const { ok, status } = await runJobAt(engine, { ...caller, uid }, base, spec, input);
    engine.settings.put(`${base}/last`, isoTime(began));
    const row = JSON.stringify({ ts: isoTime(began), status, uid: caller.uid, pid: caller.pid });
    const log = `${engine.settings.get(`${base}/log.jsonl`) ?? ""}${row}\n`;
    const cut = log.length > LOG_LIMIT ? log.slice(log.indexOf("\n", log.length - LOG_LIMIT) + 1) : log;
    await engine.settings.set(`${base}/log.jsonl`, cut);
    if (!ok) throw errno("EIO");
  };
  return fixed(
    place,
    {
      trigger: setting(place, `${base}/trigger`, {
        initial: "manual",
        valid: (value) => TRIGGERS.test(value),
      }),
      spec: setting(place, `${base}/spec`, { valid: isHookSpec }),
      req: requestFile(place, base, run),
      "out.json": view(place, stored("out.json")),
      status: text(place, () => engine.settings.get(`${base}/status`) ?? "idle"),
      last: view(place, stored("last")),
      "log.jsonl": view(place, stored("log.jsonl")),
    },
    0o755,
  );
}
