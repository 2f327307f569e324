/** Where a sandboxed task finds the proxy's socket, and the port that the relay beside it listens on. */
export const SANDBOX_SOCKET_DIRECTORY = "/run/lightflow";
export const SOCKET_NAME = "egress.sock";
const RELAY_PORT = 8118;

/** The command of a task behind the relay that carries its connections to the proxy. */
export const behindRelay = (own: readonly string[], command: readonly string[]): string[] => [
  ...own,
  "egress-relay",
  `${SANDBOX_SOCKET_DIRECTORY}/${SOCKET_NAME}`,
  String(RELAY_PORT),
  ...command,
];

/** What programs look at to find a proxy. */
export function proxyEnvironment(): Record<string, string> {
  const url = `http://127.0.0.1:${RELAY_PORT}`;
  return {
    ...{ HTTP_PROXY: url, HTTPS_PROXY: url, http_proxy: url, https_proxy: url, NO_PROXY: "", no_proxy: "" },
    // Node.js (24 and later) looks at them only where it is told to.
    NODE_USE_ENV_PROXY: "1",
  };
}
