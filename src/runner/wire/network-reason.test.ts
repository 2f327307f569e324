import { expect, test } from "bun:test";
import { networkReason } from "./network-reason.ts";

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
  expect(networkReason(new Error("self signed certificate"))).toBe(
    "its certificate is not trusted; name its authority with --tls-ca, or check --tls-cert (self signed certificate)",
  );
  const cut = Object.assign(new Error("The socket was closed. For more information, pass `verbose: true`"), {
    code: "ECONNRESET",
  });
  expect(networkReason(cut)).toContain("https://");
  expect(networkReason(new Error("odd"))).toBe("odd");
});
