import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { runnerBenches } from "../../../test/support/runner.ts";

setDefaultTimeout(30_000);
const benches = runnerBenches();
afterEach(() => benches.close());

test("F28: an upload whose answer is lost is asked after before it is sent again, and the result waits for it", async () => {
  const { controller } = benches.start({ sandbox: "process" });
  let uploads = 0;
  const asked: string[] = [];
  controller.intercept = (path, attempt) => {
    if (!path.endsWith("/artifact")) return null;
    asked.push(`${path} ${attempt}`);
    return uploads++ === 0 ? "lose-answer" : null;
  };
  const lease = controller.shell("head -c 600000 /dev/zero >big", { artifacts: [{ path: "big" }] });
  const result = await controller.result(lease);
  expect(result.status).toBe("succeeded");
  expect(controller.artifacts.get(result.artifactRefs[0]!.sha256)!.length).toBe(600_000);
  // The try that was lost, the question, the second try.
  expect(asked.length).toBe(3);
});
