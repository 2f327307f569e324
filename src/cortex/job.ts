import { mkdir, open, readFile } from "node:fs/promises";
import { toFailure } from "../base/errors.ts";
import type { jobPaths } from "./paths.ts";

async function write(path: string, text: string): Promise<void> {
  try {
    const file = await open(path, "w");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      // Closing `req` runs the job, and its failure is told here.
      await file.close();
    }
  } catch (error) {
    throw toFailure(error);
  }
}

/** Write `spec`, then `req`; the job has run when this returns, or its failure is thrown and stands in `status`. */
export async function submitJob(
  paths: ReturnType<typeof jobPaths>,
  spec: string,
  request: string,
): Promise<void> {
  await mkdir(paths.root, { recursive: true });
  await write(paths.spec, spec);
  await write(paths.request, request);
}

/** The output as it is and the status without its newline; each undefined while there is none. */
export async function readJob(paths: {
  readonly output: string;
  readonly status: string;
}): Promise<{ output: string | undefined; status: string | undefined }> {
  const text = (path: string): Promise<string | undefined> => readFile(path, "utf8").catch(() => undefined);
  const [output, status] = await Promise.all([text(paths.output), text(paths.status)]);
  return { output: output || undefined, status: status?.trim() || undefined };
}
