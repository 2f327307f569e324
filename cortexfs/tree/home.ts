import { errno } from "../fuse/errno.ts";
import { FORMATS } from "../providers/dialects.ts";
import { control, fixed, lines, type Place, quota, setting, text, view } from "./build.ts";
import { LiveDirectory } from "./directory.ts";
import { LogFile } from "./file.ts";
import { hookDirectory } from "./hook.ts";
import { ExchangeDirectory } from "./inbox.ts";
import { jobDirectory } from "./job.ts";
import { MemoryDirectory } from "./memory.ts";
import { modelDirectory, modelNames } from "./model.ts";
import type { Caller, Directory, Node } from "./node.ts";
import { threadDirectory } from "./thread.ts";

/** Ordinary files that one home may hold in `cache/`. */
const CACHE_BYTES = 512 << 20;

/** An inbox and an outbox of one surface. */
export function exchange(place: Place, surface: string, home: number | undefined): Record<string, Node> {
  return {
    inbox: new ExchangeDirectory({ ...place, surface, home, parts: "inbox" }),
    outbox: new ExchangeDirectory({ ...place, surface, home, parts: "outbox" }),
  };
}

/**
 * `home/`: one directory for each user, made when that user first comes by. A user sees the own home alone, root sees
 * all; the mode bits say the same to the kernel.
 */
export class HomesDirectory extends LiveDirectory {
  constructor(root: Place) {
    const { engine } = root;
    const ensure = ({ uid, gid }: Caller): void => engine.addHome(uid, gid);
    super(
      {
        names: (caller) => {
          ensure(caller);
          return caller.uid === 0 ? engine.homes().map(String) : [String(caller.uid)];
        },
        type: () => "directory",
        has: (name, caller) => {
          if (!/^(0|[1-9]\d{0,9})$/.test(name)) return false;
          if (Number(name) === caller.uid) ensure(caller);
          else if (caller.uid !== 0) throw errno("EACCES");
          return engine.home(Number(name)) !== undefined;
        },
        make: (name) => {
          const uid = Number(name);
          const home = engine.home(uid)!;
          return homeDirectory({ ...root, owner: { uid, gid: home.gid } }, root, home.created);
        },
      },
      { ...root.owner, mode: 0o755, time: root.started },
    );
  }
}

function homeDirectory(place: Place, root: Place, created: number): Directory {
  const { engine } = place;
  const { uid } = place.owner;
  const base = `home/${uid}`;
  // What binds the user is the mounting user's to set; in a mount for oneself both are the same.
  const governed: Place = { ...place, owner: root.owner };
  const api = Object.fromEntries(
    FORMATS.map((format) => [format, fixed(place, exchange(place, `api/${format}`, uid), 0o755)]),
  );
  const route = Object.fromEntries(FORMATS.map((format) => [format, routeDirectory(place, uid, format)]));
  const directory = fixed(
    { ...place, started: created },
    {
      context: text(place, `user:${uid}:home:s0`),
      uid: text(place, String(uid)),
      api: fixed(place, {
        abi: text(place, "cortex.local_api.v0"),
        status: text(place, "configured"),
        ...api,
      }),
      policy: fixed(place, {
        allowed_providers: setting(governed, `${base}/policy/allowed_providers`, { initial: "*" }),
      }),
      route: fixed(place, {
        default_provider: setting(place, `${base}/route/default_provider`, {
          valid: (name) => name === "" || engine.providers().has(name),
        }),
        ...route,
      }),
      model: modelDirectory(place, (caller) => modelNames(engine, caller.uid === 0 ? uid : caller.uid), uid),
      thread: threadDirectory(place, uid),
      batch: fixed(place, {
        ...exchange(place, "batch", uid),
        count: text(place, () => String(engine.requests.surface(uid, "batch").rows.size)),
        state: text(place, () => {
          const rows = [...engine.requests.surface(uid, "batch").rows.values()];
          return rows.some((row) => row.finished === null) ? "queued" : "idle";
        }),
      }),
      job: jobDirectory(place, uid),
      hook: hookDirectory(place, uid),
      audit: fixed(place, {
        scope: text(place, `uid:${uid}`),
        status: text(place, "enabled"),
        "events.jsonl": new LogFile(
          {
            bytes: () => engine.audit.bytes(uid),
            time: () => engine.audit.time(uid),
            read: (offset, size) => engine.audit.read(uid, offset, size),
          },
          { ...place.owner, mode: 0o400, time: created },
        ),
      }),
      cache: new MemoryDirectory(quota(place, CACHE_BYTES), { ...place.owner, mode: 0o700, time: created }),
      control: fixed(place, { gc: control(place, (_text, caller) => collectGarbage(place, uid, caller)) }),
    },
    0o700,
  );
  return directory;
}

/** Remove the files of every finished request of this home. */
function collectGarbage({ engine }: Place, uid: number, caller: Caller): void {
  engine.audit.add({ event: "control", ...caller, name: `home/${uid}/control/gc` });
  for (const row of engine.requests.all(uid)) {
    if (row.finished === null) continue;
    for (const part of ["request", "fingerprint", "route", "result", "stream"] as const) {
      engine.removeFile(row, part, caller).catch(() => {});
    }
  }
}

function routeDirectory(place: Place, uid: number, format: (typeof FORMATS)[number]): Directory {
  const { engine } = place;
  const current = () => engine.route(uid, format, undefined, "");
  return fixed(place, {
    provider: text(place, () => current().provider),
    model: text(place, () => current().model),
    reason: text(place, () => current().reason),
    candidates: view(place, {
      content: () =>
        lines(current().candidates.map((candidate) => `${candidate.provider}\t${candidate.model}`)),
    }),
  });
}
