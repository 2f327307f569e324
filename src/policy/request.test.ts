import { expect, test } from "bun:test";
import type { JsonObject } from "../base/json.ts";
import { requestLayer } from "./request.ts";

const asks = (light: JsonObject) =>
  requestLayer({
    action: {
      name: "pull-request",
      with: { api: "https://git.example.org/api/v1", remote: "https://push.example.org/a/b.git" },
    },
    ...light,
  });

test("an action that is given addresses asks for their hosts alone, whatever network its task names", () => {
  const hosts = { network: "allowlisted", allow: { networkHosts: ["git.example.org", "push.example.org"] } };
  expect(asks({})).toMatchObject(hosts);
  expect(asks({ network: "open" })).toMatchObject(hosts);
  expect(asks({ security: { network: "open", allow: { networkHosts: ["*"] } } })).toMatchObject(hosts);
  expect(asks({ network: "deny-all" })).toMatchObject({ network: "deny-all" });
});

test("an action that is given none asks for no network", () => {
  expect(requestLayer({ action: { name: "branch", with: { repository: "/srv/app" } } })).toEqual({
    allow: { actions: ["branch"] },
  });
});
