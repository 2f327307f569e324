import { expect, test } from "bun:test";
import { networkFailure, networkReason } from "./network-reason.ts";

const reasonOf = (url: string) =>
  fetch(url).then(
    () => "answered",
    (error: unknown) => networkReason(error),
  );

test("why a controller is not reached is said for an operator, with what to look at", async () => {
  using plain = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = plain;
  await plain.stop(true);
  expect(await reasonOf(`http://127.0.0.1:${port}`)).toBe("nothing listens there (ECONNREFUSED)");
  expect(await reasonOf("http://name.invalid")).toStartWith("the name is not known");
  expect(networkFailure("https://host", new Error("self signed certificate"))).toMatchObject({
    code: "controller_untrusted",
    message: "https://host: its certificate is not trusted (self signed certificate)",
    hint: expect.stringContaining("--tls-ca"),
  });
  const cut = Object.assign(new Error("The socket was closed. For more information, pass `verbose: true`"), {
    code: "ECONNRESET",
  });
  expect(networkReason(cut)).toContain("https://");
  expect(networkReason(new Error("odd"))).toBe("odd");
});
