import { isJobSpec, parseSpec, runJobAt } from "../exchange/jobs.ts";
import { isShortName } from "../exchange/providers.ts";
import { errno } from "../fuse/errno.ts";
import { collection, fixed, line, type Place, setting, text, view } from "./build.ts";
import { ValueFile } from "./file.ts";
import type { Caller, Directory } from "./node.ts";

/** A `req` may hold a whole document. */
const INPUT_LIMIT = 4 << 20;

/** `home/<uid>/job`: `mkdir` a job, write `spec`, then `req`; closing `req` runs it. */
export function jobDirectory(place: Place, uid: number): Directory {
  const { engine } = place;
  const base = `home/${uid}/job`;
  return collection(
    place,
    {
      names: () => engine.settings.children(base),
      type: () => "directory",
      has: (name) => engine.settings.hasChild(base, name),
      make: (name) => oneJob(place, uid, name),
      mkdir: (name, caller) => make(place, `${base}/${name}`, name, caller),
      rmdir: (name) => engine.settings.remove(`${base}/${name}`),
    },
    {},
    0o755,
  );
}

export function make(place: Place, path: string, name: string, caller: Caller): Promise<void> {
  if (!isShortName(name)) throw errno("EINVAL");
  place.engine.audit.add({ event: "configured", ...caller, name: path });
  return place.engine.settings.set(`${path}/status`, "idle");
}

function oneJob(place: Place, uid: number, id: string): Directory {
  const { engine } = place;
  const base = `home/${uid}/job/${id}`;
  const stored = (name: string) => ({
    content: () => line(engine.settings.get(`${base}/${name}`) ?? ""),
    time: () => engine.settings.time(`${base}/${name}`) ?? place.started,
  });
  return fixed(
    place,
    {
      spec: setting(place, `${base}/spec`, { valid: isJobSpec }),
      req: requestFile(place, base, (input, caller) => {
        const spec = parseSpec(engine.settings.get(`${base}/spec`) ?? "");
        if (spec === undefined || !spec.has("kind")) throw errno("EINVAL");
        return runJobAt(engine, { ...caller, uid }, base, spec, input).then(({ ok }) => {
          if (!ok) throw errno("EIO");
        });
      }),
      "out.json": view(place, stored("out.json")),
      status: text(place, () => engine.settings.get(`${base}/status`) ?? "idle"),
    },
    0o755,
  );
}

/** The file whose closing after a write runs something once; reading gives back what was written last. */
export function requestFile(
  place: Place,
  base: string,
  run: (input: string, caller: Caller) => Promise<void>,
): ValueFile {
  const { engine } = place;
  return new ValueFile(
    {
      get: () => engine.settings.get(`${base}/req`) ?? "",
      time: () => engine.settings.time(`${base}/req`) ?? place.started,
      limit: INPUT_LIMIT,
      set: (input, caller) => {
        // `: > req` empties the request; there is nothing to run.
        if (input === "") return engine.settings.set(`${base}/req`, "");
        // A request that is refused leaves the former one.
        const done = run(input.replace(/\n$/, ""), caller);
        engine.settings.put(`${base}/req`, input);
        return done;
      },
    },
    { ...place.owner, time: place.started },
  );
}
