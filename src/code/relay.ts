import { connect as connectSocket, createServer } from "node:net";
import { constants } from "node:os";
import { joinSockets } from "../base/join-sockets.ts";

/**
 * Inside a sandbox whose network is its own: carry connections to the loopback port that programs take for a proxy to
 * the proxy's socket, for as long as the command runs.
 * @param argv the socket, the port, and the command
 * @returns the exit code: the command's own
 */
export async function runRelay([socket = "", port, ...command]: readonly string[]): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    void joinSockets(client, connectSocket({ path: socket, allowHalfOpen: true }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(port), "127.0.0.1", resolve);
  });
  // The command is told by whoever tells its group; it decides itself what to make of it.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  try {
    const child = Bun.spawn(command, { stdio: ["inherit", "inherit", "inherit"] });
    await child.exited;
    if (child.signalCode !== null) return 128 + (constants.signals[child.signalCode as NodeJS.Signals] ?? 0);
    return child.exitCode ?? 1;
  } catch (error) {
    console.error((error as Error).message);
    return 127;
  } finally {
    server.close();
  }
}
