import { AUDIT_EVENTS } from "../exchange/audit.ts";
import type { Engine } from "../exchange/engine.ts";
import { FORMATS } from "../providers/dialects.ts";
import { agentDirectory } from "./agent.ts";
import { collection, control, fixed, lines, type Owner, type Place, quota, text, view } from "./build.ts";
import { channelDirectory } from "./channel.ts";
import { LogFile } from "./file.ts";
import { HomesDirectory } from "./home.ts";
import { mcpDirectory } from "./mcp.ts";
import { MemoryDirectory } from "./memory.ts";
import { modelDirectory, modelNames } from "./model.ts";
import type { Directory, Node } from "./node.ts";
import { providerDirectory } from "./provider.ts";
import { spaceDirectory } from "./space.ts";
import { toolDirectory } from "./tool.ts";

/** The string that a client checks before it relies on the tree. Names are only added while it stays. */
const ABI = "cortexfs.design.v0";
const VERSION = "0.1.0";

const SHARED_BYTES = 256 << 20;

export interface Tree {
  readonly root: Directory;
  /** Bytes for ordinary files, over all homes that were used since the start. */
  readonly space: () => { total: number; free: number };
}

/** Make the tree. */
export function makeRoot(engine: Engine, owner: Owner): Tree {
  const place: Place = { engine, owner, started: engine.clock.wall(), quotas: [] };
  const { audit } = engine;
  const usage = (): string =>
    lines([
      `events ${[...audit.counts.values()].reduce((sum, count) => sum + count, 0)}`,
      ...AUDIT_EVENTS.map((event) => `${event} ${audit.counts.get(event) ?? 0}`),
      `input_tok ${audit.usage.input}`,
      `output_tok ${audit.usage.output}`,
    ]);
  let lastControl = "";
  const controls = (name: string): Node =>
    control(place, (_text, caller) => {
      lastControl = name;
      audit.add({ event: "control", ...caller, name: `control/${name}` });
      if (name === "flush") engine.store.durable().catch(() => {});
    });
  const root = fixed(
    place,
    {
      status: text(place, "ready"),
      cap: fixed(place, {
        format: view(place, { content: () => lines(FORMATS) }),
        provider: view(place, { content: () => lines([...engine.providers().keys()]) }),
        model: view(place, { content: () => lines(modelNames(engine)) }),
        tool: text(place, "1"),
        mcp: text(place, "1"),
      }),
      format: formatDirectory(place),
      provider: providerDirectory(place),
      model: modelDirectory(place, () => modelNames(engine)),
      chan: channelDirectory(place),
      home: new HomesDirectory(place),
      // Sticky like /tmp: all may create, only the owner of a file may remove it.
      shared: new MemoryDirectory(quota(place, SHARED_BYTES), {
        ...owner,
        mode: 0o1777,
        time: place.started,
      }),
      space: spaceDirectory(place),
      agent: agentDirectory(place),
      tool: toolDirectory(place),
      mcp: mcpDirectory(place),
      audit: fixed(place, {
        "events.jsonl": new LogFile(
          {
            bytes: () => audit.bytes(),
            time: () => audit.time(),
            read: (offset, size) => audit.read(undefined, offset, size),
          },
          { ...owner, mode: 0o400, time: place.started },
        ),
        usage: view(place, { content: usage }),
        events: view(place, { content: () => lines(AUDIT_EVENTS) }),
        chain: text(place, "sha256"),
      }),
      control: fixed(place, {
        version: text(place, VERSION),
        abi: text(place, ABI),
        // Execution needs no drain: it is taken for clients of the first version, and acts at once.
        drain: controls("drain"),
        flush: controls("flush"),
        last_control: text(place, () => lastControl),
        queue_depth: text(place, () => String(engine.requests.pending().length)),
      }),
    },
    0o755,
  );
  const space = (): { total: number; free: number } => {
    const sum = (of: (quota: (typeof place.quotas)[number]) => number): number =>
      place.quotas.reduce((total, each) => total + of(each), 0);
    const total = sum((each) => each.total);
    return { total, free: total - sum((each) => each.used) };
  };
  return { root, space };
}

function formatDirectory(place: Place): Directory {
  const { engine } = place;
  const speakers = (format: string) =>
    [...engine.providers().values()].filter((p) => p.formats.includes(format as never));
  return collection(place, {
    names: () => FORMATS,
    type: () => "directory",
    make: (name) =>
      fixed(place, {
        name: text(place, name),
        content_type: text(place, "application/json"),
        request_suffix: text(place, ".req.json"),
        response_suffix: text(place, ".resp.json"),
        provider: fixed(place, {
          count: text(place, () => String(speakers(name).length)),
          list: view(place, { content: () => lines(speakers(name).map((provider) => provider.id)) }),
        }),
      }),
  });
}
