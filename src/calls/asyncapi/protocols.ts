/** What a document's `protocol` may say; their forms over TLS are included. */
export const SUPPORTED_ASYNCAPI_PROTOCOLS = ["http", "ws"] as const;
export type AsyncApiProtocol = (typeof SUPPORTED_ASYNCAPI_PROTOCOLS)[number];

/** The protocol without its `s` for TLS, or undefined for one that is not offered. */
export function plainProtocol(protocol: string): AsyncApiProtocol | undefined {
  const name = protocol.toLowerCase();
  return Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
}

const PLAIN: Readonly<Record<string, AsyncApiProtocol>> = {
  http: "http",
  https: "http",
  ws: "ws",
  wss: "ws",
};
