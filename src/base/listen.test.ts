import { expect, test } from "bun:test";
import { cannotListen, listenTcp } from "./listen.ts";

const begin = (port: number, host = "127.0.0.1") =>
  listenTcp({ host, port, flag: "--port", maximumBodyBytes: 1, handle: () => new Response() });

test("why a server cannot begin is said with what to change", async () => {
  const first = begin(0);
  const port = Number(new URL(first.url).port);
  try {
    expect(() => begin(port)).toThrow(`cannot listen on 127.0.0.1:${port}: the port is in use`);
    // An address of the documentation, which no host has.
    expect(() => begin(0, "192.0.2.1")).toThrow("cannot listen on 192.0.2.1:0: EADDRNOTAVAIL");
  } finally {
    await first.stop();
  }
  const tls = { certificate: "c.pem", key: "k.pem" };
  const error = Object.assign(new Error("no start line"), { code: "ERR_OSSL_PEM_NO_START_LINE" });
  expect(cannotListen(error, { host: "h", port: 1, flag: "--port", tls }).message).toBe(
    "c.pem and k.pem are no certificate with its key: no start line",
  );
});
