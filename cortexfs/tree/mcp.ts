import { toFailure } from "../../src/base/errors.ts";
import { isShortName } from "../exchange/providers.ts";
import { mcpServer } from "../exchange/tools/registry.ts";
import { errno } from "../fuse/errno.ts";
import { parseSecretReference } from "../providers/secret.ts";
import { collection, control, fixed, isFlag, type Place, setting, text } from "./build.ts";
import type { Directory } from "./node.ts";
import { toolFiles } from "./tool.ts";

/** `mcp/`: servers of the Model Context Protocol, set up by the mounting user, and the tools they list. */
export function mcpDirectory(place: Place): Directory {
  const { engine } = place;
  const tools = () => engine.tools.remoteTools();
  return fixed(place, {
    server: collection(
      place,
      {
        names: () => engine.settings.children("mcp/server"),
        type: () => "directory",
        has: (name) => engine.settings.hasChild("mcp/server", name),
        make: (name) => oneServer(place, name),
        mkdir: (name, caller) => {
          if (!isShortName(name)) throw errno("EINVAL");
          engine.audit.add({ event: "configured", ...caller, name: `mcp/server/${name}` });
          return engine.settings.set(`mcp/server/${name}/enabled`, "0");
        },
        rmdir: (name) => engine.settings.remove(`mcp/server/${name}`),
      },
      {},
      0o755,
    ),
    tool: collection(place, {
      names: () => tools().map((tool) => tool.id),
      type: () => "directory",
      make: (name) => {
        const tool = tools().find((candidate) => candidate.id === name);
        return tool === undefined ? undefined : toolFiles(place, tool, "tool");
      },
    }),
  });
}

function oneServer(place: Place, id: string): Directory {
  const { engine } = place;
  const base = `mcp/server/${id}`;
  let status = "stopped";
  const refresh = (): void => {
    const server = mcpServer(engine.settings, id);
    if (server.transport === "stdio" ? server.command.length === 0 : server.url === "") {
      status = "missing_configuration";
      return;
    }
    status = "starting";
    engine.ask({ type: "mcp_list", server }, new AbortController().signal).then(
      (event) => {
        if (event.type !== "mcp_list") return;
        engine.tools.setRemote(id, event.tools);
        status = "ready";
        engine.changed("mcp");
      },
      (error: unknown) => {
        status = `failed: ${toFailure(error).message}`;
        engine.changed("mcp");
      },
    );
  };
  if (engine.settings.get(`${base}/enabled`) === "1") refresh();
  return fixed(
    place,
    {
      name: text(place, id),
      transport: setting(place, `${base}/transport`, {
        initial: "stdio",
        valid: (value) => value === "stdio" || value === "http",
      }),
      command: setting(place, `${base}/command`),
      args: setting(place, `${base}/args`),
      url: setting(place, `${base}/url`, { valid: (value) => value === "" || /^https?:\/\//.test(value) }),
      keyref: setting(place, `${base}/keyref`, {
        valid: (value) => value === "" || parseSecretReference(value) !== undefined,
      }),
      env: setting(place, `${base}/env`),
      enabled: setting(place, `${base}/enabled`, {
        initial: "0",
        valid: isFlag,
        after: (value) => {
          if (value === "1") refresh();
          else {
            status = "stopped";
            engine.tools.setRemote(id, []);
          }
        },
      }),
      status: text(place, () => status),
      control: fixed(place, { restart: control(place, refresh) }),
    },
    0o755,
  );
}
