import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Io } from "../io.ts";
import { resolveSettings, type Settings } from "../settings.ts";
import { type Check, failure, good, messageOf, warning } from "./check.ts";

/** Both ports are bound and given back at once; taken ones are fine when a host of this user has them. */
export async function checkPorts(io: Io): Promise<Check[]> {
  const settings = settingsOrDefaults(io);
  const ours = await hostAnswers(join(io.paths.runtime, "api.sock"));
  return [
    checkPort("gateway port", settings.host, settings.port, "port", ours),
    checkPort("controller port", settings.host, settings.controllerPort, "controllerPort", ours),
  ];
}

/** Bad settings have a check of their own. */
function settingsOrDefaults(io: Io): Settings {
  try {
    return io.settings();
  } catch {
    return resolveSettings({}, {}, {}).settings;
  }
}

function checkPort(name: string, host: string, port: number, setting: string, ours: boolean): Check {
  if (port === 0) return good(name, "any free port");
  try {
    Bun.listen({ hostname: host, port, exclusive: true, socket: { data() {} } }).stop(true);
    return good(name, `${host}:${port} is free`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE") {
      if (ours) return good(name, `${host}:${port} is in use while lightflow is up`);
      return warning(
        name,
        `${host}:${port} is in use by another program`,
        `set ${setting} in config.yaml to a free one`,
      );
    }
    return failure(
      name,
      `${host}:${port}: ${messageOf(error)}`,
      `correct host or ${setting}; see lightflow config show`,
    );
  }
}

async function hostAnswers(socket: string): Promise<boolean> {
  if (!existsSync(socket)) return false;
  try {
    await fetch("http://localhost/health", { unix: socket, signal: AbortSignal.timeout(1000) });
    return true;
  } catch {
    return false;
  }
}
