import { readFileSync } from "node:fs";

const LOWEST = 15_000;

/** Where the kernel begins with the ports that it hands out by itself. */
function firstEphemeral(): number {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s+/)[0]);
  } catch {
    return 32_768;
  }
}

/**
 * A free port for a server that is told its port, or that comes back on the one that it had. The kernel hands out none
 * of these: one that port 0 gave may be another's while its server is down.
 */
export function ownPort(): number {
  const count = Math.max(1000, firstEphemeral() - LOWEST);
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * count);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Somebody has it.
    }
  }
}
